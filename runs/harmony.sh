#!/usr/bin/env bash
# Trains models/harmony (src/rearrange/models/harmony.py): chords, key and progressions.
#   runs/harmony.sh FOLDER [cpu|cuda]
# FOLDER holds symbolic/ (gmd, freedoom, pop909, billboard and openewld as .tar.xz) and samples/drum_hits. Fonts are
# those of src/rearrange/training/fonts.toml that are found; fonts outside the system's folders: REARRANGE_SOUNDFONTS.
# Making 600 takes, and transcribing those with chords, costs half an hour of one core and is kept; fitting two
# minutes. cuda: more takes, made by all cores of the processor; the network is too small to gain from it otherwise.
# The model is written to out/harmony/model; look at the table before it is shipped.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
folder="${1:-../shared/data}"
device="${2:-cpu}"
takes=600 jobs=2
if [ "$device" = cuda ]; then takes=2400 jobs="$(getconf _NPROCESSORS_ONLN)"; fi
exec "${PYTHON:-python3}" -m rearrange.training.harmony --data "$folder" --takes "$takes" --jobs "$jobs" \
    --held-out 24 --seed 0 --device "$device"
