import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavemill.models.sylber.bands import HOP
from wavemill.models.sylber.online import find_segments
from wavemill.models.sylber.segments import of_loudness, of_times, segment_means, starts
from wavemill.tokenizers.syllables import find_syllables


def test_a_frame_is_of_the_segment_that_holds_its_middle() -> None:
    times = torch.tensor([[[0.02, 0.06], [0.06, 0.1], [0.14, 9.0]], [[0.0, 9.0], [0, 9], [0, 9]]])
    found = of_times(times, torch.tensor([3, 1]), 9)
    # Frame f has its middle at 20 f + 12.5 ms.
    assert found.tolist() == [[0, 1, 1, 2, 2, 0, 0, 3, 3], [1] * 9]
    assert starts(found).sum(1).tolist() == [3, 1]
    many = torch.tensor([[[at / 100, (at + 1) / 100] for at in range(50)]])
    assert of_times(many, torch.tensor([50]), 5).tolist() == [[1, 2, 3, 4, 5]]


def test_each_hill_of_loudness_is_a_segment_and_silence_is_none() -> None:
    seconds = torch.arange(32_000) / 16_000
    vowels = torch.sin(2 * torch.pi * 700 * seconds) * (
        0.05 + torch.sin(torch.pi * 4 * seconds) ** 2
    )
    wave = torch.cat([torch.zeros(8000), vowels, torch.zeros(8000)])
    frames = (len(wave) - 80) // HOP
    (found,) = of_loudness(wave[None], torch.tensor([frames])).tolist()
    spoken = [number for number in found if number]
    assert not any(found[:20])
    assert not any(found[-20:])
    # Four hills a second for two seconds.
    lengths = [spoken.count(number) for number in sorted(set(spoken))]
    assert len(lengths) == 8
    assert all(10 <= length <= 15 for length in lengths)


def test_hills_do_not_depend_on_what_is_padded() -> None:
    torch.manual_seed(0)
    wave = torch.randn(1, 16_000) * (torch.arange(16_000) / 3000).sin()
    frames = torch.tensor([(16_000 - 400) // HOP + 1])
    alone = of_loudness(wave, frames)
    padded = of_loudness(torch.nn.functional.pad(wave, (0, 5000), value=0.5), frames)
    assert padded[:, : int(frames)].equal(alone)
    assert not padded[:, int(frames) :].any()


@given(st.integers(1, 3), st.integers(1, 20), st.integers(0, 2**31))
def test_a_frame_gets_the_mean_of_its_segment(batch: int, frames: int, seed: int) -> None:
    dice = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, frames, 4, generator=dice)
    segments = torch.randint(0, min(frames, 4) + 1, (batch, frames), generator=dice)
    found = segment_means(features, segments)
    for row in range(batch):
        for frame in range(frames):
            own = segments[row] == segments[row, frame]
            wanted = features[row][own].mean(0) if segments[row, frame] else torch.zeros(4)
            torch.testing.assert_close(found[row, frame], wanted, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_segments_of_a_batch_are_the_tokenizer_s_of_each_clip(seed: int) -> None:
    dice = torch.Generator().manual_seed(seed)
    steps = torch.randint(0, 6, (3, 30), generator=dice)
    features = torch.randn(6, 8, generator=dice)[steps.sort(1).values]
    features = features + 0.1 * torch.randn(features.shape, generator=dice)
    frames, merge = torch.tensor([30, 17, 1]), torch.tensor([0.8, 0.9, 0.85])
    found = find_segments(features, frames, torch.tensor(2.0), merge)
    for row in range(3):
        spans = find_syllables(
            features[row, : int(frames[row])].numpy(),
            norm_threshold=2.0,
            merge_threshold=float(merge[row]),
        )
        wanted = np.zeros(30, np.int64)
        for number, (start, end) in enumerate(spans, 1):
            wanted[start:end] = number
        assert found[row].tolist() == wanted.tolist()
    assert found.dtype == torch.int64


def test_the_operation_is_what_torch_takes_it_for() -> None:
    given = (
        torch.randn(2, 5, 4),
        torch.tensor([5, 3]),
        torch.tensor(0.5),
        torch.tensor([0.8, 0.9]),
    )
    checks = torch.library.opcheck(
        find_segments, given, test_utils=("test_schema", "test_faketensor")
    )
    assert set(checks.values()) == {"SUCCESS"}


def test_a_clip_that_is_shorter_than_a_frame_has_one() -> None:
    assert of_loudness(torch.randn(1, 100), torch.tensor([1])).shape == (1, 1)
