#!/usr/bin/env bash
# Trains models/separator-small (src/rearrange/models/separator.py) on takes, recorded stems and sung lines, mixed anew.
#   runs/separator.sh FOLDER [cpu|cuda]
# FOLDER holds symbolic/ (all archives but billboard), samples/ and audio/eir. Fonts are those of
# src/rearrange/training/fonts.toml that are found; fonts outside the system's folders: REARRANGE_SOUNDFONTS. Singing
# takes eSpeak NG and pyworld.
# cpu: 600 takes (about 12 minutes of two cores) and 9,000 steps of 0.6 s on one core that multiplies matrices in
# bfloat16 (90 minutes; not timed elsewhere).
# The weights that are shipped came about in four parts; their card says how. The last two are what makes a
# model that is there better, more of it with every run (50 minutes where another core draws the crops):
#   rearrange train separator --data FOLDER --seed 11 -- --start models/separator-small --steps 8000 \
#       --rate 0.0015 --level-until 2400
# cuda: more takes and steps.
# A stopped run goes on where it was. The model is written to out/separator/model; look at the table before it is shipped.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
folder="${1:-../shared/data}"
device="${2:-cpu}"
takes=600 jobs=2 more=()
if [ "$device" = cuda ]; then
    takes=2400 jobs="$(getconf _NPROCESSORS_ONLN)" more=(--steps 30000)
fi
exec "${REARRANGE:-.venv/bin/rearrange}" train separator --data "$folder" \
    --takes "$takes" --jobs "$jobs" --held-out 24 --seed 0 --device "$device" ${more[@]+-- "${more[@]}"}
