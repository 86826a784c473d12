"""Where a pipeline runs: on this machine by default, or on any engine that Beam knows."""

import contextlib
import importlib
import re
import threading
from argparse import ArgumentError
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from wavemill.errors import JobError, UsageError
from wavemill.pipelines import remote, whereabouts, worker
from wavemill.specs import check_range

LOCAL = "DirectRunner"
MAX_WORKERS = 1024
"""More processes than any machine has cores for."""
Outcome = tuple[str, dict[str, Any]]
"""The state in which a pipeline ended, and what it measured."""
BEAM_WORKER_THREAD = "run_worker"
"""Beam's thread that waits for a worker process."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A runner and its options, as Beam spells them."""

    runner: str = LOCAL
    workers: int | None = None
    """Processes on this machine, or as many as each stage is worth (`crew.py`); other runners take
    their own options."""
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the number of workers, and that there is such a runner."""
        check_range("--workers", self.workers, 1, MAX_WORKERS)
        if self.runner != LOCAL:
            _check_runner(self.runner)

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, in processes that we start."""
        return self.runner == LOCAL

    def settle(self, workers: int) -> "Engine":
        """Give the engine so many workers unless it was told how many."""
        return replace(self, workers=workers) if self.workers is None else self


def _check_runner(name: str) -> None:
    from apache_beam.options.pipeline_options import StandardOptions
    from apache_beam.runners.runner import create_runner

    try:
        create_runner(remote.full_name(name))
    except Exception as error:  # whatever the module of that name runs into
        known = ", ".join(StandardOptions.KNOWN_RUNNER_NAMES)
        words = "Beam has no such runner" if isinstance(error, ValueError) else _one_line(error)
        raise UsageError(f"--runner {name}: {words}; there are: {known}") from error


class _Argument(str):
    """An argument that is told from another of the same letters."""

    __slots__ = ()


def split_beam_options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split arguments into Beam's own options with their values, and what Beam does not know.

    Raises:
        UsageError: an option of Beam lacks its value, or has a wrong one.

    """
    from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

    class Parser(_BeamArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(f"an option of Beam: {message}")

    if any(argument.startswith("--dask") for argument in arguments):
        with contextlib.suppress(ImportError):  # Beam learns of its options with its runner alone
            importlib.import_module(remote.DASK)
    parser = Parser(add_help=False, allow_abbrev=False)
    for kind in PipelineOptions.__subclasses__():
        try:
            kind._add_argparse_args(parser)  # noqa: SLF001 - how Beam itself collects them
        except ArgumentError:  # two kinds may state one option
            continue
    given = [_Argument(argument) for argument in arguments]
    _, rest = parser.parse_known_args(given)
    left = set(map(id, rest))
    return [str(argument) for argument in given if id(argument) not in left], list(map(str, rest))


def run(engine: Engine, build: Callable[[Any], None], what: str, place: str) -> dict[str, Any]:
    """Run a pipeline to its end; return what it measured, see `metrics.py`.

    Args:
        engine: where.
        build: takes an `apache_beam.Pipeline` and adds the steps to it.
        what: the stage's name, for the error.
        place: the folder or URL of the dataset.

    Raises:
        JobError: the pipeline failed; what its units finished is kept.

    """
    try:
        ended = _local(engine, build) if engine.is_local else _remote(engine, build, what, place)
    except Exception as error:
        words = _last_words(error)
        raise JobError(
            f"{what} failed: {words}; what was finished is kept, run the same command to go on"
        ) from error
    state, measured = ended
    if state not in ("DONE", "DRAINED"):
        raise JobError(f"{what} ended as {state} on {engine.runner}; see the engine's own log")
    return measured


def _local(engine: Engine, build: Callable[[Any], None]) -> Outcome:
    with _runner(engine) as (runner, notes):
        options = [f"--direct_num_workers={engine.workers or 1}", *engine.options]
        pipeline = _pipeline(runner, options, build)

        def work() -> Outcome:
            result = pipeline.run()
            result.wait_until_finish()
            return _outcome(result)

        return _aside(work, notes)


def _remote(engine: Engine, build: Callable[[Any], None], what: str, place: str) -> Outcome:
    job = remote.Remote(runner=engine.runner, given=engine.options, what=what, place=place)
    with job.options() as options:
        return _outcome(job.run(_pipeline(remote.full_name(engine.runner), options, build)))


def _outcome(result: Any) -> Outcome:
    from wavemill.pipelines.metrics import measured

    return str(result.state), measured(result)


def _pipeline(runner: Any, options: list[str], build: Callable[[Any], None]) -> Any:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
    build(pipeline)
    return pipeline


_failing: list[Callable[[BaseException], None]] = []
"""What ends the pipelines that run in this process."""


def abort(error: BaseException) -> None:
    """End the pipeline that runs in this process, from another thread, with an error."""
    for fail in _failing:
        fail(error)


def _aside(work: Callable[[], Outcome], notes: int | None) -> Outcome:
    """Work in another thread: what stops the job need not wait for the units Beam has begun.

    Neither a signal need, nor a worker process that died: Beam itself would wait for it forever.
    """
    outcome: Future[Outcome] = Future()

    def fail(error: BaseException | None) -> None:
        with contextlib.suppress(InvalidStateError):
            outcome.set_exception(error)

    def serve() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            fail(error)

    def on_death(report: threading.ExceptHookArgs) -> None:
        if report.thread is not None and report.thread.name == BEAM_WORKER_THREAD:
            fail(JobError(_obituary(report.exc_value, whereabouts.last_words(notes))))

    before, threading.excepthook = threading.excepthook, on_death
    threading.Thread(target=serve, daemon=True).start()
    _failing.append(fail)
    try:
        found = outcome.result()
    finally:
        _failing.remove(fail)
    # After a failure it stays: what the threads left behind still say is no news.
    threading.excepthook = before
    return found


def _obituary(error: BaseException | None, at: str) -> str:
    if not at:
        return f"a worker process died ({error}); too little memory? give fewer --workers"
    return (
        f"a worker process died ({error}) at {at}; too little memory? give fewer --workers; if it"
        " dies there again, leave that out"
    )


@contextlib.contextmanager
def _runner(engine: Engine) -> Iterator[tuple[Any, int | None]]:
    """Give the runner, and the memory in which its workers note their whereabouts, if they do."""
    from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    # Beam's "DirectRunner" would first try to download its Go runner.
    if engine.workers in (None, 1):
        yield FnApiRunner(), None
        return
    with worker.command(engine.workers) as (command, notes):
        yield FnApiRunner(SubprocessSDKEnvironment.from_command_string(command)), notes


def _last_words(error: BaseException) -> str:
    """Take the reason out of an error that holds a worker's whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reasons = [line for line in lines if "Error" in line.split(":", 1)[0]]
    words = (reasons or lines or [type(error).__name__])[-1]
    # Beam wraps an error, as text, into others; ours speak for themselves.
    words = re.sub(r"^(RuntimeError: (?=[\w.]*Error:))*(wavemill\.errors\.\w+: )?", "", words)
    words = words.split(" [while running", 1)[0]
    return re.sub(r"^\w*Error: \[Errno \d+\] (.+): '(.+)'$", r"\2: \1", words)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
