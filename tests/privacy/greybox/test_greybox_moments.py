"""Variances and their like: one person moves none of the sums they are made from further than declared."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

import duckdb
import pytest
from hypothesis import strategies as st

from dialect.algebra.release_plan import Factor
from dialect.catalog.model import Catalog
from tests.support.greybox.greybox import SensitivityExceeded, UnexpectedChange, check_drawn, check_on
from tests.support.greybox.greybox_aggregates import QuerySource, draw_query
from tests.support.greybox.greybox_data import VICTIM, Database, Run, Subscriber
from tests.support.planted import another_form, together

partials, private_plan, render = (
    import_module("dialect.codegen.contribution.clipping"),
    import_module("dialect.algebra.release_plan"),
    import_module("dialect.codegen.bounded_sql"),
)
EXAMPLES = 20_000 if os.environ.get("PASSERSBY_NIGHTLY") else 20


# fmt: off
SOURCES = (
    QuerySource("events e", ("e.cell_id", "hour(e.ts)", "sign(e.steps)"), ("e.dwell_s", "e.steps", "LEAST(GREATEST(1 / e.lon, -9), 9)", "e.steps * 1000", "LEAST(GREATEST(e.lon, -0.5), 0.25)"), ("e.dwell_s < 700", "e.lon IS NOT NULL")),
    QuerySource("subscribers s", ("s.gender", "s.age > 40", "s.home_zone"), ("s.age", "s.age - 50", "s.age / 7"), ("s.age > 30", "s.gender = 'f'")),
    QuerySource("events e JOIN cells c USING (cell_id)", ("c.zone", "c.x > 1"), ("e.dwell_s", "e.steps"), ("c.zone <> 'Z3'",)),
    QuerySource("(SELECT subscriber_id, COUNT(*) AS n, STDDEV_POP(dwell_s) AS s, CORR(dwell_s, steps) AS c, VAR_SAMP(steps) AS v, REGR_SLOPE(dwell_s, steps) AS b FROM events GROUP BY 1) p", ("p.n > 2", "p.b > 0"), ("LEAST(p.n, 20)", "p.s", "p.c", "p.v"), ("p.c > 0.1", "p.s > 3")),
)
ONE = ("VARIANCE({0})", "VAR_POP({0})", "STDDEV({0})", "STDDEV_POP({0})", "AVG({0})", "COUNT({0})", "VAR_POP({0}, contribution_bounds_per_group => (-3, 40))")
TWO = ("CORR({0}, {1})", "COVAR_POP({0}, {1})", "COVAR_SAMP({0}, {1})", "REGR_SLOPE({0}, {1})", "REGR_INTERCEPT({0}, {1})")
# fmt: on


def questions() -> st.SearchStrategy[str]:
    """Draw a question with some of the aggregates."""
    return draw_query(SOURCES, ONE + TWO)


def test_one_person_moves_nothing_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    check_drawn(connection, catalog, questions(), EXAMPLES)


PEOPLE = (Subscriber(VICTIM, age="113"), *(Subscriber(person) for person in range(1, 9)))
CROWD = tuple(Run(str(person), 3, 3, dwell="'50'") for person in range(1, 9))
WILD = Database((Run(str(VICTIM), 6, 3, dwell="'1e9'", steps="100000"), *CROWD), PEOPLE)
MIXED = Database(
    tuple(Run(str(p), n, dwell=f"'{p % 97 + d}'", cell=c) for p in (VICTIM, *range(1, 60)) for n, d, c in ((2, 0.1, 1), (3, 0.7, 2), (2, 7000.3, 3))), PEOPLE
)  # fmt: skip


def unclamped(side: object, whole: bool) -> str:
    return f"(CAST({side.value.id} AS {'HUGEINT' if whole else 'DOUBLE'}) - {side.centre})"  # type: ignore[attr-defined]


def of_the_first(ends: object) -> float:
    return 1.0 if isinstance(ends, Factor) else farthest(ends)


SPREADS = "SELECT COUNT(*) FROM (SELECT subscriber_id, STDDEV(dwell_s) AS s, COVAR_POP(dwell_s, lon) AS c FROM events GROUP BY 1) p WHERE CAST(floor(s * 1e12) AS BIGINT) % 2 = 0"
PLANTED: tuple[tuple[str, Callable[[pytest.MonkeyPatch], None], str, Database, type[AssertionError]], ...] = (
    ("factors that are not clamped", lambda m: m.setattr(partials, "_centred_value", unclamped), "SELECT VAR_POP(age) FROM subscribers", WILD, SensitivityExceeded),
    ("a norm of the first factor alone", lambda m: m.setattr(private_plan, "_max_deviation", of_the_first), "SELECT VAR_POP(age) FROM subscribers", WILD, SensitivityExceeded),
    ("the greater factor of a variance", lambda m: m.setattr(render, "clipping_factors", greater_factors), "SELECT e.cell_id, VARIANCE(e.dwell_s) FROM events e GROUP BY 1", MIXED, SensitivityExceeded),
    ("one person's deviation in any order", together(another_form("{name}({0})", "stddev_samp"), another_form("{name}({0}, {1})", "covar_pop")), SPREADS, MIXED, UnexpectedChange),
)  # fmt: skip

factors_as_written, farthest = render.clipping_factors, private_plan._max_deviation


def greater_factors(*given: object) -> str:
    return str(factors_as_written(*given)).replace("least(", "greatest(")


@pytest.mark.parametrize(("title", "plant", "sql", "database", "found"), PLANTED, ids=[each[0] for each in PLANTED])
def test_a_planted_bug_is_found(
    title: str, plant: Callable[[pytest.MonkeyPatch], None], sql: str, database: Database, found: type[AssertionError],
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    del title
    check_on(connection, catalog, database, sql)
    plant(monkeypatch)
    with pytest.raises(found):
        check_on(connection, catalog, database, sql)
