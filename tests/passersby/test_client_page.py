"""docs/client.md: its Python runs, from top to bottom, against a real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.server.serving import Running
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_s_python_runs(
    operator_server: Running, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(BLOCKS) >= 2
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PASSERSBY_API_KEY", raising=False)
    host = operator_server.url.removeprefix("http://")
    there = {
        "https://passersby.example.org": operator_server.url,
        "passersby.example.org": host,
        "pby_...": operator_server.key("reader"),
    }
    names: dict[str, object] = {}
    for block in BLOCKS:
        for shown, real in there.items():
            block = block.replace(shown, real)  # noqa: PLW2901
        exec(compile(block, "docs/client.md", "exec"), names)
    said = capsys.readouterr().out
    assert "±" in said
    assert "rho" in said
    assert "subscriber" in said and "age_band" in said
    made = {path.name for path in tmp_path.iterdir() if path.stat().st_size}
    assert made == {"hours.png", "map.png", "flows.png", "hours.csv", "hours.xlsx"}
