#!/usr/bin/env bash
# The figures of the README and of docs/evaluation.md: every set, every genre, three seeds, under an hour on two cores.
#   runs/evaluate.sh FOLDER [OPTION ...]    the folder holds symbolic/ (sets as .tar.xz) and audio/ (recordings)
# Bands are rendered with four sound fonts; one that is missing leaves its cells void and names its package. On
# Debian: apt install fluid-soundfont-gm musescore-general-soundfont fluidr3mono-gm-soundfont csound-soundfont
# A stopped run goes on where it was. Costs are measured last, with nothing beside them: leave the machine alone.
set -euo pipefail
cd "$(dirname "$0")/.."
data="${1:-../shared/data}"
shift || true
"${REARRANGE:-.venv/bin/rearrange}" evaluate --data "$data" --seeds 3 -o out/evaluate "$@"
echo "python3 scripts/readme_figures.py out/evaluate/tables.json   # writes them into README.md and docs/figures.md"
