#!/usr/bin/env bash
# Trains models/drums (src/rearrange/models/drums.py) on training audio made on the fly.
#   runs/drums.sh FOLDER [cpu|cuda]
# FOLDER holds symbolic/ (gmd, freedoom and pop909 as .tar.xz) and samples/drum_hits. Fonts are those of
# src/rearrange/training/fonts.toml that are found; fonts outside the system's folders: REARRANGE_SOUNDFONTS.
# cpu: 600 takes (9 minutes of one core), 7,000 steps (35 minutes), and thresholds (5 minutes): under an hour.
# cuda: more of both; the takes are made by all cores of the processor, 1.2 s of one core each.
# A stopped run goes on where it was. The model is written to out/drums/model; look at the table before it is shipped.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
folder="${1:-../shared/data}"
device="${2:-cpu}"
steps=7000 takes=600 batch=8 jobs=2
if [ "$device" = cuda ]; then steps=20000 takes=2400 batch=32 jobs="$(getconf _NPROCESSORS_ONLN)"; fi
"${REARRANGE:-.venv/bin/rearrange}" train drums --data "$folder" \
    --takes "$takes" --steps "$steps" --batch "$batch" --jobs "$jobs" --held-out 20 --seed 0 --device "$device"
# Thresholds are those of drums as a song's are heard: separated, in their mix, and with the templates beside.
python="${PYTHON:-.venv/bin/python}"
for share in tuning unseen; do
    "$python" -m rearrange.training.bank --data "$folder/symbolic" --hits "$folder/samples/drum_hits" \
        --share "$share" --takes 24 --jobs "$jobs"
done
exec "$python" -m rearrange.training.drum_hearing --model out/drums/model --bank out/bank
