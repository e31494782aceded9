"""A function declared constant on a unit of time is so; key sets made with a longer unit are found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

import duckdb
import pytest

from dialect.functions.registry import all_overloads
from dialect.functions.signatures import Function
from tests.support.sql.oracle import Oracle
from tests.support.sql.sql_cases import sql_cases
from tests.support.worlds import make_world

# by its name: the package's face hides the module behind a function
functions = import_module("dialect.functions.registry")
# what a format says -> the unit that is said of it; each directive, and some together
FORMATS = (
    "%Y",
    "%y",
    "%m",
    "%B",
    "%j",
    "%d",
    "%A",
    "%H",
    "%I %p",
    "%M",
    "%S",
    "%Y-%m-%d %H:00",
    "%d.%m.",
    "%c",
    "%H:%M",
)
LONGER = {"second": "minute", "minute": "hour", "hour": "day", "day": "month", "month": "year"}
# times around every change: each hour of years, and seconds of some days
TIMES = """
SELECT range AS t FROM range(TIMESTAMP '2023-12-20', TIMESTAMP '2025-01-12', INTERVAL 53 MINUTE)
UNION ALL SELECT range FROM range(TIMESTAMP '2024-02-28 22:58', TIMESTAMP '2024-03-01 01:02', INTERVAL 7 SECOND)
UNION ALL SELECT range FROM range(TIMESTAMP '1899-12-25', TIMESTAMP '1900-03-05', INTERVAL 5 HOUR)
UNION ALL SELECT range FROM range(TIMESTAMP '2024-12-29', TIMESTAMP '2024-12-31', INTERVAL 400 MILLISECOND) WHERE hour(range) = 23
"""
PLANTED = {
    "last_day": "SELECT last_day(start_ts) AS m, COUNT(*) AS n FROM visit WHERE start_ts >= '2026-10-01' AND start_ts < '2026-12-01' GROUP BY m",
    "strftime": "SELECT strftime(start_ts, '%Y-%m-%d %H:00') AS h, COUNT(*) AS n FROM visit WHERE start_ts >= '2026-10-01' AND start_ts < '2026-10-04' GROUP BY h",
    "yearweek": "SELECT yearweek(start_ts) AS w, COUNT(*) AS n FROM visit WHERE start_ts BETWEEN '2026-10-01' AND '2026-10-31 23:59:59' GROUP BY w",
}  # fmt: skip


def _declared_units() -> Iterator[tuple[str, str, str]]:
    """Calls on t in the engine's SQL, with their declared unit."""
    for form in all_overloads():
        if isinstance(form.constant_within, str) and form.constant_within:
            yield form.row_name, form.duckdb.replace("{0}", "t"), form.constant_within
        elif not isinstance(form.constant_within, str):
            for written in FORMATS:
                unit = form.constant_within(written)
                if unit is not None:
                    yield (
                        f"{form.row_name} {written}",
                        form.duckdb.replace("{0}", "t").replace("{1}", f"'{written}'"),
                        unit,
                    )


SAID = {name: (sql, unit) for name, sql, unit in _declared_units()}


@pytest.fixture(scope="module")
def times() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE times AS {TIMES}")
        yield connection


def _most(times: duckdb.DuckDBPyConnection, sql: str, unit: str) -> int:
    """Count the values that a call has on one unit at most."""
    counted = f"SELECT COUNT(DISTINCT {sql}) AS n FROM times GROUP BY date_trunc('{unit}', t)"
    ((most,),) = times.execute(f"SELECT MAX(n) FROM ({counted})").fetchall()
    return int(most)


@pytest.mark.parametrize("name", SAID)
def test_there_is_one_value_on_each_unit(name: str, times: duckdb.DuckDBPyConnection) -> None:
    sql, unit = SAID[name]
    assert _most(times, sql, unit) == 1


@pytest.mark.parametrize("name", [name for name in SAID if name.startswith("strftime")])
def test_the_unit_of_a_format_could_be_no_longer(name: str, times: duckdb.DuckDBPyConnection) -> None:
    """The check above can fail: on the next longer unit there are several values, but where the unit is the day at least."""
    sql, unit = SAID[name]
    if unit != "day":
        assert _most(times, sql, LONGER[unit]) > 1
    else:
        assert _most(times, sql, "year") > 1 or name.endswith(("%Y", "%y"))


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(make_world("operator", tmp_path_factory.mktemp("constant_on"))) as opened:
        yield opened


def _coarser(form: Function) -> Function:
    return replace(form, constant_within=(lambda *_: "year") if callable(form.constant_within) else "year")


@pytest.mark.parametrize("name", PLANTED)
def test_a_list_of_keys_by_a_longer_unit_is_found(name: str, oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert oracle.ask(PLANTED[name]).difference is None
    for form in all_overloads():
        if form.name == name:
            monkeypatch.setitem(functions.OVERLOADS, form.row_name, _coarser(form))
    assert oracle.ask(PLANTED[name]).difference is not None


def test_the_planted_questions_are_among_those_by_hand() -> None:
    assert set(PLANTED.values()) <= {case.sql for case in sql_cases("exact_expressions")}


def test_every_kind_of_time_is_met() -> None:
    assert {unit for _, unit in SAID.values()} >= {"day", "hour", "minute", "second"}
