"""`wavemill decode` gives the sound of a sample's tokens, and says why where it cannot."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tests.conftest import UTTERANCES, read_jsonl, wavemill
from tests.tokenizers.random_models import write_model
from wavemill.cli import main
from wavemill.tokenizers import load
from wavemill.tokenizers.base import Decoder
from wavemill.tokenizers.device import on_cpu

KEY = "hello-world"


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of a few utterances with tokens of a small random codec, and of `beats`."""
    folder = tmp_path_factory.mktemp("coded")
    write_model("sq", folder, small=True)
    clips = sorted((UTTERANCES.parent / "audio").glob("h*.flac"))
    done = wavemill("prepare", *clips, "--out", folder / "out", "--tokenizer", "beats",
                    "--tokenizer", f"sq:model={folder},name=coded", "--shard-mb", 0.1)  # fmt: skip
    assert done.code == 0, done.err
    return folder


def key_of(coded: Path) -> str:
    cuts = [cut for path in coded.glob("out/bucket-*/cuts.*") for cut in read_jsonl(path)]
    return str(next(cut["id"] for cut in cuts if cut["id"].startswith(KEY)))


def test_a_sample_is_decoded_as_its_tokenizer_decodes_it(coded: Path, tmp_path: Path) -> None:
    wav = tmp_path / "a.wav"
    done = wavemill("decode", coded / "out", "--tokenizer", "coded", "--key", key_of(coded),
                    "--wav", wav, "--json")  # fmt: skip
    assert done.code == 0, done.err
    audio, rate = soundfile.read(wav, dtype="float32")
    assert rate == 16_000
    source, _ = soundfile.read(UTTERANCES.parent / f"audio/{KEY}.flac", dtype="float32")
    assert len(audio) == len(source) == round(done.json["seconds"] * rate)
    codec = load(f"sq:model={coded}")
    assert isinstance(codec, Decoder)
    (codes,) = codec.encode([source])
    assert done.json["tokens"] == len(codes)
    wanted = np.clip(codec.decode(codes)[: len(source)], -1, 1)
    assert np.abs(audio - wanted).max() < 1e-4


def test_a_pipe_gets_what_a_file_does(coded: Path, tmp_path: Path) -> None:
    words = ["decode", str(coded / "out"), "--tokenizer", "coded", "--key", key_of(coded), "--wav"]
    runner = CliRunner()
    assert runner.invoke(main, [*words, str(tmp_path / "a.wav")]).exit_code == 0
    piped = runner.invoke(main, [*words, "-"])
    assert piped.exit_code == 0, piped.output
    assert piped.stdout_bytes == (tmp_path / "a.wav").read_bytes()
    assert runner.invoke(main, [*words, "-", "--json"]).exit_code != 0


def test_all_samples_go_into_a_folder_or_those_that_are_asked_for(
    coded: Path, tmp_path: Path
) -> None:
    words = ["decode", coded / "out", "--tokenizer", "coded", "--json", "--quiet"]
    done = wavemill(*words, "--out", tmp_path / "all")
    assert done.code == 0, done.err
    cuts = [cut for path in coded.glob("out/bucket-*/cuts.*") for cut in read_jsonl(path)]
    assert done.json["samples"] == len(cuts) > 1
    for cut in cuts:
        audio, rate = soundfile.read(tmp_path / "all" / f"{cut['id']}.wav")
        assert len(audio) == round(cut["duration"] * rate)
    one = cuts[-1]["id"]
    done = wavemill(*words, "--out", tmp_path / "one", "--key", one)
    assert [path.name for path in (tmp_path / "one").iterdir()] == [f"{one}.wav"]
    found = [(tmp_path / name / f"{one}.wav").read_bytes() for name in ("one", "all")]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--wav", "a.wav"],
        ["--key", "a", "--wav", "b", "--out", "c"],
        ["--key", "a", "--key", "b", "--wav", "c"],
    ],
)
def test_where_sounds_go_is_said_once(coded: Path, options: list[str]) -> None:
    found = CliRunner().invoke(main, ["decode", str(coded), "--tokenizer", "coded", *options])
    assert "give one --key with --wav FILE, or --out DIR" in str(found.exception)


def test_tokens_of_a_gpu_are_decoded_where_there_is_none(coded: Path, tmp_path: Path) -> None:
    made = tmp_path / "out"
    shutil.copytree(coded / "out", made)
    spec = f"sq:device=cuda,model={coded},name=coded"
    with on_cpu():
        digest = load(spec).facts.weights_digest
    content = json.loads((made / "dataset.json").read_text("utf-8"))
    assert digest != content["tokenizers"]["coded"]["weights_digest"]
    content["tokenizers"]["coded"]["weights_digest"] = digest
    content["settings"]["tokenizers"][1] = spec
    (made / "dataset.json").write_text(json.dumps(content), "utf-8")
    runner = CliRunner()
    words = ["decode", str(made), "--tokenizer", "coded", "--key", key_of(coded), "--wav"]
    assert runner.invoke(main, [*words, str(tmp_path / "a.wav")]).exit_code == 0
    words[1] = str(coded / "out")
    assert runner.invoke(main, [*words, str(tmp_path / "b.wav")]).exit_code == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize(
    ("stream", "key", "code", "words"),
    [
        ("beats", None, 2, "cannot be turned back"),
        ("mimi", None, 2, "it has beats, coded"),
        ("coded", "nobody", 1, "keys look like"),
        ("coded:model=elsewhere", None, 2, "elsewhere"),
        ("coded:levels=11", None, 2, "other weights"),
    ],
)
def test_what_cannot_be_decoded_is_one_line(
    coded: Path, tmp_path: Path, stream: str, key: str | None, code: int, words: str
) -> None:
    done = wavemill("decode", coded / "out", "--tokenizer", stream, "--key", key or key_of(coded),
                    "--wav", tmp_path / "a.wav")  # fmt: skip
    assert done.code == code
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "a.wav").exists()
