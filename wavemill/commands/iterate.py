"""`wavemill iterate`: models and tokenizers that are trained in turns."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from wavemill.commands.output import as_json, emit
from wavemill.commands.prepare import prepare
from wavemill.commands.running import NOTHING_WRITTEN
from wavemill.commands.train import train

COMMANDS = {"prepare": prepare, "train": train}
Step = tuple[str, list[str]]
"""The name of a command, and its arguments."""


@click.group(short_help="Train a model and its tokenizer in turns.")
def iterate() -> None:
    r"""Train a model and its tokenizer in turns, each by what the other has learnt.

    \b
    wavemill iterate beats effects/ --out beats --iterations 2
    """


@iterate.command(short_help="BEATs, and the tokenizer that is distilled of it.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", metavar="DIR", required=True, help="Folder of datasets and runs.")
@click.option(
    "--iterations",
    type=click.IntRange(1, 100),
    default=2,
    show_default=True,
    help="How many models; the first one's tokens are of random weights.",
)
@click.option("--preset", default="small", show_default=True, help="Settings: small or paper.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the models."
)
@click.option(
    "--train", "training", multiple=True, metavar="KEY=VALUE", help="Of the models' training."
)
@click.option(
    "--set-tokenizer",
    "tokenizer_settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the tokenizers.",
)
@click.option(
    "--train-tokenizer",
    "tokenizer_training",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of the tokenizers' training.",
)
@click.option("--segment", default="none", show_default=True, metavar="HOW", help="As of prepare.")
@click.option("--max-rejected", type=float, metavar="F", help="As of prepare.")
@click.option("--workers", type=int, help="As of prepare.")
@click.option(
    "--device", default="auto", show_default=True, help="cpu, cuda or cuda:1; auto prefers a GPU."
)
@click.option("--dry-run", is_flag=True, help="Print the commands, and run none.")
@click.option("--quiet", is_flag=True, help="No progress.")
@as_json
def beats(inputs: tuple[str, ...], *, json_: bool, dry_run: bool, **options: Any) -> None:
    r"""Train BEATs as it was published: prepare, train, distil a tokenizer, prepare with it, ...

    \b
    wavemill iterate beats effects/ --out beats
    wavemill iterate beats effects/ --out beats --iterations 3 --dry-run

    It runs the commands that --dry-run prints. The same command again goes on where it stood. For
    several GPUs give them yourself, `train` under torchrun.
    """
    turns = BeatsTurns(**options)
    steps = list(turns.steps(inputs))
    last = turns.folder(turns.iterations - 1)
    result = {
        "iterations": turns.iterations,
        "commands": [[name, *arguments] for name, arguments in steps],
        "model": f"{last}/model",
        "tokenizer": f"{last}/tokenizer" if turns.iterations > 1 else None,
        "out": turns.out,
    }
    if dry_run:
        lines = [shlex.join(["wavemill", name, *arguments]) for name, arguments in steps]
        emit(result, [*lines, NOTHING_WRITTEN], json_=json_)
        return
    for number, (name, arguments) in enumerate(steps, 1):
        if not turns.quiet:
            words = shlex.join([name, *arguments])
            click.echo(f"{number} of {len(steps)}: wavemill {words}", err=True)
        COMMANDS[name].main(args=arguments, prog_name=f"wavemill {name}", standalone_mode=False)
    lines = [f"{turns.out}: {turns.iterations} iterations; the last model: {last}/model"]
    if turns.iterations > 1:
        lines.append(
            f"next: wavemill prepare INPUT --out OUT --tokenizer beats:model={last}/tokenizer"
        )
    emit(result, lines, json_=json_)


@dataclass(frozen=True, kw_only=True)
class BeatsTurns:
    """What BEATs' iterations are told.

    Each has a folder: `prepared`, with the tokens; `model`, what learnt to predict them; and from
    the second on `tokenizer`, distilled of the model before it.
    """

    out: str
    iterations: int = 2
    preset: str = "small"
    settings: Sequence[str] = ()
    training: Sequence[str] = ()
    tokenizer_settings: Sequence[str] = ()
    tokenizer_training: Sequence[str] = ()
    segment: str = "none"
    max_rejected: float | None = None
    workers: int | None = None
    device: str = "auto"
    quiet: bool = False

    def steps(self, inputs: Sequence[str]) -> Iterator[Step]:
        """Yield the commands of all iterations, in order."""
        for number in range(self.iterations):
            here, before = self.folder(number), self.folder(number - 1)
            tokenizer = "beats"
            if number:
                tokenizer = f"beats:model={here}/tokenizer"
                settings = [f"teacher={before}/model", *self.tokenizer_settings]
                words = self._train(settings, self.tokenizer_training)
                yield "train", ["beats-tokenizer", "--data", f"{before}/prepared",
                                "--out", f"{here}/tokenizer", *words]  # fmt: skip
            yield "prepare", [*inputs, "--out", f"{here}/prepared", "--tokenizer", tokenizer,
                              *self._prepare()]  # fmt: skip
            yield "train", ["beats", "--data", f"{here}/prepared", "--out", f"{here}/model",
                            *self._train(self.settings, self.training)]  # fmt: skip

    def folder(self, number: int) -> str:
        """Return the folder of an iteration, counted from 0."""
        return f"{self.out}/iteration-{number}"

    def _prepare(self) -> list[str]:
        given = {"--segment": self.segment, "--max-rejected": self.max_rejected,
                 "--workers": self.workers}  # fmt: skip
        pairs = [(name, str(value)) for name, value in given.items() if value is not None]
        return [*_flat(pairs), *self._silence()]

    def _train(self, settings: Sequence[str], training: Sequence[str]) -> list[str]:
        pairs = [("--set", each) for each in settings] + [("--train", each) for each in training]
        own = ["--preset", self.preset, "--device", self.device]
        return [*_flat(pairs), *own, *self._silence()]

    def _silence(self) -> list[str]:
        return ["--quiet"] if self.quiet else []


def _flat(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [word for pair in pairs for word in pair]
