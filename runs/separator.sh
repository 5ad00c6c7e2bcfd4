#!/usr/bin/env bash
# Trains models/separator-small (src/rearrange/models/separator.py) on takes, recorded stems and sung lines, mixed anew.
#   runs/separator.sh FOLDER [cpu|cuda]
# FOLDER holds symbolic/ (gmd, freedoom and pop909 as .tar.xz), samples/drum_hits and audio/eir. Fonts are those of
# src/rearrange/training/fonts.toml that are found; fonts outside the system's folders: REARRANGE_SOUNDFONTS. Singing
# takes eSpeak NG and pyworld.
# cpu: 600 takes (about 12 minutes of two cores), 144 sung lines (2 minutes), then the recipe that is shipped: 45 minutes
# of one core that multiplies matrices in bfloat16 (not timed elsewhere).
# cuda: more takes and steps, which is not what was shipped.
# A stopped run goes on where it was. The model is written to out/separator/model; look at the table before it is shipped.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
folder="${1:-../shared/data}"
device="${2:-cpu}"
takes=600 jobs=2 more=(--sung 300)
if [ "$device" = cuda ]; then
    takes=2400 jobs="$(getconf _NPROCESSORS_ONLN)" more=(--sung 1200 --steps 20000)
fi
exec "${REARRANGE:-.venv/bin/rearrange}" train separator --data "$folder" \
    --takes "$takes" --jobs "$jobs" --held-out 24 --seed 0 --device "$device" -- "${more[@]}"
