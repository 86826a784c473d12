import torch

from wavemill.models.memory.live import LiveBytes


def test_a_storage_counts_once_and_until_nothing_holds_it() -> None:
    with LiveBytes(granule=1) as live:
        first = torch.zeros(100)
        view = first[10:].reshape(9, 10).T
        assert live.now == 400
        second = view + 1
        assert live.now == 400 + 360
        del first
        assert live.now == 400 + 360
        del view
        assert live.now == 360
        second.add_(1)
        assert (live.now, live.peak) == (360, 760)
        live.restart()
        assert live.peak == 360
    del second
    assert live.now == 0


def test_what_was_there_before_is_not_counted_but_by_name() -> None:
    outside = torch.zeros(1000)
    with LiveBytes() as live:
        made = outside * 2
    assert live.now == 4096
    assert made.numel() == 1000


def test_small_tensors_take_a_whole_granule() -> None:
    with LiveBytes() as live:
        kept = [torch.zeros(1) for _ in range(3)]
    assert (live.now, len(kept)) == (3 * 512, 3)
