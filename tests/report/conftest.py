"""A dataset whose manifest would like to be more than text, and its report."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import UTTERANCES
from tests.tokenizers.random_models import write_model
from wavemill.cli import main
from wavemill.commands.decoders import find_decoders
from wavemill.pipelines.progress import Reporter
from wavemill.report.page import Report, make_report
from wavemill.sharding.dataset import Dataset

EVIL = "</script><img src=x onerror=document.title=1> '\"> &amp; {{ 7 * 7 }} $x^2$"
CLIPS = ("hello", "hello-world", "calling")


@pytest.fixture(scope="session")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few utterances, one of them twice, and tokens of a small random codec and of `beats`."""
    folder = tmp_path_factory.mktemp("evil")
    write_model("sq", folder, small=True)
    clips = [UTTERANCES.parent / f"audio/{name}.flac" for name in CLIPS]
    copy = folder / "copy.flac"
    copy.write_bytes(clips[0].read_bytes())
    rows = [
        {"audio_filepath": str(clip), "text": f"{EVIL} {number}", "speaker": EVIL, "lang": "en",
         "label": EVIL, "words": [[EVIL, 0.05, 0.3], ["there", 0.3, 0.5]]}
        for number, clip in enumerate([*clips, copy])
    ]  # fmt: skip
    rows.append({"audio_filepath": f"{folder}/gone.flac", "text": "gone"})
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    options = ["--out", str(folder / "out"), "--dedup", "--max-rejected", "1", "--quiet",
               "--tokenizer", "beats", "--tokenizer", f"sq:model={folder},name=coded"]  # fmt: skip
    done = CliRunner().invoke(main, ["prepare", str(manifest), *options])
    assert done.exit_code == 0, done.output
    return folder / "out"


def report_of(out: Path, samples: int = 20) -> Report:
    dataset = Dataset.open(str(out))
    return make_report(dataset, find_decoders(dataset, ()), samples, Reporter(quiet=True))


@pytest.fixture(scope="session")
def report(evil: Path) -> Report:
    return report_of(evil)
