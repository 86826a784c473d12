"""Models of the transformers package, small ones with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from tests.hypotheses.recognizers import tiny_ctc
from tests.hypotheses.recognizers.heard import clip, hear, recognizer
from wavemill.errors import UsageError


@pytest.fixture(scope="module")
def ctc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wav2vec 2.0 that spells."""
    folder = tmp_path_factory.mktemp("ctc")
    tiny_ctc.make(folder)
    return folder


def test_a_ctc_model_is_searched_with_a_beam_and_its_first_is_the_likeliest(ctc: Path) -> None:
    made, heard = recognizer("transformers", model=ctc, beam=6), clip("calling")
    found = hear(made, heard)
    assert len({one.text for one in found}) == len(found) == 6
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    # No path of CTC can be likelier than all that spell the best text.
    model = transformers.AutoModelForCTC.from_pretrained(ctc)
    inputs = transformers.AutoProcessor.from_pretrained(ctc)(
        heard, sampling_rate=16_000, return_tensors="pt"
    )
    with torch.inference_mode():
        scores_TV = model(**inputs).logits[0].log_softmax(-1)
    for one in found:
        ids = [tiny_ctc.LETTERS.index("|" if letter == " " else letter) for letter in one.text]
        if one.units != len(ids):  # a text loses the blanks at its ends
            continue
        total = -torch.nn.functional.ctc_loss(
            scores_TV[:, None].double(), torch.tensor([ids]), torch.tensor([len(scores_TV)]),
            torch.tensor([len(ids)]), blank=0, reduction="sum",
        )  # fmt: skip
        assert one.log_probability <= float(total) + 1e-3
    assert hear(made, heard) == found


def test_a_clip_of_one_sample_is_heard(ctc: Path) -> None:
    assert hear(recognizer("transformers", model=ctc, beam=2), np.zeros(1, np.float32)) is not None


def test_what_cannot_be_is_told(ctc: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing can be drawn of it"):
        recognizer("transformers", model=ctc, samples=3)
    transformers.BertConfig(hidden_size=8).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="no speech model that writes texts"):
        recognizer("transformers", model=tmp_path)
    with pytest.raises(UsageError, match="there is no file or folder"):
        recognizer("transformers", model=tmp_path / "none")
