"""Compare an epoch's batches with those of lhotse and NeMo: padding, drops, repetition, time.

    python benchmarks/batch_padding.py                    # the table
    python benchmarks/batch_padding.py --front front.png  # and what `--pool` trades, as a picture

Two tables of 60,000 rows are drawn: `librispeech-like` (log-normal durations, 12.4 s in the mean,
at most 35 s; 3.6 tokens a second, give or take a quarter) and `heavy-tailed` (up to 60 s; 5 to 25
tokens a second). Batches hold 360 padded seconds. `nemo` is the rule of NeMo's 2D bucketing: equal
mass bins, outliers in tokens a second dropped; filled in random order. Overlap is the mean Jaccard
overlap of a sample's batch neighbours in two epochs. The picture needs matplotlib.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent.parent))
from wavemill.sharding.batches import BatchConfig, plan_epoch
from wavemill.sharding.buckets import Floats, Ints, find_bounds
from wavemill.sharding.budget import Budget

ROWS = 60_000
BATCH_SECONDS = 360.0
OUTLIER = 4.0
"""Standard deviations of tokens a second beyond which NeMo's script drops."""
POOLS = (1.0, 1.5, 2.0, 3.5, 5.0, 8.0, 16.0, 32.0)
Batches = list[Ints]
Figures = dict[tuple[str, str], tuple[float, ...]]
"""Of each table and scheme: a row of what is printed."""
Scheme = Callable[[Floats, Ints, int], Batches]


def tables() -> dict[str, tuple[Floats, Ints]]:
    """Draw both tables."""
    dice = np.random.default_rng(0)
    speech = _seconds(np.clip(dice.lognormal(2.35, 0.62, ROWS), 1.0, 35.0))
    rates = np.clip(dice.normal(3.6, 0.94, ROWS), 0.4, None)
    heavy = _seconds(np.clip(dice.lognormal(2.0, 0.85, ROWS), 0.5, 60.0))
    fast = np.clip(dice.lognormal(np.log(9.5), 0.6, ROWS), 5.0, 25.0)
    return {
        "librispeech-like": (speech, _tokens(speech * rates)),
        "heavy-tailed": (heavy, _tokens(heavy * fast)),
    }


def _seconds(values: Floats) -> Floats:
    return np.round(values, 3).astype(np.float64)


def _tokens(values: Floats) -> Ints:
    return np.maximum(np.round(values), 1).astype(np.int64)


def ours(pool: float) -> Scheme:
    """Make batches of ours."""

    def scheme(seconds: Floats, tokens: Ints, seed: int) -> Batches:
        config = BatchConfig(budget=Budget(seconds=BATCH_SECONDS), pool=pool, epoch=seed)
        plan = plan_epoch(seconds, tokens, config)
        return np.split(plan.order, plan.offsets[1:-1])

    return scheme


def lhotse(num_buckets: int) -> Scheme:
    """Make batches of lhotse's own sampler."""
    from lhotse import CutSet
    from lhotse.dataset.sampling import DynamicBucketingSampler
    from lhotse.testing.dummies import dummy_cut

    def scheme(seconds: Floats, _: Ints, seed: int) -> Batches:
        pairs = enumerate(seconds.tolist())
        cuts = CutSet([dummy_cut(number, duration=length) for number, length in pairs])
        numbers = {cut.id: number for number, cut in enumerate(cuts)}
        sampler = DynamicBucketingSampler(
            cuts, max_duration=BATCH_SECONDS, num_buckets=num_buckets, shuffle=True, seed=seed,
            world_size=1, rank=0,
        )  # fmt: skip
        return [np.array([numbers[cut.id] for cut in batch]) for batch in sampler]

    return scheme


def nemo(num_buckets: int, num_sub_buckets: int) -> Scheme:
    """Make batches by NeMo's rule."""

    def scheme(seconds: Floats, tokens: Ints, seed: int) -> Batches:
        order = np.argsort(seconds)
        coarse = find_bounds(seconds[order], np.zeros(len(order), np.int64), num_buckets, 1)
        kept = _without_outliers(tokens / seconds, coarse.place(seconds, tokens))
        order = order[kept[order]]
        bounds = find_bounds(seconds[order], tokens[order], num_buckets, num_sub_buckets)
        shuffled = np.random.default_rng(seed).permutation(np.flatnonzero(kept))
        where = bounds.place(seconds[shuffled], tokens[shuffled])
        by_bucket = shuffled[np.argsort(where, kind="stable")]
        edges = np.flatnonzero(np.diff(np.sort(where))) + 1
        return [b for part in np.split(by_bucket, edges) for b in _fill(part, seconds)]

    return scheme


def _without_outliers(rates: Floats, where: Ints) -> npt.NDArray[np.bool_]:
    count = np.bincount(where)
    mean = (np.bincount(where, rates) / count)[where]
    spread = np.sqrt(np.bincount(where, (rates - mean) ** 2) / count)[where]
    return rates <= mean + OUTLIER * spread


def _fill(members: Ints, seconds: Floats) -> Batches:
    batches, start, longest = [], 0, 0.0
    for stop, length in enumerate(seconds[members].tolist()):
        longest = max(longest, length)
        if stop > start and longest * (stop - start + 1) > BATCH_SECONDS:
            batches.append(members[start:stop])
            start, longest = stop, length
    return [*batches, members[start:]]


def padding(values: npt.NDArray[Any], batches: Batches) -> float:
    """Return the share of padded batches that is padding."""
    padded = sum(float(values[batch].max()) * len(batch) for batch in batches)
    return 1 - sum(float(values[batch].sum()) for batch in batches) / padded


def overlap(epochs: list[Batches], samples: int) -> float:
    """Return the mean Jaccard overlap of samples' neighbours, over all pairs of epochs."""
    places = []
    for batches in epochs:
        place = np.full(ROWS, -1)
        for number, batch in enumerate(batches):
            place[batch] = number
        places.append(place)
    found = []
    for sample in np.random.default_rng(1).choice(ROWS, samples, replace=False).tolist():
        if any(place[sample] < 0 for place in places):
            continue
        sets = [set(batches[place[sample]].tolist()) - {sample}
                for batches, place in zip(epochs, places, strict=True)]  # fmt: skip
        found += [len(one & other) / max(len(one | other), 1)
                  for number, one in enumerate(sets) for other in sets[:number]]  # fmt: skip
    return float(np.mean(found))


def compare(schemes: dict[str, Scheme], options: argparse.Namespace) -> Figures:
    """Print a table of all schemes for each table of lengths; return the figures."""
    figures: Figures = {}
    for title, (seconds, tokens) in tables().items():
        head = ("input", "tokens", "dropped", "overlap", "full", "seconds")
        print(f"\n{title:<24}" + "".join(f"{name:>9}" for name in head))
        for name, scheme in schemes.items():
            started = time.perf_counter()
            epochs = [scheme(seconds, tokens, seed) for seed in range(options.epochs)]
            taken = (time.perf_counter() - started) / options.epochs
            batches = epochs[0]
            row = (padding(seconds, batches), padding(tokens, batches),
                   ROWS - sum(map(len, batches)), overlap(epochs, options.samples),
                   sum(float(seconds[b].max()) * len(b) for b in batches)
                   / len(batches) / BATCH_SECONDS, taken)  # fmt: skip
            figures[title, name] = row
            print(f"{name:<24}{row[0]:>9.2%}{row[1]:>9.2%}{row[2]:>9}{row[3]:>9.4f}"
                  f"{row[4]:>9.1%}{row[5]:>9.2f}", flush=True)  # fmt: skip
    return figures


def draw(figures: Figures, path: Path) -> None:
    """Draw padding of both lengths against overlap."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    titles = list(dict.fromkeys(title for title, _ in figures))
    figure, panels = plt.subplots(1, len(titles), figsize=(11, 4.5), sharey=True)
    for panel, title in zip(panels, titles, strict=True):
        rows = {name: row for (own, name), row in figures.items() if own == title}
        front = [row for name, row in rows.items() if name.startswith("pool")]
        for column, what, mark in ((0, "durations", "o-"), (1, "tokens", "s--")):
            line = panel.plot([row[3] for row in front], [row[column] * 100 for row in front],
                              mark, label=f"wavemill, {what}")[0]  # fmt: skip
            peers = [(name, row) for name, row in rows.items() if not name.startswith("pool")]
            panel.plot([row[3] for _, row in peers], [row[column] * 100 for _, row in peers],
                       "ox"[column], color=line.get_color(), fillstyle="none",
                       label=f"lhotse, NeMo: {what}")  # fmt: skip
        for name, row in peers:
            panel.annotate(name, (row[3], row[1] * 100), textcoords="offset points", xytext=(6, 4),
                           fontsize=8)  # fmt: skip
        panel.set(title=title, xlabel="overlap of batch neighbours", xscale="log", yscale="log")
        panel.set_xticks([0.003, 0.01, 0.03, 0.1, 0.3], ["0.003", "0.01", "0.03", "0.1", "0.3"])
        panel.set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
        panel.minorticks_off()
    panels[0].set_ylabel("padding, %")
    panels[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Compare all schemes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--front", type=Path, metavar="PNG", help="draw what --pool trades")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    pools = POOLS if options.front else (3.5,)
    schemes = {f"pool {pool}": ours(pool) for pool in pools}
    schemes |= {f"lhotse, {count}": lhotse(count) for count in (10, 30)}
    schemes |= {f"nemo, 30x{subs}": nemo(30, subs) for subs in (2, 5)}
    figures = compare(schemes, options)
    if options.front:
        draw(figures, options.front)


if __name__ == "__main__":
    main()
