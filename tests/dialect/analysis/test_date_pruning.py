"""Date pruning: a superset of the days of every row that plain DuckDB returns, and a small one where that is easy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dialect import compile_query
from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Expr, fields_of
from dialect.analysis import date_bounds
from dialect.catalog.privacy_windows import PrivacyWindow, WindowRange
from dialect.codegen.relations.relation import write_rows
from dialect.errors import Code, Refusal
from dialect.parser.compile_context import CompileContext
from dialect.planner import window_charging
from tests.dialect.windowed import CATALOGS, touched

FIRST = date(2026, 3, 28)  # of four days, over which Berlin's clock is put forward
DAYS = tuple((FIRST + timedelta(days=i)).isoformat() for i in range(4))
A, B, C, D = DAYS
# condition -> days that are charged
EXACT = {
    f"day = '{B}'": (B,),
    f"day BETWEEN '{B}' AND '{C}'": (B, C),
    f"day > '{B}' AND day <= '{D}'": (C, D),
    f"day IN ('{A}', '{D}')": (A, D),
    f"day NOT IN ('{A}', '{D}')": (B, C),
    f"day <> '{B}' AND day < '{C}'": (A,),
    f"NOT (day >= '{B}' OR place = 2)": (A,),
    f"began < '{B} 00:00:00'": (A,),
    f"began <= '{B} 00:00:00'": (A, B),
    f"began > '{A} 23:59:59.999999'": (B, C, D),
    f"date_trunc('day', began) = '{C}'": (C,),
    f"date_trunc('hour', began) = '{C} 07:00:00'": (C,),
    f"CAST(began AS DATE) >= DATE '{B}' + 1": (C, D),
    "month(began) = 4": (),
    f"day(day) = {int(C[-2:])}": (C,),
    "isodow(began) >= 6": (A, B),
    "dayofweek(day) = 0": (B,),
    f"(day = '{A}' AND steps > 3) OR (day = '{C}' AND tag = 'x')": (A, C),
    f"day = '{A}' OR tag = 'x'": DAYS,
    f"coalesce(day, DATE '{A}') = '{A}'": DAYS,
    "hour(began) = 7": DAYS,
    "": DAYS,
}  # fmt: skip


@pytest.mark.parametrize("condition", EXACT)
def test_a_condition_is_reduced_to_its_privacy_windows(condition: str) -> None:
    where = f" WHERE {condition}" if condition else ""
    assert touched(f"SELECT COUNT(*) FROM visit{where}", PrivacyWindow.DAY).windows == (EXACT[condition] or (A,))


def test_instants_are_read_on_the_clock_of_their_zone() -> None:
    assert touched(f"SELECT COUNT(*) FROM seen WHERE ts < '{B} 00:00:00'", PrivacyWindow.DAY).windows == (A,)
    elsewhere = f"SELECT COUNT(*) FROM seen WHERE ts AT TIME ZONE 'UTC' < '{B} 00:00:00'"
    assert touched(elsewhere, PrivacyWindow.DAY).windows == DAYS


_ATOMS = st.builds(
    "{} {} {}".format,
    st.sampled_from(("began", "CAST(began AS DATE)", "date_trunc('hour', began)", "date_trunc('week', began)", "CAST(day AS TIMESTAMP)")),
    st.sampled_from(("<", "<=", "=", "<>", ">", ">=")),
    st.sampled_from(tuple(f"TIMESTAMP '{day} {time}'" for day in DAYS for time in ("00:00:00", "12:00:00", "23:59:59.999999"))),
) | st.builds("{} {} {}".format, st.sampled_from(("day(began)", "isodow(day)", "week(began)", "quarter(day)", "steps")), st.sampled_from(("=", "<", ">=")), st.integers(1, 31))  # fmt: skip
_CONDITIONS = st.recursive(
    _ATOMS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(("AND", "OR")), inner)
        | st.builds("NOT ({})".format, inner)
    ),
    max_leaves=5,
)


@settings(max_examples=150)
@given(_CONDITIONS)
def test_date_pruning_omits_no_day_of_a_qualifying_row(condition: str) -> None:
    times = " UNION ALL ".join(
        f"SELECT TIMESTAMP '{day}' + INTERVAL {seconds} SECOND AS began, DATE '{day}' AS day, {steps} AS steps"
        for day in DAYS
        for seconds, steps in ((0, 1), (43_200, 9), (86_399, 31))
    )
    (plan,) = compile_query(f"SELECT COUNT(*) FROM visit WHERE {condition}", CATALOGS[PrivacyWindow.DAY]).plans
    met = duckdb.sql(f"SELECT DISTINCT CAST(day AS VARCHAR) FROM ({times}) WHERE {condition}").fetchall()
    assert {day for (day,) in met} <= set(plan.charged_windows.windows)


def _visits() -> str:
    """Write visits at and around every end of a day, the columns of which nothing is asked being NULL."""
    visit = CATALOGS[PrivacyWindow.DAY].tables_by_name.get("visit")
    assert visit is not None
    known = {"person_id": "1", "began": "began", "day": "CAST(began AS DATE)", "steps": "hour(began)"}
    columns = ", ".join(f"{known.get(c.name, f'CAST(NULL AS {c.type})')} AS {c.name}" for c in visit.columns)
    at = "TIMESTAMP '{}' + INTERVAL ({}) MICROSECOND"
    times = ", ".join(f"({at.format(d, us)})" for d in DAYS for us in (0, 1, 43_200_000_000, 86_399_999_999))
    return f"(SELECT {columns} FROM (VALUES {times}) AS t(began))"


def remaining_rows(condition: str) -> tuple[int, int]:
    """Count the visits that a plan reads, and those that plain DuckDB keeps."""
    (plan,) = compile_query(f"SELECT COUNT(*) FROM visit WHERE {condition}", CATALOGS[PrivacyWindow.DAY]).plans
    text = write_rows(plan.source, {plan.source.person}, Target({"visit": _visits()}))
    (ours,), (plain,) = (
        duckdb.sql(f"SELECT count(*) FROM {rows}").fetchall()
        for rows in (f"({text})", f"{_visits()} AS v WHERE {condition}")
    )
    return ours[0], plain[0]


@settings(max_examples=40)
@given(_CONDITIONS)
@example(f"began >= TIMESTAMP '{B} 00:00:00' AND began < TIMESTAMP '{D} 00:00:00'")
@example(f"began > TIMESTAMP '{B} 00:00:00' AND day <= DATE '{C}'")
@example(f"began <= TIMESTAMP '{B} 23:59:59.999999'")
def test_only_conditions_implied_by_the_windows_are_dropped(condition: str) -> None:
    ours, plain = remaining_rows(condition)
    assert ours == plain


def required_where_possible(
    condition: Expr, clocks: object, begins: object, stretch: WindowRange, reading: CompileContext
) -> bool:
    """Planted: a condition that some row of each window meets counts as one that every row meets."""
    known = set(fields_of(condition))
    return len(known) == 1 and bool(begins) and known <= set(clocks)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("condition", [f"began > '{B} 00:00:00'", f"hour(began) = 12 AND day = '{B}'"])
def test_a_dropped_condition_that_leaves_rows_out_is_found(condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, plain = remaining_rows(condition)
    assert ours == plain
    monkeypatch.setattr(window_charging, "is_implied_by_windows", required_where_possible)
    ours, plain = remaining_rows(condition)
    assert ours > plain


WHOLE = (f"began >= '{B}' AND began < '{D}'", f"day BETWEEN '{B}' AND '{C}'", f"day IN ('{B}', '{C}')")


def test_equivalent_conditions_on_whole_windows_have_one_canonical_text() -> None:
    made = [
        compile_query(f"SELECT place, COUNT(*) FROM visit WHERE {each} GROUP BY 1", CATALOGS[PrivacyWindow.DAY])
        for each in WHOLE
    ]
    assert len({plan.canonical_text for question in made for plan in question.plans}) == 1


# ---------------------------------------------------------------- steps

YEARS = replace(
    CATALOGS[PrivacyWindow.DAY],
    datasets=tuple(
        replace(dataset, window_range=WindowRange(PrivacyWindow.DAY, date(2017, 1, 1), date(2026, 12, 31)))
        for dataset in CATALOGS[PrivacyWindow.DAY].datasets
    ),
)
UNLIKE = " AND ".join(f"day <> '{date(2018, 1, 1) + timedelta(days=i)}'" for i in range(100))
HELD = f"SELECT COUNT(DISTINCT person_id) FROM visit WHERE {UNLIKE}"


def check_refused() -> None:
    with pytest.raises(Refusal, match="held against every declared day") as refused:
        compile_query(HELD, YEARS)
    assert refused.value.code is Code.COMPLEX


def test_ten_years_of_days_times_many_conditions_are_refused() -> None:
    check_refused()
    (plan,) = compile_query(HELD, CATALOGS[PrivacyWindow.DAY]).plans  # over a few days it costs nothing
    assert plan.charged_windows.windows


def test_the_pruning_steps_of_all_scans_are_summed() -> None:
    one = "SELECT person_id FROM visit WHERE " + " AND ".join(UNLIKE.split(" AND ")[:20])
    with pytest.raises(Refusal, match="held against every declared day"):
        compile_query(f"SELECT COUNT(DISTINCT person_id) FROM ({' UNION ALL '.join([one] * 6)})", YEARS)


@pytest.mark.parametrize("condition", [f"day BETWEEN '{A}' AND '{D}'", f"day = '{B}' AND began >= '{A} 07:00:00'"])
def test_usual_conditions_over_ten_years_are_accepted(condition: str) -> None:
    assert compile_query(f"SELECT COUNT(DISTINCT person_id) FROM visit WHERE {condition}", YEARS).plans


@pytest.mark.parametrize("condition", [each for each in EXACT if each])
def test_no_more_steps_are_taken_than_were_counted(condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, taken = list[int](), list[str]()
    for name in ("_truth", "_range"):
        kept = getattr(date_bounds.EventTimePredicates, name)
        monkeypatch.setattr(
            date_bounds.EventTimePredicates, name, lambda *a, kept=kept: taken.append("a step") or kept(*a)
        )
    monkeypatch.setattr(CompileContext, "charge_pruning_steps", lambda reading, steps: counted.append(steps))
    monkeypatch.setattr(CompileContext, "try_pruning_steps", lambda reading, steps: counted.append(steps) or True)
    compile_query(f"SELECT COUNT(*) FROM visit WHERE {condition}", CATALOGS[PrivacyWindow.DAY])
    assert len(taken) <= sum(counted)
    assert taken or not any(counted)


@pytest.mark.parametrize("plant", [lambda known: 0, lambda known: len(known.predicates[:1])])
def test_parts_that_are_not_counted_are_found(plant: Callable[[object], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(date_bounds.EventTimePredicates, "evaluations_per_date", property(plant))
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_refused()
