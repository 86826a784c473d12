"""What is known by heart."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hypotheses.drawn import TEXTS
from wavemill.models.corrector.lexicon import Counts, Lexicon, counts_of
from wavemill.models.corrector.network import build_network, phrases

SAID = st.lists(st.tuples(TEXTS.filter(bool), TEXTS.filter(bool)), min_size=1, max_size=4)


def _counts(heard: str, said: str) -> Counts:
    columns = build_network([heard])
    return counts_of(columns, phrases(columns, said))


@settings(deadline=None, max_examples=50)
@given(SAID, TEXTS.filter(bool), TEXTS.filter(bool))
def test_without_an_utterance_all_is_as_if_it_had_not_been_there(
    others: list[tuple[str, str]], heard: str, said: str
) -> None:
    few, own = Counts(), _counts(heard, said)
    for other in others:
        few.add(_counts(*other))
    many = Counts()
    many.add(few)
    many.add(own)
    before, after = Lexicon(few), Lexicon(many)
    first, *_ = said.split()
    misheard, *_ = heard.split()
    for word in {*said.split(), *heard.split(), *others[0][1].split()}:
        known = before.log_probability(word, ["the", first])
        assert after.log_probability(word, ["the", first], own) == known
        assert after.log_meant(misheard, word, own) == before.log_meant(misheard, word)


def test_it_comes_back_as_it_was_written() -> None:
    lexicon = Lexicon(_counts("please add to your code", "please enter your code"))
    again = Lexicon.from_bytes(lexicon.to_bytes())
    assert again.counts == lexicon.counts
    assert again.near("enters", 1) == ["enter"]
    assert "enter" in again.meant("to", 5)


def test_the_most_common_stay() -> None:
    counts = _counts("a b", "the the the end")
    assert counts.most_common(1).said == {"the": 3}
