"""Conditions that are never true have a lint before any charge; satisfiable ones have none."""

from __future__ import annotations

import pytest

import dialect
from dialect.algebra import NoteCode
from dialect.catalog.model import Catalog


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("hour(ts) = 25", "hour(ts) is from 0 to 23, and never = 25."),
        ("24 <= hour(ts)", "hour(ts) is from 0 to 23, and never >= 24."),
        ("hour(ts) < 0", "hour(ts) is from 0 to 23, and never < 0."),
        ("hour(ts) BETWEEN 22 AND 6", "hour(ts) is never both >= 22 and <= 6: no row matches."),
        ("ts >= DATE '2026-10-05' AND lat > 1 AND ts < DATE '2026-10-05'",
         "ts is never both >= 2026-10-05 and < 2026-10-05: no row matches."),
        ("hour(ts) = 3 AND hour(ts) = 4", "hour(ts) is never both = 4 and = 3: no row matches."),
        ("hour(ts) >= 22 OR hour(ts) <= 6", None),
        ("hour(ts) < 24", None),
        ("ts >= DATE '2026-10-05' AND ts <= DATE '2026-10-05'", None),
        ("hour(ts) >= 3 AND minute(ts) < 3", None),
        ("hour(ts) > 22.5", None),
        ("hour(ts) IS NULL", None),
    ],
)  # fmt: skip
def test_a_condition_that_is_never_true_has_a_lint(condition: str, told: str | None, catalog: Catalog) -> None:
    found = dialect.compile_query(f"SELECT COUNT(*) FROM events WHERE {condition}", catalog).notes
    assert [note.text for note in found if note.code is NoteCode.FALSE_PREDICATE] == ([] if told is None else [told])
