"""The loader under trainers: torch's processes and hooks, as they call it."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pytest
import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from wavemill.loader import Batch, ShardLoader

STEPS = 5


class Model(torch.nn.Module):
    """Guesses each token from the one before it."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(1024, 8)
        self.guess = torch.nn.Linear(8, 1024)

    def forward(self, batch: Batch) -> torch.Tensor:
        ids = batch.tokens["codec"][:, :, 0]
        real = torch.arange(ids.shape[1]) < batch.token_lengths["codec"][:, None]
        guesses = self.guess(self.embed(ids[:, :-1]))
        return torch.nn.functional.cross_entropy(guesses[real[:, 1:]], ids[:, 1:][real[:, 1:]])


def train(rank: int, world_size: int, data: str, folder: str) -> None:
    """Take a few steps as one process of several, and write down what was given."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world_size
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = DistributedDataParallel(Model())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    loader = ShardLoader(data, batch_seconds=60)
    given: list[Any] = []
    for batch in loader:
        if len(given) < STEPS:
            optimizer.zero_grad()
            model(batch).backward()
            optimizer.step()
        given.append((batch.keys, batch.bucket, batch.state))
    weights = [weight.detach() for weight in model.parameters()]
    torch.save({"given": given, "weights": weights}, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_processes_that_train_together_get_their_shares_and_stay_alike(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What torch.distributed knows counts, not variables of a launcher.
    monkeypatch.setenv("RANK", "7")
    monkeypatch.setenv("WORLD_SIZE", "9")
    spawn(train, (2, str(tokens), str(tmp_path)), nprocs=2)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    given = [own["given"] for own in ranks]
    assert len(given[0]) == len(given[1]) > STEPS
    for (_, bucket, state), (_, other, others) in zip(*given, strict=True):
        assert (bucket, state) == (other, others)
    keys = [key for own in given for batch, _, _ in own for key in batch]
    assert len(keys) == len(set(keys)) == 400
    start = list(seeded().parameters())
    for own, other, first in zip(ranks[0]["weights"], ranks[1]["weights"], start, strict=True):
        assert torch.equal(own, other)
        assert not torch.equal(own, first)


def seeded() -> Model:
    torch.manual_seed(0)
    return Model()


@runtime_checkable
class Stateful(Protocol):
    """What Lightning asks of a dataloader that it saves: `lightning.fabric`'s `_Stateful`."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


def test_its_state_is_saved_and_loaded_by_the_hooks_that_trainers_call(
    tokens: Path, tmp_path: Path
) -> None:
    loader = ShardLoader(tokens, batch_seconds=60)
    assert isinstance(loader, Stateful)
    given = iter(loader)
    for _ in range(3):
        next(given)
    # As Lightning does: into the checkpoint, which torch reads without running anything.
    torch.save({"combined_loader": [loader.state_dict()]}, tmp_path / "last.ckpt")
    rest = [batch.keys for batch in given]
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    fresh = ShardLoader(tokens, batch_seconds=60)
    fresh.load_state_dict(checkpoint["combined_loader"][0])
    assert [batch.keys for batch in fresh] == rest
    assert fresh.epoch == 1


def test_inside_a_dataloader_batches_say_where_to_go_on(tokens: Path) -> None:
    inside = ShardLoader(tokens, batch_seconds=60)
    loader = DataLoader(inside, batch_size=None, num_workers=2)
    given = iter(loader)
    taken = [next(given) for _ in range(3)]
    rest = [batch.keys for batch in given]
    fresh = ShardLoader(tokens, batch_seconds=60)
    fresh.load_state_dict(taken[-1].state)
    assert [batch.keys for batch in fresh] == rest
