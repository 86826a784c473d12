"""The page holds what it should, shows texts as texts, and is the same each time."""

import base64
import hashlib
import io
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tests.conftest import read_jsonl
from tests.report.conftest import EVIL, report_of
from tests.store_server import StoreServer
from wavemill.cli import main
from wavemill.commands.decoders import find_decoders
from wavemill.errors import UsageError
from wavemill.pipelines.progress import Reporter
from wavemill.report import page as page_module
from wavemill.report.page import Report, make_report
from wavemill.report.samples import Player, Showcase, Shown
from wavemill.sharding.dataset import Dataset

CHROMIUM = shutil.which("chromium")


class Seen(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def seen(report: Report) -> Seen:
    return Seen(report.page)


def test_texts_of_a_manifest_stay_texts(seen: Seen) -> None:
    assert not seen.all("img")
    assert len(seen.all("script")) == 1
    assert not [
        name for _, attributes in seen.elements for name in attributes if name.startswith("on")
    ]
    assert sum(EVIL in text for text in seen.texts) >= 3 * 3  # transcripts, speakers, labels
    figures = [attributes["aria-label"] for attributes in seen.all("svg")]
    assert any("spectrogram" in label for label in figures)


def test_nothing_is_loaded_and_no_other_script_runs(seen: Seen, report: Report) -> None:
    (policy,) = [one["content"] for one in seen.all("meta") if "http-equiv" in one]
    script = re.findall(rb"<script>(.*?)</script>", report.page, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0]).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}';"
        " img-src data:; media-src data:"
    )
    for _, attributes in seen.elements:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:")), attributes
    assert b"url(http" not in report.page


def test_all_parts_are_there_and_no_id_twice(seen: Seen) -> None:
    ids = [attributes["id"] for _, attributes in seen.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {one["href"][1:] for one in seen.all("a")} == {one["id"] for one in seen.all("section")}
    for words in ("samples 3", "missing-file 1", "duplicate-audio 1", "the same audio as hello"):
        assert words in seen.text, words


def test_each_sample_has_its_audio_and_what_its_codec_makes_of_it(
    evil: Path, seen: Seen, report: Report
) -> None:
    assert (report.shown, report.read) == (3, 3)
    players = seen.all("audio")
    cuts = [cut for path in sorted(evil.glob("bucket-*/cuts.*")) for cut in read_jsonl(path)]
    assert len(players) == 2 * len(cuts) == 6
    for number, cut in enumerate(cuts):
        assert cut["id"] in seen.text
        for player in players[2 * number :][:2]:
            data = base64.b64decode(player["src"].removeprefix("data:audio/ogg;base64,"))
            audio, rate = soundfile.read(io.BytesIO(data), dtype="float32")
            assert len(audio) / rate == pytest.approx(cut["duration"], abs=0.03)
            assert np.abs(audio).max() > 0.001
    assert "beats: tokens cannot be turned back into audio" in seen.text


def test_a_page_is_full_at_5_megabytes(evil: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = Player(name="stored", uri="data:audio/ogg;base64," + 2_000_000 * "A")
    one = Shown(order=0, key="key", seconds=1.0, shown_seconds=1.0, text=20_000 * "<", about=[],
                figure="<svg/>", players=[long], silent=[])  # fmt: skip
    monkeypatch.setattr(Showcase, "draw", lambda *_: [one] * 3)
    monkeypatch.setattr(page_module, "_figures", lambda *_: {})
    made = report_of(evil)
    assert made.shown == 2
    assert 4_000_000 < len(made.page) <= 5_000_000
    assert "no more fit into the page" in Seen(made.page).text


def test_where_there_is_no_audio_or_decoder_the_page_says_so(
    evil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "_figures", lambda *_: {})
    dataset = Dataset.open(str(evil))
    lost = dataset.content["settings"] | {
        "tokenizers": ["beats", "sq:model=/nowhere/at/all,name=coded"]
    }
    moved = Dataset(url=dataset.url, content={**dataset.content, "settings": lost})
    decoders = find_decoders(moved, ())
    assert "/nowhere/at/all" in decoders["coded"]
    silent = {**moved.content, "settings": {**lost, "audio": "none"}}
    pages = SimpleNamespace(url=dataset.url, content=silent)
    text = Seen(make_report(pages, decoders, 1, Reporter(quiet=True)).page)  # type: ignore[arg-type]
    assert not text.all("audio")
    assert "coded: not decoded: " in text.text
    assert "the dataset holds no audio" in text.text
    with pytest.raises(UsageError, match="has no tokens 'mimi'"):
        find_decoders(dataset, ["mimi:model=x"])


def test_the_command_writes_the_same_bytes_again_but_not_into_the_dataset(
    evil: Path, report: Report, tmp_path: Path
) -> None:
    html = tmp_path / "page.html"
    done = CliRunner().invoke(main, ["report", str(evil), "--html", str(html), "--json", "--quiet"])
    assert done.exit_code == 0, done.output
    assert f'"bytes": {html.stat().st_size}' in done.output
    assert html.read_bytes() == report.page
    inside = CliRunner().invoke(main, ["report", str(evil), "--html", str(evil / "page.html")])
    assert isinstance(inside.exception, UsageError)
    assert not (evil / "page.html").exists()


def test_what_is_missing_is_named_before_any_work(
    evil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'wavemill\[report\]'"):
        report_of(evil)


@pytest.mark.slow
def test_a_dataset_on_a_store_has_the_page_of_a_local_one(
    evil: Path, report: Report, store: StoreServer
) -> None:
    url = store.upload(evil, "there")
    made = make_report(
        Dataset.open(url), find_decoders(Dataset.open(url), ()), 20, Reporter(quiet=True)
    )
    local = report.page.replace(str(evil).encode(), url.encode()).replace(
        b"out</h1>", b"there</h1>"
    )
    assert made.page == local.replace(b"out: report", b"there: report")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_a_browser_shows_one_sample_and_runs_nothing_else(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_bytes(report.page)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000",
             "--enable-logging=stderr"]  # fmt: skip
    done = subprocess.run(
        [str(CHROMIUM), *flags, "--dump-dom", file.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    shown = Seen(done.stdout.encode())
    articles = shown.all("article")
    assert [("hidden" in article) for article in articles] == [False, True, True]
    assert "<title>out: report</title>" in done.stdout
