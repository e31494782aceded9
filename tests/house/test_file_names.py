"""No meaningless file names, and no paths of one machine."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.tree import ROOT, committed_files

SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "misc", "core", "manager", "managers"}
# Written apart, so that this file does not find itself.
MACHINE = re.compile(r"(?<![\w.])/(" + "|".join(("t" + "mp", "wo" + "rk", "ro" + "ot", "ho" + "me")) + ")/")
TEXT = {".py", ".md", ".sql", ".toml", ".lark", ".ipynb", ".yml", ""}


def _written() -> list[Path]:
    """List the files that people wrote."""
    return [path for path in committed_files() if path.suffix in TEXT and path.name != "LICENSE"]


def test_file_names_are_meaningful() -> None:
    empty = [path for path in committed_files() if {path.stem, *path.relative_to(ROOT).parent.parts} & SAYS_NOTHING]
    assert not empty


def test_no_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in _written()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MACHINE.search(line)
    ]
    assert not found
