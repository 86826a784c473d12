"""What a recognizer hears: recordings as `prepare` takes them, or the samples of a dataset."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from wavemill import storage
from wavemill.errors import RejectedError, UsageError
from wavemill.loader import Batch, ShardLoader
from wavemill.models.asr.chunks import chunks
from wavemill.models.asr.recipe import Asr
from wavemill.models.asr.recognizer import Piece
from wavemill.models.facts import check_data, data_facts
from wavemill.pipelines.clips import opened
from wavemill.pipelines.ingest import read_inputs
from wavemill.records import Recording
from wavemill.sharding.dataset import Dataset, is_dataset
from wavemill.tokenizers.features import SAMPLE_RATE

Tell = Callable[[str], None]
"""Takes a line about a recording that cannot be used."""

BATCH_SECONDS = 120.0
"""Of a dataset, that are read at once."""


def check_input(url: str, recipe: Asr) -> None:
    """Make sure that a model can hear an input.

    Raises:
        DatasetError: the dataset cannot be read.
        UsageError: it has other tokens, or no audio.

    """
    stream = recipe.stream
    if is_dataset(url):
        data = data_facts(Dataset.open(storage.folder_url(url)))
        check_data("asr", recipe, data, url)
        if stream is not None and data.streams.get(stream.name) != stream:
            raise UsageError(
                f"{url} has no tokens {stream.name!r} as this model was trained on; prepare it with"
                " the tokenizer of the training data"
            )
    elif stream is not None:
        raise UsageError(
            f"{url}: this model hears tokens {stream.name!r}; give a prepared dataset with them"
        )


def pieces(url: str, recipe: Asr, seconds: float, tell: Tell) -> Iterator[Piece]:
    """Yield what is heard of an input.

    Args:
        url: audio in any form that `prepare` takes, or a dataset.
        recipe: of the model.
        seconds: of a piece at most.
        tell: takes a line about each recording that cannot be used.

    """
    if is_dataset(url):
        yield from _of_dataset(url, recipe, seconds)
        return
    for row in read_inputs([url]):
        if isinstance(row, Recording):
            yield from _of_recording(row, seconds, tell)
        else:
            tell(f"{row.source or row.id}: {row.reason}: {row.detail}")


def texts(inputs: Sequence[str]) -> Iterator[str]:
    """Yield the texts of inputs, as `prepare` takes them; no audio is read."""
    for row in read_inputs(inputs):
        if isinstance(row, Recording):
            said = [row.window.text, *(span.text for span in row.spans)]
            yield from dict.fromkeys(text for text in said if text)


def _of_recording(recording: Recording, seconds: float, tell: Tell) -> Iterator[Piece]:
    before: Piece | None = None
    try:
        with opened(recording, SAMPLE_RATE) as blocks:
            for audio in chunks(blocks, SAMPLE_RATE, seconds):
                if before is not None:
                    yield before
                before = Piece(
                    id=recording.id,
                    heard=audio,
                    seconds=len(audio) / SAMPLE_RATE,
                    text=_text(recording),
                    is_last=False,
                )
    except RejectedError as error:
        tell(f"{recording.source}: {error}")
        before = Piece(id=recording.id, heard=np.zeros(1, np.float32), seconds=0.0, is_broken=True)
    if before is not None:
        yield replace(before, is_last=True)


def _text(recording: Recording) -> str | None:
    """Return what is said in a recording, by its row or a supervision of all of it."""
    if recording.window.text is not None:
        return recording.window.text
    whole = [span.text for span in recording.spans if span.covers(recording.window)]
    return whole[0] if len(whole) == 1 else None


def _of_dataset(url: str, recipe: Asr, seconds: float) -> Iterator[Piece]:
    loader = ShardLoader(
        storage.folder_url(url),
        streams=list(recipe.needs.streams),
        audio=recipe.needs.sample_rate is not None,
        sample_rate=recipe.needs.sample_rate,
        cuts=True,
        batch_seconds=BATCH_SECONDS,
    )
    for batch in loader:
        for number in range(len(batch)):
            yield from _of_sample(batch, number, recipe, seconds)


def _of_sample(batch: Batch, number: int, recipe: Asr, seconds: float) -> Iterator[Piece]:
    heard, lengths = recipe.heard(batch)
    array = heard[number, : int(lengths[number])].numpy().copy()
    rate = SAMPLE_RATE if recipe.stream is None else recipe.stream.frame_rate
    text = batch.text[number] if batch.text else None
    duration = batch.cuts[number]["duration"] if batch.cuts else 0.0
    if recipe.stream is None:
        parts = list(chunks([array], SAMPLE_RATE, seconds))
    elif rate is None:
        parts = [array]
    else:
        size = max(round(seconds * rate), 1)
        parts = [array[start : start + size] for start in range(0, len(array), size)] or [array]
    for place, part in enumerate(parts):
        yield Piece(
            id=batch.keys[number],
            heard=part,
            seconds=len(part) / rate if rate else duration,
            text=text,
            is_last=place + 1 == len(parts),
        )
