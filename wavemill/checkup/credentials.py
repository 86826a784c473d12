"""Which credentials are set: by which variable or file. What is in them is not looked at."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from wavemill.checkup.finding import BROKEN, MISSING, OK, UNSET, Finding
from wavemill.packages import is_installed

_AWS = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")  # fmt: skip
_GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS"


def check_credentials() -> Iterator[Finding]:
    """Say of stores, the hub and servers whether there is something to show them."""
    yield _aws()
    yield _google()
    yield _found("Hugging Face hub", ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
                 [_hub_home() / "token"], "public models need none")  # fmt: skip
    yield _found("language models", ("OPENAI_API_KEY",), [], "a server of your own needs none")


def _aws() -> Finding:
    if ("AWS_ACCESS_KEY_ID" in os.environ) != ("AWS_SECRET_ACCESS_KEY" in os.environ):
        return Finding(part="s3://", state=BROKEN, says="only one of AWS_ACCESS_KEY_ID and"
                       " AWS_SECRET_ACCESS_KEY is set", remedy="set both, or neither")  # fmt: skip
    stated = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    files = [Path(stated)] if stated else [_home() / ".aws" / "credentials"]
    return _found("s3://", _AWS, files, "the machine may have a role, or the bucket be public")


def _google() -> Finding:
    if not is_installed("gcsfs"):
        return Finding(part="gs://", state=MISSING, says="no gcsfs", remedy="pip install gcsfs")
    stated = os.environ.get(_GOOGLE)
    if stated and not Path(stated).is_file():
        return Finding(part="gs://", state=BROKEN, says=f"{_GOOGLE} names {stated}, which is not"
                       " there", remedy="correct it, or unset it")  # fmt: skip
    file = _home() / ".config" / "gcloud" / "application_default_credentials.json"
    return _found("gs://", (_GOOGLE,), [file], "the machine may have a service account")


def _found(part: str, variables: Sequence[str], files: Sequence[Path], else_: str) -> Finding:
    by = [name for name in variables if os.environ.get(name)]
    by += [str(file) for file in files if _is_there(file)]
    if by:
        return Finding(part=part, state=OK, says=f"credentials by {', '.join(by)}")
    return Finding(part=part, state=UNSET, says=f"no credentials; {else_}")


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:
        return False


def _home() -> Path:
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is none


def _hub_home() -> Path:
    return Path(os.environ.get("HF_HOME") or _home() / ".cache" / "huggingface")
