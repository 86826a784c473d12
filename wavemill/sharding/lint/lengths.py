"""Check the lengths of a shard's samples against its cuts and arrays."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wavemill.sharding import layout
from wavemill.sharding.lengths import read_lengths


def length_problems(
    data: bytes,
    rows: Sequence[dict[str, Any]],
    streams: Sequence[str],
    tokens: Mapping[str, npt.NDArray[np.int64]],
) -> Iterator[tuple[str, str]]:
    """Yield the key of each sample whose lengths are not its own, and what is wrong.

    Args:
        data: the file.
        rows: of the cuts, in order.
        streams: the names of all token streams.
        tokens: the lengths of the arrays, [N], of those streams that are sound.

    Raises:
        ValueError: it is not a file of so many lengths of these streams.

    """
    stated = read_lengths(data, streams, len(rows))
    seconds = np.array([row["num_samples"] / row["sample_rate"] for row in rows], np.float64)
    found = {layout.tokens_field(name): lengths for name, lengths in tokens.items()}
    for field, values in {layout.SECONDS: seconds, **found}.items():
        for number in np.flatnonzero(stated[field] != values).tolist():
            words = f"{field} is {stated[field][number]}, should be {values[number]}"
            yield rows[number]["id"], words
