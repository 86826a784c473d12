"""EnCodec in blocks gives what it gives at once; its 48 kHz model's pieces make one stream."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity.weights import random_clip
from tests.tokenizers.codec_files import SMALL, real_clips, write_small
from wavemill.tokenizers import causal_blocks
from wavemill.tokenizers.encodec import DECODED_RMS, EncodecConfig, EncodecTokenizer

HOP = 320
BLOCK = causal_blocks.FRAMES_A_BLOCK * HOP
STEREO = {
    "target_bandwidths": [3.0, 6.0], "sampling_rate": 48_000, "audio_channels": 2,
    "use_causal_conv": False, "norm_type": "time_group_norm", "normalize": True,
    "chunk_length_s": 1.0, "overlap": 0.01,
}  # fmt: skip


@pytest.fixture(scope="module")
def encodec(tmp_path_factory: pytest.TempPathFactory) -> EncodecTokenizer:
    model = write_small("encodec", tmp_path_factory.mktemp("encodec"))
    return EncodecTokenizer(EncodecConfig(model=model, bandwidth=24.0))


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> EncodecTokenizer:
    folder = tmp_path_factory.mktemp("stereo")
    with pytest.MonkeyPatch.context() as patch:
        family, settings = SMALL["encodec"]
        patch.setitem(SMALL, "encodec", (family, settings | STEREO))
        return EncodecTokenizer(EncodecConfig(model=write_small("encodec", folder)))


def at_once(tokenizer: EncodecTokenizer, clip: Any) -> Any:
    """Run transformers' own encoder over the whole clip."""
    model = tokenizer._model
    with torch.inference_mode():
        encoded = model.encode(torch.from_numpy(clip)[None, None], bandwidth=24.0)
    return encoded.audio_codes[0, 0].T.numpy()


@pytest.mark.parametrize(
    "samples",
    [1, 5, HOP - 1, HOP, HOP + 1, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 7, 2 * BLOCK + HOP, 100_003],
)
def test_blocks_give_the_ids_of_the_whole(encodec: EncodecTokenizer, samples: int) -> None:
    clip = random_clip(samples, samples)
    assert np.array_equal(encodec.encode([clip])[0], at_once(encodec, clip))


def test_a_long_clip_s_pieces_give_the_ids_of_the_whole(
    encodec: EncodecTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = np.concatenate(real_clips(24_000, 12))[: 12 * 24_000]
    whole = at_once(encodec, clip)
    monkeypatch.setattr(causal_blocks, "BLOCKS_A_PIECE", 3)
    assert len(list(encodec._blocks.latents([torch.from_numpy(clip)]))) > 5  # type: ignore[union-attr]
    assert np.array_equal(encodec.encode([clip])[0], whole)


def test_latents_of_blocks_are_those_of_the_whole(encodec: EncodecTokenizer) -> None:
    clip = torch.from_numpy(random_clip(100_003, 0))
    assert encodec._blocks is not None
    with torch.inference_mode():
        whole = encodec._model.encoder(clip[None, None])
        blocks = torch.cat([latents for _, latents in encodec._blocks.latents([clip])])
    assert torch.allclose(blocks.T[None], whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "steps"), [(1, 1), (47_520, 149), (48_000, 152), (100_001, 150 + 150 + 16)]
)
def test_pieces_of_the_stereo_model_follow_one_another(
    stereo: EncodecTokenizer, samples: int, steps: int
) -> None:
    codes = stereo.encode([random_clip(samples, 1)])[0]
    assert codes.shape == (steps, 4)
    assert len(stereo.decode(codes)) >= samples


def test_pieces_of_the_stereo_model_lose_their_loudness(stereo: EncodecTokenizer) -> None:
    clip = random_clip(60_000, 1)
    codes = stereo.encode([clip, clip * np.float32(0.25)])
    assert np.mean(codes[0] == codes[1]) > 0.99
    assert stereo.facts.frame_rate == pytest.approx(150 / 0.99)
    assert stereo.decode(codes[0]).shape == stereo.decode(codes[1]).shape
    assert DECODED_RMS < 1


def test_the_authors_file_and_the_hub_s_folder_have_one_digest(tmp_path: Path) -> None:
    from tests.tokenizers.codec_files import drawn_state, golden
    from wavemill.tokenizers.codec_layouts import encodec_layout

    transformers: Any = pytest.importorskip("transformers")
    state = drawn_state(golden("encodec_24khz"))
    torch.save(state, tmp_path / "encodec.th")
    hub = transformers.EncodecModel.from_pretrained(
        None, config=transformers.EncodecConfig(), state_dict=encodec_layout(state)[1]
    )
    hub.save_pretrained(tmp_path / "hub")
    places = [str(tmp_path / "encodec.th"), str(tmp_path / "hub")]
    file, folder = [EncodecTokenizer(EncodecConfig(model=place)) for place in places]
    assert file.facts == folder.facts
