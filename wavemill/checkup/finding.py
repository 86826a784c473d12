"""What a check found."""

from dataclasses import asdict, dataclass
from typing import Any

OK, MISSING, BROKEN, LOW, UNSET = "ok", "missing", "broken", "low", "not set"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The state of one part."""

    part: str
    state: str
    """One of the constants above."""
    says: str
    remedy: str = ""
    needed: bool = False
    """Nothing works without it."""

    @property
    def is_fatal(self) -> bool:
        """Say whether nothing works for want of this."""
        return self.needed and self.state in (MISSING, BROKEN)

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)
