"""Hypothesis strategies of window-function queries over the small operator, for the exactness oracle.

Where a value depends on row order, the order is total, so that plain DuckDB's answer is unique.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

PARTITIONS = (
    "subscriber_id",
    "subscriber_id",
    "zone_id, subscriber_id",
    "subscriber_id, visit_date",
    "subscriber_id, approach_dir",
)
TOTAL = ("start_ts, visit_id", "visit_id DESC", "dwell_min DESC, visit_id", "approach_dir NULLS FIRST, visit_id")
PARTIAL = (
    "visit_date",
    "visit_date DESC, zone_id",
    "zone_id",
    "approach_dir DESC NULLS FIRST",
    "hour(start_ts)",
    "start_ts",
)
COUNTED = (
    "", "", "ROWS 2 PRECEDING", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
    "ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING", "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
)  # fmt: skip
BY_PEERS = (
    "", "", "GROUPS 1 PRECEDING", "GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING", "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "GROUPS BETWEEN CURRENT ROW AND CURRENT ROW", "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
)  # fmt: skip
BY_DISTANCE = (
    "ORDER BY start_ts RANGE BETWEEN INTERVAL '36 hours' PRECEDING AND CURRENT ROW",
    "ORDER BY start_ts DESC RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND INTERVAL 90 MINUTE FOLLOWING",
    "ORDER BY visit_date RANGE BETWEEN INTERVAL 2 DAY PRECEDING AND INTERVAL 1 DAY PRECEDING",
    "ORDER BY dwell_min RANGE BETWEEN 10 PRECEDING AND 2.5 FOLLOWING",
    "ORDER BY hour(start_ts) DESC RANGE BETWEEN 1 PRECEDING AND 3 FOLLOWING",
)


@dataclass(frozen=True)
class Call:
    """A function, and how its values are aggregated."""

    text: str
    kind: str  # int, text or double


OF_PLACE = (
    Call("row_number()", "int"), Call("ntile(3)", "int"), Call("lag(zone_id)", "text"), Call("lead(place_id, 2)", "text"),
    Call("lag(visit_date, 1, DATE '2026-10-02') ", "date"), Call("lead(approach_dir IGNORE NULLS)", "text"), Call("lag(dwell_min, 1, 0)", "double_call"),
    Call("lag(hour(start_ts), 3, -1)", "int"), Call("lag(zone_id, 1, 'none')", "text"),
)  # fmt: skip
OF_PEERS = (
    Call("rank()", "int"),
    Call("dense_rank()", "int"),
    Call("percent_rank()", "double_call"),
    Call("cume_dist()", "double_call"),
)
OF_FRAMES = (
    Call("count(*)", "int"), Call("count(approach_dir)", "int"), Call("sum(dwell_min)", "double_call"), Call("avg(dwell_min)", "double_call"),
    Call("max(hour(start_ts))", "int"), Call("min(zone_id)", "text"), Call("count(*) FILTER (WHERE dwell_min > 20)", "int"),
    Call("sum(dwell_min) FILTER (WHERE zone_id = 'Z1')", "double_call"), Call("count_if(approach_dir = 'N')", "int"),
)  # fmt: skip
OF_FRAME = (
    Call("first_value(zone_id)", "text"), Call("last_value(place_id)", "text"), Call("nth_value(zone_id, 2)", "text"),
    Call("last_value(approach_dir IGNORE NULLS)", "text"), Call("first_value(dwell_min)", "double_call"),
)  # fmt: skip


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a call with its OVER clause, and the type of its values."""
    by = draw(st.sampled_from(PARTITIONS))
    total = f"(PARTITION BY {by} ORDER BY {draw(st.sampled_from(TOTAL))} {{}})"
    peers = f"(PARTITION BY {by} ORDER BY {draw(st.sampled_from(PARTIAL))} {{}})"
    counted, grouped = draw(st.sampled_from(COUNTED)), draw(st.sampled_from(BY_PEERS))
    distant = f"(PARTITION BY {by} {draw(st.sampled_from(BY_DISTANCE))})"
    call, window = draw(
        st.one_of(
            st.tuples(st.sampled_from(OF_PLACE), st.just(total.format(""))),
            st.tuples(st.sampled_from(OF_PEERS), st.sampled_from((total.format(""), peers.format("")))),
            st.tuples(
                st.sampled_from(OF_FRAMES), st.sampled_from((total.format(counted), peers.format(grouped), distant))
            ),
            st.tuples(st.sampled_from(OF_FRAME), st.just(total.format(counted))),
        )
    )
    return f"{call.text} OVER {window}", call.kind


@st.composite
def windowed_questions(draw: st.DrawFn) -> str:
    """Draw a query over rows with two window functions, one perhaps below QUALIFY."""
    (one, kind), (other, _) = draw(calls()), draw(calls())
    chosen = draw(st.sampled_from(("", "", f" QUALIFY {other} IS NOT NULL", " QUALIFY w IS NOT NULL")))
    rows = f"SELECT *, {one} AS w, {other} AS v FROM visit{chosen}"
    if kind == "double":
        return f"SELECT sum(least(greatest(w, 0), 100000)) AS s, count(w) AS n, count(*) AS r FROM ({rows})"
    shown = {"int": "least(w, 40)", "date": "hour(w + INTERVAL 1 HOUR)"}.get(kind, "w")
    return f"SELECT {shown} AS k, v IS NULL AS l, count(*) AS n FROM ({rows}) GROUP BY 1, 2"
