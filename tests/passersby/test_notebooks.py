"""The notebooks are committed without outputs, and run from top to bottom."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import nbclient
import nbformat
import pytest

from tests.support.server.serving import Running
from tests.support.tree import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


SAID = {  # what a lesson is about, in what it prints
    "1_first_count": ("E_ROWS", "from store: True"),
    "3_error_bars": ("from store: True  same numbers: True",),
    "4_spending_a_budget": ("E_BUDGET", "0.005 0.0 True"),
    "5_what_is_refused": ("E_ROWS", "E_SAMPLE", "E_PERSON_KEY", "E_KEY", "E_AGG", "E_JOIN", "E_COLUMN"),
    "7_run_your_own_server": ("E_FORBIDDEN", "ana' is frozen", "stopped"),
    "8_inspect_a_ledger": (
        "each with the hash",
        "rows never change",
        "does not have the hash",
        "the ledger was rewritten",
    ),
}


def test_the_lessons_are_numbered() -> None:
    assert [path.stem.partition("_")[0] for path in NOTEBOOKS] == [str(n) for n in range(1, len(NOTEBOOKS) + 1)]
    assert set(SAID) <= {path.stem for path in NOTEBOOKS}


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
def test_it_runs_against_a_server(
    path: Path, operator_server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path))
    monkeypatch.setenv("PASSERSBY_CATALOG", operator_server.url)
    monkeypatch.setenv("PASSERSBY_API_KEY", operator_server.key(path.stem))
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    shown = [output.data for output in outputs if output.output_type in {"execute_result", "display_data"}]
    said = "".join(output.get("text", "") for output in outputs)
    assert any("class='passersby'" in data.get("text/html", "") or "image/png" in data for data in shown) or said
    assert not [told for told in SAID.get(path.stem, ()) if told not in said]
