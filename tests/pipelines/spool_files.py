"""A spool of a few units, written row by row."""

from pathlib import Path
from typing import Any

from wavemill.digest import digest
from wavemill.pipelines.survey import SurveyConfig
from wavemill.records import NO_SPEECH, SEGMENT_SCHEMA, TOKEN_SCHEMA, TOKENIZER_FAILED
from wavemill.spool import unit_url, write_unit

Units = dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]


def segment(
    name: str, recording: str, *, seconds: float = 1.0, audio: bytes = b"", **about: Any
) -> dict[str, Any]:
    audio = audio or name.encode()
    return {
        "id": name, "recording_id": recording, "start_seconds": 0.0,
        "num_samples": round(seconds * 16_000), "sample_rate": 16_000, "num_channels": 1,
        "num_audio_bytes": len(audio), "audio_digest": int(digest(audio), 16), "custom": "{}",
        "audio": audio, "clipping": 0.0, "silence": 0.25, "snr_db": 20.0, **about,
    }  # fmt: skip


def reject(name: str, recording: str) -> dict[str, Any]:
    return {
        "id": name, "recording_id": recording, "start_seconds": 0.0, "num_samples": 0,
        "sample_rate": 0, "num_channels": 0, "num_audio_bytes": 0, "custom": "{}",
        "reject_reason": NO_SPEECH, "reject_detail": "silence", "reject_source": "x.wav",
    }  # fmt: skip


UNITS: Units = {
    "u1": (
        [segment("a@0", "a", seconds=2.0, num_characters=5), reject("b", "b"),
         segment("a@1", "a", audio=b"same")],
        [{"num_tokens": 50}, {"num_tokens": 0},
         {"num_tokens": 0, "reject_reason": TOKENIZER_FAILED, "reject_detail": "shape"}],
    ),
    "u2": (
        [segment("c", "c", audio=b"same"), segment("d", "d", audio=b"same"), segment("e", "e")],
        [{"num_tokens": 25}, {"num_tokens": 26}, {"num_tokens": 27}],
    ),
    "u3": ([], []),
}  # fmt: skip


def write_spool(folder: Path, units: Units) -> SurveyConfig:
    """Write units, and say where they are."""
    for unit, (segments, tokens) in units.items():
        for stage, rows, schema in (
            ("segments", segments, SEGMENT_SCHEMA),
            ("tokens", tokens, TOKEN_SCHEMA),
        ):
            with write_unit(unit_url(str(folder), stage, unit), schema) as writer:
                for row in rows:
                    writer.add(row)
    return SurveyConfig(spool=str(folder), segments="segments", streams=(("tokens", "toy"),))
