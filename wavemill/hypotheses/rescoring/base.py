"""What a language model that rescores has to do."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class LanguageModel(Protocol):
    """Says how likely texts are. Not thread-safe."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it is, as plain JSON values: what is noted with the corrections."""
        ...

    def log_probabilities(self, texts: Sequence[str]) -> Sequence[float]:
        """Return the natural logarithm of each text's probability, its end included; [N]."""
        ...
