import json
import re
from pathlib import Path
from typing import Any

import pytest

from wavemill.errors import DatasetError, UsageError
from wavemill.pipelines.settings import PrepareSettings
from wavemill.specs import Spec

NAN, INF = float("nan"), float("inf")


def settings(out: Path, **values: Any) -> PrepareSettings:
    return PrepareSettings(inputs=("x",), out=str(out), segmenter=Spec(name="none"), **values)


@pytest.mark.parametrize(
    ("name", "option", "values"),
    [
        ("num_buckets", "--buckets", [0, -1, 10**9]),
        ("num_sub_buckets", "--sub-buckets", [0, 10**9]),
        ("shard_mb", "--shard-mb", [0, -1.0, 1e-9, 1e300, NAN, INF]),
        ("unit_mb", "--unit-mb", [0, 1e-9, NAN, INF]),
        ("max_rejected", "--max-rejected", [-0.1, 1.1, NAN, INF]),
        ("seed", "--seed", [-1, 2**63]),
        ("sample_rate", "--sample-rate", [0, 999, 10**9]),
    ],
)
def test_a_number_out_of_range_is_named_with_the_range(
    name: str, option: str, values: list[float], tmp_path: Path
) -> None:
    for value in values:
        with pytest.raises(UsageError, match=f"^{option} {re.escape(str(value))}: give .* to "):
            settings(tmp_path / "out", **{name: value})


def test_the_ends_of_the_ranges_are_allowed(tmp_path: Path) -> None:
    settings(tmp_path / "out", max_rejected=0.0, shard_mb=0.001, seed=0, num_buckets=1)
    settings(tmp_path / "out", max_rejected=1.0, shard_mb=1e6, seed=2**63 - 1, num_buckets=10_000)


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    made = settings(
        tmp_path / "out",
        tokenizers=(Spec.parse("mvq:model=a,name=b"), Spec.parse("beats")),
        num_sub_buckets=3,
        seed=5,
        mono=True,
        sample_rate=8000,
        filters=(("min_seconds", 1.0),),
    )
    stated = json.loads(json.dumps(made.data_json()))
    assert PrepareSettings.recorded(stated, inputs=("x",), out=made.out) == made
    for name in sorted(stated.keys() - {"filters"}):
        less = {key: value for key, value in stated.items() if key != name}
        with pytest.raises(DatasetError, match=f"damaged: '{name}'"):
            PrepareSettings.recorded(less, inputs=("x",), out=made.out)
