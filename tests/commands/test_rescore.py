"""`wavemill rescore`."""

import json
from pathlib import Path

import pytest

from tests.hypotheses.drawn import make_folder
from wavemill.cli import main
from wavemill.errors import JobError, UsageError
from wavemill.hypotheses.folder import HypothesesFolder
from wavemill.hypotheses.records import Hypothesis, Utterance
from wavemill.hypotheses.scoring.scores import score

SAID = ["the cat sat", "the dog ran", "a cat ran", "the dog sat"]


def run(*arguments: object) -> None:
    main(args=[str(word) for word in arguments], standalone_mode=False)


def folder(at: Path, *splits: str) -> HypothesesFolder:
    """Of utterances whose second hypothesis is right, which the recognizer likes a bit less."""
    utterances = [
        Utterance(
            id=f"{split}-{number}", recording_id=split, split=split, reference=said,
            hypotheses=(
                Hypothesis(text=f"{said} cat the", score=-0.2),
                Hypothesis(text=said, score=-0.3),
            ),
        )
        for split in splits
        for number, said in enumerate(SAID)
    ]  # fmt: skip
    return make_folder(utterances, at)


def test_ngrams_of_the_training_split_choose_in_the_test_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = folder(tmp_path, "train", "validation", "test")
    run("rescore", tmp_path, "--quiet", "--json")
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["name"], found["utterances"], found["tuned"]["errors"]) == ("lm-ngram", 4, 0)
    assert made.correction_facts("lm-ngram")["kind"] == "rescoring"
    scores = score(made, splits=["test"])
    assert scores.whole.score("lm-ngram").errors == 0
    assert scores.whole.score("lm-ngram").verdict == "below"
    assert scores.whole.score("1-best").errors == 8


def test_without_a_validation_split_parts_of_the_training_split_are_left_out_in_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(tmp_path, "train", "test")
    run("rescore", tmp_path, "--quiet", "--json")
    tuned = json.loads(capsys.readouterr().out.splitlines()[-1])["tuned"]
    assert (tuned["split"], tuned["utterances"], tuned["errors_before"]) == ("train", 4, 8)


def test_a_weight_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = folder(tmp_path, "train", "test")
    run("rescore", tmp_path, "--weight", 0, "--name", "none", "--quiet")
    assert "4 utterances" in capsys.readouterr().out
    chosen = [one.text for one in made.read_corrections("none")]
    assert chosen == [f"{text} cat the" for text in SAID]


@pytest.mark.parametrize("weight", ["-1", "much", "nan", "inf"])
def test_a_weight_that_is_none_is_refused(weight: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"--weight {weight}: give a number"):
        run("rescore", tmp_path, "--weight", weight)


def test_without_a_training_split_there_is_nothing_to_count(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="nothing to count n-grams of"):
        run("rescore", folder(tmp_path, "test").url)
