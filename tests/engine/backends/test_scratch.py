"""Spilled files outlive their process at most until the next opening."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.backends.scratch import CREATION_SECONDS, LOCK_FILE, Scratch
from engine.catalog.bundled import find_catalog
from engine.data.files.cache import forget
from tests.support.tree import ROOT

SPILLS = """
import sys, time
from pathlib import Path
from engine.backends.scratch import Scratch
made = Scratch(Path(sys.argv[1]))
(made.path / "spilled").write_text("rows of people")
print(made.path, flush=True)
time.sleep(60)
"""


@contextmanager
def spilling(cache: Path) -> Iterator[Path]:
    """Start another process that spills, and kill it at the end; yields its folder."""
    with subprocess.Popen(
        [sys.executable, "-c", SPILLS, str(cache)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_the_scratch_folder_is_private_and_removed_at_close(tmp_path: Path) -> None:
    made = Scratch(tmp_path / "cache")
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    (made.path / "spilled").touch()
    made.close()
    assert list((tmp_path / "cache").iterdir()) == []


def test_scratch_folders_of_dead_processes_alone_are_removed(tmp_path: Path) -> None:
    with spilling(tmp_path) as left:
        beside = Scratch(tmp_path)
        assert (left / "spilled").exists(), "its process lives"
    after = Scratch(tmp_path)
    assert not left.exists() and beside.path.exists() and after.path.exists()
    beside.close()
    after.close()


def test_removing_copies_removes_scratch_folders_too(tmp_path: Path) -> None:
    with spilling(tmp_path) as left:
        assert left.exists()
    forget(find_catalog("operator"), tmp_path)
    assert not left.exists()


def test_a_scratch_folder_being_created_is_not_removed(tmp_path: Path) -> None:
    for name, age in (("scratch-young", 0.0), ("scratch-old", 2 * CREATION_SECONDS)):
        (tmp_path / name).mkdir()
        then = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (then, then))
    made = Scratch(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(["scratch-young", made.path.name])
    assert (made.path / LOCK_FILE).exists()
    made.close()
