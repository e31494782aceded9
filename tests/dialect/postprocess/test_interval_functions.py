"""Which numbers have ends that a question may ask for, and where."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.errors import Code, Refusal
from dialect.postprocess.question import Question

R = "(SELECT cell_id, COUNT(*) AS n, SUM(dwell_s) AS s FROM events GROUP BY cell_id)"
ACCEPTED = [
    "SELECT COUNT(*) AS n, DP_INTERVAL_LOW(n) AS low, dp_interval_high(n) AS high FROM events",
    "SELECT hour(ts) AS h, COUNT(*) AS ts, DP_INTERVAL_LOW(ts) AS low FROM events GROUP BY 1",  # what is shown comes first
    "SELECT hour(ts) AS h, COUNT(*) AS ts, DP_INTERVAL_LOW(ts) AS low FROM events GROUP BY ALL",
    "SELECT DP_INTERVAL_HIGH(SUM(dwell_s)) AS high FROM events",
    "SELECT DP_INTERVAL_LOW(100.0 * COUNT(*) / COUNT(DISTINCT subscriber_id)) AS low FROM events",
    "SELECT hour(ts) AS h, COUNT(*) AS n FROM events GROUP BY 1 HAVING DP_INTERVAL_LOW(n) > 5 ORDER BY DP_INTERVAL_HIGH(n)",
    f"SELECT cell_id, DP_INTERVAL_HIGH(s / n) - DP_INTERVAL_LOW(s / n) AS width FROM {R} WHERE DP_INTERVAL_LOW(n) > 0",
    f"SELECT c.zone, DP_INTERVAL_LOW(r.n) AS low FROM cells c LEFT JOIN {R} r ON c.cell_id = r.cell_id",
    "SELECT DP_INTERVAL_LOW(MEDIAN(dwell_s)) AS low FROM events",
    f"SELECT MAX(DP_INTERVAL_LOW(n)) AS surely FROM {R}",
]
REFUSED = {
    "SELECT greatest(COUNT(*), 0) AS n, DP_INTERVAL_LOW(n) AS low FROM events": Code.AGG,
    f"SELECT DP_INTERVAL_LOW(MAX(n)) AS low FROM {R}": Code.AGG,
    f"SELECT DP_INTERVAL_LOW(cell_id) AS low FROM {R}": Code.AGG,
    f"SELECT DP_INTERVAL_LOW(DP_INTERVAL_HIGH(n)) AS low FROM {R}": Code.AGG,
    f"SELECT DISTINCT n, DP_INTERVAL_LOW(x) AS low FROM (SELECT DISTINCT n, n + 1 AS x FROM {R})": Code.AGG,
    "SELECT COUNT(*) FROM events WHERE DP_INTERVAL_LOW(dwell_s) > 3": Code.AGG,
    "SELECT DP_INTERVAL_LOW(dwell_s) AS k, COUNT(*) FROM events GROUP BY 1": Code.AGG,
    "SELECT SUM(DP_INTERVAL_LOW(dwell_s)) FROM events": Code.AGG,
    "SELECT COUNT(*) FROM (SELECT subscriber_id, MAX(DP_INTERVAL_LOW(dwell_s)) AS m FROM events GROUP BY 1)": Code.AGG,
    "SELECT DP_INTERVAL_LOW(lon) AS low FROM cells": Code.AGG,
    "SELECT COUNT(*) AS n FROM events e JOIN cells c ON c.cell_id = e.cell_id AND dp_interval_high(c.lon) > 0": Code.AGG,
    "SELECT dp_interval_low(COUNT(*), 1) FROM events": Code.FUNC,
    "SELECT dp_interval_low(zone) FROM cells": Code.FUNC,
}  # fmt: skip

WRONG, WRONG_OF_ROWS = "DP_INTERVAL_LOW(cell_id)", "DP_INTERVAL_LOW(dwell_s)"


@pytest.mark.parametrize("sql", ACCEPTED)
def test_ends_of_released_numbers_are_columns(sql: str, ask: Callable[[str], Question]) -> None:
    question = ask(sql)
    assert question.plans


@pytest.mark.parametrize("sql", REFUSED)
def test_interval_functions_of_values_without_an_interval_are_refused(
    sql: str, refused: Callable[[str], Refusal]
) -> None:
    found = refused(sql)
    assert found.code is REFUSED[sql] and found.hint and found.span is not None
    marked = sql[found.span.start : found.span.end].lower()
    assert "dp_interval_" in marked


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT 'dp_interval_low(x)' AS t, DP_INTERVAL_LOW(n) AS low, {WRONG} AS m FROM {R}",
        f"SELECT DP_INTERVAL_LOW(n) AS low FROM {R} /* dp_interval_low */ ORDER BY {WRONG}",
        f"SELECT DP_INTERVAL_LOW(COUNT(*)) AS low FROM events WHERE {WRONG_OF_ROWS} > 3",
    ],
)
def test_the_caret_stands_under_the_end_that_is_refused(sql: str, refused: Callable[[str], Refusal]) -> None:
    span = refused(sql).span
    assert span is not None and sql[span.start : span.end] == "DP_INTERVAL_LOW"
    assert sql[span.start :].startswith((WRONG, WRONG_OF_ROWS))


def test_interval_functions_add_no_release(ask: Callable[[str], Question]) -> None:
    plain = ask("SELECT hour(ts) AS h, COUNT(*) AS n FROM events GROUP BY 1")
    with_ends = ask("SELECT hour(ts) AS h, COUNT(*) AS n, DP_INTERVAL_LOW(n) AS low FROM events GROUP BY 1")
    assert [p.canonical_text for p in plain.plans] == [p.canonical_text for p in with_ends.plans]
