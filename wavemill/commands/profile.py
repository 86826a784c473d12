"""`wavemill profile`: batch sizes that fit in a GPU's memory."""

from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.output import as_json, emit, table

if TYPE_CHECKING:
    from wavemill.models.memory.profile import Profile


@click.command(short_help="Find the batch sizes that fit in a GPU's memory.")
@click.argument("recipe", metavar="RECIPE")
@click.option("--data", metavar="OUT", required=True, help="Folder of a prepared dataset.")
@click.option("--memory-gb", type=float, required=True, help="Of the GPU, 10^9 bytes each.")
@click.option(
    "--memory-fraction",
    type=float,
    default=0.9,
    show_default=True,
    help="How much of it a step may take; the rest is CUDA's own, and lost between tensors.",
)
@click.option("--preset", default="small", show_default=True, help="Settings: small or paper.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting; may come often."
)
@click.option("--out", metavar="FILE", help="Write the sizes, as YAML, for `plan --profile`.")
@click.option("--precision", default="bfloat16", show_default=True, help="Or float32.")
@click.option(
    "--world-size",
    type=int,
    default=1,
    show_default=True,
    help="Ranks; of several, DDP's copy of the gradients counts.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="cuda runs steps until memory runs out, cpu predicts them; auto runs them where it can.",
)
@click.option("--buckets", type=int, help="Cuts by duration; as the dataset was cut if left out.")
@click.option("--sub-buckets", type=int, help="Cuts by tokens; as the dataset was cut.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def profile(*, data: str, out: str | None, quiet: bool, json_: bool, **options: Any) -> None:
    r"""Find the largest batch of each of a dataset's buckets that trains within a memory.

    Without a GPU the steps are predicted, from what tensors they keep alive. `wavemill recipes`
    lists what can be trained.

    \b
    wavemill profile token-lm --data prepared --memory-gb 24
    wavemill profile token-lm --data prepared --memory-gb 80 --preset paper
    wavemill profile token-lm --data prepared --memory-gb 80 --out sizes.yaml
    wavemill plan lengths.jsonl --profile sizes.yaml
    """
    from wavemill import storage
    from wavemill.models.memory.profile import ProfileConfig, make_profile
    from wavemill.pipelines.progress import Reporter
    from wavemill.sharding.bins import bins_as_yaml

    config = ProfileConfig(**options)
    if out:
        storage.check_writable(out)
    found = make_profile(storage.folder_url(data), config, Reporter(quiet=quiet).stage)
    text = bins_as_yaml(found.options)
    if out:
        storage.write_text(out, text)
    emit(_summary(found, out), [*_table(found), "", *text], json_=json_)


def _summary(found: "Profile", out: str | None) -> dict[str, Any]:
    rows = [
        {
            "name": bucket.name,
            "max_seconds": bucket.max_seconds,
            "max_tokens": bucket.max_tokens,
            "batch_size": fit.size,
            "step_bytes": fit.num_bytes,
        }
        for bucket, fit in zip(found.buckets, found.fits, strict=True)
    ]
    return {**found.options, "buckets": rows, "out": out}


def _table(found: "Profile") -> list[str]:
    measured = "measured" if found.options["device"] == "cuda" else "predicted"
    return table(
        ("bucket", "up to s", "up to tokens", "batch", f"{measured} GB"),
        [
            (bucket.name, f"{bucket.max_seconds:.2f}", f"{bucket.max_tokens:,}", f"{fit.size:,}",
             f"{fit.num_bytes / 1e9:.3f}")
            for bucket, fit in zip(found.buckets, found.fits, strict=True)
        ],
    )  # fmt: skip
