"""Whisper as CTranslate2 runs it: what loads it, for features and for texts."""

from typing import Any

from wavemill.errors import UsageError
from wavemill.tokenizers.device import Place


def load_converted(package: Any, folder: str, place: Place, what: str, hint: str = "") -> Any:
    """Load a model, with one thread, so that sums round alike.

    Args:
        package: ctranslate2.
        folder: with `model.bin`.
        place: where it runs, and in what precision.
        what: asks for it, for messages.
        hint: after them.

    Raises:
        UsageError: the folder holds no such model, or it does not run there.

    """
    try:
        return package.models.Whisper(
            folder,
            device=place.kind,
            device_index=place.index,
            compute_type=place.precision,
            inter_threads=1,
            intra_threads=1,
        )
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"{what}: {folder} is no CTranslate2 Whisper model that runs on {place.device} in"
            f" {place.precision}: {error}{hint}"
        ) from error
