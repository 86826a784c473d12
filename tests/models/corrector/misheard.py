"""Utterances that are misheard in one way, as one recognizer mishears one voice."""

from wavemill.hypotheses.records import Hypothesis, Utterance

WORDS = (
    "number password extension code name language choice pin account address birthday city colour"
    " company country date department digit email floor hour month order postcode"
)
ENDS = ("followed by the pound key", "now", "after the tone", "or press star")
HEARD = {"enter": "add to", "pound key": "pound he", "star": "start"}


def utterances() -> list[Utterance]:
    """Return prompts that ask to enter something, each something else; six are of `test`."""
    names = WORDS.split()
    return [
        _utterance(
            f"please enter your {name} {ENDS[number % len(ENDS)]}",
            "test" if number >= len(names) - 6 else "train",
        )
        for number, name in enumerate(names)
    ]


def _utterance(said: str, split: str) -> Utterance:
    heard = said
    for right, wrong in HEARD.items():
        heard = heard.replace(right, wrong)
    others = [heard.replace("your", "you're"), heard.replace("please", "these")]
    return Utterance(
        id=said,
        recording_id="prompts",
        hypotheses=tuple(
            Hypothesis(text=text, score=-1.0 - rank) for rank, text in enumerate([heard, *others])
        ),
        reference=said,
        split=split,
    )
