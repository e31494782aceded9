"""docs/server.md says what the code says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from engine.server.settings import read_settings
from tests.pages.server_page import PATH, document
from tests.support.tree import ROOT

RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert text == document(), "run make docs"


def test_the_runbook_s_settings_are_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL)
    file = tmp_path / "server.toml"
    file.write_text(block, encoding="utf-8")
    settings = read_settings(file, port=1)
    assert {name: str(getattr(settings, name)) for name in tomllib.loads(block)} == {
        name: str(value) for name, value in tomllib.loads(block).items()
    }
    assert settings.port == 1


def test_the_runbook_s_files_are_there() -> None:
    for name in re.findall(r"operations/([\w.]+)", RUNBOOK):
        assert (ROOT / "operations" / name).is_file()


def test_the_runbook_names_every_file_that_a_server_keeps() -> None:
    kept = {"LEDGER", "LEDGER.objections", "LEDGER.server", "LEDGER.secret"}
    assert kept <= set(re.findall(r"^\| `([A-Z.a-z]+)` \|", RUNBOOK, re.MULTILINE))


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "server.toml"
    file.write_text("queue = 5\nslots = 5\nkey_days = 5\n", encoding="utf-8")
    monkeypatch.setenv("PASSERSBY_SERVER_SLOTS", "6")
    settings = read_settings(file, key_days=7, queue=None)
    assert (settings.queue, settings.slots, settings.key_days) == (5, 6, 7)


def test_the_container_keeps_no_copy_of_people_s_rows_among_what_is_backed_up() -> None:
    text = (ROOT / "operations" / "Containerfile").read_text(encoding="utf-8")
    cache, data = (re.findall(rf"{name}=(\S+)", text)[0] for name in ("PASSERSBY_CACHE", "PASSERSBY_DATA"))
    assert not Path(cache).is_relative_to(data)
    runs = re.findall(r"podman run(?:.*\\\n)*.*", RUNBOOK)
    assert len(runs) == 2 and all(f":{place}" in run for run in runs for place in (cache, data))
