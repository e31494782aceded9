"""docs/server.md agrees with the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.server.settings import read_settings
from tests.pages.server_page import PATH, document


def test_the_tables_are_those_of_the_code() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert text == document(), "run make docs"


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "server.toml"
    file.write_text("queue = 5\nslots = 5\nkey_days = 5\n", encoding="utf-8")
    monkeypatch.setenv("PASSERSBY_SERVER_SLOTS", "6")
    settings = read_settings(file, key_days=7, queue=None)
    assert (settings.queue, settings.slots, settings.key_days) == (5, 6, 7)
