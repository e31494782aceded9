"""Hypothesis strategies of multi-join queries for the grey box: chains of tables joined by person.

A chain stands in FROM and in subquery predicates: all kinds of joins, conditions that may never hold, groups, windows,
set operations and DISTINCT below them, sums over groups and roll-ups above.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from hypothesis import strategies as st

from tests.support.greybox.greybox_questions import CLAUSES
from tests.support.statistics.drawn import maybe, one_of_these, some_of


class Rows(NamedTuple):
    """A table to be joined, with its columns; every {0} is its alias in the chain."""

    sql: str
    keys: tuple[str, ...]
    numbers: tuple[str, ...]
    conditions: tuple[str, ...]


class Chain(NamedTuple):
    """Joined rows, what can be queried over them, and their person."""

    rows: Rows
    person: str


# fmt: off
EVENTS = Rows("events", ("{0}.cell_id", "{0}.steps", "sign({0}.lon)", "({0}.dwell_s > 60)", "hour({0}.ts)", "CAST({0}.ts AS DATE)"), ("{0}.steps", "{0}.dwell_s"), ("{0}.steps > 5", "{0}.cell_id = 2", "{0}.ts >= TIMESTAMP '2026-10-02'", "{0}.lon IS NULL", "{0}.steps IS NOT NULL", "{0}.dwell_s > 1 AND {0}.dwell_s < 0", "{0}.cell_id IN (1, 2, 77)", "{0}.steps BETWEEN 900 AND -3", "{0}.steps = 9223372036854775807", "{0}.ts < TIMESTAMP '1700-01-01'"))
SUBSCRIBERS = Rows("subscribers", ("{0}.gender", "{0}.home_zone", "{0}.home_cell", "{0}.age", "{0}.born", "({0}.age > 40)"), ("{0}.age",), ("{0}.gender = 'Z1'", "{0}.home_zone LIKE 'Z%'", "{0}.age > 113", "{0}.gender IS NULL", "{0}.born < DATE '1990-01-04'", "{0}.home_zone = ''", "{0}.home_zone >= 'm'", "{0}.home_cell = 2", "{0}.age IS NOT NULL", "{0}.gender > 'f' AND {0}.gender < 'a'", "{0}.gender IN ('f', 'm')"))
MARKS = Rows("marks", ("{0}.kind", "sign({0}.weight)", "{0}.visit_id"), ("{0}.weight",), ("{0}.weight > 0", "{0}.kind = 'a'", "{0}.weight > 1e300", "{0}.kind > 'b'", "{0}.visit_id < 0"))
VISITS = Rows("visits", ("{0}.visit_id",), ("1",), ("{0}.visit_id > 1",))
CELLS = Rows("", ("{0}.cell_id",), ("{0}.cell_id",), ("{0}.cell_id = 2", "{0}.cell_id IN (1, 2, 77)", "{0}.cell_id > 5 AND {0}.cell_id < 3"))
ALL = (
    *(EVENTS, SUBSCRIBERS, MARKS, VISITS) * 4,
    EVENTS._replace(sql="(SELECT * FROM events WHERE steps > 0)"),
    EVENTS._replace(sql="(SELECT * FROM events QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY lon) = 1)"),
    Rows("(SELECT *, lag(cell_id) OVER (PARTITION BY subscriber_id ORDER BY ts) AS w FROM events)", ("{0}.w", *EVENTS.keys), EVENTS.numbers, ("{0}.w = 1", "{0}.w IS NULL", "{0}.steps > 5")),
    Rows("(SELECT e.*, c.zone FROM events e LEFT JOIN cells c USING (cell_id))", ("{0}.zone", *EVENTS.keys), EVENTS.numbers, ("{0}.zone = 'Z4'", "{0}.zone IS NULL", *EVENTS.conditions)),
    Rows("(SELECT subscriber_id, cell_id, COUNT(*) AS n, MAX(ts) AS last, MIN(lon) AS west FROM events GROUP BY 1, 2)", ("{0}.cell_id", "{0}.n", "hour({0}.last)", "({0}.west IS NULL)"), ("{0}.n",), ("{0}.n > 1", "{0}.last < TIMESTAMP '1700-01-01'", "{0}.west > 1e300")),
    MARKS._replace(sql="(SELECT subscriber_id, MAX(kind) AS kind, SUM(weight) AS weight, COUNT(*) AS visit_id FROM marks GROUP BY 1 HAVING COUNT(*) > 1)"),
    CELLS._replace(sql="(SELECT DISTINCT subscriber_id, cell_id FROM events)"),
    CELLS._replace(sql="(SELECT subscriber_id, cell_id, steps FROM events UNION ALL SELECT subscriber_id, home_cell, age FROM subscribers)"),
    CELLS._replace(sql="(SELECT subscriber_id, home_cell AS cell_id FROM subscribers EXCEPT SELECT subscriber_id, cell_id FROM events)"),
    CELLS._replace(sql="(SELECT subscriber_id, cell_id FROM events INTERSECT ALL SELECT subscriber_id, home_cell FROM subscribers)"),
)
JOINS = (*("JOIN", "LEFT JOIN") * 4, "RIGHT JOIN", "FULL JOIN")
TESTS = (
    *("EXISTS (SELECT 1 FROM {1} WHERE {2} = {0}{3})", "NOT EXISTS (SELECT 1 FROM {1} WHERE {2} = {0}{3})") * 2,
    "{0} IN (SELECT {2} FROM {1} WHERE {2} IS NOT NULL{3})", "{0} NOT IN (SELECT {2} FROM {1} WHERE {2} IS NOT NULL{3})",
    "(SELECT COUNT(*) FROM {1} WHERE {2} = {0}{3}) > 1",
)
ALWAYS = ("",)  # no further condition
# fmt: on


@st.composite
def chains(draw: st.DrawFn, kinds: tuple[Rows, ...], names: str) -> Chain:
    """Draw one to three rows of at most two kinds, each joined by person to an earlier one."""
    pool = tuple(draw(st.lists(one_of_these(kinds), min_size=2, max_size=2, unique=True)))
    seen = Rows("", (), (), ())
    for place, name in enumerate(names[: draw(one_of_these((1, 2, 3, 3, 3)))]):
        rows = _named(draw(one_of_these((*pool, pool[1]))), name) if place else _named(pool[0], name)
        tied = draw(_tie(names[:place], name, rows, seen)) if place else f"{rows.sql} {name}"
        seen = Rows(seen.sql + tied, *(old + new for old, new in zip(seen[1:], rows[1:], strict=True)))
    return Chain(seen, f"{names[0]}.subscriber_id")


@st.composite
def _tie(draw: st.DrawFn, before: str, name: str, rows: Rows, seen: Rows) -> str:
    """Draw a join with the first or last alias, and a condition on either side."""
    how, tied = draw(one_of_these(JOINS)), draw(one_of_these((before[0], before[-1])))
    met = (seen.conditions, rows.conditions, seen.conditions) if how != "JOIN" else (seen.conditions, ALWAYS, ALWAYS)
    test = draw(one_of_these(draw(one_of_these((*met, ALWAYS)))))
    condition = f" AND {test}" if test else ""
    return f" {how} {rows.sql} {name} ON {name}.subscriber_id = {tied}.subscriber_id{condition}"


@cache
def _named(rows: Rows, name: str) -> Rows:
    keys, numbers, conditions = (tuple(text.format(name) for text in texts) for texts in rows[1:])
    return Rows(rows.sql, keys, numbers, conditions)


@st.composite
def chained_questions(draw: st.DrawFn, kinds: tuple[Rows, ...] = ALL) -> str:
    """Draw a query: a chain, subquery predicates, keys with roll-ups, aggregates with and without FILTER."""
    (rows, shown, numbers, conditions), who = draw(chains(kinds, "abc"))
    wheres = [*draw(some_of(conditions, 0, 1)), *draw(_tests(kinds, who))]
    keys = draw(some_of(shown))
    by = draw(one_of_these(("{}", "{}", "ROLLUP ({})", "CUBE ({})"))).format(", ".join(keys)) if keys else ""
    selected = ", ".join([*keys, *draw(_measures(who, shown, numbers, conditions))])
    where = f" WHERE {' AND '.join(wheres)}" if wheres else ""
    return f"SELECT {draw(one_of_these(CLAUSES))}{selected} FROM {rows}{where}{' GROUP BY ' * bool(by)}{by}"


def counted_chains(kinds: tuple[Rows, ...] = ALL) -> st.SearchStrategy[str]:
    """Draw COUNT(*) over a chain: the cheapest query, so that many can be checked."""
    return chains(kinds, "abc").map(lambda chain: f"SELECT COUNT(*) FROM {chain.rows.sql}")


@cache
def _tests(kinds: tuple[Rows, ...], who: str) -> st.SearchStrategy[list[str]]:
    return st.lists(_test(kinds, who), max_size=2)


@st.composite
def _test(draw: st.DrawFn, kinds: tuple[Rows, ...], who: str) -> str:
    rows, theirs = draw(chains(kinds, "tuv"))
    return draw(one_of_these(TESTS)).format(who, rows.sql, theirs, draw(maybe(rows.conditions, " AND {}")))


@cache
def _measures(who: str, *texts: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    shown, numbers, conditions = texts
    value, number = st.sampled_from(shown), st.sampled_from(numbers)
    plain = st.one_of(
        *(st.just("COUNT(*)"), st.just(f"COUNT(DISTINCT {who})"), value.map("COUNT({})".format)),
        *(value.map("COUNT(DISTINCT {})".format), number.map("SUM(LEAST(GREATEST({}, -9), 9))".format)),
        *(number.map(f"{name}(LEAST(GREATEST({{}}, 0), 500))".format) for name in ("AVG", "MEDIAN")),
    )
    return st.lists(st.builds(str.__add__, plain, maybe(conditions, " FILTER (WHERE {})")), min_size=1, max_size=2)
