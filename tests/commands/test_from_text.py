"""`wavemill hypotheses --from-text`, by confusions and by a language model behind a server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hypotheses.confusions.conftest import TEXTS
from tests.hypotheses.llm.chat_server import ChatServer
from wavemill.cli import main
from wavemill.errors import DatasetError
from wavemill.hypotheses.folder import HypothesesFolder

pytest.importorskip("pocketsphinx")


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.stop()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "said.txt"
    path.write_text("\n".join([*TEXTS, "", "..."]) + "\n", encoding="utf-8")
    return path


def draw(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    main(args=["hypotheses", *map(str, words), "--from-text", "--json"], standalone_mode=False)
    return json.loads(capsys.readouterr().out)


def test_texts_become_a_folder_of_what_may_be_heard(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (texts, "--language", "en", "--wer", "0.2", "--splits", "0.5,0,0.5")
    done = [draw(capsys, *options, "--out", tmp_path / name) for name in ("one", "two")]
    assert done[0]["utterances"] == len(TEXTS)
    assert done[0]["wer"] == pytest.approx(0.2, abs=0.05)
    assert done[0]["o_nb"] < done[0]["wer"]
    folder = HypothesesFolder.open(str(tmp_path / "one"))
    found = list(folder.utterances())
    assert [one.reference_raw for one in found] == list(TEXTS)
    assert all(len(one.hypotheses) == 5 and not one.is_short for one in found)
    for name in ("part-00000.parquet", "hypotheses.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_model_is_fitted_to_a_folder_and_drawn_by(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(capsys, texts, "--language", "en", "--wer", "0.3", "--out", tmp_path / "one")
    fitted = tmp_path / "heard.json"
    main(args=["fit", "confusions", str(tmp_path / "one"), "--out", str(fitted)],
         standalone_mode=False)  # fmt: skip
    capsys.readouterr()
    again = draw(capsys, texts, "--out", tmp_path / "two", "--confusions", fitted, "--n", 3)
    assert again["utterances"] == len(TEXTS)
    assert again["hypotheses"] == 3


def test_a_language_model_writes_what_may_be_heard_and_the_rate_is_kept(
    chat: ChatServer, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chat.tell(mishear=True)
    done = draw(
        capsys, texts, "--language", "en", "--wer", "0.1", "--out", tmp_path / "out",
        "--model", chat.url,
    )  # fmt: skip
    assert done["asked"] == len(TEXTS)
    assert done["wer"] == pytest.approx(0.1, abs=0.03)
    for one in HypothesesFolder.open(str(tmp_path / "out")).utterances():
        # Chatter is no hypothesis, nor is what has nothing to do with the text.
        assert not any("here" in text.split()[:2] or "cats" in text for text in one.texts)
        assert len(set(one.texts)) == len(one.texts) >= 2
    assert draw(
        capsys, texts, "--language", "en", "--wer", "0.1", "--out", tmp_path / "out",
        "--model", chat.url,
    )["kept"] == len(TEXTS)  # fmt: skip


def test_inputs_without_texts_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.txt").write_text("...\n")
    with pytest.raises(DatasetError, match="no texts"):
        draw(capsys, tmp_path / "none.txt", "--out", tmp_path / "out")
