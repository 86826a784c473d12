"""Audio in and out: decode, resample, encode."""

from wavemill.audio.decode import open_audio, open_flac, open_recording
from wavemill.audio.encode import FlacEncoder, encode_flac, encode_opus, flac_to_float
from wavemill.audio.resample import StreamResampler, mono_blocks, pick_channels, resample, to_mono
from wavemill.audio.stream import AudioInfo, AudioStream

__all__ = [
    "AudioInfo",
    "AudioStream",
    "FlacEncoder",
    "StreamResampler",
    "encode_flac",
    "encode_opus",
    "flac_to_float",
    "mono_blocks",
    "open_audio",
    "open_flac",
    "open_recording",
    "pick_channels",
    "resample",
    "to_mono",
]
