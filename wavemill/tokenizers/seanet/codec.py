"""The codec: a convolutional encoder, a quantizer, and a decoder that mirrors the encoder.

SEANet as in Defossez et al., "High Fidelity Neural Audio Compression" (EnCodec), arXiv 2210.13438:
residual units and strides between two convolutions of width 7, ELU, weight norm, LSTMs if asked.
Otherwise than there, a clip begins after silence (EnCodec mirrors it), and residual units add to
their input as it is. With `spectra` the layers lie between spectra and latents (`spectra.py`).

    B batch, C channels, N samples, T frames, D features
"""

from torch import Tensor, nn
from torch.nn import functional

from wavemill.tokenizers.seanet.layers import (
    CausalConv,
    CausalUpsampling,
    Elu,
    Recurrence,
    ResidualUnit,
    Stack,
    State,
)
from wavemill.tokenizers.seanet.phases import OVERLAP, PhaseSearch
from wavemill.tokenizers.seanet.quantizers import make_quantizer
from wavemill.tokenizers.seanet.sizes import CodecSizes, numbers
from wavemill.tokenizers.seanet.spectra import Analysis, Synthesis

WIDE = 7
"""The kernel of the first and the last convolution."""
NARROW = 3
"""The same between spectra, whose windows are wide already."""
FLAT = 0.1
"""The gain of the last one: logarithms of magnitudes begin near their mean, since one that is far
above it would drown all others."""


class SeanetCodec(nn.Module):
    """Audio to latents, to ids, and back.

    Frame t hears no sample from (t + 1 + ahead) * hop on, and the audio of a frame no later frame.
    """

    def __init__(self, sizes: CodecSizes) -> None:
        """Draw first weights."""
        super().__init__()
        self.sizes = sizes
        self.encoder = make_encoder(sizes)
        self.quantizer = make_quantizer(sizes)
        self.decoder = make_decoder(sizes)
        self.ahead = 0
        """Frames that a latent hears ahead."""
        if sizes.phases == "found":  # what the windows of its spectra reach into
            self.ahead = -(-(OVERLAP - 1) * sizes.spectra // sizes.hop)

    def latents(self, audio_BN: Tensor, state: State | None = None) -> Tensor:
        """Encode audio to latents, [B, T, D]; T is N over the hop, rounded up.

        Args:
            audio_BN: of any length; with a state, of whole hops in all blocks but the last.
            state: of the stream that this is the next block of. Its latents come `ahead` frames
                late: as many of the first are none, and as many frames of silence end it.

        """
        late = self.ahead if state is None else 0
        filled = -audio_BN.shape[1] % self.sizes.hop + late * self.sizes.hop
        whole = functional.pad(audio_BN, (0, filled))
        latents_BDT: Tensor = self.encoder(whole[:, None], state)
        return latents_BDT[..., late:].transpose(1, 2)

    def spectra(self, latents_BTD: Tensor) -> Tensor:
        """Decode latents to what phases are found for, [B, C, F]: see `PhaseSearch`."""
        x_BCF = latents_BTD.transpose(1, 2)
        for layer in self.decoder[:-1]:
            x_BCF = layer(x_BCF)
        return x_BCF

    def audio(self, latents_BTD: Tensor, state: State | None = None) -> Tensor:
        """Decode latents to audio, [B, T * hop], on from where a state stands."""
        audio_B1N: Tensor = self.decoder(latents_BTD.transpose(1, 2), state)
        return audio_B1N[:, 0]


def make_encoder(sizes: CodecSizes) -> Stack:
    """Make the layers from audio [B, 1, N] to latents [B, D, T]."""
    width = sizes.filters
    layers: list[nn.Module] = [CausalConv(1, width, WIDE)]
    if sizes.spectra:
        heard = Analysis(sizes.spectra)
        layers = [heard, CausalConv(heard.channels, width, NARROW)]
    for ratio in reversed(numbers(sizes.ratios, "ratios")):
        layers += _units(width, sizes.residuals)
        layers += [Elu(), CausalConv(width, 2 * width, 2 * ratio, stride=ratio)]
        width *= 2
    if sizes.lstm:
        layers.append(Recurrence(width, sizes.lstm))
    return Stack([*layers, Elu(), CausalConv(width, sizes.dim, WIDE)])


def make_decoder(sizes: CodecSizes) -> Stack:
    """Make the layers from latents [B, D, T] to audio [B, 1, N]."""
    ratios = numbers(sizes.ratios, "ratios")
    width = sizes.filters << len(ratios)
    layers: list[nn.Module] = [CausalConv(sizes.dim, width, WIDE)]
    if sizes.lstm:
        layers.append(Recurrence(width, sizes.lstm))
    for ratio in ratios:
        layers += [Elu(), CausalUpsampling(width, width // 2, ratio)]
        width //= 2
        layers += _units(width, sizes.residuals)
    if sizes.spectra:
        given = (PhaseSearch if sizes.phases == "found" else Synthesis)(sizes.spectra)
        last = CausalConv(width, given.channels, NARROW, gain=FLAT)
        return Stack([*layers, Elu(), last, given])
    return Stack([*layers, Elu(), CausalConv(width, 1, WIDE)])


def _units(width: int, count: int) -> list[nn.Module]:
    return [ResidualUnit(width, 2**place) for place in range(count)]
