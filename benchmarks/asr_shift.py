"""How much faster speech is recognized when layers of the decoder are moved to the encoder.

    python benchmarks/asr_shift.py --rounds 5

The models of arXiv 2503.05931, narrower: 24 + 24 layers of encoder and decoder, 32 + 4 as there,
and as many encoder layers beside 4 as make the number of weights the same. Weights are random, for
what is measured does not depend on them: each model reads the same noise and is made to write the
same number of units, one by one, with kept keys and values. Inverse real-time factor: seconds of
audio a second of work. Models take turns; the medians of all rounds are compared.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from typing import Any

import torch

from wavemill.models.asr.decoder import TextDecoder
from wavemill.models.asr.model import AsrModel
from wavemill.models.asr.settings import AsrConfig

UNITS = 1024
"""Of the vocabulary: word pieces."""
SEED = 0


def make_model(encoder: int, decoder: int, width: int) -> AsrModel:
    """Make a model of random weights."""
    torch.manual_seed(SEED)
    config = replace(
        AsrConfig(heads=4), encoder_layers=encoder, decoder_layers=decoder, width=width
    )
    return AsrModel(config, UNITS, None).eval()


def count(model: torch.nn.Module) -> int:
    """Count weights."""
    return sum(weight.numel() for weight in model.parameters())


def encoder_layers_for(target: int, decoder: int, width: int) -> int:
    """Return the encoder layers with which a model has nearest to `target` weights."""
    with torch.device("meta"):
        one, two = (count(make_model(layers, decoder, width)) for layers in (1, 2))
    return round((target - one) / (two - one)) + 1


@torch.no_grad()
def recognize(model: AsrModel, audio_BN: torch.Tensor, units: int, beam: int) -> float:
    """Read audio and write so many units; return the seconds that it took."""
    started = time.perf_counter()
    lengths = torch.full((len(audio_BN),), audio_BN.shape[1])
    speech = model.encode(audio_BN, lengths)
    decoder = model.decoder
    assert isinstance(decoder, TextDecoder)
    state = decoder.start(speech.features, speech.real, beam)
    total_BK = torch.zeros(len(audio_BN), beam)
    last_BK = torch.full((len(audio_BN), beam), decoder.end)
    first_B1 = torch.arange(len(audio_BN))[:, None] * beam
    for _ in range(units):
        scores_BKV = decoder.step(last_BK, state).log_softmax(-1)
        total_BK, places_BK = (total_BK[:, :, None] + scores_BKV).flatten(1).topk(beam, 1)
        last_BK = places_BK % (UNITS + 1)
        if beam > 1:
            state.choose((first_B1 + places_BK // (UNITS + 1)).flatten())
    return time.perf_counter() - started


def main() -> None:
    """Measure, and print a row a model."""
    parser = argparse.ArgumentParser(description="Decoder layers moved to the encoder.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--scale", type=int, default=2, help="Layers are divided by it.")
    parser.add_argument("--seconds", type=float, default=10.0, help="Of audio.")
    parser.add_argument("--units", type=int, default=40, help="Written: 4 word pieces a second.")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    few = 4 // given.scale
    unshifted = make_model(24 // given.scale, 24 // given.scale, given.width)
    equal = encoder_layers_for(count(unshifted), few, given.width)
    models = {
        f"{24 // given.scale}+{24 // given.scale}": unshifted,
        f"{32 // given.scale}+{few}": make_model(32 // given.scale, few, given.width),
        f"{equal}+{few}": make_model(equal, few, given.width),
    }
    audio_BN = 0.1 * torch.randn(given.batch, round(given.seconds * 16_000))
    times: dict[str, list[float]] = {name: [] for name in models}
    for number in range(given.rounds + 1):
        for name, model in models.items():
            taken = recognize(model, audio_BN, given.units, given.beam)
            if number:  # the first one warms up
                times[name].append(taken)
    print(json.dumps(_table(models, times, given.seconds * given.batch), indent=1))


def _table(
    models: dict[str, AsrModel], times: dict[str, list[float]], seconds: float
) -> dict[str, Any]:
    factors = {name: seconds / statistics.median(taken) for name, taken in times.items()}
    first = next(iter(factors.values()))
    return {
        name: {
            "weights": count(models[name]),
            "inverse_real_time_factor": round(factor, 2),
            "times_as_fast": round(factor / first, 3),
        }
        for name, factor in factors.items()
    }


if __name__ == "__main__":
    main()
