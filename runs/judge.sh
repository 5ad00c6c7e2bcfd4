#!/usr/bin/env bash
# Fits the genre judge (models/judge) and prints its figures. About a minute on one core, and half of that to unpack.
#   runs/judge.sh FOLDER    the folder holds gmd, openewld, openscore_quartets, openscore_lieder, pop909 and freedoom
#                           as .tar.xz
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
exec "${PYTHON:-python3}" -m rearrange.evaluation.judge.fit --data "${1:-../shared/data/symbolic}" \
    --seed 0 --unpacked out/judge --out models/judge
