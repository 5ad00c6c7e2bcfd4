#!/usr/bin/env bash
# Trains models/beats (src/rearrange/models/beats.py) on training audio made on the fly.
#   runs/beats.sh FOLDER [cpu|cuda] [BANK]
# FOLDER holds symbolic/ (gmd, freedoom and pop909 as .tar.xz) and samples/drum_hits. Fonts are those of
# src/rearrange/training/fonts.toml that are found; fonts outside the system's folders: REARRANGE_SOUNDFONTS.
# BANK holds takes as sound (python -m rearrange.training.bank); without one they are made here.
# cpu: 840 takes (15 minutes of one core, 4 if a bank has most of them) and 2,600 steps (12 to 19 minutes of one core).
# cuda: more of both; the takes are made by all cores of the processor.
# A stopped run goes on where it was. The model is written to out/beats/model; look at the table before it is shipped.
# Last, what it counts beside sound and notes is fitted on 48 bands (8 to 15 minutes of one core): a table, and the
# weights for src/rearrange/analysis/heard_beats.py.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
folder="${1:-../shared/data}"
device="${2:-cpu}"
steps=2600 takes=600 batch=8 jobs=2
if [ "$device" = cuda ]; then steps=12000 takes=2400 batch=32 jobs="$(getconf _NPROCESSORS_ONLN)"; fi
"${PYTHON:-python3}" -m rearrange.training.beats --data "$folder" --takes "$takes" --steps "$steps" \
    --batch "$batch" --jobs "$jobs" --seed 0 --device "$device" ${3:+--audio "$3"}
exec "${PYTHON:-python3}" -m rearrange.training.heard_fits --data "$folder" --out out/heard_fits \
    --model out/beats/model
