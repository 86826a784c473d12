"""The peak memory of real training steps on a CPU, as torch reports it."""

from torch.profiler import ProfilerActivity, profile

from wavemill.models.memory.live import LiveBytes
from wavemill.models.recipe import DataFacts, Recipe
from wavemill.models.step import Stepper, allocate_state
from wavemill.models.synthetic import Extent, make_batch
from wavemill.models.training.settings import TrainSettings
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
    stepper = make_stepper(recipe, precision)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as seen:
        batch = make_batch(recipe.needs, data, extent, size)
        stepper.step(0, [batch])
    results = seen.profiler.kineto_results if seen.profiler else None
    assert results is not None
    changes = [event for event in results.events() if event.name() == "[memory]"]
    now = peak = held_bytes(stepper)
    for event in sorted(changes, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return int(peak)


def make_stepper(recipe: Recipe, precision: str) -> Stepper:
    """A model and its optimizer as they are between steps."""
    stepper = Stepper(recipe, recipe.build(), TrainSettings(precision=precision))
    allocate_state(stepper.model, list(stepper.optimizers.values()))
    return stepper


def held_bytes(stepper: Stepper) -> int:
    """What a model and its optimizer hold between steps."""
    states = [
        value
        for optimizer in stepper.optimizers.values()
        for state in optimizer.state.values()
        for value in state.values()
    ]
    held = [*stepper.model.parameters(), *stepper.model.buffers(), *states]
    return sum(int(tensor.nbytes) for tensor in held)


def live_peak(recipe: Recipe, data: DataFacts, extent: Extent, size: int, precision: str) -> int:
    """Run a step and return the most bytes of tensors that were alive."""
    live = LiveBytes(granule=1)
    with live:
        stepper = make_stepper(recipe, precision)
        live.restart()
        batch = make_batch(recipe.needs, data, extent, size)
        stepper.step(0, [batch])
    return live.peak
