"""The page shows the words that are wrong, and texts as texts."""

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.hypotheses.drawn import make_folder
from wavemill.hypotheses.folder import HypothesesFolder
from wavemill.hypotheses.records import FAR, Correction, Hypothesis, Utterance
from wavemill.hypotheses.scoring.page import write_page
from wavemill.hypotheses.scoring.scores import score

EVIL = (
    "<script>document.title = 1</script> '\"><img src=x onerror=document.title=1> &amp; {{ 7 * 7 }}"
)
CHROMIUM = shutil.which("chromium")


class Seen(HTMLParser):
    """What a browser makes of a page: its elements, their attributes, its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def folder(tmp_path: Path) -> HypothesesFolder:
    """Of texts that would like to be more."""
    said = ["the cat sat", f"the {EVIL} end", "all is well"]
    heard = ["a cat sat sat", f"{EVIL} end", "all is well"]
    utterances = [
        Utterance(
            id=name, recording_id="r", speaker=name, language=name,
            hypotheses=(Hypothesis(text=text, score=0.0),), reference=reference,
        )
        for name, reference, text in zip(["u0", EVIL, EVIL], said, heard, strict=True)
    ]  # fmt: skip
    made = make_folder(utterances, tmp_path / "folder")
    fixed = [
        Correction(id=one.id, text=text, flags=(EVIL,) if one.id == EVIL else (FAR,))
        for one, text in zip(utterances, ["the cat", said[1], said[2]], strict=True)
    ]
    made.write_corrections("model", fixed, {"kind": "correction"})
    return made


def page(folder: HypothesesFolder, rows: int = 10) -> str:
    found = score(folder, keys=["speaker"], resamples=10)
    file = Path(folder.url).parent / "page.html"
    write_page(str(file), folder, found, rows=rows)
    return file.read_text("utf-8")


def test_texts_are_shown_and_never_run(folder: HypothesesFolder) -> None:
    seen = Seen(page(folder))
    assert not {"script", "img", "iframe", "link", "a"} & set(seen.elements)
    names = {name for name, _ in seen.attributes}
    assert not [name for name in names if name.startswith("on") or name in {"src", "href"}]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in seen.attributes
    assert f"{EVIL} \u00b7 {EVIL} \u00b7 {EVIL} \u00b7 train" in seen.text
    assert f"the {EVIL} end" in seen.text
    assert ("lang", EVIL) in seen.attributes


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_a_browser_runs_nothing(folder: HypothesesFolder) -> None:
    page(folder)
    file = Path(folder.url).parent / "page.html"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=1000"]
    shown = subprocess.run(
        [str(CHROMIUM), *flags, "--dump-dom", file.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    assert f"<title>Word errors of {folder.url}</title>" in shown
    assert "document.title" in Seen(shown).text


def test_what_changed_has_a_sign_and_the_worst_come_first(folder: HypothesesFolder) -> None:
    seen = Seen(page(folder))
    words = " ".join(seen.text.split())
    first = words[words.index("Words changed") :]
    assert "the\u2192a cat +sat sat 2 errors" in first
    assert "\u2713the cat !\u2212sat" in first
    assert first.index("the cat sat") < first.index("onerror")
    assert "well" not in first
    assert (seen.elements.count("ins"), seen.elements.count("del")) == (2, 3)


def test_no_more_rows_are_shown_than_were_asked_for(folder: HypothesesFolder) -> None:
    assert "onerror" not in Seen(page(folder, rows=1)).text.partition("Words changed")[2]


def test_nothing_wrong_is_said(tmp_path: Path) -> None:
    right = Utterance(id="a", recording_id="a", hypotheses=(Hypothesis(text="a", score=0.0),),
                      reference="a")  # fmt: skip
    assert "No utterance has an error." in page(make_folder([right], tmp_path / "folder"))
