"""Expressions derivable from a group key: parts of a time from a finer truncation, comparisons at its borders."""

from __future__ import annotations

import pytest
from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.analysis.key_rewriting import UntoldError, over_keys
from dialect.catalog.model import SqlType
from dialect.functions.emitter import write_expr
from dialect.planner.reuse.view_matching import steps_of
from dialect.stability.calls import call

TS = Ref(Field("ts", None, SqlType.TIMESTAMP))
NOWHERE = exp.Null()


def of(name: str, *arguments: Expr | str) -> Expr:
    given = [Literal(a, SqlType.VARCHAR) if isinstance(a, str) else a for a in arguments]
    return call(name, given, NOWHERE)


def at(text: str) -> Literal:
    return Literal(text, SqlType.TIMESTAMP)


def told(expr: Expr, held: Expr) -> bool:
    try:
        written = write_expr(over_keys(expr, {held: Field("k0", None, held.type)}))
    except UntoldError:
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
def test_what_a_beginning_tells(expr: Expr, held: Expr, is_told: bool) -> None:
    assert told(expr, held) is is_told


def test_a_beginning_stands_for_no_time_that_may_be_beyond_all_calendars() -> None:
    cells = {held: Field(f"k{i}", None, held.type) for i, held in enumerate((HOUR, DATE))}
    assert steps_of(cells, ()) == {DATE: cells[DATE]}, "a day is there for every time, an hour is not"
    ends = (of(">=", TS, at("2026-10-01 00:00:00")), of("<", TS, at("2026-10-02 00:00:00")))
    assert steps_of(cells, ends) == cells and steps_of(cells, ends[:1]) == {DATE: cells[DATE]}
    with pytest.raises(UntoldError):
        over_keys(of("hour", TS), {HOUR: cells[HOUR]}, {})
    assert over_keys(HOUR, cells, {}) == Ref(cells[HOUR])
    assert over_keys(DAY, {HOUR: cells[HOUR]}, {}) != DAY, "a day is not there either"
