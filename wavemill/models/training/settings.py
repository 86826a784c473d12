"""How a model is trained; each recipe's presets have their own."""

from dataclasses import dataclass

from wavemill.models.training.schedule import SCHEDULES
from wavemill.specs import MAX_SEED, check_range
from wavemill.tokenizers.device import PRECISIONS

MAX_STEPS = 10**9
MAX_BATCHES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Settings of the training loop."""

    steps: int = 1000
    """Of the optimizer."""
    batch_seconds: float | None = None
    """Padded audio that a batch may hold."""
    batch_tokens: int | None = None
    """Padded tokens that a batch may hold."""
    batch_size: int | None = None
    """Samples that a batch may hold."""
    batches: int | None = None
    """That all ranks together take in a step; one each if None. More are accumulated."""
    learning_rate: float = 3e-4
    """At its highest."""
    schedule: str = "cosine"
    warmup: int = 100
    """Steps in which the learning rate rises."""
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = 0.1
    """Of matrices; biases and norms have none."""
    max_norm: float = 1.0
    """To which gradients are clipped."""
    precision: str = "float32"
    """Or `bfloat16`: autocast; weights and sums stay float32."""
    compile: bool = False
    """Run the model through `torch.compile`."""
    held_out: float = 0.0
    """Share of the samples that is not trained on, but validated with."""
    validate_every: int = 500
    """Steps; where something is held out, or there is other data to validate with."""
    log_every: int = 10
    """Steps; each step has its row, and they are written so often."""
    save_every: int = 500
    """Steps."""
    keep: int = 2
    """Checkpoints: the last ones, beside the best one by the loss on what is held out."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("steps", self.steps, 1, MAX_STEPS)
        check_range("batches", self.batches, 1, MAX_BATCHES)
        check_range("learning_rate", self.learning_rate, 0, 1e3)
        check_range("warmup", self.warmup, 0, MAX_STEPS)
        check_range("weight_decay", self.weight_decay, 0, 1e3)
        check_range("max_norm", self.max_norm, 1e-9, 1e9)
        check_range("held_out", self.held_out, 0, 0.9)
        check_range("seed", self.seed, 0, MAX_SEED)
        for name in ("beta1", "beta2"):
            check_range(name, getattr(self, name), 0, 1 - 1e-9)
        for name in ("validate_every", "log_every", "save_every", "keep"):
            check_range(name, getattr(self, name), 1, MAX_STEPS)
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule={self.schedule} must be {', '.join(SCHEDULES)}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision={self.precision} must be {' or '.join(PRECISIONS)}")


MAY_CHANGE = ("steps", "compile", "validate_every", "log_every", "save_every", "keep")
"""Settings that may be others when a run goes on: they leave what was learnt so far as it is."""
