"""Spectrograms show what sounds when; figures take the page's colours and any text."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from wavemill.report.panels import Sketch, Sound, Strip, draw_sample
from wavemill.report.spans import Mark
from wavemill.report.spectrogram import COLUMNS, DEEP_DB, ROWS, spectrogram

EVIL = "<b>$\\frac$ \x00\udcff\u202e{{ 1 }}"


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("seconds", [0.001, 0.5, 12.0])
def test_a_tone_is_a_line_in_its_place(rate: int, seconds: float) -> None:
    time = np.arange(max(int(rate * seconds), 1)) / rate
    audio = np.where(time < seconds / 2, 0.5 * np.sin(2 * np.pi * 1000 * time), 0)
    levels, step = spectrogram(audio.astype(np.float32), rate)
    assert levels.shape[0] <= 2 * ROWS
    assert levels.shape[1] <= COLUMNS + 1
    assert levels.min() >= -DEEP_DB
    assert levels.shape[1] * step == pytest.approx(seconds, abs=step + 1 / rate)
    if seconds >= 0.5:
        loud = levels[:, levels.shape[1] // 4]
        hertz = (int(loud.argmax()) + 0.5) * rate / 2 / len(loud)
        assert hertz == pytest.approx(1000, abs=rate / len(loud))
        assert levels[:, 7 * levels.shape[1] // 8].max() == -DEEP_DB


def test_silence_has_a_picture() -> None:
    levels, _ = spectrogram(np.zeros(1, np.float32), 16_000)
    assert np.isfinite(levels).all()


def test_a_figure_holds_any_text_and_tokens_of_any_clock() -> None:
    edges = np.array([[0.0, 0.4], [0.4, 1.0]])
    ids = np.array([[3], [1000]], np.uint16)
    sketch = Sketch(
        seconds=1.0,
        marks={"words": [Mark(start=0.0, end=1.0, label=EVIL)]},
        sound=Sound(name="stored", audio=np.zeros(16_000, np.float32), rate=16_000),
        strips=[
            Strip(name="even", ids=ids, edges=edges, regular=True),
            Strip(name="uneven", ids=ids, edges=edges, regular=False),
            Strip(name="empty", ids=ids[:0], edges=edges[:0], regular=False),
        ],
    )
    svg = draw_sample(sketch, EVIL)
    root = ET.fromstring(svg)
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    shown = "<b>$\\frac$ ???{{ 1 }}".replace("?", "\N{REPLACEMENT CHARACTER}")
    assert shown in texts
    assert root.get("aria-label") == shown
    assert {"even", "uneven", "empty", "words", "stored"} <= set(texts)
    assert "var(--text)" in svg
    assert "#010101" not in svg
    assert svg.encode("utf-8")
