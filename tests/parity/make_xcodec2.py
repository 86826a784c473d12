"""Write golden/xcodec2.json: ids by the authors' package, with random weights.

The package pins an older torch, so it gets an environment that sees wavemill's and takes nothing
else from the index:

    python -m venv --without-pip ORACLE
    echo VENV/lib/python3.11/site-packages > ORACLE/lib/python3.11/site-packages/base.pth
    VENV/bin/python -m pip install --no-deps --target ORACLE/lib/python3.11/site-packages \
        xcodec2==0.1.5 vector-quantize-pytorch==1.17.8
    ORACLE/bin/python tests/parity/make_xcodec2.py

VENV is wavemill's environment. Stubbed are torchtune, of which only the decoder has need, and the
download of the semantic model: it is built with a layer more than is heard.
"""

import importlib
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

sys.path.insert(0, str(Path(__file__).parent))
from weights import random_clip, random_state  # type: ignore[import-not-found]
from xcodec2_layout import (  # type: ignore[import-not-found]
    CODES,
    LENGTHS,
    SEED,
    SETTINGS,
    authors_name,
    encoder_shapes,
)


class Rotations(torch.nn.Module):
    """Stands for torchtune's; the decoder is not run."""

    def __init__(self, **_: Any) -> None:
        """Take what it is given."""
        super().__init__()


def authors_model() -> Any:
    """Build the authors' model without its downloads."""
    modules = types.ModuleType("torchtune.modules")
    modules.RotaryPositionalEmbeddings = Rotations  # type: ignore[attr-defined]
    sys.modules |= {"torchtune": types.ModuleType("torchtune"), "torchtune.modules": modules}
    package: Any = importlib.import_module("xcodec2.modeling_xcodec2")
    semantic = dict(SETTINGS["semantic_model_config"])
    del semantic["model_type"]
    semantic["num_hidden_layers"] += 1
    config = transformers.Wav2Vec2BertConfig(**semantic, output_hidden_states=True)
    package.Wav2Vec2BertModel.from_pretrained = lambda *_, **__: transformers.Wav2Vec2BertModel(
        config
    )
    # As in the preprocessor_config.json of facebook/w2v-bert-2.0.
    extractor = transformers.SeamlessM4TFeatureExtractor(padding_value=1)
    package.AutoFeatureExtractor.from_pretrained = lambda *_, **__: extractor
    return package.XCodec2Model(package.BigCodecConfig()).eval()


def fill(model: Any) -> None:
    """Give the encoder the weights that the test draws."""
    port = transformers.Xcodec2Model(transformers.Xcodec2Config(**SETTINGS))
    shapes = encoder_shapes(port.state_dict())
    state = {
        authors_name(name): torch.from_numpy(part)
        for name, part in random_state(shapes, SEED).items()
    }
    for name in [name for name in model.state_dict() if name.endswith("weight.original1")]:
        plain = name.replace("parametrizations.weight.original1", "weight")
        if plain in state:
            state[name] = state.pop(plain)
            state[name.replace("original1", "original0")] = (
                state[name].flatten(1).norm(dim=1)[:, None, None]
            )
    missing, unexpected = model.load_state_dict(state, strict=False)
    unused = ("generator.", "fc_post_a.", "semantic_model.encoder.layers.16.")
    left = [n for n in missing if not n.startswith(unused) and not n.endswith("filter")]
    left += [n for n in missing if n.startswith("generator.quantizer.project")]
    assert not left, left[:5]
    assert not unexpected, unexpected[:5]


def main() -> None:
    """Write the file, a case a line."""
    model = authors_model()
    fill(model)
    cases = []
    for samples in LENGTHS:
        codes = model.encode_code(torch.from_numpy(random_clip(samples, samples))[None])
        cases.append({"samples": samples, "codes": codes.flatten().tolist()})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    place = Path(__file__).parent / CODES
    place.write_text(f'{{"cases":[\n{lines}\n]}}\n', "utf-8")
    kinds = [len(np.unique(case["codes"])) for case in cases]
    print(place, place.stat().st_size, "bytes; different ids a case:", kinds)  # noqa: T201


if __name__ == "__main__":
    with torch.no_grad():
        main()
