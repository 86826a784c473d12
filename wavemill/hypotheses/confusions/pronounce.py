"""How words are said: by the CMU dictionary, and by rules of letters for words that it lacks.

Dictionary and frequencies are those that come with pocketsphinx (the CMU dictionary without
stress, BSD; a general language model of English), so that nothing has to be fetched.
"""

import re
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from wavemill.hypotheses.confusions.phones import encoded
from wavemill.packages import require

EXTRA = "hypotheses"
NEEDS = "the confusions of English"
_RULES = """
    tion SH AH N|sion ZH AH N|ough AO|augh AO|eigh EY|igh AY|tch CH|dge JH|sch SH|ture CH ER
    ch CH|sh SH|th TH|ph F|wh W|qu K W|ck K|ng NG|gh G|kn N|wr R|ps S|sc S K|x K S|ee IY|ea IY
    oo UW|ou AW|ow OW|oi OY|oy OY|ai EY|ay EY|au AO|aw AO|ei EY|ey IY|ie IY|oa OW|ue UW|ew UW
    ar AA R|er ER|ir ER|ur ER|or AO R|ce S|ci S IH|cy S IY|ge JH|gy JH IY
    a AE|b B|c K|d D|e EH|f F|g G|h HH|i IH|j JH|k K|l L|m M|n N|o AA|p P|q K|r R|s S|t T|u AH
    v V|w W|y IY|z Z
"""
LETTERS = {
    letters: encoded(names)
    for letters, _, names in (
        rule.strip().partition(" ") for rule in re.split(r"[|\n]", _RULES) if rule.strip()
    )
}
_LONGEST = max(map(len, LETTERS))
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Pronouncer:
    """Says words."""

    def __init__(self) -> None:
        """Read nothing yet.

        Raises:
            UsageError: pocketsphinx is not installed.

        """
        self._package: Any = require("pocketsphinx", EXTRA, NEEDS)

    @cached_property
    def dictionary(self) -> dict[str, str]:
        """Words and their first pronunciations, a character a phone."""
        path = Path(self._package.get_model_path("en-us/cmudict-en-us.dict"))
        rows = (line.partition(" ") for line in path.read_text("utf-8").splitlines())
        return {word: encoded(names) for word, _, names in rows if not word.endswith(")")}

    @lru_cache(maxsize=1 << 16)  # noqa: B019 - there is one, and it lives as long as the process
    def say(self, word: str) -> str:
        """Return the phones of a word, a character each."""
        if word in self.dictionary:
            return self.dictionary[word]
        if word.isdigit():
            return "".join(self.dictionary[DIGITS[int(digit)]] for digit in word)
        if word.endswith("'s") and word[:-2]:
            return self.say(word[:-2]) + encoded("Z")
        return by_letters(word)

    def say_all(self, text: str) -> str:
        """Return the phones of a text's words, one after another."""
        return "".join(map(self.say, text.split()))

    @cached_property
    def _language(self) -> tuple[Any, Any]:
        scale = self._package.LogMath()
        path = self._package.get_model_path("en-us/en-us.lm.bin")
        return self._package.NGramModel(self._package.Config(), scale, path), scale

    def frequency(self, word: str) -> float:
        """Return the natural logarithm of how frequent a word is; below -100 if it is unknown."""
        model, scale = self._language
        return float(scale.log_to_ln(model.prob([word])))


def by_letters(word: str) -> str:
    """Say a word by its letters, the longest that a rule knows first; what none knows is silent."""
    word = re.sub(r"(.)\1", r"\1", re.sub(r"(?<=[^aeiou])e$", "", word.lower()))
    phones, at = [], 0
    while at < len(word):
        for size in range(_LONGEST, 0, -1):
            if (said := LETTERS.get(word[at : at + size])) is not None:
                phones.append(said)
                at += size
                break
        else:
            at += 1
    return "".join(phones)
