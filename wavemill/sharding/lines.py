"""The JSON lines of shards, written by template: byte for byte what `layout.json_line` makes.

A shard has up to six of them a sample. Fields of the input go through the JSON encoder; the rest
has few shapes.
"""

import json.encoder
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from wavemill.records import to_json
from wavemill.sharding import layout
from wavemill.sharding.layout import Row
from wavemill.tokenizers.base import TokenizerFacts

_quoted = json.encoder.encode_basestring


def recording_line(row: Row) -> bytes:
    """Write `layout.recording_json(row)` as a line."""
    return f"{_recording(row, _quoted(row['id']), repr(_seconds(row)))}\n".encode()


def _recording(row: Row, key: str, seconds: str) -> str:
    channels = _channels(row["num_channels"])
    return (
        f'{{"channel_ids":{channels},"duration":{seconds},"id":{key}'
        f',"num_samples":{row["num_samples"]},"sampling_rate":{row["sample_rate"]}'
        f',"sources":[{{"channels":{channels},"source":"","type":"shar"}}]}}'
    )


def _channels(count: int) -> str:
    return "[0]" if count == 1 else to_json(list(range(count)))


def _seconds(row: Row) -> float:
    seconds: float = row["num_samples"] / row["sample_rate"]
    return seconds


def cut_line(row: Row, streams: tuple[str, ...]) -> bytes:
    """Write `layout.cut_json(row, streams)` as a line."""
    key, seconds = _quoted(row["id"]), repr(_seconds(row))
    mono = row["num_channels"] == 1
    channel = "0" if mono else _channels(row["num_channels"])
    return (
        f'{{"channel":{channel},"custom":{_custom(row, streams)},"duration":{seconds},"id":{key}'
        f',"recording":{_recording(row, key, seconds)},"start":0.0'
        f',"supervisions":[{_supervision(row, key, seconds, channel)}]'
        f',"type":"{"MonoCut" if mono else "MultiCut"}"}}\n'
    ).encode()


def _custom(row: Row, streams: tuple[str, ...]) -> str:
    if row["custom"]:
        return to_json(layout.cut_custom(row, streams))
    start, recording = row["start_seconds"], _quoted(row["recording_id"])
    return f'{{"{layout.ORIGIN}":{{"recording":{recording},"start":{start!r}}}}}'


def _supervision(row: Row, key: str, seconds: str, channel: str) -> str:
    text, language, speaker = row["text"], row["language"], row["speaker"]
    if text is None and language is None and speaker is None:
        return ""
    language = "" if language is None else f',"language":{_quoted(language)}'
    speaker = "" if speaker is None else f',"speaker":{_quoted(speaker)}'
    text = "" if text is None else f',"text":{_quoted(text)}'
    return (
        f'{{"channel":{channel},"duration":{seconds},"id":{key}{language}'
        f',"recording_id":{key}{speaker},"start":0.0{text}}}'
    )


def nemo_line(row: Row, shard: int) -> bytes:
    """Write `layout.nemo_json(row, shard)` as a line."""
    if row["custom"]:
        return layout.json_line(layout.nemo_json(row, shard))
    language, speaker = row["language"], row["speaker"]
    language = "" if language is None else f',"lang":{_quoted(language)}'
    speaker = "" if speaker is None else f',"speaker":{_quoted(speaker)}'
    name = _quoted(f"{row['id']}.{row['extension']}")
    return (
        f'{{"audio_filepath":{name},"duration":{_seconds(row)!r}{language}'
        f',"shard_id":{shard}{speaker},"text":{_quoted(row["text"] or "")}}}\n'
    ).encode()


def array_lines(rows: Sequence[Row], facts: TokenizerFacts, lengths: Sequence[int]) -> list[bytes]:
    """Write `layout.array_json(row, facts, length)` as lines, for rows and their lengths."""
    return _array_lines(rows, facts, lengths, facts.num_codebooks)


def times_lines(rows: Sequence[Row], facts: TokenizerFacts, lengths: Sequence[int]) -> list[bytes]:
    """Write `layout.times_json(row, facts, length)` as lines, for rows and their lengths."""
    return _array_lines(rows, facts, lengths, 2)


def _array_lines(
    rows: Sequence[Row], facts: TokenizerFacts, lengths: Sequence[int], width: int
) -> list[bytes]:
    # `layout.frame_shift`, of all at once.
    seconds, tokens = np.array(list(map(_seconds, rows))), np.array(lengths, np.int64)
    shifts = seconds / np.maximum(tokens, 1)
    if (rate := facts.frame_rate) is not None:
        shifts = np.where(np.floor(seconds * rate + 0.5) >= tokens, 1 / rate, shifts)
    pairs = zip(lengths, shifts.tolist(), strict=True)
    return [_array_text(length, width, shift) for length, shift in pairs]


@lru_cache(maxsize=4096)
def _array_text(num_tokens: int, width: int, shift: float) -> bytes:
    return (
        f'{{"array":{{"shape":[{num_tokens},{width}],"storage_key":"","storage_path":""'
        f',"storage_type":"shar"}},"frame_shift":{shift!r},"start":0.0,"temporal_dim":0}}\n'
    ).encode()
