"""Walk a tar sample by sample, beside its cuts, and name what is not as it should be."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from wavemill import storage
from wavemill.sharding.lint.files import parse_object
from wavemill.sharding.lint.report import REMEDY
from wavemill.sharding.tar import pack_index
from wavemill.sharding.untar import NO_MEMBER, read_members


class Sample(NamedTuple):
    """A sample in a tar: the row of its cut, and the two members."""

    row: dict[str, Any]
    data: bytes
    about: dict[str, Any]


def walk(
    url: str, rows: Sequence[dict[str, Any]], extension: str, problem: Callable[[str, str], None]
) -> Iterator[Sample]:
    """Yield the samples of a tar as far as they are those of the rows, and check its index.

    Args:
        url: the tar.
        rows: of the cuts, in order.
        extension: of the data.
        problem: takes the key of the sample where something is wrong, and what.

    """
    name = "/".join(url.rsplit("/", 2)[-2:])
    size = storage.info(url).size
    offsets, key = [], ""
    try:
        with storage.open_read(url) as file:
            members = read_members(file, size)
            for number, row in enumerate(rows):
                key = row["id"]
                data, about = next(members, NO_MEMBER), next(members, NO_MEMBER)
                names = [data.name, about.name]
                if names != [f"{key}.{extension}", f"{key}.json"]:
                    problem(key, f"{name}: sample {number} is {names}, not {key}")
                    return
                offsets.append(data.offset)
                yield Sample(row, data.data, parse_object(about.data, about.name))
            if (extra := next(members, NO_MEMBER)) is not NO_MEMBER:
                problem("", f"{name}: {extra.name} is no sample of the cuts")
    except (ValueError, RecursionError) as error:
        problem(key, f"{name} is damaged: {error}; {REMEDY}")
        return
    if storage.read_bytes(f"{url}.idx") != pack_index([*offsets, size]):
        problem("", f"{name}.idx does not point at the samples")
