"""A plan as a file: a JSON list of ids a line."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from wavemill import storage
from wavemill.pipelines.lengths.ids import IdSpool
from wavemill.sharding.batches import EpochPlan

BLOCK_BATCHES = 1 << 14
TEXT = pa.large_string()


def write_batches(url: str, plan: EpochPlan, ids: IdSpool, show: Callable[[int], None]) -> None:
    """Write a plan's batches in order, atomically; `show` is told how many have been written."""
    names = ids.mapped()
    with storage.write_atomically(url) as file:
        for first in range(0, len(plan), BLOCK_BATCHES):
            offsets = plan.offsets[first : first + BLOCK_BATCHES + 1]
            members = names.take(pa.array(plan.order[offsets[0] : offsets[-1]]))
            lists = pa.LargeListArray.from_arrays(pa.array(offsets - offsets[0]), members)
            lines = pc.binary_join_element_wise(
                pa.scalar("[", TEXT),
                pc.binary_join(lists, pa.scalar(", ", TEXT)),
                pa.scalar("]\n", TEXT),
                pa.scalar("", TEXT),
            )
            file.write(memoryview(lines.buffers()[2]))
            show(first + len(lines))
