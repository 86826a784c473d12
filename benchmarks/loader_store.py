"""Measure how fast the loader gives samples from S3 that answers after 50 ms, beside a local disk.

    python benchmarks/loader_store.py tokens
    python benchmarks/loader_store.py tokens --shard-mb 2 --window 4096
    python benchmarks/loader_store.py audio --clips examples/speech/audio

The store is moto's server in a process of its own on this machine, and each request waits 50 ms
more. `local`: the same files, mapped. `store`: a fresh loader without a cache; `store, again`: the
next epoch of such a loader, which holds in memory what fits in 2 GiB. `cache, cold` and `warm`:
fresh loaders with an empty and with a full cache. `floor`: the tars alone, GET by GET in 4 threads,
with no loader: what the server and this machine can do at most. With `--step-ms` a trainer takes so
long over each batch, too. Each way but `store, again` opens its datasets anew.

All run in turns; printed are medians of samples a second, and of the ratios to `local` in a round.
"""

import argparse
import http.client
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent))
from statistics import median

from speed import by_turns, ratio

from tests.sharding.drawn import clip_samples, make_dataset, token_samples
from tests.store_server import StoreServer
from wavemill.loader import ShardLoader

LATENCY_SECONDS = 0.05

Way = Callable[[], int]


def take(loader: ShardLoader, step_seconds: float = 0.0) -> int:
    """Take an epoch as a trainer does."""
    count = 0
    for batch in loader:
        count += len(batch)
        if step_seconds:
            time.sleep(step_seconds)
    return count


def get_all(server: StoreServer, urls: Mapping[str, int]) -> int:
    """GET objects whole, in 4 threads; return their bytes."""
    system = server.filesystem()
    signed = [(system.sign(url), size) for url, size in urls.items()]
    with ThreadPoolExecutor(4) as threads:
        total: int = sum(threads.map(lambda pair: _get(*pair), signed))
    return total


def _get(url: str, size: int) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer, view, read = connection.getresponse(), memoryview(bytearray(size)), 0
    while count := answer.readinto(view[read : read + (1 << 20)]):
        read += count
    return read


def compare(out: Path, server: StoreServer, options: argparse.Namespace) -> None:
    """Time all ways in turns and print."""
    url = server.upload(out, "corpus")
    tars = {f"{url}/{path.relative_to(out)}": path.stat().st_size for path in out.rglob("*.tar")}
    cache, step = out.parent / "cache", options.step_ms / 1000
    settings: dict[str, Any] = {"batch_seconds": 360, "window": options.window}
    if options.what == "audio":
        settings |= {"audio": True, "threads": 4}
    again = ShardLoader(url, **settings)
    take(again)

    def cold() -> int:
        shutil.rmtree(cache, ignore_errors=True)
        return take(ShardLoader(url, cache=cache, **settings))

    def floor() -> int:
        assert get_all(server, tars) == sum(tars.values())
        return int(options.samples)

    ways: dict[str, Way] = {
        "local": lambda: take(ShardLoader(out, **settings)),
        "store": lambda: take(ShardLoader(url, **settings)),
        "store, again": lambda: take(again),
        "cache, cold": cold,
        "cache, warm": lambda: take(ShardLoader(url, cache=cache, **settings)),
        "floor: GETs of the tars": floor,
    }
    if step:
        ways |= {
            f"local, {options.step_ms:g} ms a batch": lambda: take(
                ShardLoader(out, **settings), step
            ),
            f"store, {options.step_ms:g} ms a batch": lambda: take(
                ShardLoader(url, **settings), step
            ),
        }
    show(ways, options.samples, sum(tars.values()), options.rounds)


def show(ways: Mapping[str, Way], count: int, size: int, rounds: int) -> None:
    """Print what was measured."""
    taken = by_turns(ways, rounds)
    print(f"{count:,} samples, {size / 1e6:,.0f} MB of tars, {LATENCY_SECONDS * 1000:.0f} ms")
    for name, times in taken.items():
        print(f"  {name:<26} {count / median(times):10,.0f} samples/s"
              f" {size / median(times) / 1e6:7,.0f} MB/s  {ratio(taken['local'], times):5.2f} of"
              " local")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["tokens", "audio"])
    parser.add_argument("--clips", type=Path, default=Path("examples/speech/audio"))
    parser.add_argument("--samples", type=int, default=0, help="20,000 of tokens, 2,000 of audio")
    parser.add_argument("--shard-mb", type=float, default=64)
    parser.add_argument("--window", type=int, default=1 << 16)
    parser.add_argument("--step-ms", type=float, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    is_audio = options.what == "audio"
    options.samples = options.samples or (2000 if is_audio else 20_000)
    with tempfile.TemporaryDirectory(prefix="loader-store-") as place:
        samples = (
            clip_samples(options.clips, options.samples)
            if is_audio
            else token_samples(options.samples, 12.0)
        )
        audio = "flac" if is_audio else "none"
        out = make_dataset(samples, Path(place), audio, options.shard_mb)
        del samples
        server = StoreServer(LATENCY_SECONDS)
        try:
            os.environ.update(server.environment)
            compare(out, server, options)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
