"""The suggestion for a comparison of mismatched types is answered, and compares the intended values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import Question
from dialect.errors import Refusal
from tests.support.sql.refused import sql_of

MEANT = {
    "ts > 20261003": "ts > CAST('2026-10-03' AS DATE)",
    "20261003 <= ts": "CAST('2026-10-03' AS DATE) <= ts",
    "ts < 1790000000": "EPOCH(ts) < 1790000000",
    "ts >= 8": "HOUR(ts) >= 8",
    "ts = 2026": "YEAR(ts) = 2026",
    "ts LIKE '2026-10%'": "STRFTIME(ts, '%Y-%m-%d') LIKE '2026-10%'",
    "ts LIKE '2026-10-03%'": "CAST(ts AS DATE) = DATE '2026-10-03'",
    "epoch(ts) > '2026-10-03'": "ts > '2026-10-03'",
    "epoch(ts) > TIMESTAMP '2026-10-03'": "ts > CAST('2026-10-03' AS TIMESTAMP)",
    "hour(ts) >= '08:00'": "CAST(ts AS TIME) >= CAST('08:00:00' AS TIME)",
    "hour(ts) = '8'": "HOUR(ts) = 8",
}
UNKNOWN = ("ts > 20269999", "ts > 99", "lat > ts", "ts > TRUE", "hour(ts) > 'x'", "hour(ts) = TIMESTAMP '2026-10-03'")


def _hint(condition: str, ask: Callable[[str], Question]) -> str:
    with pytest.raises(Refusal) as refused:
        ask(f"SELECT COUNT(*) FROM events WHERE {condition}")
    return sql_of(refused.value.hint)


@pytest.mark.parametrize("condition", MEANT)
def test_a_type_mismatch_suggests_a_query_that_is_answered(condition: str, ask: Callable[[str], Question]) -> None:
    hint = _hint(condition, ask)
    assert hint == f"SELECT COUNT(*) FROM events WHERE {MEANT[condition]}"
    assert ask(hint).plans


@pytest.mark.parametrize("condition", UNKNOWN)
def test_a_type_mismatch_without_a_clear_intention_suggests_no_query(
    condition: str, ask: Callable[[str], Question]
) -> None:
    assert "SELECT" not in _hint(condition, ask)
