"""What is hidden from the encoder, and what is mixed into what it hears."""

import math

import pytest
import torch

from tests.models.beats.drawn import noise
from wavemill.models.spear.masking import draw_spans
from wavemill.models.spear.mixing import mix


@pytest.mark.parametrize(("share", "length"), [(0.65, 10), (0.25, 20), (0.0, 10), (10, 10)])
def test_as_much_is_hidden_as_is_said_and_everywhere_alike(share: float, length: int) -> None:
    torch.manual_seed(0)
    spans = draw_spans(4000, 60, share, length, torch.device("cpu")).float()
    expected = 1 - (1 - share / length) ** length
    assert float(spans.mean()) == pytest.approx(expected, abs=0.01)
    assert float((spans.mean(0) - expected).abs().max()) < 0.04
    if 0 < share < length:
        inner = spans[:, length:-length]  # a span ends only after its length
        ends = (inner[:, :-1] > inner[:, 1:]).sum()
        assert int(ends) < int(spans.sum()) / length


def test_the_level_of_what_is_mixed_in_is_the_one_that_is_drawn() -> None:
    torch.manual_seed(0)
    audio_BN, samples_B = noise(0.5, 1.0, 0.8)
    audio_BN[2] *= 7
    is_audio_B = torch.tensor([False, False, True])
    mixed = mix(audio_BN, samples_B, is_audio_B, share=1.0, lowest_db=5.0, highest_db=5.0)
    for row in (0, 1):
        clean = audio_BN[row, : samples_B[row]]
        added = mixed[row, : samples_B[row]] - clean
        ratio = clean.square().sum() / added.square().sum()
        short = 10 * math.log10(int(samples_B[row]) / min(int(samples_B[row]), 12_800))
        assert 10 * math.log10(float(ratio)) == pytest.approx(5 + short, abs=0.3)
        # It is the audio, not the other sample of speech.
        shared = min(int(samples_B[row]), 12_800)
        match = torch.corrcoef(torch.stack([added[:shared], audio_BN[2, :shared]]))[0, 1]
        assert float(match) > 0.99
        assert not mixed[row, samples_B[row] :].any()
    assert torch.equal(mixed[2, :12_800], audio_BN[2, :12_800])


def test_nothing_is_mixed_in_of_silence_or_of_the_sample_itself() -> None:
    audio_BN, samples_B = noise(0.5, 0.5)
    audio_BN[1] = 0
    speech_B = torch.zeros(2, dtype=torch.bool)
    mixed = mix(audio_BN, samples_B, speech_B, share=1.0, lowest_db=0.0, highest_db=0.0)
    assert torch.equal(mixed[0], audio_BN[0])
    alone = mix(audio_BN[:1], samples_B[:1], speech_B[:1], share=1.0, lowest_db=0.0,
                highest_db=0.0)  # fmt: skip
    assert torch.equal(alone, audio_BN[:1])
