"""Windows of a SELECT: calls that are equal are computed once, and none reads another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.relations import BoundQuery, Relation, Window
from dialect.errors import Code, Refusal

OF_HOURS = "FROM hours"
OF_PEOPLE = "FROM events"
Rows = Callable[[str], BoundQuery]


def windows(relation: Relation) -> list[Window]:
    found = []
    while hasattr(relation.operator, "source"):
        found += [relation.operator] if isinstance(relation.operator, Window) else []
        relation = relation.operator.source
    return found


@pytest.mark.parametrize(
    ("shown", "calls"),
    [
        ("SUM(h) OVER (ORDER BY h) AS a, sum( h ) over w AS b", 1),  # one call, by two names
        ("SUM(h) OVER (ORDER BY h) AS a, SUM(h) OVER (ORDER BY h DESC) AS b", 2),
        ("SUM(h) OVER () AS a, SUM(h) FILTER (WHERE h > 1) OVER () AS b", 2),
        ("RANK() OVER (ORDER BY h ROWS 1 PRECEDING) AS a, RANK() OVER (ORDER BY h) AS b", 1),  # a rank has no frame
        ("SUM(h) OVER (ORDER BY h ROWS 1 PRECEDING) AS a, SUM(h) OVER (ORDER BY h) AS b", 2),
        ("LAG(h) OVER (ORDER BY h) AS a, LAG(h, 1) OVER (ORDER BY h) AS b", 2),
    ],
)
def test_equal_calls_are_computed_once(shown: str, calls: int, rows_of: Rows) -> None:
    (window,) = windows(rows_of(f"SELECT {shown} {OF_HOURS} WINDOW w AS (ORDER BY h)").relation)
    assert len(window.calls) == calls


def test_count_if_is_a_sum_of_its_condition(rows_of: Rows) -> None:
    (window,) = windows(rows_of(f"SELECT COUNT_IF(h > 3) OVER () AS n {OF_HOURS}").relation)
    assert [call.function for call in window.calls] == ["sum"]


@pytest.mark.parametrize(
    ("sql", "code", "why"),
    [
        (f"SELECT LAG(h) FILTER (WHERE h > 1) OVER (ORDER BY h) {OF_HOURS}", Code.WINDOW, "LAG has no FILTER"),
        (f"SELECT NTILE(4 IGNORE NULLS) OVER (ORDER BY h) {OF_HOURS}", Code.WINDOW, "has no IGNORE NULLS"),
        (f"SELECT COUNT(DISTINCT h) OVER () {OF_HOURS}", Code.WINDOW, "DISTINCT has no window form"),
        (f"SELECT MEDIAN(h) OVER () {OF_HOURS}", Code.WINDOW, "no window form in the dialect"),
        (
            f"SELECT STDDEV(dwell_s) OVER (PARTITION BY subscriber_id) {OF_PEOPLE}",
            Code.WINDOW,
            "no window form in the dialect",
        ),
        (f"SELECT NTILE(0) OVER (ORDER BY h) {OF_HOURS}", Code.WINDOW, "NTILE counts by a constant"),
        (f"SELECT LAG(h, h) OVER (ORDER BY h) {OF_HOURS}", Code.WINDOW, "LAG counts by a constant"),
        (f"SELECT LAG(h, 1, 'none') OVER (ORDER BY h) {OF_HOURS}", Code.FUNC, "different types"),
        (f"SELECT NTILE() OVER (ORDER BY h) {OF_HOURS}", Code.WINDOW, "NTILE takes more arguments"),
        (f"SELECT SUM(RANK() OVER (ORDER BY h)) OVER () {OF_HOURS}", Code.WINDOW, "can't stand here"),
        (f"SELECT h {OF_HOURS} QUALIFY h > 3", Code.WINDOW, "there is none"),
        (
            f"SELECT LAG(subscriber_id) OVER (PARTITION BY subscriber_id ORDER BY ts) {OF_PEOPLE}",
            Code.PERSON_KEY,
            "can be counted",
        ),
    ],
)
def test_a_function_without_a_window_form_is_refused(sql: str, code: Code, why: str, rows_of: Rows) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        rows_of(sql)
    assert refused.value.code is code


def test_released_rows_have_windows_of_medians(rows_of: Rows) -> None:
    (window,) = windows(rows_of("SELECT cell_id, MEDIAN(COUNT(*)) OVER () AS m FROM events GROUP BY 1").relation)
    assert [call.function for call in window.calls] == ["median"]


def test_qualify_filters_after_the_window_functions(rows_of: Rows) -> None:
    made = rows_of(f"SELECT h {OF_HOURS} QUALIFY ROW_NUMBER() OVER (ORDER BY h) <= 3")
    assert len(windows(made.relation)) == 1
    assert dict(made.columns).keys() == {"h"}
