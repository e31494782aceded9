"""A window function over people's rows suggests groups, and the suggestion is answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect import Question
from dialect.errors import Code, Refusal
from tests.support.sql.refused import sql_of

TRIED = {
    "SELECT cell_id, SUM(dwell_s) OVER (PARTITION BY cell_id) AS s FROM events": (
        "SELECT cell_id, SUM(dwell_s) AS s FROM events GROUP BY cell_id"
    ),
    "SELECT COUNT(*) OVER () FROM events": "SELECT COUNT(*) FROM events",
    "SELECT cell_id, COUNT(*) OVER () AS n FROM events": (
        "SELECT cell_id, SUM(COUNT(*)) OVER () AS n FROM events GROUP BY cell_id"
    ),
    "SELECT cell_id, hour(ts) AS h, COUNT(*) OVER (PARTITION BY cell_id) AS n FROM events": (
        "SELECT cell_id, HOUR(ts) AS h, SUM(COUNT(*)) OVER (PARTITION BY cell_id) AS n FROM events"
        " GROUP BY cell_id, HOUR(ts)"
    ),
    "SELECT cell_id, dwell_s, AVG(dwell_s) OVER (PARTITION BY cell_id) FROM events": (
        "SELECT cell_id, AVG(dwell_s) FROM events GROUP BY cell_id"
    ),
    "SELECT cell_id, COUNT(*) FILTER (WHERE dwell_s > 60) OVER (PARTITION BY cell_id) AS n FROM events": (
        "SELECT cell_id, COUNT(*) FILTER(WHERE dwell_s > 60) AS n FROM events GROUP BY cell_id"
    ),
}
SAID = {
    "SELECT *, COUNT(*) OVER (PARTITION BY cell_id) FROM events": "GROUP BY cell_id",
    "SELECT cell_id, ROW_NUMBER() OVER (PARTITION BY cell_id ORDER BY ts) FROM events": "GROUP BY cell_id",
    "SELECT cell_id FROM events QUALIFY ROW_NUMBER() OVER (ORDER BY ts) = 1": "GROUP BY what is shown",
    "SELECT cell_id, COUNT(*) OVER w FROM events WINDOW w AS (PARTITION BY cell_id)": "GROUP BY what is shown",
}


@pytest.mark.parametrize("sql", TRIED)
def test_a_suggested_grouping_is_answered(sql: str, ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as refused:
        ask(sql)
    assert (refused.value.code, sql_of(refused.value.hint)) == (Code.WINDOW, TRIED[sql])
    assert ask(refused.value.hint).plans


@pytest.mark.parametrize("sql", SAID)
def test_other_window_functions_are_suggested_over_groups_not_over_rows(
    sql: str, ask: Callable[[str], Question]
) -> None:
    with pytest.raises(Refusal) as refused:
        ask(sql)
    assert refused.value.hint == f"{SAID[sql]}, and windows over its groups: SUM(COUNT(*)) OVER ()"


def test_inside_a_subquery_each_person_s_own_rows_are_tried(ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal, match="PARTITION BY subscriber_id, cell_id"):
        ask("SELECT COUNT(*) FROM (SELECT SUM(dwell_s) OVER (PARTITION BY cell_id) AS x FROM events) WHERE x > 9")
