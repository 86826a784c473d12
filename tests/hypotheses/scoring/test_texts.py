"""Words and characters are those that jiwer compares."""

import jiwer
from hypothesis import example, given
from hypothesis import strategies as st

from wavemill.hypotheses.scoring.texts import characters, edits, errors, words

TEXT = st.text(st.sampled_from("ab \t\n\u00a0\u3000'-"), max_size=12)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6))
@example([("a\tb", "a b"), ("", " \t ")])
def test_errors_are_those_of_jiwer_whatever_is_between_words(
    pairs: list[tuple[str, str]],
) -> None:
    said, heard = [one for one, _ in pairs], [other for _, other in pairs]
    in_words, in_characters = (
        jiwer.process_words(said, heard),
        jiwer.process_characters(said, heard),
    )
    assert [words(text) for text in said] == in_words.references
    found = errors([words(text) for text in said], [words(text) for text in heard])
    assert found.sum() == in_words.substitutions + in_words.deletions + in_words.insertions
    found = errors([characters(text) for text in said], [characters(text) for text in heard])
    assert found.sum() == (
        in_characters.substitutions + in_characters.deletions + in_characters.insertions
    )


def test_alignments_are_those_of_jiwer() -> None:
    said, heard = "the cat sat on the mat", "a cat on that the mats now"
    [chunks] = jiwer.process_words(said, heard).alignments
    assert edits(words(said), words(heard)) == [
        (
            "replace" if one.type == "substitute" else one.type,
            one.ref_start_idx,
            one.ref_end_idx,
            one.hyp_start_idx,
            one.hyp_end_idx,
        )
        for one in chunks
    ]


def test_nothing_to_compare_gives_nothing() -> None:
    assert errors([], []).tolist() == []
