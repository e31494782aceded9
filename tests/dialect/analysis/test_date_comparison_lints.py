"""A date as the end of a range of timestamps means midnight, and names of days are sorted as texts: lints say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import Question
from dialect.notes import NoteCode

ENDS = "ts <= '2026-10-31' ends at midnight, when that day begins. For the whole day: ts < '2026-11-01'."
MET = "ts = '2026-10-10' matches midnight only. For the whole day: ts >= '2026-10-10' AND ts < '2026-10-11'."
TOLD = {
    "ts BETWEEN '2026-10-01' AND '2026-10-31'": [ENDS],
    "ts <= '2026-10-31'": [ENDS],
    "DATE '2026-10-31' >= ts": [ENDS],
    "ts = '2026-10-10'": [MET],
    "ts = DATE '2026-10-10'": [MET],
    "ts IN ('2026-10-10', '2026-10-11 03:00:00')": [MET],
    "ts >= '2026-10-01' AND ts < '2026-11-01'": [],
    "ts <= '2026-10-31 23:59:59'": [],
    "ts <= '2026-10-31 00:00:00'": [],
    "ts > '2026-10-10'": [],
    "CAST(ts AS DATE) = '2026-10-10'": [],
    "CAST(ts AS DATE) BETWEEN '2026-10-01' AND '2026-10-31'": [],
    "date_trunc('day', ts) = '2026-10-10'": [],
}


@pytest.mark.parametrize("condition", TOLD)
def test_a_date_compared_with_a_timestamp_has_a_lint(condition: str, ask: Callable[[str], Question]) -> None:
    found = ask(f"SELECT COUNT(*) FROM events WHERE {condition}").notes
    assert [note.text for note in found if note.code is NoteCode.MIDNIGHT] == TOLD[condition]


def test_a_date_column_of_a_subquery_has_no_lint(ask: Callable[[str], Question]) -> None:
    inner = "SELECT date_trunc('day', ts) AS d FROM events"
    assert not ask(f"SELECT COUNT(*) FROM ({inner}) WHERE d = '2026-10-10'").notes


@pytest.mark.parametrize(
    ("key", "order", "noted"),
    [
        ("dayname(ts)", "1", "isodow"),
        ("monthname(ts)", "COUNT(*) DESC, k", "month"),
        ("dayname(ts)", "dayname(ts)", "isodow"),
        ("isodow(ts)", "1", None),
        ("dayname(ts)", "2", None),
    ],
)
def test_names_of_days_in_order_by_have_a_lint(
    key: str, order: str, noted: str | None, ask: Callable[[str], Question]
) -> None:
    """They are sorted as texts, as in DuckDB; without ORDER BY rows come by the calendar."""
    notes = ask(f"SELECT {key} AS k, COUNT(*) FROM events GROUP BY {key} ORDER BY {order}").notes
    found = [note.text for note in notes if note.code is NoteCode.NAMES_AS_TEXT]
    assert [f"as by {noted}(...)" in text for text in found] == ([] if noted is None else [True])
