"""Words that say nothing, and work left for later, stay out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.tree import ROOT, committed_files

SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "misc", "core", "manager", "managers"}
# Written apart, so that this file does not find itself.
UNFINISHED = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b|NotImplemented" + "Error"
)
MACHINE = re.compile(r"(?<![\w.])/(" + "|".join(("t" + "mp", "wo" + "rk", "ro" + "ot", "ho" + "me")) + ")/")
TEXT = {".py", ".md", ".sql", ".toml", ".lark", ".ipynb", ".yml", ""}


def _written() -> list[Path]:
    """List the files that people wrote."""
    return [path for path in committed_files() if path.suffix in TEXT and path.name != "LICENSE"]


def test_names_say_what_a_thing_is() -> None:
    empty = [path for path in committed_files() if {path.stem, *path.relative_to(ROOT).parent.parts} & SAYS_NOTHING]
    assert not empty


@pytest.mark.parametrize("pattern", [UNFINISHED, MACHINE], ids=["nothing unfinished", "no machine's paths"])
def test_nothing_unfinished_and_no_path_of_one_machine(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in _written()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found
