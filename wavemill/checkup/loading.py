"""Parts that are loaded, each in a process of its own: a broken library may end the one it is in.

python -m wavemill.checkup.loading NAME     prints a JSON object
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SECONDS = 60.0
"""A part that takes longer hangs."""


def load_all() -> dict[str, dict[str, Any]]:
    """Load all parts at once.

    Returns:
        What each says of itself; of one that does not load `{"error": ...}`.

    """
    with ThreadPoolExecutor(len(PARTS)) as pool:
        return dict(zip(PARTS, pool.map(_load, PARTS), strict=True))


def _load(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", __name__, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return {"error": str(error)}
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        return {"error": said[-1]}
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return {"error": "it printed something else than what it was asked for"}
    return found


def _torch() -> dict[str, Any]:
    import torch
    import torchaudio

    gpus = []
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            gpus.append({"name": about.name, "gb": round(about.total_memory / 1e9, 1)})
    return {
        "torch": torch.__version__,
        "torchaudio": torchaudio.__version__,
        "cuda": torch.version.cuda,
        "gpus": gpus,
        "choices": _choices(),
    }


def _choices() -> dict[str, Any]:
    """Say of tokenizers and recognizers which packages each lacks; the tables load torch."""
    try:
        from wavemill.hypotheses.recognizers.table import RECOGNIZERS
        from wavemill.packages import is_installed
        from wavemill.tokenizers.table import TOKENIZERS
    except (ImportError, OSError) as error:
        return {"error": str(error)}
    tables: dict[str, dict[str, Any]] = {"tokenizers": TOKENIZERS, "recognizers": RECOGNIZERS}
    return {
        what: {
            name: [package for package in build.packages if not is_installed(package)]
            for name, (build, _) in sorted(table.items())
        }
        for what, table in tables.items()
    }


def _beam() -> dict[str, Any]:
    import apache_beam

    with apache_beam.Pipeline(runner="BundleBasedDirectRunner") as pipeline:
        _ = pipeline | apache_beam.Create([1])
    return {"beam": apache_beam.__version__}


def _sndfile() -> dict[str, Any]:
    import io

    import numpy as np
    import soundfile

    sound = np.sin(np.arange(4800, dtype=np.float32) / 20) / 2
    works = []
    for name, kind in (("FLAC", None), ("OGG", "OPUS"), ("OGG", "VORBIS"), ("MP3", None)):
        file = io.BytesIO()
        try:
            soundfile.write(file, sound, 48000, format=name, subtype=kind)
            file.seek(0)
            if len(soundfile.read(file)[0]) >= len(sound):
                works.append(kind or name)
        except (soundfile.LibsndfileError, ValueError):
            continue
    return {"version": soundfile.__libsndfile_version__, "works": works}


def _ffmpeg() -> dict[str, Any]:
    import av

    wanted = ("aac", "alac", "mp3", "opus", "vorbis", "wmav2")
    works = [name for name in wanted if name in av.codecs_available]
    return {"version": av.ffmpeg_version_info, "pyav": av.__version__, "works": works}


PARTS = {"torch": _torch, "beam": _beam, "sndfile": _sndfile, "ffmpeg": _ffmpeg}

if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]]()))  # noqa: T201 - the answer to the process that asked
