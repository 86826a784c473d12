"""The loader under a trainer that fetches one batch ahead, as Lightning does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wavemill.loader import ShardLoader
from wavemill.loader.adapters import OneAhead


def trained(loader: Any) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Yield what is trained on in an epoch, and the state that is saved after it."""
    given = iter(loader)
    fetched = next(given, None)
    while fetched is not None:
        batch, fetched = fetched, next(given, None)
        yield batch.keys, json.loads(json.dumps(loader.state_dict()))


def test_a_run_goes_on_after_the_batch_trained_on_last(tokens: Path) -> None:
    alone = make(tokens)
    expected = [batch.keys for _ in range(3) for batch in alone]
    loader = OneAhead(make(tokens))
    steps = [step for _ in range(2) for step in trained(loader)]
    assert [keys for keys, _ in steps] == expected[: len(steps)]
    half = len(steps) // 2
    for taken in (1, 2, half, half + 1, len(steps) - 1, len(steps)):
        fresh = OneAhead(make(tokens))
        fresh.load_state_dict(steps[taken - 1][1])
        assert fresh.state_dict() == steps[taken - 1][1]
        rest = [keys for _ in range(3) for keys, _ in trained(fresh)]
        assert rest[:5] == expected[taken : taken + 5]


def test_the_loader_alone_would_leave_a_batch_out(tokens: Path) -> None:
    steps = list(trained(make(tokens)))
    fresh = make(tokens)
    fresh.load_state_dict(steps[3][1])
    assert next(iter(fresh)).keys == steps[5][0]


def make(data: Path) -> ShardLoader:
    return ShardLoader(data, batch_seconds=60)
