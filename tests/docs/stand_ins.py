"""What pages speak of and nobody who reads them has here: small corpora, models, a server.

Models are of random weights, in the layout and under the hub's names of the real ones.
"""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import SPEECH, UTTERANCES, read_jsonl, wavemill
from tests.hypotheses.recognizers import tiny_ctc, tiny_whisper
from tests.models.corrector import tiny_language_model
from tests.tokenizers.hubert_files import write_hubert

ROWS = [
    {**row, "audio_filepath": str(SPEECH / row["audio_filepath"])} for row in read_jsonl(UTTERANCES)
]
LLM_PORT = 8000


def lay_out(folder: Path) -> None:
    """Write the corpora and tables of the examples into a session's folder."""
    _corpus(folder / "speech", ROWS[:40])
    _corpus(folder / "july", ROWS[40:50])
    _corpus(folder / "sounds", [row for row in ROWS if row["duration"] < 4][:12])
    _write_jsonl(folder / "train.jsonl", ROWS)
    _librispeech(folder / "corpus/LibriSpeech/train-clean-5", ROWS[:20])
    long = read_jsonl(SPEECH / "long/manifest.jsonl")
    for row in long:
        row["audio_filepath"] = str(SPEECH / "long" / row["audio_filepath"])
    _write_jsonl(folder / "meetings.jsonl", long)
    (folder / "podcasts").mkdir()
    _encode(Path(long[0]["audio_filepath"]), folder / "podcasts/talk.m4a")
    lengths = [
        {"id": f"u{n}", "duration": 1 + n % 97 / 5, "tokens": {"mvq": 100 + 20 * (n % 97)}}
        for n in range(500)
    ]
    _write_jsonl(folder / "lengths.jsonl", lengths)
    pq.write_table(pa.Table.from_pylist(lengths), folder / "lengths.parquet")
    texts = [row["text"] for row in ROWS]
    (folder / "texts.txt").write_text("\n".join(texts) + "\n")
    published = [{"input": [f"{text} a", text], "output": text} for text in texts]
    (folder / "test_atis.json").write_text(json.dumps(published))


def prepare_parts(folder: Path) -> None:
    """Prepare the datasets that are merged, and hypotheses that are scored."""
    for name, place in (("english", "speech"), ("german", "july")):
        _do(folder, "prepare", place, "--out", name, "--tokenizer", "mvq", "--buckets", 2)
    shutil.copytree(folder / "english", folder / "old")
    shutil.copytree(folder / "english", folder / "new")
    _do(folder, "hypotheses", "train.jsonl", "--out", "hypotheses", "--recognizer", "pocketsphinx",
        "--splits", "0.7,0,0.3", "--split-by", "text")  # fmt: skip


def hub(folder: Path) -> dict[str, str]:
    """Fill a cache of the hub's; return the variables that name it."""
    models: dict[str, Callable[[Path], Any]] = {
        "facebook/hubert-base-ls960": _hubert,
        "facebook/wav2vec2-base-960h": tiny_ctc.make,
        "Systran/faster-whisper-base": _whisper,
        "HuggingFaceTB/SmolLM2-135M-Instruct": tiny_language_model.save_model,
    }
    for name, write in models.items():
        cache = folder / f"models--{name.replace('/', '--')}"
        (cache / "refs").mkdir(parents=True)
        (cache / "refs/main").write_text("0" * 40)
        write_to = cache / "snapshots" / ("0" * 40)
        write_to.mkdir(parents=True)
        write(write_to)
    return {"HF_HUB_CACHE": str(folder), "HF_HUB_OFFLINE": "1"}


@contextmanager
def language_model() -> Iterator[None]:
    """Serve a model where pages have it."""
    command = [sys.executable, "-m", "tests.hypotheses.llm.chat_server", str(LLM_PORT), ""]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://localhost:{LLM_PORT}/v1/models", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def _corpus(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Copy recordings: under the same names as in the examples, so that ids are the same."""
    for row in rows:
        target = folder / Path(row["audio_filepath"]).relative_to(SPEECH)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(row["audio_filepath"], target)
    named = [
        {**row, "audio_filepath": str(Path(row["audio_filepath"]).relative_to(SPEECH))}
        for row in rows
    ]
    _write_jsonl(folder / "manifest.jsonl", named)


def _librispeech(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Lay recordings out as OpenSLR does: by speaker and chapter, with a file of texts."""
    chapter = folder / "84/121123"
    chapter.mkdir(parents=True)
    lines = []
    for number, row in enumerate(rows):
        name = f"84-121123-{number:04d}"
        shutil.copy(row["audio_filepath"], chapter / f"{name}.flac")
        lines.append(f"{name} {row['text'].upper()}\n")
    (chapter / "84-121123.trans.txt").write_text("".join(lines))


def _write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _encode(source: Path, target: Path) -> None:
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream("aac", rate=16_000)
        for frame in read.decode(audio=0):
            written.mux(stream.encode(frame))
        written.mux(stream.encode(None))


def _hubert(at: Path) -> None:
    from transformers import Wav2Vec2FeatureExtractor

    write_hubert(at, num_hidden_layers=10)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(at)


def _whisper(at: Path) -> None:
    made = at.parent / "made"
    made.mkdir()
    tiny_whisper.make(made)
    at.rmdir()
    tiny_whisper.convert(made, at)
    shutil.rmtree(made)


def _do(folder: Path, *words: Any) -> None:
    done = wavemill(*words, cwd=folder)
    assert done.code == 0, done.err
