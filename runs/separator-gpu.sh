#!/usr/bin/env bash
# Trains a small HTDemucs (src/rearrange/training/htdemucs.py) on a GPU that is there for minutes, without internet.
#   runs/separator-gpu.sh pack FOLDER [WHEELS]      at home: writes out/package/htdemucs.tar.xz, at most 60 MiB, and
#                                                   trains two steps from it. FOLDER holds symbolic/, samples/, audio/;
#                                                   WHEELS what the other machine lacks (docs/training.md)
#   runs/separator-gpu.sh cuda FOLDER [OPTION ...]  there, with a GPU: nine minutes; a next run goes on. The last of
#                                                   them: --finish. Where the disk was lost: --start MODEL
#   runs/separator-gpu.sh cpu FOLDER [OPTION ...]   two steps on the processor, to see that all is there
# There: tar xf htdemucs.tar.xz && cd rearrange && . ./env.sh && runs/separator-gpu.sh cuda data
# The model is written to out/htdemucs/model; it is used as `rearrange separate --separator out/htdemucs/model`.
set -euo pipefail
cd "$(dirname "$0")/.."
mode="${1:-}" folder="${2:-../shared/data}" python="${PYTHON:-python3}"
shift $(($# < 2 ? $# : 2))
case "$mode" in
    pack)
        wheels=()
        if [ "$#" -gt 0 ]; then wheels=(--wheels "$1"); fi
        exec "$python" -m rearrange.training.package htdemucs --data "$folder" "${wheels[@]}" --check
        ;;
    cuda)
        "$python" -m rearrange.training.package --ready
        export OMP_NUM_THREADS=1
        exec "$python" -m rearrange.training.htdemucs --data "$folder" --device cuda \
            --jobs "$(getconf _NPROCESSORS_ONLN)" --minutes 9 --seed 0 "$@"
        ;;
    cpu)
        "$python" -m rearrange.training.package --ready
        exec "$python" -m rearrange.training.htdemucs --data "$folder" --takes 2 --held-out 2 --steps 2 --batch 1 \
            --out out/htdemucs-cpu --bank out/htdemucs-cpu/takes "$@"
        ;;
    *)
        sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
