"""Progress: a bar on a terminal, plain lines elsewhere, both on standard error.

Work is done in other processes, maybe on other machines. What they finish shows as files in the
spool, so that is what is counted (`watch.py`); it works alike on every engine.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from wavemill.errors import WavemillError
from wavemill.garbage import end_loading

POLL_SECONDS = 0.5
POLL_COST = 20.0
"""A look at a spool may grow with it: the next comes after so many times what the last one took."""
LINE_SECONDS = 10.0
LINE_SHARE = 1 / 60
"""Lines come that often at first; later, after such a share of the time that has gone by."""

NARROW = 60
"""A terminal of fewer columns has no room for a bar beside its numbers."""


class Show(Protocol):
    """Shows how far a stage is."""

    def __call__(self, count: int, words: str = "") -> None:
        """Show how much is done so far, and what else is to be said of it."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a look at the work of others found."""

    done: int
    words: str = ""


class Reporter:
    """Shows how far each stage is."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Write to standard error; `quiet` writes nothing."""
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._bars = self._console.is_terminal and not quiet

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False)

    @contextlib.contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Show]:
        """Show a stage; the function it gives takes how much is done so far."""
        end_loading()  # with its first stage a command has what it needs, and works
        clock = _Clock(total)
        if not self._bars:
            lines = _Lines(self, name, clock)
            yield lines.show
            lines.end()
            return
        with _Bar(self._console) as bar:
            task = bar.add_task(name, total=total, left="")

            def show(count: int, words: str = "") -> None:
                clock.done, bar.words = count, words
                bar.update(task, completed=count, left=clock.left())

            yield show
            done = clock.end()
            bar.update(task, completed=done, total=done, left="")

    @contextlib.contextmanager
    def counting(
        self, name: str, total: int, look: Callable[[], Seen], at_least: float = POLL_SECONDS
    ) -> Iterator[None]:
        """Show a stage whose progress `look` can look up, for as long as the block runs.

        Args:
            name: of the stage.
            total: how much there is to do.
            look: says how much is done.
            at_least: seconds between two looks; more where a look takes long.

        """
        stop = threading.Event()
        with self.stage(name, total) as show:
            if self._quiet:
                yield
                return

            def watch() -> None:
                pause = at_least
                while not stop.wait(pause):
                    started = time.monotonic()
                    with contextlib.suppress(OSError, WavemillError):
                        _show(look(), total, show)
                    pause = max(at_least, POLL_COST * (time.monotonic() - started))

            thread = threading.Thread(target=watch, daemon=True)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()
            with contextlib.suppress(OSError, WavemillError):
                _show(look(), total, show)


def _show(seen: Seen, total: int, show: Show) -> None:
    show(min(seen.done, total), seen.words)


class _Clock:
    """How much is done, since when, and how long it will yet take at that speed."""

    def __init__(self, total: int | None) -> None:
        self.total, self.done = total, 0
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def left(self) -> str:
        if not self.total or not 0 < self.done < self.total:
            return ""
        left = self.seconds * (self.total - self.done) / self.done
        return f"{timedelta(seconds=round(left))} left"

    def end(self) -> int:
        """Say how much was done of a stage that ended well."""
        return self.done if self.total is None else self.total


class _Bar(Progress):
    """A bar, and below it a line of words."""

    def __init__(self, console: Console) -> None:
        self.words = ""
        # Not the whole width: the terminal's ^C would wrap a full line and leave it there twice.
        bar = BarColumn(bar_width=max(8, min(80, console.width - 54)))
        super().__init__(
            TextColumn("{task.description:<12}"),
            *([bar] if console.width >= NARROW else []),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bar, and its words if there are any."""
        yield from super().get_renderables()
        if self.words:
            text = Text(f"  {self.words}", no_wrap=True)
            text.truncate(max(10, self.console.width - 4), overflow="ellipsis")
            yield text


class _Lines:
    """Progress as lines: one now and then, and one at the end."""

    def __init__(self, reporter: Reporter, name: str, clock: _Clock) -> None:
        self._reporter, self._name, self._clock = reporter, name, clock
        self._last = 0.0
        self._words = ""

    def show(self, count: int, words: str = "") -> None:
        clock = self._clock
        clock.done, self._words = count, words
        seconds = clock.seconds
        if seconds - self._last >= max(LINE_SECONDS, LINE_SHARE * seconds):
            self._last = seconds
            of = "" if clock.total is None else f" of {clock.total}"
            self._say(f"{count}{of}", words, clock.left())

    def end(self) -> None:
        self._say(f"{self._clock.end()} in {self._clock.seconds:.1f} s", self._words)

    def _say(self, *parts: str) -> None:
        self._reporter.say(f"{self._name}: {', '.join(filter(None, parts))}")
