#!/usr/bin/env bash
# Install wavemill with what it needs into the Python that is first in PATH, and check that it works.
#
#     install.sh SOURCE [EXTRAS [cpu|cuda]]      SOURCE: a folder with setup.py and constraints.txt
#
# libsndfile and FFmpeg come inside the packages soundfile and av: nothing of the system is needed.
set -euo pipefail

source=$(cd "${1:?usage: install.sh SOURCE [EXTRAS [cpu|cuda]]}" && pwd)
extras=${2:-units}
torch=${3:-cpu}

case $torch in
    cpu) index=(--extra-index-url https://download.pytorch.org/whl/cpu) ;;
    cuda) index=() ;;
    *) echo "install.sh: torch is cpu or cuda, not $torch" >&2; exit 2 ;;
esac

python -m pip install --no-cache-dir "${index[@]}" -c "$source/constraints.txt" "$source[$extras]"

cd /
python -m wavemill doctor
