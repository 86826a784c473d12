"""Tables for people, and for what reads what is printed."""

import sys

import pytest

from wavemill.commands.output import figures, table

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


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))


WORDS = [("beats", "16000", "as many words as a narrow column folds, and not one broken"),
         ("mvq", "8000", "few")]  # fmt: skip


@pytest.mark.parametrize("columns", [80, 50, 40, 30, 20])
def test_a_narrow_terminal_gets_all_of_a_table_in_lines_that_fit(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = table(("name", "Hz", "words"), WORDS)
    terminal(monkeypatch, columns)
    lines = table(("name", "Hz", "words"), WORDS)
    assert all(len(line) <= columns for line in lines)
    said = " ".join(lines).replace(";", "").split()
    assert set(" ".join(whole[1:]).split()) <= set(said)
    assert lines == whole or columns < 80


def test_a_table_that_fits_is_the_same_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("bucket-00", "1.50"), ("bucket-01", "12.00")]
    whole = table(("bucket", "s"), rows)
    terminal(monkeypatch, 80)
    assert table(("bucket", "s"), rows) == whole
