"""Where a pipeline runs: on this machine by default, or on any engine that Beam knows."""

import logging
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wavemill.errors import JobError, UsageError, WavemillError
from wavemill.pipelines import worker

LOCAL = "DirectRunner"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A runner and its options, as Beam spells them."""

    runner: str = LOCAL
    workers: int = 1
    """Processes on this machine; other runners take their own options."""
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the number of workers."""
        if self.workers < 1:
            raise UsageError(f"--workers {self.workers}: give 1 or more")


def split_beam_options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split arguments into Beam's own options with their values, and what Beam does not know."""
    from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

    parser = _BeamArgumentParser(add_help=False, allow_abbrev=False)
    for kind in PipelineOptions.__subclasses__():
        try:
            kind._add_argparse_args(parser)  # noqa: SLF001 - how Beam itself collects them
        except ArgumentError:  # two kinds may state one option
            continue
    known, rest = parser.parse_known_args(list(arguments))
    del known
    return [argument for argument in arguments if argument not in rest], rest


def run(engine: Engine, build: Callable[[Any], None], what: str) -> None:
    """Run a pipeline to its end.

    Args:
        engine: where.
        build: takes an `apache_beam.Pipeline` and adds the steps to it.
        what: the stage's name, for the error.

    Raises:
        JobError: the pipeline failed; what its units finished is kept.

    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    pipeline = beam.Pipeline(
        runner=_runner(engine), options=PipelineOptions([*_local_options(engine), *engine.options])
    )
    build(pipeline)
    try:
        result = pipeline.run()
        state = result.wait_until_finish() or result.state
    except WavemillError:
        raise
    except Exception as error:
        logging.getLogger(__name__).debug("pipeline failed", exc_info=True)
        words = _last_words(error)
        raise JobError(
            f"{what} failed: {words}; what was finished is kept, run the same command to go on"
        ) from error
    if state not in ("DONE", "DRAINED"):
        raise JobError(f"{what} ended as {state} on {engine.runner}; see the engine's own log")


def _runner(engine: Engine) -> Any:
    if engine.runner != LOCAL:
        return engine.runner
    from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    # Beam's "DirectRunner" would first try to download its Go runner.
    if engine.workers == 1:
        return FnApiRunner()
    return FnApiRunner(SubprocessSDKEnvironment.from_command_string(worker.command()))


def _local_options(engine: Engine) -> list[str]:
    if engine.runner != LOCAL:
        return []
    return [f"--direct_num_workers={engine.workers}"]


def _last_words(error: BaseException) -> str:
    """Take the reason out of an error that holds a worker's whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reasons = [line for line in lines if "Error" in line.split(":", 1)[0]]
    words = (reasons or lines or [type(error).__name__])[-1]
    return words.split(" [while running", 1)[0]
