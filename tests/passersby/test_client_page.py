"""docs/client.md: its Python runs, from top to bottom, against a real server."""

from __future__ import annotations

import re

import pytest

from tests.support.serving import Running
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_s_python_runs(operator_server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(BLOCKS) >= 2
    there = {"https://passersby.example.org": operator_server.url, "pby_...": operator_server.key("reader")}
    names: dict[str, object] = {}
    for block in BLOCKS:
        for shown, real in there.items():
            block = block.replace(shown, real)  # noqa: PLW2901
        exec(compile(block, "docs/client.md", "exec"), names)
    said = capsys.readouterr().out
    assert "±" in said
    assert "rho" in said


def test_the_page_s_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#:]+)", PAGE)
    assert targets
    assert all((ROOT / "docs" / target).exists() for target in targets)
