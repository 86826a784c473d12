"""A loader whose state is that of the batch Lightning is at, though it fetched the next one."""

from collections.abc import Iterator, Mapping
from typing import Any

from wavemill.loader.loader import ShardLoader


class OneAhead:
    """A loader for Lightning, which fetches one batch ahead of the one that it trains on.

    It does so of any loader without a length, and saves `state_dict` in between: resumed, it would
    leave out the batch that it had fetched and not trained on. So the state of this is that before
    the last batch given. Lightning itself is not needed.

        trainer.fit(model, OneAhead(ShardLoader("prepared", batch_seconds=360)))
    """

    def __init__(self, loader: ShardLoader) -> None:
        """Give the batches of a loader."""
        self.loader = loader
        self._state: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        """Yield what is left of the epoch."""
        after = self.loader.state_dict()
        for batch in self.loader:
            self._state, after = after, self.loader.state_dict()
            yield batch
        # Asked for another one, before the last is trained on.
        self._state = self.loader.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """Return where the trainer stands, as of `ShardLoader.state_dict`."""
        return self.loader.state_dict() if self._state is None else self._state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, as of `ShardLoader.load_state_dict`."""
        self.loader.load_state_dict(state)
        self._state = None
