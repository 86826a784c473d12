"""`gfsq`: the tokens of Fish-Speech 1.4's firefly codec, 8 streams of 1000, about 21.5 a second.

Liao et al., "Fish-Speech", arXiv 2411.01156. The published weights are
`firefly-gan-vq-fsq-8x1024-21hz-generator.pth` of https://huggingface.co/fishaudio/fish-speech-1.4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional

from wavemill.digest import digest
from wavemill.tokenizers.base import Codes, TokenizerFacts
from wavemill.tokenizers.blocks import Reach, run_in_blocks
from wavemill.tokenizers.checkpoints import digest_tensors, find_model, read_checkpoint
from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.firefly import SAMPLE_RATE, SHORTEST_SAMPLES, Firefly
from wavemill.tokenizers.published_files import find_checkpoint, freeze, inner_state, load_strictly
from wavemill.tokenizers.threads import torch_threads

VERSION = 1
"""Goes up when the same audio and weights would get other tokens."""
PUBLISHED = "firefly-gan-vq-fsq-8x1024-21hz-generator.*"
BLOCK_STEPS = 860
"""How much is encoded at once on a CPU: 40 s."""


@dataclass(frozen=True, kw_only=True)
class GfsqConfig(PlaceSettings):
    """Which weights."""

    name: str = "gfsq"
    model: str
    """A checkpoint, a folder with it, or the hub's name of one."""


class GfsqTokenizer:
    """Grouped finite scalar ids, [T, 8] uint16; T is a clip's whole hops of 512 samples over 4.

    T is rounded up, so that the last step of a clip may stand for less than 2048 samples. (The
    authors' extraction for training rounds down; their example of coding and decoding, up.) A clip
    shorter than 769 samples, too short to be mirrored at its ends, is filled with silence to that.
    Clips are encoded one by one in blocks of 40 s with all the context that they hear: 2 s of the
    past and, through the spectrogram's window, 2815 samples from the step's beginning on. So memory
    is bounded and blocks meet without a seam: ids are those of the whole clip, unless a number lies
    within float32's 1e-6 of a boundary. Decoding runs whole.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    weights: ClassVar[str] = "the authors' file: model="
    long_audio: ClassVar[str] = "exact"

    def __init__(self, config: GfsqConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there, is broken, or is another.

        """
        self.place = config.place("gfsq")
        url = find_checkpoint(find_model(config.model, "gfsq"), PUBLISHED, "gfsq")
        state = published_state(read_checkpoint(url), url)
        self.codec = Firefly()
        load_strictly(self.codec, state, url)
        freeze(self.codec)
        self.codec.to(self.place.device)
        self.place.keep_exact(self.codec.quantizer.residual_fsq)
        self._windows = self.codec.windows
        frame_rate = SAMPLE_RATE / Reach.of(self._windows).step
        self._block_steps = self.place.block_steps(BLOCK_STEPS, frame_rate)
        self.facts = TokenizerFacts(
            name=config.name,
            kind="gfsq",
            sample_rate=SAMPLE_RATE,
            frame_rate=frame_rate,
            num_codebooks=self.codec.quantizer.residual_fsq.num_codebooks,
            codebook_size=self.codec.quantizer.residual_fsq.codebook_size,
            weights_digest=digest(
                {"weights": digest_tensors(state), "version": VERSION, **self.place.digest_parts}
            ),
        )

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips one by one, so that none depends on another; see `Tokenizer.encode`."""
        with self.place.running(), torch_threads(1):
            return [self._encode(self.place.tensor(clip)) for clip in batch]

    def _encode(self, clip_N: Tensor) -> Codes:
        clip_N = functional.pad(clip_N, (0, max(0, SHORTEST_SAMPLES - len(clip_N))))
        ids_TQ = run_in_blocks(self._ids, self._windows, clip_N, self._block_steps)
        codes: Codes = ids_TQ.cpu().numpy().astype(np.uint16)
        return codes

    def _ids(self, clip_N: Tensor) -> Tensor:
        with self.place.exact():
            mel_BMF = self.codec.mel(clip_N[None])
        return self.codec.ids(mel_BMF)[0]

    def decode(self, codes: Codes) -> npt.NDArray[np.float32]:
        """Turn ids [T, 8] into audio, 2048 samples a step; see `Decoder.decode`."""
        with self.place.running():
            ids_BTQ = self.place.tensor(codes.astype(np.int64))[None]
            audio_N = self.codec.decode(ids_BTQ)[0, 0].float().cpu()
        audio: npt.NDArray[np.float32] = audio_N.numpy()
        return audio


def published_state(checkpoint: Mapping[str, Any], url: str) -> dict[str, Tensor]:
    """Take the codec's weights as the authors' loader does.

    They may lie under `state_dict`, and under `generator.` there among those of the training; the
    spectrogram has no weights, only tables that are worked out.
    """
    state = inner_state(checkpoint, ("state_dict",), url)
    if any("generator." in name for name in state):
        state = {k.replace("generator.", ""): v for k, v in state.items() if "generator." in k}
    return {name: part for name, part in state.items() if not name.startswith("spec_transform.")}
