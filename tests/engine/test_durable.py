"""What is durable at return: the file is on the disk before its name is, and the name before anybody goes on."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from budgets import Ledger
from engine.durable import make_folder_durably, write_durably
from engine.marks import Mark


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what is flushed and what is renamed, in order."""
    told, fsync, replace = list[str](), os.fsync, Path.replace

    def flush(opened: int) -> None:
        told.append(f"flushed {Path(f'/proc/self/fd/{opened}').readlink().name}")
        fsync(opened)

    def rename(file: Path, to: Path) -> Path:
        told.append(f"renamed to {to.name}")
        return replace(file, to)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", rename)
    return told


def test_a_mark_s_name_is_on_the_disk_too(tmp_path: Path, done: list[str]) -> None:
    make_folder_durably(tmp_path / "data" / "marks")
    assert sorted(done) == ["flushed data", f"flushed {tmp_path.name}"]
    done.clear()
    with Ledger.open(":memory:") as ledger:
        Mark(tmp_path / "data" / "marks" / "a.json", "city", (), ":memory:", ledger.anchor()).write()
    assert done == [f"flushed a.{os.getpid()}", "renamed to a.json", "flushed marks"]


def test_what_is_written_is_the_owner_s_alone_and_replaces_what_was_there(tmp_path: Path) -> None:
    for text in ("before", "after"):
        write_durably(tmp_path / "a.json", text)
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "after"
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o600
