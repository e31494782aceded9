"""docs/flight.md: its Python runs against a real server, and its refusal is the one that is given."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.support.server.serving import running
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "flight.md").read_text(encoding="utf-8")
PORT = re.compile(r'"port": (\d+), "event": "flight"')


def test_the_page_s_python_runs(
    town_catalog: str, ledger_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    with running(town_catalog, ledger_file, least_seconds=0.01, flight_port=0) as server:
        monkeypatch.setenv("PASSERSBY_API_KEY", server.key("reader"))
        found = PORT.search(ledger_file.with_suffix(".log").read_text(encoding="utf-8"))
        assert found is not None
        block = block.replace("grpc+tls://passersby.example.org:8022", f"grpc://127.0.0.1:{found[1]}")
        block = block.replace(
            "mode, count(*) AS trips FROM trip GROUP BY mode", "zone, count(*) AS n FROM visit GROUP BY 1"
        )
        exec(compile(block, "docs/flight.md", "exec"), {})
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 20
    said = capsys.readouterr().out
    assert "'zone': " in said and '"intervals"' in said
