"""Tables for people, and for what reads what is printed."""

import sys

import pytest

from wavemill.commands.output import figures

HEAD = ("speaker", "WER %")
ROWS = [("[red]anna[/red]", "12.50"), ("bo", "7.00")]


def test_a_terminal_gets_rules_and_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    head, rule, *rows = figures(HEAD, ROWS)
    assert "speaker" in head
    assert set(rule.strip()) <= {"\u2500", " "}
    assert [row.split() for row in rows] == [list(row) for row in ROWS]


def test_a_pipe_gets_columns_alone() -> None:
    assert figures(HEAD, ROWS) == [
        "speaker          WER %",
        "[red]anna[/red]  12.50",
        "bo                7.00",
    ]
