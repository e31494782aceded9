"""The notebooks are committed without outputs, and run from top to bottom."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import nbclient
import nbformat
import pytest

from tests.support.tree import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_is_a_first_lesson() -> None:
    assert "1_first_count.ipynb" in {path.name for path in NOTEBOOKS}


def test_one_command_opens_it_with_what_its_extra_brings() -> None:
    recipe = re.search(r"^notebook:.*\n\t@\$\(bin\)/jupyter lab (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe and (ROOT / recipe[1]) in NOTEBOOKS
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(line.startswith("jupyterlab") for line in extras["notebook"])
    assert "make notebook" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    shown = [output.data.get("text/html", "") for output in outputs if output.output_type == "execute_result"]
    assert any("class='passersby'" in html for html in shown)
    assert any("E_ROWS" in output.get("text", "") for output in outputs)
