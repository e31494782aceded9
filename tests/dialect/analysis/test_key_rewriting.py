"""Expressions derivable from a group key: parts of a time from a finer truncation, comparisons at its borders."""

from __future__ import annotations

import pytest
from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.analysis.time_granularity import UnderivableError, rewrite_over_keys
from dialect.catalog.model import SqlType
from dialect.functions.emitter import write_expr
from dialect.planner.reuse.view_matching import non_null_keys
from dialect.stability.typed_calls import apply_function

TS = Ref(Field("ts", None, SqlType.TIMESTAMP))
NOWHERE = exp.Null()


def of(name: str, *arguments: Expr | str) -> Expr:
    given = [Literal(a, SqlType.VARCHAR) if isinstance(a, str) else a for a in arguments]
    return apply_function(name, given, NOWHERE)


def at(text: str) -> Literal:
    return Literal(text, SqlType.TIMESTAMP)


def is_derivable(expr: Expr, held: Expr) -> bool:
    try:
        written = write_expr(rewrite_over_keys(expr, {held: Field("k0", None, held.type)}))
    except UnderivableError:
        return False
    assert "ts" not in written.replace("ts)", "") or "k0" in written
    return True


DAY, WEEK, MONTH, HOUR = (of("date_trunc", unit, TS) for unit in ("day", "week", "month", "hour"))
DATE = of("to_date", TS)


@pytest.mark.parametrize(
    ("expr", "held", "is_told"),
    [
        (MONTH, DAY, True), (WEEK, DAY, True), (DAY, HOUR, True), (DATE, HOUR, True), (DAY, DATE, True), (MONTH, DATE, True),
        (of("year", TS), MONTH, True), (of("dayofweek", TS), DAY, True), (of("hour", TS), HOUR, True),
        (of("is_weekend", TS), DATE, True), (of("part_of_day", TS), HOUR, True), (of("week", TS), WEEK, True),
        (of("hour", DATE), DAY, True),
        (MONTH, WEEK, False), (WEEK, MONTH, False), (of("year", TS), WEEK, False), (DAY, MONTH, False), (HOUR, DAY, False),
        (of("hour", TS), DAY, False), (of("dayofweek", TS), WEEK, False), (of("minute", TS), HOUR, False), (TS, DAY, False),
        (of(">=", TS, at("2026-10-02 00:00:00")), DAY, True), (of("<", TS, at("2026-10-02 00:00:00")), HOUR, True),
        (of("<=", at("2026-10-02 00:00:00"), TS), DAY, True), (of(">", at("2026-10-02 00:00:00"), TS), DATE, True),
        (of(">=", TS, at("2026-10-02 07:00:00")), HOUR, True), (of("<", TS, at("2026-10-01 00:00:00")), MONTH, True),
        (of(">=", TS, at("2026-10-02 07:00:00")), DAY, False), (of(">", TS, at("2026-10-02 00:00:00")), DAY, False),
        (of("<=", TS, at("2026-10-02 00:00:00")), DAY, False), (of("=", TS, at("2026-10-02 00:00:00")), DAY, False),
        (of("<", TS, at("2026-10-02 00:00:00")), MONTH, False), (of("<", TS, TS), DAY, False),
    ],
)  # fmt: skip
def test_an_expression_is_derivable_from_a_date_truncation(expr: Expr, held: Expr, is_told: bool) -> None:
    assert is_derivable(expr, held) is is_told


def test_truncations_do_not_determine_times_beyond_the_calendar() -> None:
    cells = {held: Field(f"k{i}", None, held.type) for i, held in enumerate((HOUR, DATE))}
    assert non_null_keys(cells, ()) == {DATE: cells[DATE]}, "a day is there for every time, an hour is not"
    ends = (of(">=", TS, at("2026-10-01 00:00:00")), of("<", TS, at("2026-10-02 00:00:00")))
    assert non_null_keys(cells, ends) == cells and non_null_keys(cells, ends[:1]) == {DATE: cells[DATE]}
    with pytest.raises(UnderivableError):
        rewrite_over_keys(of("hour", TS), {HOUR: cells[HOUR]}, {})
    assert rewrite_over_keys(HOUR, cells, {}) == Ref(cells[HOUR])
    assert rewrite_over_keys(DAY, {HOUR: cells[HOUR]}, {}) != DAY, "a day is not there either"
