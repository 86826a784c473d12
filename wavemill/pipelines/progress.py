"""Progress: a bar on a terminal, plain lines elsewhere, both on standard error.

Work is done in other processes, maybe on other machines. What they finish shows as files in the
spool, so that is what is counted; it works alike on every engine.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as RemainingColumn

POLL_SECONDS = 0.5
LINE_SECONDS = 10.0


class Reporter:
    """Shows how far each stage is."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Write to standard error; `quiet` writes nothing."""
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._bars = self._console.is_terminal and not quiet

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False)

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show a stage; the function it gives takes how much is done so far."""
        started = time.monotonic()
        if self._bars:
            with self._bar() as bar:
                task = bar.add_task(name, total=total)
                done = [0]

                def show(count: int) -> None:
                    done[0] = count
                    bar.update(task, completed=count)

                yield show
                bar.update(task, completed=total if total is not None else done[0],
                           total=total if total is not None else done[0])  # fmt: skip
            return
        lines = _Lines(self, name, total, started)
        yield lines.show
        lines.end()

    @contextlib.contextmanager
    def counting(self, name: str, total: int, count: Callable[[], int]) -> Iterator[None]:
        """Show a stage whose progress `count` can look up, for as long as the block runs."""
        stop = threading.Event()
        with self.stage(name, total) as show:

            def watch() -> None:
                while not stop.wait(POLL_SECONDS):
                    with contextlib.suppress(OSError):
                        show(min(count(), total))

            thread = threading.Thread(target=watch, daemon=True)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()

    def _bar(self) -> Progress:
        # Not the whole width: the terminal's ^C would wrap a full line and leave it there twice.
        return Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=max(10, min(80, self._console.width - 52))),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            RemainingColumn(),
            console=self._console,
        )


class _Lines:
    """Progress as lines: at most one every ten seconds, and one at the end."""

    def __init__(self, reporter: Reporter, name: str, total: int | None, started: float) -> None:
        self._reporter, self._name, self._total, self._started = reporter, name, total, started
        self._last = started
        self._done = 0

    def show(self, count: int) -> None:
        self._done = count
        if time.monotonic() - self._last >= LINE_SECONDS:
            self._last = time.monotonic()
            of = f" of {self._total}" if self._total is not None else ""
            self._reporter.say(f"{self._name}: {count}{of}")

    def end(self) -> None:
        seconds = time.monotonic() - self._started
        done = self._total if self._total is not None else self._done
        self._reporter.say(f"{self._name}: {done} in {seconds:.1f} s")
