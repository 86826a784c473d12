"""Kills a job at random moments, starts it again until it ends, and compares what it leaves.

`python -m tests.faults.harness --rounds 100 --seed 0` runs a hundred rounds over all of
`cases.py` and prints a line for each; a round is the same for the same seed, but for what the
machine's load moves. `--warm` spares the seconds in which each run loads its modules.
"""

import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.faults.cases import CASES, Case, Corpus
from tests.faults.places import Folder, Place, stage_of
from tests.faults.processes import Process, Start, start_command
from tests.faults.trees import LocalTree, Tree, choose
from tests.faults.warm import WarmServer

END_SECONDS = 60.0
"""A driver that lost a worker must have ended by then."""
RUN_SECONDS = 180.0
"""A job that nobody kills must have ended by then."""
POLL_SECONDS = 0.003
MARKS = ("_work/recordings/", "_work/segments-", "_work/tokens-", "_work/plan", "_work/shards-",
         "bucket-", "_work/parts-", "README.md", "dataset.json")  # fmt: skip
"""How the names of files begin whose coming is a moment to kill at."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """What was killed, when, and how far the run had come."""

    role: str
    seconds: float
    stage: str
    code: int
    """With which the driver ended."""


@dataclass(kw_only=True)
class Round:
    """What happened to a job until it ended by itself."""

    kills: list[Kill] = field(default_factory=list)
    runs: int = 0
    different: list[str] = field(default_factory=list)
    """Files that are not those of an undisturbed run; at best none."""


@dataclass(kw_only=True)
class Harness:
    """Runs one case over and over in one place."""

    case: Case
    place: Place
    tree: Tree = field(default_factory=LocalTree)
    roles: Sequence[str] = LocalTree.roles
    environment: Mapping[str, str] = field(default_factory=dict)
    start: Start = start_command
    wanted: dict[str, str] = field(default_factory=dict)
    """What an undisturbed run leaves."""
    seconds: float = 0.0
    """How long that took."""

    def measure(self) -> None:
        """Run the job undisturbed."""
        self.place.fill(self.case.before)
        started = time.monotonic()
        process, said = self._start()
        assert process.wait(RUN_SECONDS) == 0, said.read_text()
        self.seconds = time.monotonic() - started
        self.wanted = self.place.digests()
        assert self.wanted

    def round(self, dice: random.Random, kills: int) -> Round:
        """Kill the job so many times at most, once at least, let it end, and compare.

        Raises:
            AssertionError: it hung, left a process behind, or failed without a clear line.

        """
        done, code = Round(), 0
        while code != 0 or not done.kills:
            if code == 0:  # it has not begun, or it ended before the first kill
                self.place.fill(self.case.before)
            process, said = self._start()
            done.runs += 1
            try:
                if len(done.kills) < kills and (kill := self._kill(process, dice)):
                    done.kills.append(kill)
                code = process.wait(RUN_SECONDS)
                self.tree.settle(process.pid)
            finally:
                process.kill()
            self._check_words(code, said.read_text(), done)
        found = self.place.digests()
        names = {*found, *self.wanted}
        done.different = sorted(n for n in names if found.get(n) != self.wanted.get(n))
        return done

    def _start(self) -> tuple[Process, Path]:
        words = [*self.case.arguments, "--out", self.place.url, "--quiet"]
        said = Path(tempfile.gettempdir()) / f"wavemill-faults-{os.getpid()}.log"
        return self.start(words, said, self.environment), said

    def _kill(self, process: Process, dice: random.Random) -> Kill | None:
        """Kill something at a moment; nothing if the job has ended before."""
        started, before = time.monotonic(), self.place.names()
        role = dice.choice(self.roles)
        moment = self._moment(dice, before)
        while process.poll() is None and not moment(time.monotonic() - started):
            time.sleep(POLL_SECONDS)
        if process.poll() is not None:
            return None
        victim = choose(self.tree, process.pid, role, dice)
        victim.kill()
        seconds = time.monotonic() - started
        code = process.wait(END_SECONDS)
        if code == 0:  # it ended just then, or without what was killed
            return None
        stage = stage_of(self.place.names() - before)
        return Kill(role=victim.role, seconds=seconds, stage=stage, code=code)

    def _moment(self, dice: random.Random, before: set[str]) -> Callable[[float], bool]:
        """Draw a time, mostly after all modules are loaded, or the coming of some file."""
        at = self.seconds * dice.choice((dice.uniform(0, 0.5), dice.uniform(0.4, 1)))
        mark, number = dice.choice(MARKS), dice.choice((1, 1, 2, 5))
        if dice.random() < 0.5:
            return lambda seconds: seconds >= at

        def came(_: float) -> bool:
            return sum(name.startswith(mark) for name in self.place.names() - before) >= number

        return came

    def _check_words(self, code: int, words: str, done: Round) -> None:
        assert "Traceback" not in words, words
        if code > 0:  # a driver that was not killed itself
            lost = done.kills and done.kills[-1].role not in ("driver", "all")
            assert lost, words
            assert code == 1, words
            assert len(words.splitlines()) == 1, words


def play(
    harness: Harness, numbers: Sequence[int], seed: int, kills: int, say: Callable[[str], None]
) -> list[Round]:
    """Play rounds of one case; number and seed give what is done in each."""
    harness.measure()
    rounds = []
    for number in numbers:
        dice = random.Random(f"{seed}-{number}-{harness.case.name}")
        done = harness.round(dice, dice.randint(1, kills))
        rounds.append(done)
        words = ", ".join(
            f"{kill.role} at {kill.seconds:.2f} s ({kill.stage}, {kill.code})"
            for kill in done.kills
        )
        result = f"DIFFERENT: {done.different[:5]}" if done.different else "identical"
        say(f"{number:4d} {harness.case.name:<10} {result}; {done.runs} runs; {words or 'no kill'}")
    return rounds


def main() -> None:
    """Run rounds as asked, those of a case together, and say how many datasets were identical."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="The number of the first round.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=3, help="At most so many a round.")
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--warm", action="store_true", help="Fork a process that has loaded all.")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wavemill-faults-"))
    try:
        with WarmServer() if given.warm else contextlib.nullcontext() as server:
            rounds = _play_all(given, folder, server.start if server else start_command)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    landed = [kill for done in rounds for kill in done.kills]
    for what in ("role", "stage"):
        counts = Counter(getattr(kill, what) for kill in landed).most_common()
        print(f"{what}s: {', '.join(f'{name} {count}' for name, count in counts)}")
    same = sum(not done.different for done in rounds)
    print(f"{same} of {len(rounds)} datasets identical after {len(landed)} kills")
    sys.exit(same != len(rounds))


def _play_all(given: argparse.Namespace, folder: Path, start: Start) -> list[Round]:
    corpus, rounds = Corpus(folder, start=start), []
    names = given.case or list(CASES)
    for number in range(len(names)):
        numbers = range(given.first + number, given.first + given.rounds, len(names))
        name = names[(given.first + number) % len(names)]
        if numbers:
            case, place = CASES[name](corpus, name), Folder(folder / "out")
            harness = Harness(case=case, place=place, start=start)
            rounds += play(harness, numbers, given.seed, given.kills, partial(print, flush=True))
    return rounds


if __name__ == "__main__":
    main()
