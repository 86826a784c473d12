"""The example data: complete, in the stated format, small, licensed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

SPEECH = Path(__file__).parents[1] / "examples/speech"
MANIFESTS = [SPEECH / "manifest.jsonl", SPEECH / "long/manifest.jsonl"]
EFFECTS = SPEECH / "effects/manifest.jsonl"
MAX_BYTES = 8_000_000


def rows(manifest: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=["utterances", "long"])
def test_speech_is_16_khz_mono_with_text_and_the_stated_duration(manifest: Path) -> None:
    for row in rows(manifest):
        info = soundfile.info(manifest.parent / row["audio_filepath"])
        assert (info.format, info.samplerate, info.channels) == ("FLAC", 16_000, 1)
        assert row["duration"] == pytest.approx(info.frames / info.samplerate, abs=1e-3)
        assert row["text"].strip()
        assert row["lang"] == "en"
        assert row["speaker"]


def test_effects_have_labels_and_the_stated_duration() -> None:
    for row in rows(EFFECTS):
        info = soundfile.info(EFFECTS.parent / row["audio_filepath"])
        assert row["duration"] == pytest.approx(info.frames / info.samplerate, abs=1e-3)
        assert row["label"]


def test_every_sound_is_in_a_manifest_and_no_row_is_twice() -> None:
    manifests = [*MANIFESTS, EFFECTS]
    listed = [file.parent / row["audio_filepath"] for file in manifests for row in rows(file)]
    assert sorted(listed) == sorted(SPEECH.rglob("*.flac"))


def test_utterances_are_some_minutes_of_varied_length() -> None:
    durations = [row["duration"] for row in rows(MANIFESTS[0])]
    assert len(durations) == 60
    assert 180 <= sum(durations) <= 300
    assert min(durations) < 0.7
    assert max(durations) > 10


def test_no_sound_is_silent_or_clipped() -> None:
    for path in SPEECH.rglob("*.flac"):
        samples, _ = soundfile.read(path, dtype="float64")
        assert np.sqrt(np.mean(samples**2)) > 0.03, path.name
        assert np.abs(samples).max() < 32767 / 32768, path.name


def test_segments_are_ordered_and_louder_than_the_pauses() -> None:
    for row in rows(MANIFESTS[1]):
        samples, rate = soundfile.read(MANIFESTS[1].parent / row["audio_filepath"])
        edges = [edge for start, end, _ in row["segments"] for edge in (start, end)]
        assert edges == sorted(edges)
        assert edges[-1] < row["duration"]
        is_speech = np.zeros(len(samples), dtype=bool)
        for start, end, text in row["segments"]:
            assert text
            is_speech[round(start * rate) : round(end * rate)] = True
        speech, pause = np.mean(samples[is_speech] ** 2), np.mean(samples[~is_speech] ** 2)
        assert speech > 100 * pause  # 20 dB


def test_licences_lie_beside_the_audio() -> None:
    assert "License: CC-BY-SA-3.0" in (SPEECH / "LICENSE.txt").read_text("utf-8")
    assert "License: CC0" in (SPEECH / "effects/LICENSE.txt").read_text("utf-8")
    attribution = (SPEECH / "ATTRIBUTION.md").read_text("utf-8")
    assert "Allison Smith" in attribution
    assert all(row["audio_filepath"] in attribution for row in rows(EFFECTS))


def test_the_examples_are_small() -> None:
    assert sum(path.stat().st_size for path in SPEECH.rglob("*") if path.is_file()) < MAX_BYTES
