import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import SPEECH
from wavemill.commands.iterate import BeatsTurns, iterate
from wavemill.tokenizers.beats import BeatsConfig, BeatsTokenizer

TINY = ("layers=1", "width=32", "heads=2", "feed=32")


def test_each_iteration_s_tokens_are_of_the_tokenizer_distilled_of_the_model_before() -> None:
    steps = list(BeatsTurns(out="o", iterations=3).steps(["in"]))
    names = [(name, arguments[0] if name == "train" else "") for name, arguments in steps]
    first = [("prepare", ""), ("train", "beats")]
    assert names == [*first, *[("train", "beats-tokenizer"), *first] * 2]
    for number in (1, 2):
        distils, prepares, trains = (" ".join(words) for _, words in steps[3 * number - 1 :][:3])
        assert f"--data o/iteration-{number - 1}/prepared" in distils
        assert f"--set teacher=o/iteration-{number - 1}/model" in distils
        assert f"--tokenizer beats:model=o/iteration-{number}/tokenizer" in prepares
        assert f"--data o/iteration-{number}/prepared" in trains


def test_a_dry_run_prints_the_commands_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "a b"
    given = ["beats", "in put", "--out", str(out), "--train", "steps=7", "--dry-run"]
    printed = CliRunner().invoke(iterate, given).output.splitlines()
    assert printed[0].startswith("wavemill prepare 'in put' --out '")
    assert printed[-1] == "dry run: nothing was written"
    assert len(printed) == 6
    assert sum("--train steps=7" in line for line in printed) == 2
    assert not out.exists()


@pytest.mark.slow
def test_two_iterations_end_with_a_model_of_learned_tokens_and_go_on_at_once(
    tmp_path: Path,
) -> None:
    pytest.importorskip("openbeats")
    few = ("steps=2", "batch_seconds=20", "save_every=1")
    given = ["beats", str(SPEECH / "audio"), "--out", str(tmp_path), "--workers", "1", "--json",
             "--device", "cpu", "--quiet"]  # fmt: skip
    for option in ("--set", "--set-tokenizer"):
        given += [word for each in TINY for word in (option, each)]
    given += ["--set-tokenizer", "words=32", "--set-tokenizer", "estimator_layers=1"]
    for option in ("--train", "--train-tokenizer"):
        given += [word for each in few for word in (option, each)]
    done = CliRunner().invoke(iterate, given, catch_exceptions=False)
    result = json.loads(done.output.splitlines()[-1])
    assert result["tokenizer"] == f"{tmp_path}/iteration-1/tokenizer"
    content = json.loads((tmp_path / "iteration-1/prepared/dataset.json").read_text())
    (facts,) = content["tokenizers"].values()
    made = BeatsTokenizer(BeatsConfig(model=result["tokenizer"]))
    assert facts["codebook_size"] == 32
    assert facts["weights_digest"] == made.facts.weights_digest
    files = ["model/beats.pt", "tokenizer/beats-tokenizer.pt", "prepared/dataset.json"]
    places = [tmp_path / "iteration-1" / name for name in files]
    before = [place.read_bytes() for place in places]
    again = CliRunner().invoke(iterate, given, catch_exceptions=False)
    assert again.exit_code == 0
    assert [place.read_bytes() for place in places] == before
