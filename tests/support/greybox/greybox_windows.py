"""Hypothesis strategies of queries with window functions for the grey box: any function over any frame and order."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.greybox.greybox_questions import Source, questions
from tests.support.statistics.drawn import one_of_these, some_of

ME = "e.subscriber_id"
PARTITIONS = (ME, ME, f"{ME}, e.cell_id", f"e.lon, {ME}", f"{ME}, hour(e.ts)")
TERMS = ("e.ts", "e.ts DESC", "e.lon", "e.lon DESC NULLS FIRST", "e.dwell_s", "e.steps DESC", "e.cell_id", "CAST(e.ts AS DATE)", "1 / e.lon")  # fmt: skip
OWN = (
    "row_number()", "rank()", "dense_rank()", "CAST(8 * percent_rank() OVER {} AS BIGINT)", "ntile(3)", "lag(e.steps)",
    "lead(e.cell_id, 2)", "lag(e.steps, 1, 7)", "lag(e.cell_id IGNORE NULLS)", "lead(hour(e.ts), 1, -1)", "lag(e.steps, -1)",
)  # fmt: skip
FRAMED = (
    "first_value(e.steps)", "last_value(e.cell_id)", "nth_value(e.steps, 2)", "last_value(e.steps IGNORE NULLS)", "count(*)",
    "count(e.lon)", "sum(e.steps)", "sum(e.dwell_s)", "avg(e.lon)", "min(e.steps)", "max(e.dwell_s)", "CAST(bool_or(e.lon > 0) OVER {} AS BIGINT)",
    "count(*) FILTER (WHERE e.cell_id > 1)", "sum(e.lon)", "min(1 / e.lon)",
)  # fmt: skip
ROWS = (
    "", "", "ROWS 1 PRECEDING", "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING", "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
)  # fmt: skip
DISTANCES = {
    "e.steps": ("RANGE 5 PRECEDING", "RANGE BETWEEN 1 PRECEDING AND 1000000000000 FOLLOWING"),
    "e.lon DESC": ("RANGE BETWEEN 1.5 PRECEDING AND 1e308 FOLLOWING",),
    "e.ts": ("RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW", "RANGE INTERVAL 999 YEAR PRECEDING"),
    "CAST(e.ts AS DATE) DESC": ("RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND INTERVAL 1 MONTH FOLLOWING",),
}


@st.composite
def windows(draw: st.DrawFn) -> str:
    """Draw one call with its OVER clause."""
    partition = draw(one_of_these(PARTITIONS))
    function, framed = draw(st.one_of(st.tuples(st.sampled_from(OWN), st.just(False)), _framed()))
    if framed and draw(st.booleans()):
        order = draw(st.sampled_from(sorted(DISTANCES)))
        return _over(function, f"(PARTITION BY {partition} ORDER BY {order} {draw(one_of_these(DISTANCES[order]))})")
    terms = draw(some_of(TERMS, 1, 2))
    rows = draw(one_of_these(ROWS)) if framed else ""
    return _over(function, f"(PARTITION BY {partition} ORDER BY {', '.join(terms)} {rows})")


def _over(function: str, window: str) -> str:
    return function.format(window) if "{}" in function else f"{function} OVER {window}"


def _framed() -> st.SearchStrategy[tuple[str, bool]]:
    return st.tuples(st.sampled_from(FRAMED), st.just(True))


PLACES = (
    "({} FROM events e) e",
    "({} FROM events e QUALIFY row_number() OVER (PARTITION BY e.subscriber_id ORDER BY e.lon) <= 2) e",
    "({} FROM events e QUALIFY row_number() OVER (PARTITION BY e.subscriber_id ORDER BY e.steps) = 1) e",
    (
        "(SELECT q.* FROM (SELECT *, row_number() OVER (PARTITION BY subscriber_id ORDER BY v) AS n FROM ({} FROM events e) r) q"
        " JOIN subscribers s ON s.subscriber_id = q.subscriber_id WHERE q.n = 1) e"
    ),
    "({} FROM events e JOIN cells c USING (cell_id) WHERE c.x > 0 OR e.dwell_s > 1) e",
    "({} FROM events e LEFT JOIN subscribers s ON s.subscriber_id = e.subscriber_id AND s.home_cell = e.cell_id) e",
    "(SELECT *, lag(w) OVER (PARTITION BY subscriber_id ORDER BY v) AS w2 FROM ({} FROM events e) q) e",
    (
        "(SELECT subscriber_id, cell_id, steps, COUNT(w) AS dwell_s, rank() OVER (PARTITION BY subscriber_id"
        " ORDER BY COUNT(v)) AS w, lag(MAX(v)) OVER (PARTITION BY subscriber_id ORDER BY COUNT(*) DESC) AS v FROM ({} FROM events e) q"
        " GROUP BY 1, 2, 3) e"
    ),
)


@st.composite
def sources(draw: st.DrawFn) -> Source:
    """Draw a source with two window functions: plain, below QUALIFY, joined, nested, or grouped by person."""
    shown = f"SELECT e.*, {draw(windows())} AS w, {draw(windows())} AS v"
    keys = ("e.w IS NULL", "e.v IS NULL", "e.w = e.v", "e.cell_id", "CAST(e.w AS BIGINT)")
    conditions = ("e.w IS NOT NULL", "e.w = e.v", "e.cell_id > 1")
    rows = draw(one_of_these(PLACES)).format(shown)
    return Source(rows, ME, keys, ("LEAST(GREATEST(e.dwell_s, 0), 900)", "e.steps"), conditions)


def windowed_questions() -> st.SearchStrategy[str]:
    """Draw a query over rows with window functions."""
    return sources().flatmap(lambda source: questions((source,)))
