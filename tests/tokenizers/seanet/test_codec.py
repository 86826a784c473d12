from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wavemill.tokenizers.seanet.codec import SeanetCodec
from wavemill.tokenizers.seanet.layers import State
from wavemill.tokenizers.seanet.sizes import CodecSizes

TINY = CodecSizes(filters=4, ratios="2x3", dim=6, codebooks=2, codebook_size=8, residuals=2)
WITH_LSTM = CodecSizes(filters=4, ratios="3x2", dim=6, codebooks=2, codebook_size=8, lstm=2)
OF_SPECTRA = CodecSizes(
    spectra=2, filters=4, ratios="3", dim=6, codebooks=2, codebook_size=8, residuals=2
)
WITHOUT_PHASES = replace(OF_SPECTRA, phases="found")
HOP = 6
KINDS = [TINY, WITH_LSTM, OF_SPECTRA, WITHOUT_PHASES]
EACH = pytest.mark.parametrize(
    "sizes", KINDS, ids=["convolutions", "lstm", "spectra", "without phases"]
)


def made(sizes: CodecSizes) -> SeanetCodec:
    torch.manual_seed(0)
    return SeanetCodec(sizes).eval()


def there_and_back(codec: SeanetCodec, audio_BN: Tensor) -> Tensor:
    return codec.audio(codec.latents(audio_BN))


@EACH
def test_no_output_hears_a_frame_further_ahead(sizes: CodecSizes) -> None:
    codec, frames = made(sizes), 5
    audio_BN = torch.randn(1, frames * HOP, requires_grad=True)
    found_BN = there_and_back(codec, audio_BN)
    for sample in range(frames * HOP):
        (heard,) = torch.autograd.grad(found_BN[0, sample], audio_BN, retain_graph=True)
        end = (sample // HOP + 1 + codec.ahead) * HOP
        # The first sample is where the first window rises from nothing.
        assert heard[0, :end].any() or (sizes.spectra and not sample)
        assert not heard[0, end:].any()


@EACH
def test_a_latent_hears_its_frame_and_those_before(sizes: CodecSizes) -> None:
    codec = made(sizes)
    audio_BN = torch.randn(1, 4 * HOP, requires_grad=True)
    latents_BTD = codec.latents(audio_BN)
    for frame in range(4):
        (heard,) = torch.autograd.grad(latents_BTD[0, frame].sum(), audio_BN, retain_graph=True)
        end = (frame + 1 + codec.ahead) * HOP
        # The last sample ahead is where the last window has fallen to nothing.
        assert heard[0, frame * HOP : end - codec.ahead].all()
        assert not heard[0, end:].any()


@settings(max_examples=30, deadline=None)
@given(samples=st.integers(1, 100))
def test_clips_of_any_length_have_whole_frames(samples: int) -> None:
    codec = made(TINY)
    latents_BTD = codec.latents(torch.randn(2, samples))
    frames = -(-samples // HOP)
    assert latents_BTD.shape == (2, frames, TINY.dim)
    assert codec.audio(latents_BTD).shape == (2, frames * HOP)
    ids_BTQ = codec.quantizer.encode(latents_BTD)
    assert ids_BTQ.shape == (2, frames, 2)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_stream_of_blocks_is_the_whole_clip(data: st.DataObject) -> None:
    codec = made(data.draw(st.sampled_from(KINDS)))
    frames = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    extra = data.draw(st.integers(0, HOP - 1))
    audio_BN = torch.randn(1, sum(frames) * HOP - extra)
    blocks = audio_BN.split([count * HOP for count in frames[:-1]] + [frames[-1] * HOP - extra], 1)
    heard: State = {}
    spoken: State = {}
    if codec.ahead:
        blocks = (*blocks, torch.zeros(1, codec.ahead * HOP))
    heard_BTD = torch.cat([codec.latents(block, heard) for block in blocks], 1)[:, codec.ahead :]
    found = torch.cat([codec.audio(one, spoken) for one in heard_BTD.split(frames, 1)], 1)
    whole_BTD = codec.latents(audio_BN)
    torch.testing.assert_close(heard_BTD, whole_BTD, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found, codec.audio(whole_BTD), rtol=1e-4, atol=1e-5)


@EACH
def test_what_a_clip_is_filled_up_with_changes_nothing_before_it(sizes: CodecSizes) -> None:
    codec = made(sizes)
    audio_BN = torch.randn(1, 3 * HOP)
    longer = torch.cat([audio_BN, torch.randn(1, 2 * HOP)], 1)
    expected, found = there_and_back(codec, audio_BN), there_and_back(codec, longer)
    known = (3 - codec.ahead) * HOP
    torch.testing.assert_close(found[:, :known], expected[:, :known], rtol=1e-4, atol=1e-5)


def test_the_published_size_at_24_khz() -> None:
    sizes = CodecSizes(sample_rate=24_000, lstm=2, codebooks=32)
    with torch.device("meta"):
        weights = sum(weight.numel() for weight in SeanetCodec(sizes).parameters())
    assert sizes.frame_rate == 75
    # EnCodec's residual units have a convolution in place of the identity, 0.17 million weights.
    assert weights == pytest.approx(14.85e6, rel=0.02)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ratios": "8x0"}, "ratios=8x0 must be numbers from 1"),
        ({"ratios": "8,5"}, "ratios=8,5 must be"),
        ({"quantizer": "vq"}, "quantizer=vq must be rvq, sq, gfsq"),
        ({"phases": "guessed", "spectra": 160}, "phases=guessed must be learnt or found"),
        ({"phases": "found"}, "give spectra=SAMPLES"),
        ({"codebooks": 65}, "codebooks=65 must be 1 to 64"),
        ({"filters": 5}, "filters=5 must be even"),
        ({"merge": 2, "quantizer": "sq"}, "merge=2 is of residual codebooks"),
        ({"quantizer": "gfsq", "levels": "8x999x99"}, "make 791208 ids"),
        ({"quantizer": "gfsq", "dim": 12}, "dim=12 must be a multiple of codebooks=8"),
    ],
)
def test_sizes_that_are_none_are_refused(wrong: dict[str, int | str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CodecSizes(**wrong)  # type: ignore[arg-type]
