"""The notebook in `examples/` runs from top to bottom and is kept without outputs."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.pages import ROOT
from tests.docs.session import Session

NOTEBOOK = ROOT / "examples/audio_to_model.ipynb"


def notebook_of_the_examples() -> Any:
    read: Any = nbformat.read  # has no types
    return read(NOTEBOOK, as_version=4)


def test_the_notebook_is_kept_without_outputs() -> None:
    code = [cell for cell in notebook_of_the_examples().cells if cell.cell_type == "code"]
    assert code
    assert not [cell for cell in code if cell.outputs or cell.execution_count is not None]


def test_the_notebook_runs_and_shows_pictures_and_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tmp_path)
    for name, value in session.environment.items():
        monkeypatch.setenv(name, value)
    notebook = notebook_of_the_examples()
    NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path / "examples")}}
    ).execute(env=session.environment)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [kind for output in outputs for kind in output.get("data", {})]
    assert shown.count("image/png") == 3
    assert sum("<audio" in output.get("data", {}).get("text/html", "") for output in outputs) == 3
    printed = "".join(output.get("text", "") for output in outputs)
    assert "60 samples" in printed
    assert "Traceback" not in printed
