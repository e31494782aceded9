"""Analysts' queries on the operator catalog, from a file outside the project, by number."""

from __future__ import annotations

import re
from pathlib import Path

from engine.catalog.bundled import PROJECT

FOLDERS = [folder / "shared" / "questions" for folder in (PROJECT.parent, Path.cwd().parent)]
FILE = next((found for folder in FOLDERS if (found := folder / "questions.sql").is_file()), None)


def questions() -> dict[str, str]:
    """Read the statements of the file; empty if it is absent."""
    found: dict[str, str] = {}
    for text in re.split(r";\s*\n", FILE.read_text(encoding="utf-8")) if FILE is not None else ():
        number = re.search(r"^-- (Q\d+)", text, re.MULTILINE)
        sql = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
        if number is not None and sql:
            found[number[1]] = sql
    return found


def macros() -> str:
    """Read the file's place and time macros, for plain DuckDB."""
    return "" if FILE is None else FILE.with_name("macros.sql").read_text(encoding="utf-8")
