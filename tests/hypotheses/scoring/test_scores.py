"""Error rates are jiwer's, oracles bound them, and intervals say what resampling does."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hypotheses.drawn import TEXTS, UTTERANCES, make_folder
from wavemill.errors import DatasetError, UsageError
from wavemill.hypotheses.folder import HypothesesFolder
from wavemill.hypotheses.records import FAR, Correction, Hypothesis, Utterance
from wavemill.hypotheses.scoring.scores import ABOVE, BELOW, UNDECIDED, Group, score

KEYS = ("speaker", "language", "split", "recording", "custom.a")
ANY = st.builds(
    replace,
    UTTERANCES,
    reference=st.none() | TEXTS,
    hypotheses=UTTERANCES.flatmap(lambda one: st.sampled_from([one.hypotheses, ()])),
)
"""Those without words, hypotheses or a reference, too."""


def utterance(
    reference: str | None, *texts: str, name: str = "a", split: str = "test"
) -> Utterance:
    hypotheses = tuple(Hypothesis(text=text, score=-float(at)) for at, text in enumerate(texts))
    return Utterance(id=name, recording_id=name, hypotheses=hypotheses, reference=reference,
                     split=split)  # fmt: skip


def bounds_hold(group: Group) -> bool:
    composed, chosen, best = (group.score(name) for name in ("o_cp", "o_nb", "1-best"))
    assert chosen.cer is not None
    assert best.cer is not None
    return composed.wer <= chosen.wer <= best.wer and chosen.cer <= best.cer


@settings(max_examples=50)
@given(utterances=st.lists(ANY, min_size=1, max_size=8))
def test_no_oracle_is_worse_than_what_it_bounds_in_any_group(
    utterances: Sequence[Utterance], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = make_folder(utterances, tmp_path_factory.mktemp("folder"))
    known = [one for one in utterances if one.reference is not None]
    if not known:
        with pytest.raises(DatasetError, match=f"{len(utterances)} have none"):
            score(folder, resamples=0)
        return
    found = score(folder, keys=KEYS, resamples=0)
    assert found.without_reference == len(utterances) - len(known)
    assert found.without_hypotheses == sum(not one.hypotheses for one in known)
    assert all(bounds_hold(group) for group in (found.whole, *found.groups))
    for key in KEYS:
        parts = [group for group in found.groups if group.by == key]
        assert sum(part.words for part in parts) == found.whole.words
        assert sum(part.score("o_nb").errors for part in parts) == found.whole.score("o_nb").errors


@settings(max_examples=50)
@given(utterances=st.lists(UTTERANCES, min_size=1, max_size=8))
def test_rates_are_those_of_jiwer(
    utterances: Sequence[Utterance], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = score(make_folder(utterances, tmp_path_factory.mktemp("folder")), resamples=0).whole
    said = [one.reference or "" for one in utterances]
    best = found.score("1-best")
    assert best.wer == jiwer.wer(said, [one.best for one in utterances])
    assert best.cer == jiwer.cer(said, [one.best for one in utterances])
    chosen = [
        min(one.texts, key=lambda text: jiwer.process_words(one.reference or "", text).wer)
        for one in utterances
    ]
    assert found.score("o_nb").wer == jiwer.wer(said, chosen)


def test_what_is_not_heard_is_deleted_and_what_has_no_reference_is_left_out(tmp_path: Path) -> None:
    folder = make_folder(
        [
            utterance("the cat sat"),
            utterance("", "uh", "the uh", name="b"),
            utterance(None, "a cat", name="c"),
        ],
        tmp_path,
    )
    found = score(folder, resamples=0)
    assert (found.whole.utterances, found.without_reference, found.without_hypotheses) == (2, 1, 1)
    errors = {one.name: one.errors for one in found.whole.systems}
    assert errors == {"1-best": 4, "o_nb": 4, "o_cp": 3, "vote": 4}


def test_the_compositional_oracle_counts_words_that_no_hypothesis_has(tmp_path: Path) -> None:
    folder = make_folder([utterance("the cat sat down", "a cat sat", "the rat sat")], tmp_path)
    found = score(folder, resamples=0).whole
    assert (found.score("o_cp").errors, found.score("o_nb").errors) == (1, 2)
    assert found.score("o_cp").cer is None


def corrected(tmp_path: Path, texts: Sequence[str], count: int = 200) -> HypothesesFolder:
    """Of utterances whose 1-best has an error in every second."""
    utterances = [
        utterance("the cat sat", "the cat sat" if at % 2 else "the cat", name=f"u{at:03d}")
        for at in range(count)
    ]
    folder = make_folder(utterances, tmp_path)
    rows = [
        Correction(id=one.id, text=text, flags=(FAR,) if at == 0 else ())
        for at, (one, text) in enumerate(zip(utterances, texts, strict=False))
    ]
    folder.write_corrections("model", rows, {"kind": "correction"})
    return folder


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        (["the cat sat"] * 200, BELOW),
        (["the"] * 200, ABOVE),
        (["the cat sat", "the cat"] * 100, UNDECIDED),
    ],
)
def test_a_correction_is_called_better_or_worse_by_the_interval_of_its_difference(
    texts: Sequence[str], verdict: str, tmp_path: Path
) -> None:
    found = score(corrected(tmp_path, texts))
    model, best = found.whole.score("model"), found.whole.score("1-best")
    assert (model.kind, model.verdict) == ("correction", verdict)
    assert model.difference == model.wer - best.wer
    assert model.difference_interval is not None
    low, high = model.difference_interval
    assert low <= model.difference <= high
    assert best.difference_interval == (0, 0)
    assert (found.flags, found.missing) == ({"model": {FAR: 1}}, {"model": 0})


def test_intervals_are_as_wide_as_the_binomial_that_they_estimate(tmp_path: Path) -> None:
    best = score(corrected(tmp_path, [], count=400), resamples=4000).whole.score("1-best")
    assert best.wer_interval is not None
    low, high = best.wer_interval
    deviation = np.sqrt(0.25 / 400) / 3  # half of 400 utterances of three words have one error
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.1)


def test_the_same_seed_draws_the_same_and_a_group_does_not_depend_on_others(tmp_path: Path) -> None:
    folder = corrected(tmp_path, ["the cat sat"] * 200)
    one, same = (
        score(folder, keys=keys, resamples=50) for keys in (["split"], ["recording", "split"])
    )
    assert one.whole == same.whole
    assert one.groups[-1] == same.groups[-1]
    other = score(folder, resamples=50, seed=1)
    assert other.whole.score("1-best").wer_interval != one.whole.score("1-best").wer_interval


def test_utterances_without_a_correction_keep_the_first_hypothesis(tmp_path: Path) -> None:
    found = score(corrected(tmp_path, ["the cat sat"] * 50), resamples=0)
    assert found.missing == {"model": 150}
    assert found.whole.score("model").errors == 75


def test_a_split_is_scored_with_corrections_of_all(tmp_path: Path) -> None:
    utterances = [
        utterance("a b", "a", name=str(at), split=split)
        for at, split in enumerate(["train", "test", "validation", "test"])
    ]
    folder = make_folder(utterances, tmp_path)
    folder.write_corrections("fixed", [Correction(id=str(at), text="a b") for at in range(4)], {})
    found = score(folder, splits=["test"], resamples=0)
    assert (found.whole.utterances, found.whole.score("fixed").errors) == (2, 0)
    with pytest.raises(DatasetError, match="split nowhere"):
        score(folder, splits=["nowhere"])


def test_corrections_of_other_utterances_are_told(tmp_path: Path) -> None:
    folder = corrected(tmp_path, [])
    folder.write_corrections("stale", [Correction(id="gone", text="x")], {})
    with pytest.raises(DatasetError, match=r"'stale' .* do not go with its utterances"):
        score(folder)


@pytest.mark.parametrize("key", ["custom.", "loudness", ""])
def test_groups_of_nothing_known_are_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"speaker, language, split, recording or custom\.FIELD"):
        score(corrected(tmp_path, []), keys=[key])
