"""What is durable at return: the file is on the disk before its name is, and the name before anybody goes on."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from budgets import Ledger
from engine.accounts.ledger_binding import LedgerBinding
from engine.data.files.durable import create_durably, make_folder_durably, write_durably


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


def test_the_directory_entry_of_a_binding_file_is_flushed_too(tmp_path: Path, done: list[str]) -> None:
    make_folder_durably(tmp_path / "data" / "marks")
    assert sorted(done) == ["flushed data", f"flushed {tmp_path.name}"]
    done.clear()
    with Ledger.open(":memory:") as ledger:
        LedgerBinding(tmp_path / "data" / "marks" / "a.json", "city", (), ":memory:", ledger.anchor()).write()
    assert done == [f"flushed a.{os.getpid()}", "renamed to a.json", "flushed marks"]


def test_a_written_file_is_private_and_replaces_the_old_one(tmp_path: Path) -> None:
    for text in ("before", "after"):
        write_durably(tmp_path / "a.json", text)
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "after"
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o600


def test_concurrent_writers_create_one_file_that_all_read_whole(tmp_path: Path, done: list[str]) -> None:
    for content in (b"first", b"second"):
        create_durably(tmp_path / "secret", content)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("secret", b"first")]
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [each.split(".")[0] for each in done] == ["flushed secret", f"flushed {tmp_path.name}"] * 2


def test_a_file_that_can_t_be_written_whole_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        create_durably(tmp_path / "secret", b"first")
    assert list(tmp_path.iterdir()) == []
