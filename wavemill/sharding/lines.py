"""The JSON lines of shards, written by template: byte for byte what `layout.json_line` makes.

A shard has up to six of them a sample. Fields of the input go through the JSON encoder; the rest
has few shapes.
"""

import json.encoder
from functools import lru_cache

from wavemill.records import to_json
from wavemill.sharding import layout
from wavemill.sharding.layout import Row
from wavemill.tokenizers.base import TokenizerFacts

_quoted = json.encoder.encode_basestring


def recording_line(row: Row) -> bytes:
    """Write `layout.recording_json(row)` as a line."""
    return f"{_recording(row, _quoted(row['id']))}\n".encode()


def _recording(row: Row, key: str) -> str:
    channels = _channels(row["num_channels"])
    return (
        f'{{"channel_ids":{channels},"duration":{_seconds(row)!r},"id":{key}'
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
    key, seconds = _quoted(row["id"]), _seconds(row)
    mono = row["num_channels"] == 1
    channel = "0" if mono else _channels(row["num_channels"])
    return (
        f'{{"channel":{channel},"custom":{_custom(row, streams)},"duration":{seconds!r},"id":{key}'
        f',"recording":{_recording(row, key)},"start":0.0'
        f',"supervisions":[{_supervision(row, key, seconds, channel)}]'
        f',"type":"{"MonoCut" if mono else "MultiCut"}"}}\n'
    ).encode()


def _custom(row: Row, streams: tuple[str, ...]) -> str:
    if row["custom"]:
        return to_json(layout.cut_custom(row, streams))
    start, recording = row["start_seconds"], _quoted(row["recording_id"])
    return f'{{"{layout.ORIGIN}":{{"recording":{recording},"start":{start!r}}}}}'


def _supervision(row: Row, key: str, seconds: float, channel: str) -> str:
    text, language, speaker = row["text"], row["language"], row["speaker"]
    if text is None and language is None and speaker is None:
        return ""
    language = "" if language is None else f',"language":{_quoted(language)}'
    speaker = "" if speaker is None else f',"speaker":{_quoted(speaker)}'
    text = "" if text is None else f',"text":{_quoted(text)}'
    return (
        f'{{"channel":{channel},"duration":{seconds!r},"id":{key}{language}'
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


def array_line(row: Row, facts: TokenizerFacts, num_tokens: int) -> bytes:
    """Write `layout.array_json(row, facts, num_tokens)` as a line."""
    return _array_line(row, facts, num_tokens, facts.num_codebooks)


def times_line(row: Row, facts: TokenizerFacts, num_tokens: int) -> bytes:
    """Write `layout.times_json(row, facts, num_tokens)` as a line."""
    return _array_line(row, facts, num_tokens, 2)


def _array_line(row: Row, facts: TokenizerFacts, num_tokens: int, width: int) -> bytes:
    shift = layout.frame_shift(facts.frame_rate, num_tokens, _seconds(row))
    return _array_text(num_tokens, width, shift)


@lru_cache(maxsize=4096)
def _array_text(num_tokens: int, width: int, shift: float) -> bytes:
    return (
        f'{{"array":{{"shape":[{num_tokens},{width}],"storage_key":"","storage_path":""'
        f',"storage_type":"shar"}},"frame_shift":{shift!r},"start":0.0,"temporal_dim":0}}\n'
    ).encode()
