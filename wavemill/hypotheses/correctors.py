"""What corrects: kinds by what `wavemill correct --model` names, the first that knows it.

To add a kind: write a function from a name and settings to a `Corrector`, imported where it is
called, and put a row into `KINDS`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.hypotheses.llm.opening import is_server
from wavemill.hypotheses.normalize import AUTO, Normalizer
from wavemill.hypotheses.records import Correction, Utterance
from wavemill.specs import check_range

if TYPE_CHECKING:
    from wavemill.hypotheses.hearing_corrector import FuseSettings
    from wavemill.hypotheses.llm.ask import AskSettings


class Corrector(Protocol):
    """Makes one text of an utterance's hypotheses. Not thread-safe."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What corrects, as plain JSON values: what is noted with the corrections."""
        ...

    def correct(self, utterances: Iterable[Utterance]) -> Iterator[Correction]:
        """Yield a correction of each utterance, in their order.

        What is made of an utterance does not depend on the others, nor on its reference.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class CorrectorSettings:
    """How to correct, as far as it does not depend on the kind."""

    device: str = "cpu"
    batch_size: int = 32
    """Utterances that are corrected at once, where a model runs here."""
    only_words_of_hypotheses: bool = False
    """Write no word that is in none of the utterance's hypotheses."""
    ask: "AskSettings | None" = None
    """Of models that are asked."""
    fuse: "FuseSettings | None" = None
    """What a writer is fused with."""
    normalizer: str = AUTO
    """Brings what a model answers into the form of the hypotheses."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("--batch-size", self.batch_size, 1, 1 << 20)


@dataclass(frozen=True, kw_only=True)
class CorrectorKind:
    """How a kind is known by its name, and opened."""

    what: str
    """For people: what to give."""
    knows: Callable[[str], bool]
    open: Callable[[str, CorrectorSettings], Corrector]


def _is_run(model: str) -> bool:
    from wavemill.tokenizers.trained import RUN

    return storage.is_file(storage.join(storage.folder_url(model), RUN))


def _open_run(model: str, settings: CorrectorSettings) -> Corrector:
    from wavemill.models.corrector.running import open_run

    if settings.fuse is not None:
        from wavemill.hypotheses.hearing_corrector import open_hearing

        if settings.only_words_of_hypotheses:
            words = "what is heard is in no hypothesis"
            raise UsageError(f"--fuse and --only-words-of-hypotheses exclude each other: {words}")
        return open_hearing(model, settings.fuse, settings.device)
    return open_run(model, settings)


def _open_llm(model: str, settings: CorrectorSettings) -> Corrector:
    from wavemill.hypotheses.llm_corrector import open_llm

    if settings.only_words_of_hypotheses:
        words = "can be asked of a run alone: a language model writes what it likes"
        raise UsageError(f"--model {model}: --only-words-of-hypotheses {words}")
    if settings.fuse is not None:
        words = "takes a run of `train corrector --preset writer`, which shares its vocabulary"
        raise UsageError(f"--model {model}: --fuse {words}")
    if settings.ask is None:
        raise UsageError(f"--model {model} is a language model; it needs settings of how to ask it")
    return open_llm(settings.ask, Normalizer(settings.normalizer))


KINDS: dict[str, CorrectorKind] = {
    "server": CorrectorKind(
        what="a server of a language model (http://HOST/v1#MODEL)",
        knows=is_server,
        open=_open_llm,
    ),
    "run": CorrectorKind(
        what="the folder of a run of `wavemill train corrector`",
        knows=_is_run,
        open=_open_run,
    ),
    "transformers": CorrectorKind(
        what="a folder or hub name of a language model",
        knows=lambda model: bool(model.strip()),
        open=_open_llm,
    ),
}
"""Name -> kind, in the order in which they are asked."""


def open_corrector(model: str, settings: CorrectorSettings) -> Corrector:
    """Open what corrects.

    Args:
        model: what a kind knows: a run's folder, for one.
        settings: how to correct.

    Raises:
        UsageError: no kind knows it, or it cannot do what is asked.
        JobError: it is damaged.

    """
    for kind in KINDS.values():
        if kind.knows(model):
            return kind.open(model, settings)
    what = "; ".join(kind.what for kind in KINDS.values())
    raise UsageError(f"--model {model} is nothing that corrects; give {what}")
