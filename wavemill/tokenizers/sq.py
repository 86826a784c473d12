"""`sq`: SQ-Codec's scalar latents, 50 steps a second of 16 kHz audio, as ids.

Yang et al., "SimpleSpeech 2", arXiv 2408.13893. The authors' `encode` gives numbers that are not
rounded yet; ids count the rounded ones from 0. Their weights come as zip files of a `config.yaml`
and a checkpoint: https://huggingface.co/Dongchao/UniAudio, `16k_50dim_9.zip` (50 streams of 19
levels) and `16k_32dim_5.zip` (32 of 11).
"""

import dataclasses
import typing
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import yaml
from torch import Tensor
from torch.nn import functional

from wavemill import storage
from wavemill.digest import digest
from wavemill.errors import UsageError
from wavemill.tokenizers.base import Codes, TokenizerFacts
from wavemill.tokenizers.blocks import Reach, run_in_blocks
from wavemill.tokenizers.checkpoints import digest_tensors, read_checkpoint
from wavemill.tokenizers.device import PlaceSettings
from wavemill.tokenizers.published_files import find_checkpoint, freeze, inner_state, load_strictly
from wavemill.tokenizers.scalar_codec import ScalarCodec, ScalarCodecSizes
from wavemill.tokenizers.threads import torch_threads

VERSION = 1
"""Goes up when the same audio and weights would get other tokens."""
CONFIG_FILE = "config.yaml"
BLOCK_STEPS = 500
"""How much is encoded at once on a CPU: 10 s."""


@dataclass(frozen=True, kw_only=True)
class SqConfig(PlaceSettings):
    """Which weights, and how many levels they were trained with, which no file of theirs says."""

    name: str = "sq"
    model: str
    """The unpacked folder of the authors' weights, or the checkpoint in it."""
    levels: int = 19
    """19 for `16k_50dim_9`, 11 for `16k_32dim_5`, 3 for the ternary `SQ-Codec`."""

    def __post_init__(self) -> None:
        """Check the levels."""
        if self.levels % 2 == 0 or not 3 <= self.levels <= 255:
            raise UsageError(f"sq: levels={self.levels} must be odd and 3 to 255")


class SqTokenizer:
    """Rounded latents, a stream for each of D numbers: [T, D] ids, 9 of 19 for zero.

    T is the clip's whole pairs of samples (which are averaged) over 160, rounded up when causal; a
    clip shorter than a step of 320 samples is filled with silence to one. Clips are encoded one by
    one in blocks of 10 s with all the context that they hear on both sides (the past alone when
    causal, about 1 s), so that memory is bounded and blocks meet without a seam: ids are those of
    the whole clip, unless a number lies within float32's 1e-6 of a boundary. Decoding runs whole;
    its first layer hears two steps ahead.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    weights: ClassVar[str] = "the authors' folder: model="
    long_audio: ClassVar[str] = "exact"

    def __init__(self, config: SqConfig) -> None:
        """Load the weights.

        Raises:
            UsageError: the model is not there, is broken, or is another.

        """
        self.place = config.place("sq")
        url = find_checkpoint(config.model, "ckpt*", "sq")
        sizes = read_sizes(storage.join(url.rpartition("/")[0] or ".", CONFIG_FILE))
        self.codec = ScalarCodec(sizes, scale=config.levels // 2)
        state = inner_state(read_checkpoint(url), ("codec_model",), url)
        load_strictly(self.codec, state, url)
        settings = {
            "weights": digest_tensors(state),
            "sizes": asdict(sizes),
            "levels": config.levels,
            "version": VERSION,
            **self.place.digest_parts,
        }
        freeze(self.codec)
        self.codec.to(self.place.device)
        self._windows = self.codec.windows
        self._step = Reach.of(self._windows).step
        self._block_steps = self.place.block_steps(BLOCK_STEPS, sizes.sample_rate / self._step)
        self.facts = TokenizerFacts(
            name=config.name,
            kind="sq",
            sample_rate=sizes.sample_rate,
            frame_rate=sizes.sample_rate / self._step,
            num_codebooks=sizes.latent_hidden_dim,
            codebook_size=config.levels,
            weights_digest=digest(settings),
        )

    def encode(self, batch: Sequence[npt.NDArray[np.float32]]) -> list[Codes]:
        """Encode clips one by one, so that none depends on another; see `Tokenizer.encode`."""
        with self.place.running(), torch_threads(1):
            return [self._encode(self.place.tensor(clip)) for clip in batch]

    def _encode(self, clip_N: Tensor) -> Codes:
        clip_N = functional.pad(clip_N, (0, max(0, self._step - len(clip_N))))
        ids_TD = run_in_blocks(self._ids, self._windows, clip_N, self._block_steps)
        codes: Codes = ids_TD.cpu().numpy().astype(np.uint8)
        return codes

    def _ids(self, clip_N: Tensor) -> Tensor:
        return self.codec.to_ids(self.codec.encode(clip_N[None, None]).float())[0].T

    def decode(self, codes: Codes) -> npt.NDArray[np.float32]:
        """Turn ids [T, D] into audio; see `Decoder.decode`."""
        with self.place.running():
            ids_DT = self.place.tensor(codes.astype(np.int64)).T
            audio_BCN = self.codec.decode(self.codec.from_ids(ids_DT[None])).float().cpu()
        # The authors' centred layers of odd stride give some samples more than the steps last.
        audio: npt.NDArray[np.float32] = audio_BCN[0, 0, : len(codes) * self._step].numpy()
        return audio


def read_sizes(url: str) -> ScalarCodecSizes:
    """Read the sizes in the authors' `config.yaml`, under generator.config.

    Raises:
        UsageError: there is no such file, or it is not of an SQ-Codec that takes mono audio.

    """
    try:
        content: Any = yaml.safe_load(storage.read_bytes(url))
        given = content["generator"]["config"]
        return _sizes(dict(given))
    except FileNotFoundError as error:
        raise UsageError(f"sq: no {url}: it comes with the weights and has their sizes") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        words = " ".join(str(error).split())
        raise UsageError(
            f"{url} must have SQ-Codec's sizes as generator.config: {words}"
        ) from error


def _sizes(given: dict[str, Any]) -> ScalarCodecSizes:
    hints = typing.get_type_hints(ScalarCodecSizes)
    names = [field.name for field in dataclasses.fields(ScalarCodecSizes)]
    if wrong := sorted(set(names) ^ set(map(str, given))):
        raise ValueError(f"missing or unknown: {', '.join(wrong)}")
    for name in names:
        value = given[name]
        numbers = value if isinstance(value, list) else [value]
        if not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise ValueError(f"{name}={value!r} must be of whole numbers")
        if isinstance(value, list) != (hints[name] not in (int, bool)):
            raise ValueError(f"{name}={value!r} must be {hints[name]}")
        given[name] = tuple(value) if isinstance(value, list) else value
    return _checked(ScalarCodecSizes(**given))


def _checked(sizes: ScalarCodecSizes) -> ScalarCodecSizes:
    if sizes.num_bands != 1:
        raise ValueError(f"num_bands={sizes.num_bands}: only codecs of one band are read")
    pairs = (
        (sizes.downsample_factors, sizes.downsample_kernel_sizes),
        (sizes.upsample_factors, sizes.upsample_kernel_sizes),
    )
    if any(len(factors) != len(kernels) for factors, kernels in pairs):
        raise ValueError("factors and kernel sizes must be as many")
    return sizes
