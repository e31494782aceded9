"""A date column of a time: properties of the date hold for the time if no row is on another one."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dialect.algebra.expressions import Literal
from dialect.catalog.model import SqlType
from engine.errors import DataError
from tests.support.sql.oracle import Oracle
from tests.support.worlds import write_world

coarser: Any = import_module("dialect.analysis.time_granularity")
facts: Any = import_module("dialect.analysis.predicates")
public_lists: Any = import_module("dialect.planner.keys.public_domains")
told_keys: Any = import_module("dialect.planner.keys.key_set")
unfit: Any = import_module("engine.data.checks.declared")
ROWS = """
CREATE TABLE visit AS SELECT i AS visit_id, i % 40 AS person_id, begun, begun::DATE + CAST({0} AS INTEGER) AS day, i % 3 AS place
FROM (SELECT i, TIMESTAMP '2026-10-01' + to_minutes(37 * i) AS begun FROM range(400) r(i));
CREATE TABLE purchase AS SELECT i AS purchase_id, i % 400 AS visit_id, begun, begun::DATE AS day
FROM (SELECT i, TIMESTAMP '2026-10-01' + to_minutes(29 * i) AS begun FROM range(500) r(i));
"""
DECLARED = """
format = 1
name = "dated"
[datasets.d]
window = "forever"
[tables.visit]
dataset = "d"
kind = "private"
source = { duckdb = "data.duckdb", table = "visit" }
person = "person_id"
primary_key = ["visit_id"]
time_column = "begun"
date_column = "day"
size_class = "1e3"
norms = { rows = 30, persons = 30 }
[tables.visit.columns]
visit_id = { type = "BIGINT", nullable = false }
person_id = { type = "BIGINT" }
begun = { type = "TIMESTAMP" }
day = { type = "DATE", range = ["2026-10-01", "2026-10-11"] }
place = { type = "BIGINT", values = [0, 1, 2] }
[tables.purchase]
dataset = "d"
kind = "private"
source = { duckdb = "data.duckdb", table = "purchase" }
person = { column = "person_id", through = ["visit_id -> visit"] }
primary_key = ["purchase_id"]
time_column = "begun"
date_column = "day"
size_class = "1e3"
norms = { rows = 30, persons = 30 }
[tables.purchase.columns]
purchase_id = { type = "BIGINT", nullable = false }
visit_id = { type = "BIGINT" }
begun = { type = "TIMESTAMP", visible = false }
day = { type = "DATE", range = ["2026-10-01", "2026-10-11"] }
"""
HOURS = "SELECT date_trunc('hour', begun) AS h, COUNT(*) AS n FROM visit WHERE {} GROUP BY h"
SAID = (
    "day = DATE '2026-10-03'",
    "day IN (DATE '2026-10-03', DATE '2026-10-05')",
    "day BETWEEN DATE '2026-10-02' AND DATE '2026-10-03' AND place < 2",
    "day > DATE '2026-10-02' AND begun::DATE <= DATE '2026-10-04'",
    "date_trunc('week', begun) = DATE '2026-09-28'",
    "date_trunc('day', begun) < TIMESTAMP '2026-10-02 07:00:00' AND day >= DATE '2026-10-01'",
    "date_trunc('month', begun) >= DATE '2026-09-15' AND begun < TIMESTAMP '2026-10-02 05:00:00'",
    "date_trunc('month', begun) <= DATE '2026-10-01' AND date_trunc('hour', begun) > TIMESTAMP '2026-10-09 10:00:00'",
)
BY_DAYS = (  # nothing in the question says when they begin and end
    "SELECT begun::DATE AS d, COUNT(*) AS n FROM visit GROUP BY d",
    "SELECT date_trunc('day', begun) AS d, place, COUNT(*) AS n FROM visit GROUP BY d, place",
    "SELECT date_trunc('week', begun) AS w, begun::DATE AS d, day, COUNT(*) AS n FROM visit GROUP BY w, d, day",
    "SELECT date_trunc('hour', begun) AS h, COUNT(*) AS n FROM visit WHERE place = 1 GROUP BY h",
    "SELECT strftime(begun, '%d.%m.') AS t, COUNT(*) AS n FROM visit GROUP BY t",
)
MOVED = (
    "SELECT date_trunc('day', begun - INTERVAL 4 HOUR) AS d, COUNT(*) AS n FROM visit GROUP BY d",
    "SELECT date_trunc('hour', begun + INTERVAL '150 minutes') AS h, COUNT(*) AS n FROM visit GROUP BY h",
    "SELECT CAST(begun - INTERVAL 4 HOUR AS DATE) AS d, place, COUNT(*) AS n FROM visit GROUP BY d, place",
    "SELECT time_bucket(INTERVAL 6 HOUR, day + INTERVAL 30 HOUR) AS b, COUNT(*) AS n FROM visit GROUP BY b",
    "SELECT CAST(begun AS DATE) - 3 AS d, COUNT(*) AS n FROM visit WHERE day < DATE '2026-10-05' GROUP BY d",
    "SELECT floor(epoch(begun - INTERVAL 90 SECOND) / 900) AS q, COUNT(*) AS n FROM visit GROUP BY q",
    *(HOURS.format(said).replace("begun)", "begun + INTERVAL 2 HOUR - INTERVAL 1 WEEK)", 1) for said in SAID),
)
QUESTIONS = (
    *BY_DAYS,
    *MOVED,
    "SELECT COUNT(*) AS n, COUNT(DISTINCT person_id) AS p FROM visit",
    "SELECT COUNT(*) AS n FROM visit WHERE day IS NULL",
    "SELECT day, COUNT(*) AS n FROM purchase GROUP BY day",
    "SELECT COUNT(*) AS n FROM visit WHERE person_id IN (SELECT person_id FROM purchase WHERE day = DATE '2026-10-02')",
    *(HOURS.format(said) for said in SAID),
    f"SELECT day, dayname(begun) AS name, {HOURS.format(SAID[1])[7:]}, day, name",
    f"SELECT begun::DATE AS d, date_trunc('week', begun) AS w, {HOURS.format(SAID[2])[7:]}, d, w",
    f"SELECT day, {HOURS.format(SAID[1])[7:].replace('GROUP BY h', 'GROUP BY ROLLUP(day, h)')}",
)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(write_world(tmp_path_factory.mktemp("dated"), ROWS.format(0), DECLARED)) as opened:
        yield opened


def found(oracle: Oracle) -> list[str]:
    return [sql for sql in QUESTIONS if oracle.ask(sql).difference is not None]


@pytest.mark.parametrize("sql", QUESTIONS)
def test_an_answer_is_plain_duckdbs(sql: str, oracle: Oracle) -> None:
    verdict = oracle.ask(sql)
    assert verdict.difference is None and not verdict.plain_raised


def test_opened_data_with_a_wrong_date_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = write_world(tmp_path, ROWS.format("i % 7 = 0"), DECLARED)
    with pytest.raises(DataError, match="not on the date of its begun"):
        Oracle(catalog)
    monkeypatch.setattr(unfit, "relies_on_date", lambda *_: False)
    with Oracle(catalog) as opened:
        assert len(found(opened)) > 2


def test_a_wrongly_claimed_key_dependency_is_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a week determines the day, and a day the hour."""
    monkeypatch.setattr(coarser, "_is_constant_within", lambda *_: True)
    monkeypatch.setattr(told_keys, "FINER", coarser.FINER[::-1])
    assert found(oracle)


def test_a_range_of_another_date_is_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the range of the date is used for a time two days later."""
    ends = Literal("2026-10-03 00:00:00", SqlType.TIMESTAMP), Literal("2026-10-14 00:00:00", SqlType.TIMESTAMP)
    monkeypatch.setattr(public_lists, "declared_between", lambda *_: ends)
    assert set(BY_DAYS) <= set(found(oracle))


def test_ends_that_do_not_move_with_the_time_are_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the ends of a time are those of the time moved by a constant."""
    monkeypatch.setattr(facts, "move_time", lambda end, _: end)
    assert {sql for sql in MOVED if "- INTERVAL" in sql} <= set(found(oracle))


@pytest.mark.parametrize("name", ["add_units", "truncate_time"])
def test_units_that_end_too_early_are_found(name: str, oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a unit ends where it begins; and every constant is taken for the begin of one."""
    planted = {"add_units": lambda begin, *_: begin, "truncate_time": lambda _, begin: begin}
    monkeypatch.setattr(facts, name, planted[name])
    assert found(oracle)
