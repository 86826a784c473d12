"""Write golden/{encodec_24khz,encodec_48khz,dac,dac_24khz,dac_16khz,mimi}.json.

Ids by the authors' own packages. These clash with wavemill's, so they get an environment that sees
wavemill's torch and takes nothing else from the index (about 10 MB):

    python -m venv --without-pip ORACLE
    echo VENV/lib/python3.11/site-packages > ORACLE/lib/python3.11/site-packages/base.pth
    VENV/bin/python -m pip install --no-deps --target ORACLE/lib/python3.11/site-packages \
        encodec==0.1.1 descript-audio-codec==1.0.0 moshi==0.2.13
    ORACLE/bin/python tests/parity/make_codecs.py

VENV is wavemill's environment. What these packages import for training or for text alone is stubbed
below. A golden file has the shapes of the authors' state dict, seeds, and ids; the weights and
clips are drawn from the seeds (`weights.py`).
"""

import importlib
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from weights import random_clip, random_state  # type: ignore[import-not-found]

GOLDEN = Path(__file__).parent / "golden"
SEED = 7


class Stub(torch.nn.Module):
    """Stands for whatever is imported and not used."""

    INTERN: tuple[str, ...] = ()
    EXTERN: tuple[str, ...] = ()


def stub_imports() -> None:
    """Let dac and moshi be imported without what they need for other things."""
    names = {
        "audiotools": ["AudioSignal", "STFTParams"],
        "audiotools.ml": ["BaseModel", "Accelerator"],
        "argbind": [],
        "sentencepiece": ["SentencePieceProcessor"],
        "sphn": [],
    }
    for name, parts in names.items():
        sys.modules[name] = module = types.ModuleType(name)
        for part in parts:
            setattr(module, part, Stub)
    sys.modules["audiotools"].ml = sys.modules["audiotools.ml"]  # type: ignore[attr-defined]
    Stub.INTERN, Stub.EXTERN = [], []  # type: ignore[assignment]
    sys.modules["argbind"].bind = lambda *_, **__: lambda function: function  # type: ignore[attr-defined]


def fill(model: Any, rename: Callable[[str], str] = str) -> dict[str, list[int]]:
    """Give a model random weights; return its shapes by the names of the published file."""
    shapes = {rename(name): list(part.shape) for name, part in model.state_dict().items()}
    state = {name: torch.from_numpy(part) for name, part in random_state(shapes, SEED).items()}
    model.load_state_dict(state)
    return shapes


def write(name: str, shapes: dict[str, list[int]], cases: list[dict[str, Any]]) -> None:
    """Write a golden file, a case a line."""
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    head = json.dumps(shapes, separators=(",", ":"))
    place = GOLDEN / f"{name}.json"
    place.write_text(f'{{"seed":{SEED},\n"shapes":{head},\n"cases":[\n{lines}\n]}}\n', "utf-8")
    kinds = [len(np.unique(case["codes"])) for case in cases]
    print(place, place.stat().st_size, "bytes; different ids a case:", kinds)  # noqa: T201


def case(samples: int, setting: float, codes_QT: torch.Tensor) -> dict[str, Any]:
    """Make a case; its clip's seed is its length."""
    return {"samples": samples, "setting": setting, "codes": codes_QT.T.tolist()}


def encodec(name: str, lengths: list[int], bandwidths: list[float]) -> None:
    """Run EnCodec, mono clips given twice to the stereo model."""
    package: Any = importlib.import_module("encodec")
    model = getattr(package.EncodecModel, f"encodec_model_{name}")(pretrained=False)
    shapes = fill(model)
    cases = []
    for samples in lengths:
        clip = torch.from_numpy(random_clip(samples, samples)).expand(1, model.channels, -1)
        for bandwidth in bandwidths:
            model.set_target_bandwidth(bandwidth)
            frames = [frame[0][0] for frame in model.encode(clip)]
            cases.append(case(samples, bandwidth, torch.cat(frames, dim=-1)))
    write(f"encodec_{name}", shapes, cases)


def dac(name: str, sample_rate: int, codebook_counts: list[int], **sizes: Any) -> None:
    """Run DAC; the sizes are those of its released configurations."""
    package: Any = importlib.import_module("dac")
    model = package.DAC(sample_rate=sample_rate, **sizes).eval()
    shapes = fill(model)
    cases = []
    for samples in (1, sample_rate, 70_001):
        clip = torch.from_numpy(random_clip(samples, samples))[None, None]
        for codebooks in codebook_counts:
            codes = model.encode(model.preprocess(clip, sample_rate), n_quantizers=codebooks)[1]
            cases.append(case(samples, codebooks, codes[0]))
    write(name, shapes, cases)


def mimi() -> None:
    """Run Mimi; the longest clip is longer than its transformer's context of 10 s."""
    loaders: Any = importlib.import_module("moshi.models.loaders")

    def published(name: str) -> str:
        name = name.replace("in_projs.0.weight", "in_proj_weight")
        return name.replace("out_projs.0.", "out_proj.")

    model = loaders.get_mimi(None)
    shapes = fill(model, published)
    cases = []
    for samples in (1, 30_000, 12 * 24_000 + 1):
        clip = torch.from_numpy(random_clip(samples, samples))[None, None]
        for codebooks in (1, 8, 32):
            model.set_num_codebooks(codebooks)
            cases.append(case(samples, codebooks, model.encode(clip)[0]))
    write("mimi", shapes, cases)


if __name__ == "__main__":
    stub_imports()
    with torch.no_grad():
        encodec("24khz", [1, 24_000, 60_001], [1.5, 6.0, 24.0])
        encodec("48khz", [1, 48_000, 100_001], [3.0, 6.0, 24.0])
        narrow = {"encoder_rates": [2, 4, 5, 8], "decoder_rates": [8, 5, 4, 2]}
        dac("dac", 44_100, [1, 4, 9])
        dac("dac_24khz", 24_000, [1, 8, 32], n_codebooks=32, **narrow)
        dac("dac_16khz", 16_000, [1, 4, 12], n_codebooks=12, **narrow)
        mimi()
