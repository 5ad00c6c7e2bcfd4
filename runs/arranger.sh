#!/usr/bin/env bash
# Trains models/arranger-small (src/rearrange/models/arranger.py), the transformer that writes a genre's parts.
#   runs/arranger.sh FOLDER [cpu|cuda] [OPTION ...]
# FOLDER holds symbolic/ (all archives but billboard). Preparing 20,000 arrangements takes half an hour of two cores and
# is kept in out/arranger/arrangements: 27 MB, all that a machine with a GPU needs (`-` for FOLDER where they are).
# cpu: depth 8, 5.7 M weights, 1,500 steps of eight sequences: an hour of two cores that multiply matrices in bfloat16.
# cuda: depth 14, 30 M weights, 6,000 steps of 64 sequences; no GPU has seen it yet.
# A stopped run goes on where it was. The model is written to out/arranger/model; judge it by
#   rearrange evaluate --group songs before it is shipped.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="${1:-../shared/data}" device="${2:-cpu}"
shift $(($# < 2 ? $# : 2))
size=(--depth 8 --steps 1500 --context 768)
if [ "$device" = cuda ]; then size=(--depth 14 --steps 6000 --batch 64 --rate 0.0015); fi
data=(--data "$folder" --jobs "$(getconf _NPROCESSORS_ONLN)")
if [ "$folder" = - ]; then data=(); fi
exec "${PYTHON:-.venv/bin/python}" -m rearrange.training.arranger ${data[@]+"${data[@]}"} \
    --seed 0 --device "$device" "${size[@]}" "$@"
