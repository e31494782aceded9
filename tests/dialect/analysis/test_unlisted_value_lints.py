"""A constant outside the declared values has a lint in every comparison; nothing else has."""

from __future__ import annotations

from pathlib import Path

import pytest

import dialect
from dialect.algebra import Note, NoteCode
from dialect.catalog.model import Catalog
from engine.catalog.file import load_catalog

ODD = "gender: 'female' is none of its declared values, 'f', 'm', 'x': no row should match."


@pytest.mark.parametrize(
    ("sql", "notes"),
    [
        ("SELECT COUNT(*) FROM subscribers WHERE gender = 'female'", [ODD]),
        ("SELECT COUNT(*) FROM subscribers WHERE 'female' <> gender AND age > 3", [ODD]),
        ("SELECT COUNT(*) FILTER (WHERE gender IN ('f', 'female')) AS n FROM subscribers", [ODD]),
        ("SELECT gender, COUNT(*) FROM (SELECT * FROM subscribers WHERE gender = 'female') GROUP BY gender", [ODD]),
        ("SELECT CASE WHEN gender = 'female' THEN 1 ELSE 0 END AS x, COUNT(*) FROM subscribers GROUP BY x", [ODD]),
        ("SELECT COUNT(*) FROM events e JOIN subscribers s USING (subscriber_id) WHERE s.gender = 'female'", [ODD]),
        ("SELECT COUNT(*) FROM subscribers WHERE gender IN ('f', 'm') OR gender IS NULL", []),
        ("SELECT COUNT(*) FROM subscribers WHERE lower(gender) = 'female'", []),
        ("SELECT COUNT(*) FROM subscribers WHERE gender = home_zone", []),
    ],
)
def test_a_constant_outside_the_key_set_has_a_lint(sql: str, notes: list[str], catalog: Catalog) -> None:
    assert [note.text for note in dialect.compile_query(sql, catalog).notes if "declared values" in note.text] == notes


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("ts = TIMESTAMP '2027-10-03 08:00:00'", "no 2027-10-03 08:00:00"),
        ("ts >= DATE '2027-10-03'", "nothing from 2027-10-03 on"),
        ("DATE '2027-10-03' <= ts", "nothing from 2027-10-03 on"),
        ("ts < DATE '1990-01-01'", "nothing before 1990-01-01"),
        ("ts < TIMESTAMP '1990-01-01 00:00:00'", "nothing before 1990-01-01 00:00:00"),
        ("ts BETWEEN DATE '2027-10-03' AND DATE '2027-10-09'", "nothing from 2027-10-03 on"),
        ("ts > DATE '2026-10-07'", None),  # a range of times is of whole days
        ("ts >= DATE '2026-10-08'", "nothing from 2026-10-08 on"),
        ("ts >= DATE '2026-10-07'", None),
        ("ts <= DATE '2027-10-03'", None),
        ("ts <> DATE '2027-10-03'", None),
    ],
)
def test_a_condition_outside_the_declared_range_has_a_lint(condition: str, told: str | None, catalog: Catalog) -> None:
    found = dialect.compile_query(f"SELECT COUNT(*) FROM events WHERE {condition}", catalog).notes
    notes = [note.text for note in found if note.code is NoteCode.UNLISTED_VALUE]
    held = "ts: its declared range, 2026-10-01 to 2026-10-07, holds "
    assert notes == ([] if told is None else [f"{held}{told}: no row should match."])


def test_a_time_outside_the_dates_of_its_table_has_a_lint() -> None:
    """The operator's times have no range of their own; their date columns do."""
    operator = load_catalog(Path("engine/catalog/operator/catalog.toml"))
    told = dialect.compile_query("SELECT COUNT(*) FROM visit WHERE start_ts >= TIMESTAMP '2031-01-01'", operator).notes
    held = "start_ts: its declared range, 2026-10-01 to 2026-11-01, holds nothing from 2031-01-01 00:00:00 on"
    assert told == (Note(NoteCode.UNLISTED_VALUE, f"{held}: no row should match."),)
    last = "SELECT COUNT(*) FROM visit WHERE start_ts >= TIMESTAMP '2026-11-01 12:00:00'"
    assert dialect.compile_query(last, operator).notes == ()
