"""Tools that the pages name: tests run those listed as run, and every other one is listed as not run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
TABLE = dict(re.findall(r"^\| ([\w ]+?) \| [^|]+ \| (`tests/[^|]+`|not run[^|]*) \|$", PAGE, re.MULTILINE))
MODULES = {
    "SQLAlchemy 2": "sqlalchemy",
    "pandas": "pandas",
    "polars": "polars",
    "ADBC for Python": "adbc_driver_flightsql",
}
COMMANDS = {"JupySQL": "%load_ext sql"}  # it is loaded by its name in a notebook
OTHERS = (
    "DBeaver",
    "Tableau",
    "Power BI",
    "Superset",
    "Metabase",
    "Looker",
    "Grafana",
    "Redash",
    "Qlik",
    "Excel",
    "dbt",
)
NAMED_OTHERWISE = {"Excel"}  # files of it are written


def run_by(tool: str, file: Path) -> bool:
    """Decide whether a test file imports a tool, or loads it in a notebook."""
    text = file.read_text(encoding="utf-8")
    if tool in COMMANDS:
        return COMMANDS[tool] in text
    imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imported for alias in node.names} | {
        node.module or "" for node in imported if isinstance(node, ast.ImportFrom)
    }
    return any(name.partition(".")[0] == MODULES[tool] for name in names)


@pytest.mark.parametrize("tool", [tool for tool, run in TABLE.items() if run.startswith("`")])
def test_a_tool_listed_as_run_is_run(tool: str) -> None:
    assert run_by(tool, ROOT / TABLE[tool].strip("`"))


def test_a_tool_that_is_not_run_is_found() -> None:
    assert {*MODULES, *COMMANDS} == {tool for tool, run in TABLE.items() if run.startswith("`")}
    assert not run_by("pandas", ROOT / "tests" / "house" / "test_tools.py")


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md")))])
def test_a_tool_that_a_page_names_is_in_the_table(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {tool for tool in OTHERS if re.search(rf"\b{tool}\b", text)} - NAMED_OTHERWISE
    assert named <= TABLE.keys()
    assert not named or page == "docs/client.md" or "#tools-that-were-run" in text, (
        "it does not say that they were not run"
    )
