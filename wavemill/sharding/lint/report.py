"""What lint found."""

from dataclasses import dataclass, field
from typing import Any

DESCRIPTION = "dataset.json"
REWRITE = "give the same `wavemill prepare` again, which rewrites its shard"
REMEDY = f"remove it and {REWRITE}"


@dataclass(kw_only=True)
class Report:
    """What was checked and what is wrong."""

    shards: int = 0
    samples: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)

    def add(self, shard: str, key: str, problem: str) -> None:
        """Note a problem; `key` is empty where it concerns a whole file."""
        line = {"shard": shard, "key": key, "problem": problem}
        self.problems.append({name: _printable(text) for name, text in line.items()})

    def compare(self, what: str, stated: Any, found: Any, slack: float = 0.0) -> None:
        """Note where `dataset.json` states another number than was found."""
        if abs(stated - found) > slack:
            self.add(DESCRIPTION, "", f"{what} is {stated}, should be {found}")

    def to_json(self) -> dict[str, Any]:
        """Return what `wavemill lint --json` prints."""
        return {"ok": not self.problems, **vars(self)}


def _printable(text: str) -> str:
    """Keep a problem one line that any terminal takes, whatever bytes it speaks of."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
