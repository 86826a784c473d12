"""`wavemill generate`: new tokens from a trained language model, and their sound."""

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.errors import UsageError

if TYPE_CHECKING:
    from wavemill.models.token_lm.generation import Order
    from wavemill.models.token_lm.recipe import TokenLm
    from wavemill.tokenizers.base import TokenizerFacts

SECONDS = 5.0
"""If neither seconds nor frames are given."""


@click.command(short_help="Draw new tokens from a trained language model.")
@click.argument("run", metavar="RUN")
@click.option("--out", metavar="FILE.jsonl|DIR", required=True, help="Where the samples go.")
@click.option(
    "--n", "samples", type=click.IntRange(1), default=4, show_default=True,
    help="Samples, of each text if there are some.",
)  # fmt: skip
@click.option("--seconds", type=float, help="Of each sample, after its prompt: 5 if left out.")
@click.option("--frames", type=click.IntRange(1), help="In place of seconds.")
@click.option("--text", "texts", multiple=True, help="What a model with condition=text is told.")
@click.option("--condition", metavar="OUT:KEY", help="A sample whose other stream it is told.")
@click.option("--prompt", metavar="OUT:KEY", help="A sample that each one begins as.")
@click.option("--prompt-seconds", type=float, help="Of the prompt; all of it if left out.")
@click.option("--temperature", type=float, default=1.0, show_default=True, help="0: the likeliest.")
@click.option("--top-k", type=int, help="Draw from the likeliest so many.")
@click.option("--top-p", type=float, help="Draw from the likeliest of this share.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draws.")
@click.option("--tokenizer", metavar="NAME", help="Decode to WAV, too, as `wavemill decode` does.")
@click.option("--data", metavar="OUT", help="Where the run's dataset is now, to decode.")
@click.option("--best", is_flag=True, help="Take the checkpoint of the least held-out loss.")
@click.option(
    "--device", default="auto", show_default=True, help="cpu, cuda or cuda:1; auto prefers a GPU."
)
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def generate(
    run: str, *, out: str, best: bool, device: str, quiet: bool, json_: bool, **options: Any
) -> None:
    r"""Draw samples from a run of token-lm, and write their tokens, [T, Q], and their sound.

    Into a folder go sample-0.npy, ..., and with --tokenizer sample-0.wav; into a file a row a
    sample. The same seed draws the same, however many samples there are.

    \b
    wavemill generate run --out drawn --n 8 --seconds 4 --top-p 0.9
    wavemill generate run --out drawn --prompt prepared:hello --prompt-seconds 1
    wavemill generate run --out tokens.jsonl --text 'good morning'
    """
    import torch

    from wavemill.models.token_lm.generation import generate, recipe_to_generate
    from wavemill.models.training.run import load_run
    from wavemill.pipelines.progress import Reporter
    from wavemill.tokenizers.device import Place

    tokenizer, data = options.pop("tokenizer"), options.pop("data")
    if tokenizer and out.endswith(".jsonl"):
        raise UsageError(f"--out {out}: sound needs a folder; give --out DIR")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    Place(device=device).check("generate")
    loaded = load_run(run, best=best)
    recipe = recipe_to_generate(loaded, run)
    decoder = _decoder(run, data, tokenizer, recipe.stream) if tokenizer else None
    order = _order(recipe, options)
    total = order.samples * max(len(order.texts), 1)
    with Reporter(quiet=quiet).stage("generate", total) as show:
        found = generate(loaded, order, device=device, done=lambda count: show(count, ""))
    _write(out, found, order, recipe.stream, decoder)
    rate = recipe.stream.frame_rate
    summary = {
        "out": out,
        "samples": len(found),
        "stream": recipe.stream.name,
        "frames": len(found[0]),
        "seconds": round(len(found[0]) / rate, 6) if rate else None,
        "step": loaded.step,
    }
    words = f", {summary['seconds']:.2f} s" if rate else ""
    lines = [f"{out}: {len(found):,} samples of {len(found[0]):,} frames{words} each"]
    emit(summary, lines, json_=json_)


def _order(recipe: "TokenLm", options: dict[str, Any]) -> "Order":
    from wavemill.models.token_lm.generation import Order

    seconds, frames, condition, prompt, prompt_seconds = (
        options.pop(name) for name in ("seconds", "frames", "condition", "prompt", "prompt_seconds")
    )
    if seconds is not None and frames is not None:
        raise UsageError("give one of --seconds and --frames")
    begin = _codes_of(prompt, recipe.stream, "--prompt") if prompt else None
    if begin is not None and prompt_seconds is not None:
        begin = begin[: _frames(prompt_seconds, recipe.stream, "--prompt-seconds")]
    return Order(
        frames=frames or _frames(SECONDS if seconds is None else seconds, recipe.stream),
        told=_told(recipe, condition) if condition else None,
        prompt=begin,
        **options,
    )


def _frames(seconds: float, facts: "TokenizerFacts", option: str = "--seconds") -> int:
    if facts.frame_rate is None:
        raise UsageError(f"{option}: {facts.name} is on no regular clock; give --frames")
    frames = round(seconds * facts.frame_rate) if 0 < seconds < 1e6 else 0
    if not frames:
        raise UsageError(f"{option} {seconds}: give at least a frame, {1 / facts.frame_rate:.3g}")
    return frames


def _codes_of(named: str, facts: "TokenizerFacts", option: str) -> Any:
    """Read the ids of a stream of `OUT:KEY`."""
    from wavemill import storage
    from wavemill.sharding.dataset import Dataset
    from wavemill.sharding.lookup import find_sample, read_codes

    folder, colon, key = named.rpartition(":")
    if not (folder and colon and key):
        raise UsageError(f"{option} {named}: give OUT:KEY, a dataset and a sample of it")
    dataset = Dataset.open(storage.folder_url(folder))
    made = dataset.content["tokenizers"].get(facts.name)
    if made is None or made["weights_digest"] != facts.weights_digest:
        raise UsageError(
            f"{option} {named}: {folder} has no {facts.name!r} tokens of the tokenizer that the"
            " model was trained with"
        )
    return read_codes(find_sample(dataset, key), facts.name)


def _told(recipe: "TokenLm", condition: str) -> Any:
    from wavemill.models.token_lm.config import TEXT

    if recipe.config.condition in ("", TEXT):
        raise UsageError(
            f"--condition {condition}: the model was trained with"
            f" condition={recipe.config.condition or 'nothing'}"
        )
    return _codes_of(condition, recipe.condition, "--condition")


def _decoder(run: str, data: str | None, tokenizer: str, facts: "TokenizerFacts") -> Any:
    """Build what decodes the stream of the run."""
    from wavemill import storage
    from wavemill.commands.decoders import find_decoder
    from wavemill.errors import DatasetError
    from wavemill.models.training.run import read_run
    from wavemill.sharding.dataset import Dataset

    url = storage.folder_url(data) if data else read_run(run)["data"]["urls"][0]
    try:
        dataset = Dataset.open(url)
    except DatasetError as error:
        raise UsageError(f"{error}; say where the run's dataset is now: --data OUT") from error
    stream, decoder = find_decoder(dataset, tokenizer)
    if (stream, decoder.facts.weights_digest) != (facts.name, facts.weights_digest):
        raise UsageError(f"--tokenizer {tokenizer}: the model was trained on {facts.name} tokens")
    return decoder


def _write(
    out: str, found: Sequence[Any], order: "Order", facts: "TokenizerFacts", decoder: Any
) -> None:
    import numpy as np

    from wavemill import storage
    from wavemill.audio.wav import write_wav

    if out.endswith(".jsonl"):
        storage.write_text(out, [json.dumps(row) for row in _rows(found, order, facts)])
        return
    for row, codes in zip(_rows(found, order, facts), found, strict=True):
        buffer = io.BytesIO()
        np.save(buffer, codes)
        storage.write_bytes(storage.join(out, f"{row['id']}.npy"), buffer.getvalue())
        if decoder is not None:
            sound = io.BytesIO()
            rate = decoder.facts.sample_rate
            audio = decoder.decode(codes)
            write_wav(sound, [audio], rate, len(audio))
            storage.write_bytes(storage.join(out, f"{row['id']}.wav"), sound.getvalue())


def _rows(found: Sequence[Any], order: "Order", facts: "TokenizerFacts") -> list[dict[str, Any]]:
    return [
        {
            "id": f"sample-{number}",
            "stream": facts.name,
            **({"text": order.texts[number // order.samples]} if order.texts else {}),
            "prompt_frames": 0 if order.prompt is None else len(order.prompt),
            "seed": order.seed,
            "tokens": codes.tolist(),
        }
        for number, codes in enumerate(found)
    ]
