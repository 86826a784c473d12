"""Which tokens may come next, where only some words may be written: a trie that words are read by.

It is the automaton of "one of these words, any number of times": after each of them another may
begin, or the text may end.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class _Node:
    """Tokens of words that begin alike."""

    following: "dict[int, _Node]" = field(default_factory=dict)
    is_word: bool = False


class AllowedWords:
    """Words by their tokens."""

    def __init__(
        self, first: Iterable[Sequence[int]], later: Iterable[Sequence[int]], end: int
    ) -> None:
        """Make the trie.

        Args:
            first: the tokens of each word where a text begins with it.
            later: those where it comes after another, the blank between them included.
            end: the token that ends a text.

        """
        self._first, self._later, self._end = _trie(first), _trie(later), end

    def next(self, written: Sequence[int]) -> list[int]:
        """Return the tokens that may come after some, in order; after the end, the end.

        What is written and was not allowed leads nowhere: there only the end is left.
        """
        states = [self._first]
        for token in written:
            states = [node.following[token] for node in states if token in node.following]
            if any(node.is_word for node in states):
                states.append(self._later)
        # A text of no words, or one that ends with a whole word, may end.
        tokens = {token for node in states for token in node.following}
        if not states or any(node.is_word for node in states) or not written:
            tokens.add(self._end)
        return sorted(tokens)


def _trie(words: Iterable[Sequence[int]]) -> _Node:
    root = _Node()
    for word in words:
        node = root
        for token in word:
            node = node.following.setdefault(token, _Node())
        node.is_word = node is not root
    return root


def words_of(texts: Iterable[str]) -> list[str]:
    """Return the words of texts, each once, sorted."""
    return sorted({word for text in texts for word in text.split()})


def allowed_words(texts: Iterable[str], tokenizer: Any, end: int) -> AllowedWords:
    """Allow the words of hypotheses, by a tokenizer of transformers.

    A blank goes with the word after it, as in all tokenizers that cut texts at blanks.
    """

    def tokens(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False))

    words = words_of(texts)
    start = tokens("a")
    later = []
    for word in words:
        spelt = tokens(f"a {word}")
        # Those that mark the beginning of every text say nothing of a blank.
        later.append(spelt[len(start) :] if spelt[: len(start)] == start else tokens(f" {word}"))
    return AllowedWords([tokens(word) for word in words], later, end)


def only(allowed: Sequence[AllowedWords], prompt_tokens: int) -> Callable[[int, Any], list[int]]:
    """Return what transformers' `generate` takes as `prefix_allowed_tokens_fn`.

    Args:
        allowed: of each prompt of the batch.
        prompt_tokens: that each row begins with, padding included.

    """
    return lambda number, ids: allowed[number].next(ids[prompt_tokens:].tolist())
