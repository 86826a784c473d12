"""The peak memory of real training steps on a CPU, as torch reports it."""

import torch
from torch.profiler import ProfilerActivity, profile

from wavemill.models.memory.live import LiveBytes
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.step import allocate_state, make_optimizer, train_step
from wavemill.models.synthetic import Extent, make_batch
from wavemill.tokenizers.base import TokenizerFacts


def stream_facts(name: str = "codes", codebooks: int = 4, size: int = 256) -> TokenizerFacts:
    """Facts of a stream of 100 tokens a second."""
    return TokenizerFacts(
        name=name,
        kind="mvq",
        sample_rate=16000,
        frame_rate=100.0,
        num_codebooks=codebooks,
        codebook_size=size,
        weights_digest="0",
    )


def dataset_facts(*streams: TokenizerFacts) -> DataFacts:
    """Facts of a dataset with these streams and audio."""
    return DataFacts(streams={facts.name: facts for facts in streams}, has_audio=True)


def allocated_peak(
    recipe: Recipe, data: DataFacts, extent: Extent, size: int, precision: str
) -> int:
    """Run a step and return the most bytes that torch's allocator had given out.

    That is what was there before the step, and the sum of what the profiler saw given and returned.
    """
    model = recipe.build()
    optimizer = make_optimizer(model)
    allocate_state(model, optimizer)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as seen:
        batch = make_batch(recipe.needs, data, extent, size)
        train_step(recipe, model, optimizer, batch, precision=precision)
    results = seen.profiler.kineto_results if seen.profiler else None
    assert results is not None
    changes = [event for event in results.events() if event.name() == "[memory]"]
    now = peak = held_bytes(model, optimizer)
    for event in sorted(changes, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return int(peak)


def held_bytes(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """What a model and its optimizer hold between steps."""
    states = [value for state in optimizer.state.values() for value in state.values()]
    held = [*model.parameters(), *model.buffers(), *states]
    return sum(int(tensor.nbytes) for tensor in held)


def live_peak(recipe: Recipe, data: DataFacts, extent: Extent, size: int, precision: str) -> int:
    """Run a step and return the most bytes of tensors that were alive."""
    live = LiveBytes(granule=1)
    with live:
        model = recipe.build()
        optimizer = make_optimizer(model)
        allocate_state(model, optimizer)
        live.restart()
        batch = make_batch(recipe.needs, data, extent, size)
        train_step(recipe, model, optimizer, batch, precision=precision)
    return live.peak
