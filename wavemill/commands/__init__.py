"""The commands: one file each, thin; the work is done in the rooms they call."""

import click

from wavemill.commands.add import add
from wavemill.commands.completion import completion
from wavemill.commands.correct import correct
from wavemill.commands.decode import decode
from wavemill.commands.doctor import doctor
from wavemill.commands.examples import examples
from wavemill.commands.export import export
from wavemill.commands.fit import fit
from wavemill.commands.generate import generate
from wavemill.commands.hypotheses import hypotheses
from wavemill.commands.inspect import inspect
from wavemill.commands.iterate import iterate
from wavemill.commands.lint import lint
from wavemill.commands.merge import merge
from wavemill.commands.plan import plan
from wavemill.commands.prepare import prepare
from wavemill.commands.profile import profile
from wavemill.commands.recipes import recipes
from wavemill.commands.recognizers import recognizers
from wavemill.commands.report import report
from wavemill.commands.rescore import rescore
from wavemill.commands.score import score
from wavemill.commands.tokenizers import tokenizers
from wavemill.commands.train import train
from wavemill.commands.transcribe import transcribe

COMMANDS: tuple[click.Command, ...] = (
    prepare, add, merge, inspect, report, lint, decode, plan, profile, train, iterate, generate,
    transcribe, hypotheses, correct, rescore, score, export, fit, tokenizers, recognizers, recipes,
    examples, completion, doctor,
)  # fmt: skip
