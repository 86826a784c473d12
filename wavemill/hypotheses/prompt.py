"""Prompts: data files with named slots (`prompts/`), and how they are filled."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.hypotheses.llm.base import Question
from wavemill.hypotheses.records import Utterance

SHIPPED = Path(__file__).parent / "prompts"
SUFFIX = ".yaml"
SLOT = re.compile(r"\{([a-z_]+)\}")
ROLES = ("system", "user", "assistant")
CORRECTION_SLOTS = ("hypotheses", "best", "others", "count", "language")
"""Of prompts that ask for a correction; one of the first two has to be there."""
MISHEARING_SLOTS = ("text", "count", "language")
"""Of prompts that ask for what may be misheard; the first has to be there."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Messages with slots."""

    name: str
    version: int
    messages: tuple[tuple[str, str], ...]

    @cached_property
    def digest(self) -> str:
        """Of all that it is."""
        return digest([self.name, self.version, self.messages])

    @property
    def facts(self) -> dict[str, Any]:
        """What is noted of it with what was made by it."""
        return {"name": self.name, "version": self.version, "digest": self.digest}

    @property
    def slots(self) -> set[str]:
        """The names of its slots."""
        return {name for _, text in self.messages for name in SLOT.findall(text)}

    def filled(self, values: Mapping[str, str], number: int = 0) -> Question:
        """Put values into the slots; what looks like a slot in a value is none."""
        return Question(
            messages=tuple(
                (role, SLOT.sub(lambda found: values[found[1]], text).strip())
                for role, text in self.messages
            ),
            number=number,
        )

    def about(self, utterance: Utterance) -> Question:
        """Ask for the correction of an utterance."""
        lines = [quoted(text) for text in utterance.texts]
        return self.filled(
            {
                "hypotheses": "\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1)),
                "best": lines[0],
                "others": "\n".join(lines[1:]),
                "count": str(len(lines)),
                "language": quoted(utterance.language or "unknown"),
            }
        )


def load_prompt(name: str, slots: Sequence[str], needed: int) -> Prompt:
    """Read a prompt.

    Args:
        name: of one that is shipped, or a path or URL that ends in `.yaml`.
        slots: that it may have.
        needed: how many of the first of them it has to have one of.

    Raises:
        UsageError: there is no such prompt, or it is none that serves here.

    """
    shipped = sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))
    if name not in shipped and not name.endswith((SUFFIX, ".yml")):
        words = f"give {', '.join(shipped)}, or a file that ends in {SUFFIX}"
        raise UsageError(f"--prompt {name}: there is no such prompt; {words}")
    url = str(SHIPPED / f"{name}{SUFFIX}") if name in shipped else name
    if not storage.exists(url):
        raise UsageError(f"--prompt {name}: there is no such file")
    prompt = _parse(storage.read_bytes(url), name)
    if unknown := sorted(prompt.slots - set(slots)):
        known = ", ".join(f"{{{slot}}}" for slot in slots)
        raise UsageError(f"--prompt {name}: no slot {{{unknown[0]}}} here; there are: {known}")
    if not prompt.slots & set(slots[:needed]):
        wanted = " or ".join(f"{{{slot}}}" for slot in slots[:needed])
        raise UsageError(f"--prompt {name} needs the slot {wanted}")
    return prompt


def quoted(text: str) -> str:
    """Make text one line of data, that can neither end the tags around it nor begin others."""
    return html.escape(" ".join(text.split()), quote=False).replace("&amp;", "&")


def unquoted(text: str) -> str:
    """Take back what `quoted` did to brackets."""
    return text.replace("&lt;", "<").replace("&gt;", ">")


def _parse(data: bytes, name: str) -> Prompt:
    try:
        content = yaml.safe_load(data)
        messages = tuple((str(row["role"]), str(row["content"])) for row in content["messages"])
        prompt = Prompt(
            name=str(content["name"]), version=int(content["version"]), messages=messages
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        words = "it needs name, version (a number), and messages, each of role and content"
        raise UsageError(f"--prompt {name} cannot be read ({error!r}): {words}") from error
    if not messages or any(role not in ROLES for role, _ in messages):
        raise UsageError(f"--prompt {name}: roles are {', '.join(ROLES)}")
    return prompt
