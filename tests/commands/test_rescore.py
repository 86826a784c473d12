"""`wavemill rescore`."""

import json
from pathlib import Path

import pytest

from tests.hypotheses.drawn import make_folder
from wavemill.cli import main
from wavemill.errors import JobError
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
    run("rescore", tmp_path, "--lm", "ngram", "--quiet", "--json")
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["name"], found["utterances"], found["tuned"]["errors"]) == ("lm-ngram", 4, 0)
    assert made.correction_facts("lm-ngram")["kind"] == "rescoring"
    scores = score(made, splits=["test"])
    assert scores.whole.score("lm-ngram").errors == 0
    assert scores.whole.score("lm-ngram").verdict == "below"
    assert scores.whole.score("1-best").errors == 8


def test_a_weight_that_is_given_needs_no_validation_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = folder(tmp_path, "train", "test")
    with pytest.raises(JobError, match="give --weight"):
        run("rescore", tmp_path, "--lm", "ngram", "--quiet")
    run("rescore", tmp_path, "--lm", "ngram", "--weight", 0, "--name", "none", "--quiet")
    assert "4 utterances" in capsys.readouterr().out
    assert [one.text for one in made.read_corrections("none")] == [
        f"{text} cat the" for text in SAID
    ]
    with pytest.raises(JobError, match="nothing to count n-grams of"):
        run("rescore", folder(tmp_path / "other", "test").url, "--lm", "ngram")
