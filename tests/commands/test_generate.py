"""`wavemill generate` draws tokens from a run and gives their sound, and says why it cannot."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from tests.conftest import UTTERANCES, read_jsonl, wavemill
from tests.tokenizers.random_models import write_model
from wavemill.cli import main
from wavemill.errors import WavemillError
from wavemill.sharding.dataset import Dataset
from wavemill.sharding.lookup import find_sample, read_codes
from wavemill.tokenizers import load
from wavemill.tokenizers.base import Decoder
from wavemill.tokenizers.threads import torch_threads

MODEL = ("layers=1", "width=16", "heads=1")
TRAINING = ("--steps", 2, "--batch-seconds", 20, "--device", "cpu", "--quiet")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """More threads than free cores would only wait for each other."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of a few utterances with two streams, and two runs on it."""
    folder = tmp_path_factory.mktemp("generate")
    write_model("sq", folder, small=True)
    clips = sorted((UTTERANCES.parent / "audio").glob("h*.flac"))
    done = wavemill("prepare", *clips, "--out", folder / "out", "--tokenizer", "beats",
                    "--tokenizer", f"sq:model={folder},name=coded")  # fmt: skip
    assert done.code == 0, done.err
    train(folder, "run", "layout=delay", "stream=coded")
    train(folder, "told", "layout=masked", "stream=beats", "condition=text")
    return folder


def call(*words: Any) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, list(map(str, words)))


def called(*words: Any) -> dict[str, Any]:
    """Run a command that succeeds, and return what it says."""
    done = call(*words, "--quiet", "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def train(folder: Path, run: str, *settings: str) -> None:
    words = [word for one in (*MODEL, *settings) for word in ("--set", one)]
    called("train", "token-lm", "--data", folder / "out", "--out", folder / run, *words, *TRAINING)


def key_of(place: Path) -> str:
    cuts = [cut for path in place.glob("out/bucket-*/cuts.*") for cut in read_jsonl(path)]
    return str(min(cut["id"] for cut in cuts if cut["duration"] > 0.5))


def test_samples_are_arrays_and_their_sound_is_what_the_codec_makes_of_them(
    place: Path, tmp_path: Path
) -> None:
    said = called("generate", place / "run", "--out", tmp_path / "a", "--n", 2, "--seconds", 0.5,
                  "--tokenizer", "coded", "--top-k", 5)  # fmt: skip
    assert (said["samples"], said["seconds"]) == (2, 0.5)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "sample-0.npy", "sample-0.wav", "sample-1.npy", "sample-1.wav",
    ]  # fmt: skip
    codec = load(f"sq:model={place}")
    assert isinstance(codec, Decoder)
    codes = np.load(tmp_path / "a/sample-1.npy", allow_pickle=False)
    assert codes.shape == (said["frames"], codec.facts.num_codebooks)
    assert codes.dtype == codec.facts.dtype
    audio, rate = soundfile.read(tmp_path / "a/sample-1.wav", dtype="float32")
    assert (len(audio), rate) == (0.5 * rate, codec.facts.sample_rate)
    assert np.abs(audio - np.clip(codec.decode(codes), -1, 1)).max() < 1e-4


def test_a_seed_draws_the_same_and_another_does_not(place: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"{name}.jsonl" for name in "abc"]
    for out, seed, n in zip(outs, (1, 1, 2), (2, 3, 2), strict=True):
        called("generate", place / "run", "--out", out, "--frames", 9, "--seed", seed, "--n", n)
    first, second, third = (read_jsonl(out) for out in outs)
    assert first == second[:2]
    assert first[0]["tokens"] != third[0]["tokens"]
    assert first[0]["tokens"] != first[1]["tokens"]
    assert [row["id"] for row in second] == ["sample-0", "sample-1", "sample-2"]


def test_a_sample_begins_as_its_prompt_does(place: Path, tmp_path: Path) -> None:
    said = called("generate", place / "run", "--out", tmp_path / "a.jsonl", "--n", 1,
                  "--prompt", f"{place / 'out'}:{key_of(place)}", "--prompt-seconds", 0.4,
                  "--seconds", 0.2)  # fmt: skip
    (row,) = read_jsonl(tmp_path / "a.jsonl")
    assert said["seconds"] == pytest.approx(0.6)
    codes = read_codes(find_sample(Dataset.open(str(place / "out")), key_of(place)), "coded")
    known = row["prompt_frames"]
    assert row["tokens"][:known] == codes[:known].tolist()
    assert len(row["tokens"]) > known > 0


def test_each_text_has_its_samples(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    called("generate", place / "told", "--out", out, "--n", 2, "--frames", 6, "--text", "one",
           "--text", "another")  # fmt: skip
    rows = read_jsonl(out)
    assert [row["text"] for row in rows] == ["one", "one", "another", "another"]
    assert rows[0]["stream"] == "beats"


@pytest.mark.parametrize(
    ("run", "words", "code", "told"),
    [
        ("run", ["--text", "a"], 2, "--text: the model was trained with condition=nothing"),
        ("told", ["--condition", "OUT:a"], 2, "trained with condition=text"),
        ("told", ["--tokenizer", "beats"], 2, "cannot be turned back"),
        ("told", ["--tokenizer", "coded"], 2, "the model was trained on beats tokens"),
        ("run", ["--tokenizer", "coded", "--data", "nowhere"], 2, "--data OUT"),
        ("run", ["--tokenizer", "coded", "--out", "a.jsonl"], 2, "sound needs a folder"),
        ("run", ["--prompt", "OUT"], 2, "give OUT:KEY"),
        ("run", ["--prompt", "OUT:nobody"], 1, "keys look like"),
        ("run", ["--seconds", "0"], 2, "give at least a frame"),
        ("run", ["--seconds", "1", "--frames", "2"], 2, "give one of --seconds and --frames"),
        ("run", ["--top-p", "0"], 2, "--top-p 0.0"),
        ("nothing", [], 1, "there is no run"),
    ],
)
def test_what_cannot_be_generated_is_one_line(
    place: Path, tmp_path: Path, run: str, words: list[str], code: int, told: str
) -> None:
    given = [word.replace("OUT:", f"{place / 'out'}:") for word in words]
    out = [] if "--out" in words else ["--out", tmp_path / "a"]
    done = call("generate", place / run, *out, "--quiet", *given)
    assert isinstance(done.exception, WavemillError)
    assert done.exception.exit_code == code
    assert told in str(done.exception)
    assert not (tmp_path / "a").exists()
