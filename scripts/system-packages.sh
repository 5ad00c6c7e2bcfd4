#!/usr/bin/env bash
# Installs what pip cannot: the FluidSynth library and a General MIDI soundfont. Does nothing where both are there.
set -euo pipefail

have_library() {
    "${PYTHON:-python3}" - <<'PY'
import sys
from ctypes.util import find_library
sys.exit(0 if any(find_library(name) for name in ("fluidsynth", "libfluidsynth", "fluidsynth-3")) else 1)
PY
}

have_font() {
    local folder
    for folder in /usr/share/sounds/sf2 /usr/share/sounds/sf3 /usr/share/soundfonts /usr/local/share/soundfonts \
                  /opt/homebrew/share/soundfonts /usr/local/share/fluidsynth "$HOME/.local/share/soundfonts" \
                  "$HOME/Library/Audio/Sounds/Banks" ${REARRANGE_SOUNDFONTS:-}; do
        if compgen -G "$folder/*.[sS][fF][23]" >/dev/null; then return 0; fi
    done
    return 1
}

if have_library && have_font; then exit 0; fi

if command -v apt-get >/dev/null; then
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "run as root: apt-get install libfluidsynth3 fluid-soundfont-gm" >&2; exit 1; }
        as_root="sudo"
    fi
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends libfluidsynth3 fluid-soundfont-gm
elif command -v brew >/dev/null; then
    have_library || brew install fluid-synth
    if ! have_font; then
        echo "put a General MIDI soundfont (.sf2), e.g. FluidR3_GM.sf2, into ~/.local/share/soundfonts" >&2
        exit 1
    fi
else
    echo "install FluidSynth (libfluidsynth 2 or 3) and a General MIDI soundfont (.sf2) with your package manager" >&2
    exit 1
fi
