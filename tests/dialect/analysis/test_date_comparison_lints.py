"""A date as the end of a range of timestamps has a lint that it means midnight; an explicit time has none."""

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
