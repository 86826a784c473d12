"""Texts in the form in which they are compared: the same words are to look the same.

`english` and `basic` are Whisper's (https://arxiv.org/abs/2212.04356, appendix C), of the package
whisper-normalizer; `plain` is that of `wavemill train asr`. A normaliser is chosen by language,
never by what is installed.
"""

from collections.abc import Callable
from importlib import metadata

from wavemill.errors import UsageError
from wavemill.models.asr.text import normalize as plain
from wavemill.packages import require

VERSION = 1
"""Goes up when the same text would become another."""
EXTRA = "hypotheses"
PACKAGE = "whisper_normalizer"
AUTO = "auto"
NAMES = (AUTO, "english", "basic", "plain")

Normalize = Callable[[str], str]


def _english() -> Normalize:
    made: Normalize = require(f"{PACKAGE}.english", EXTRA, "english").EnglishTextNormalizer()
    return made


def _basic() -> Normalize:
    made: Normalize = require(f"{PACKAGE}.basic", EXTRA, "basic").BasicTextNormalizer()
    return made


_MAKERS: dict[str, Callable[[], Normalize]] = {
    "english": _english,
    "basic": _basic,
    "plain": lambda: plain,
}


class Normalizer:
    """Normalises texts. `auto` is `english` for English, and `basic` for all else."""

    def __init__(self, name: str = AUTO) -> None:
        """Choose.

        Args:
            name: of `NAMES`.

        Raises:
            UsageError: there is none of that name, or its package is not installed.

        """
        if name not in NAMES:
            raise UsageError(f"--normalizer {name}: give one of {', '.join(NAMES)}")
        self.name = name
        needed = ("english", "basic") if name == AUTO else (name,)
        self._made = {one: _MAKERS[one]() for one in needed}

    @property
    def version(self) -> str:
        """What decides how texts come out, for a digest."""
        package = "" if self.name == "plain" else f" {metadata.version(PACKAGE)}"
        return f"{self.name} {VERSION}{package}"

    def __call__(self, text: str, language: str | None = None) -> str:
        """Normalise a text; one that has no words becomes empty.

        Args:
            text: as it was written.
            language: its code, as `en` or `en-US`, or its English name.

        """
        name = self.name
        if name == AUTO:
            name = "english" if is_english(language) else "basic"
        return " ".join(self._made[name](text).split())


def is_english(language: str | None) -> bool:
    """Say whether a language is English; one that is not known is not."""
    plainly = (language or "").lower().replace("_", "-")
    return plainly.split("-", 1)[0] in ("en", "eng", "english")
