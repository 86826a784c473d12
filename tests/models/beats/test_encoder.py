from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.beats.drawn import noise, shaken
from tests.tokenizers.teachers import tiny
from wavemill.errors import UsageError
from wavemill.models.beats.attention import buckets
from wavemill.models.beats.encoder import BeatsNet, Sizes, Stack, count_patches
from wavemill.models.beats.masking import keep_some
from wavemill.models.beats.microsoft import Pretrained, checkpoint
from wavemill.models.fbank import batch_fbank
from wavemill.models.padding import is_real, silenced
from wavemill.tokenizers.beats import BeatsConfig, BeatsTokenizer
from wavemill.tokenizers.beats_fbank import normalised_fbank
from wavemill.tokenizers.device import Place
from wavemill.tokenizers.teachers.base import TeacherConfig
from wavemill.tokenizers.teachers.beats import BeatsTeacher

SIZES = Sizes(layers=3, width=32, heads=4, feed=64, dropout=0.0)


def net(sizes: Sizes = SIZES) -> BeatsNet:
    torch.manual_seed(0)
    made = shaken(BeatsNet(sizes))
    assert isinstance(made, BeatsNet)
    return made


def padded(clips: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay clips side by side; what is padded is loud."""
    audio_BN = torch.full((len(clips), max(map(len, clips))), 0.5)
    for row, clip in zip(audio_BN, clips, strict=True):
        row[: len(clip)] = torch.from_numpy(clip)
    return audio_BN, torch.tensor([len(clip) for clip in clips])


def test_the_filter_bank_of_a_batch_is_that_of_each_clip() -> None:
    clips = tiny.real_clips()
    audio_BN, samples_B = padded(clips)
    patches_B = count_patches(samples_B)
    found = batch_fbank(silenced(audio_BN, samples_B), int(patches_B.max()) * 2)
    for clip, row, patches in zip(clips, found, patches_B.tolist(), strict=True):
        expected = normalised_fbank(torch.from_numpy(clip))
        assert len(expected) == patches * 2
        torch.testing.assert_close(row[: len(expected)], expected, rtol=1e-4, atol=1e-4)


def test_there_are_as_many_patches_as_tokens() -> None:
    made = BeatsTokenizer(BeatsConfig())
    for samples in (1, 399, 400, 2799, 2800, 5359, 5360, 16_000, 40_001):
        (codes,) = made.encode([np.zeros(samples, np.float32)])
        assert len(codes) == int(count_patches(torch.tensor(samples)))


def test_openbeats_computes_the_same_features_from_an_exported_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("openbeats")
    ours = net()
    place = tmp_path / "run" / "beats.pt"
    place.parent.mkdir()
    place.write_bytes(checkpoint(ours, SIZES))
    # A run's folder does, too.
    teacher = BeatsTeacher(TeacherConfig(name="beats", model=str(place.parent)), Place())
    clips = tiny.real_clips()
    audio_BN, samples_B = padded(clips)
    patches_B = count_patches(samples_B)
    with torch.no_grad():
        fbank = batch_fbank(silenced(audio_BN, samples_B), int(patches_B.max()) * 2)
        found = ours(fbank, patches_B)
    for clip, row, patches in zip(clips, found, patches_B.tolist(), strict=True):
        expected = torch.from_numpy(teacher.features(clip))
        torch.testing.assert_close(row[:patches], expected, rtol=1e-4, atol=1e-4)


def test_a_checkpoint_of_openbeats_loads_and_gives_its_features(tmp_path: Path) -> None:
    pytest.importorskip("openbeats")
    cfg = {**tiny.BEATS_RELEASED, "encoder_layers": 2, "encoder_embed_dim": 48,
           "encoder_ffn_embed_dim": 64, "encoder_attention_heads": 4}  # fmt: skip
    theirs = tiny.beats_checkpoint(tmp_path / "model.pt", cfg)
    found = Pretrained(str(tmp_path / "model.pt"), "test")
    ours = BeatsNet(found.sizes).eval()
    found.load(ours)
    clip = torch.from_numpy(tiny.real_clips()[0])
    fbank = normalised_fbank(clip)[None]
    with torch.no_grad():
        expected = theirs.layer_norm(theirs.patch_embedding(fbank[:, None]).flatten(2).mT)
        expected, _ = theirs.encoder(theirs.post_extract_proj(expected))
        torch.testing.assert_close(
            ours(fbank, torch.tensor([expected.shape[1]])), expected, rtol=1e-4, atol=1e-4
        )


def test_the_released_size_has_the_published_number_of_weights() -> None:
    with torch.device("meta"):
        weights = sum(weight.numel() for weight in BeatsNet(Sizes()).parameters())
    assert weights == pytest.approx(90e6, rel=0.02)


def test_kept_patches_keep_their_places() -> None:
    """All patches of the grid, a few of them alone: the bias and the convolution are the same."""
    torch.manual_seed(1)
    stack = shaken(Stack(SIZES))
    x_BTD = torch.randn(1, 24, 32)
    places = torch.tensor([[2, 3, 11, 20]])
    hidden = torch.zeros(1, 24, dtype=torch.bool)
    hidden[0, places[0]] = True
    with torch.no_grad():
        # What is not real is neither looked at nor near.
        whole = stack(x_BTD, hidden)[:, places[0]]
        some = stack(x_BTD[:, places[0]], torch.ones(1, 4, dtype=torch.bool), places, 24)
    torch.testing.assert_close(some, whole, rtol=1e-5, atol=1e-5)


def test_distances_are_exact_when_short_and_told_by_their_side() -> None:
    near = torch.arange(-79, 80)
    assert len(buckets(near).unique()) == len(near)
    assert buckets(torch.tensor([0])).item() == 0
    far = buckets(torch.tensor([799, 800, 5000, -799, -800, -5000]))
    assert far[1] == far[2] == 319
    assert far[4] == far[5] == 159
    assert 80 <= int(buckets(torch.tensor([-80])).item()) < 160


@pytest.mark.parametrize("mask", [0.5, 0.75])
def test_the_share_that_is_dropped_is_the_one_asked_for_and_padding_is_neither(mask: float) -> None:
    patches_B = torch.tensor([8, 40, 400, 64])
    kept = keep_some(patches_B, 400, mask)
    real_BT = is_real(patches_B, 400)
    assert kept.places.shape == (4, round(400 * (1 - mask)))
    assert not (kept.masked & ~real_BT).any()
    assert kept.masked.sum(1).tolist() == [round(int(each) * mask) for each in patches_B]
    for row in range(4):
        places = kept.places[row][kept.real[row]]
        assert places.tolist() == sorted(set(places.tolist()))
        assert bool(real_BT[row, places].all())
        assert not bool(kept.masked[row, places].any())
        assert len(places) + int(kept.masked[row].sum()) == int(patches_B[row])


def test_each_patch_is_dropped_equally_often() -> None:
    torch.manual_seed(0)
    kept = keep_some(torch.full((4000,), 40), 64, 0.75)
    share = kept.masked[:, :40].float().mean(0)
    assert float((share - 0.75).abs().max()) < 0.04


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    tiny.beats_checkpoint(tmp_path / "model.pt", tiny.BEATS_SMALL)
    with pytest.raises(UsageError, match=r"test: .*model.pt has embed_dim=24, not 512"):
        Pretrained(str(tmp_path / "model.pt"), "test")


def test_what_is_padded_does_not_matter() -> None:
    ours = net()
    audio_BN, samples_B = noise(0.5, 1.7, 0.02)
    patches_B = count_patches(samples_B)
    with torch.no_grad():
        together = ours(batch_fbank(silenced(audio_BN, samples_B), int(patches_B.max()) * 2),
                        patches_B)  # fmt: skip
        for row, samples, patches in zip(range(3), samples_B, patches_B, strict=True):
            alone = batch_fbank(audio_BN[row : row + 1, :samples], int(patches) * 2)
            expected = ours(alone, patches[None])[0]
            torch.testing.assert_close(together[row, :patches], expected, rtol=1e-4, atol=1e-4)
