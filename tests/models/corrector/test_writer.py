"""The corrector that writes units of text."""

import pytest
import torch

from tests.models.corrector.misheard import utterances
from wavemill.hypotheses.loader import HypothesesBatch
from wavemill.models.corrector.settings import WRITER, CorrectorConfig
from wavemill.models.corrector.writer import Writer, WriterModel

CONFIG = CorrectorConfig(
    model=WRITER, width=32, heads=2, layers=1, decoder_layers=1, beam=2, hypotheses=2, dropout=0.0
)


@pytest.fixture(scope="module")
def kind() -> Writer:
    return Writer(CONFIG)


@pytest.fixture(scope="module")
def model(kind: Writer) -> WriterModel:
    torch.manual_seed(0)
    built = kind.build()
    assert isinstance(built, WriterModel)
    return built.eval()


def test_what_is_written_does_not_depend_on_what_stands_beside_it(
    kind: Writer, model: WriterModel
) -> None:
    some = utterances()[::9]
    together = kind.correct(model, some, only_heard=True)
    assert together == [kind.correct(model, [one], only_heard=True)[0] for one in some]


def test_it_can_be_held_to_words_that_were_heard(kind: Writer, model: WriterModel) -> None:
    some = utterances()[::9]
    for one, text in zip(some, kind.correct(model, some, only_heard=True), strict=True):
        assert set(text.split()) <= {word for heard in one.texts for word in heard.split()}


def test_padding_changes_no_loss(kind: Writer, model: WriterModel) -> None:
    some = utterances()[::9]

    def loss(number: int | None = None) -> torch.Tensor:
        taken = some if number is None else [some[number]]
        batch = HypothesesBatch(
            keys=[one.id for one in taken], datasets=torch.zeros(len(taken)), utterances=taken
        )
        return kind.loss(model, batch).total

    alone = torch.stack([loss(number) for number in range(len(some))]).sum()
    torch.testing.assert_close(loss(), alone, rtol=1e-4, atol=1e-4)
