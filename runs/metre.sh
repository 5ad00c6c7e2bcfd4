#!/usr/bin/env bash
# Fits the weights of the linear model of metre (src/rearrange/analysis/metre_weights.py) on 507 excerpts.
#   runs/metre.sh FOLDER    the folder holds gmd, freedoom, pop909 and openscore_lieder as .tar.xz
# Only songs that are not held out are seen (src/rearrange/evaluation/sets). A stopped run goes on where it was; it
# takes some 6 minutes of one core. Look at the table, above all at bars of 2 beats (6/8), before replacing the
# weights that are shipped: the docstring of the recipe says how these compare.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
exec "${PYTHON:-python3}" -m rearrange.training.metre --data "${1:-../shared/data/symbolic}" \
    --seed 0 --l2 0.01 --folds 5 --soundfont default --cache out/metre --out out/metre/metre_weights.py
