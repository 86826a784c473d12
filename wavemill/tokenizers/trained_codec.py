"""`codec`: the ids of a codec that `wavemill train codec` trained.

What it is (its rates, codebooks and their sizes) is what it was trained with; `seanet/` has the
network.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.tokenizers.base import Codes, TokenizerFacts
from wavemill.tokenizers.checkpoints import digest_tensors
from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.published_files import freeze, load_strictly
from wavemill.tokenizers.seanet.codec import SeanetCodec
from wavemill.tokenizers.seanet.layers import State
from wavemill.tokenizers.seanet.quantizers import ResidualQuantizer
from wavemill.tokenizers.seanet.sizes import CodecSizes
from wavemill.tokenizers.threads import torch_threads
from wavemill.tokenizers.trained import TrainedModel, read_trained

VERSION = 1
"""Goes up when the same audio and weights would get other tokens."""
RECIPE = "codec"
NETWORK = "codec.network."
"""Before the names of the network's weights among all that a run trains."""
BLOCK_FRAMES = 250
"""How much is run at once on a CPU: 5 s at 50 frames a second."""


@dataclass(frozen=True, kw_only=True)
class TrainedCodecConfig(PlaceSettings):
    """Which run, and how many of its codebooks."""

    name: str = "codec"
    model: str
    """A run of `wavemill train codec`, or a `.safetensors` file with its JSON beside it."""
    codebooks: int | None = None
    """The first ones of residual codebooks; all if None."""
    best: bool = False
    """Take the run's checkpoint of the least loss on held-out data, not the last one."""


class TrainedCodecTokenizer:
    """Ids [T, Q], T = N / hop rounded up.

    Clips are coded one by one, in blocks of 5 s that hand on what causal layers look back at. So
    memory is bounded and blocks meet without a seam, in both directions: ids are those of the whole
    clip, unless a number lies within float32's rounding of a boundary.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    weights: ClassVar[str] = "`wavemill train codec`: model="
    long_audio: ClassVar[str] = "exact"
    kind: ClassVar[str] = "codec"

    def __init__(self, config: TrainedCodecConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there, is broken, or has not so many codebooks.

        """
        self.place = config.place(self.kind)
        trained = read_trained(config.model, RECIPE, best=config.best)
        self.codec = load_network(trained)
        self.codec.to(self.place.device)
        self.place.keep_exact(self.codec.quantizer, "encode")
        sizes = self.codec.sizes
        codebooks = self._count(config.codebooks, self.codec, config.model)
        frames = self.place.block_steps(BLOCK_FRAMES, sizes.frame_rate)
        # Merged frames are of one block.
        self._block_frames = -(-frames // sizes.merge) * sizes.merge
        settings = {
            "weights": digest_tensors(self.codec.state_dict()),
            "codebooks": codebooks,
            "merge": sizes.merge,
            "version": VERSION,
            **self.place.digest_parts,
        }
        self.facts = TokenizerFacts(
            name=config.name,
            kind=self.kind,
            sample_rate=sizes.sample_rate,
            frame_rate=sizes.frame_rate,
            num_codebooks=codebooks,
            codebook_size=self.codec.quantizer.codebook_size,
            weights_digest=digest(settings),
        )

    def _count(self, asked: int | None, codec: SeanetCodec, model: str) -> int:
        there = codec.quantizer.num_codebooks
        if asked is None or asked == there:
            return there
        if not isinstance(codec.quantizer, ResidualQuantizer):
            raise UsageError(f"{self.kind}: {model} has {there} codebooks that go together")
        if not 1 <= asked < there:
            raise UsageError(
                f"{self.kind}: codebooks={asked}: {model} has {there}; give 1 to {there}"
            )
        return asked

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips one by one, so that none depends on another; see `Tokenizer.encode`."""
        with self.place.running(), torch_threads(1):
            return [self._encode(self.place.tensor(clip)) for clip in batch]

    def _encode(self, clip_N: Tensor) -> Codes:
        state: State = {}
        parts: list[Tensor] = []
        hop, late = self.codec.sizes.hop, self.codec.ahead
        heard_N = functional.pad(clip_N, (0, -len(clip_N) % hop + late * hop))
        # The first block's first latents are of no frame.
        begin = (self._block_frames + late) * hop
        rest_N = heard_N[begin:]
        rest = rest_N.split(self._block_frames * hop) if len(rest_N) else ()
        for block_N in (heard_N[:begin], *rest):
            latents_BTD = self.codec.latents(block_N[None], state)[:, 0 if parts else late :]
            ids_BTQ = self.codec.quantizer.encode(latents_BTD)
            parts.append(ids_BTQ[0, :, : self.facts.num_codebooks].cpu())
        codes: Codes = torch.cat(parts).numpy().astype(self.facts.dtype)
        return codes

    def decode(self, codes: Codes) -> npt.NDArray[np.float32]:
        """Turn ids [T, Q] into audio; see `Decoder.decode`."""
        return np.concatenate([*self.decode_blocks([codes])])

    def decode_blocks(self, blocks: Iterable[Codes]) -> Iterator[npt.NDArray[np.float32]]:
        """Turn ids that come in blocks into audio; see `StreamDecoder.decode_blocks`."""
        state: State = {}
        for codes in blocks:
            ids_TQ = self.place.tensor(codes.astype(np.int64))
            for block_TQ in ids_TQ.split(self._block_frames):
                with self.place.running(), torch_threads(1):
                    latents_BTD = self.codec.quantizer.decode(block_TQ[None])
                    audio_N = self.codec.audio(latents_BTD, state)[0].float().cpu()
                yield audio_N.numpy()


def load_network(trained: TrainedModel) -> SeanetCodec:
    """Make the network of what was trained, ready to be run.

    Raises:
        UsageError: its settings or weights are of another network.

    """
    try:
        codec = SeanetCodec(CodecSizes.of(trained.settings))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{trained.url}: its settings are no codec's ({error!r})") from error
    state = {
        name.removeprefix(NETWORK): tensor.float()
        for name, tensor in trained.tensors.items()
        if name.startswith(NETWORK)
    }
    load_strictly(codec, state, trained.url)
    freeze(codec)
    return codec
