#!/usr/bin/env bash
# Trains models/notes (src/rearrange/models/notes.py) on what Basic Pitch hears in training audio made on the fly.
#   runs/notes.sh FOLDER [cpu|cuda]
# FOLDER holds symbolic/ (all archives but billboard) and samples/. Fonts are those of
# src/rearrange/training/fonts.toml that are found; fonts outside the system's folders: REARRANGE_SOUNDFONTS. Singing
# takes eSpeak NG and pyworld.
# Stems are in turn ones that leak, those of the classical separator and those of our own (models/separator-small):
# train that first.
# cpu: 400 takes (25 minutes of one core) and 3,000 steps (30 minutes of one core that has AMX).
# cuda: more of both; takes are heard by the processor.
# A stopped run goes on where it was. The model is written to out/notes/model; look at the table before it is shipped.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
folder="${1:-../shared/data}"
device="${2:-cpu}"
steps=3000 takes=400 batch=4
if [ "$device" = cuda ]; then steps=12000 takes=1600 batch=16; fi
exec "${PYTHON:-python3}" -m rearrange.training.notes --data "$folder" --takes "$takes" --steps "$steps" \
    --batch "$batch" --seed 0 --device "$device"
