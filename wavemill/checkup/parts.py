"""What the libraries say of themselves that decode, compute and recognize."""

from collections.abc import Iterator
from typing import Any

from wavemill.checkup.finding import BROKEN, LOW, MISSING, OK, UNSET, Finding

NEEDED_OF_SNDFILE = {"FLAC", "OPUS"}


def check_codecs(sndfile: dict[str, Any], ffmpeg: dict[str, Any]) -> Iterator[Finding]:
    """Say what libsndfile and FFmpeg read; each argument is what `loading` found."""
    if "error" in sndfile:
        yield _broken("libsndfile", sndfile, "pip install --force-reinstall soundfile, or"
                      " apt-get install libsndfile1")  # fmt: skip
    else:
        lacking = NEEDED_OF_SNDFILE - set(sndfile["works"])
        yield Finding(
            part="libsndfile",
            state=BROKEN if lacking else OK,
            says=f"{sndfile['version']}: {', '.join(sndfile['works']) or 'nothing'} written and"
            " read back",
            remedy="pip install 'soundfile>=0.13' brings 1.2" if lacking else "",
            needed=True,
        )
    if "error" in ffmpeg:
        yield _broken("FFmpeg", ffmpeg, "pip install --force-reinstall av")
    else:
        says = f"{ffmpeg['version']} in PyAV {ffmpeg['pyav']}: {', '.join(ffmpeg['works'])}"
        yield Finding(part="FFmpeg", state=OK, says=says, needed=True)


def check_torch(torch: dict[str, Any]) -> Iterator[Finding]:
    """Say whether torch loads, which GPUs it sees, and what is chosen by name."""
    if "error" in torch:
        yield _broken("torch", torch, "pip install --force-reinstall torch torchaudio, both of one"
                      " release")  # fmt: skip
        return
    says = f"{torch['torch']}, torchaudio {torch['torchaudio']}"
    yield Finding(part="torch", state=OK, says=says, needed=True)
    if torch["gpus"]:
        for gpu in torch["gpus"]:
            yield Finding(part="GPU", state=OK, says=f"{gpu['name']}, {gpu['gb']} GB")
    elif torch["cuda"] is None:
        yield Finding(part="GPU", state=UNSET, says="this torch is for the CPU alone")
    else:
        yield Finding(part="GPU", state=UNSET, says=f"torch, of CUDA {torch['cuda']}, sees none:"
                      " jobs run on the CPU")  # fmt: skip
    yield from _check_choices(torch["choices"])


def _check_choices(choices: dict[str, Any]) -> Iterator[Finding]:
    """Say how many tokenizers and recognizers could be used."""
    if "error" in choices:
        yield _broken("tokenizers", choices, "mend what is broken above")
        return
    for what, found in choices.items():
        lacking = {name: packages for name, packages in found.items() if packages}
        says = f"{len(found) - len(lacking)} of {len(found)}: {', '.join(found)}"
        if not lacking:
            yield Finding(part=what, state=OK, says=says)
            continue
        told = "; ".join(f"{name} lacks {', '.join(lacking[name])}" for name in lacking)
        state = MISSING if len(lacking) == len(found) else LOW
        yield Finding(part=what, state=state, says=f"{says}; {told}",
                      remedy=f"`wavemill {what}` has the pip lines")  # fmt: skip


def _broken(part: str, found: dict[str, Any], remedy: str) -> Finding:
    missing = "No module named" in found["error"]
    return Finding(
        part=part,
        state=MISSING if missing else BROKEN,
        says=found["error"],
        remedy=remedy.replace(" --force-reinstall", "") if missing else remedy,
        needed=True,
    )
