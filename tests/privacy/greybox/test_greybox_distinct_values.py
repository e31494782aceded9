"""COUNT(DISTINCT x) over people: one person moves no count further than declared, for any other people."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import duckdb
import pytest
from hypothesis import strategies as st

from dialect.algebra.release_plan import VectorBound
from dialect.catalog.model import Catalog
from tests.support.greybox.greybox import SensitivityExceeded, UnexpectedChange, check_drawn, check_on
from tests.support.greybox.greybox_aggregates import QuerySource
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber
from tests.support.statistics.drawn import maybe, one_of_these, some_of

bound, different_values, render = (
    import_module("dialect.sensitivity.bounding"),
    import_module("dialect.codegen.contribution.clipping"),
    import_module("dialect.codegen.bounded_sql"),
)
EXAMPLES = 20_000 if os.environ.get("PASSERSBY_NIGHTLY") else 20


# fmt: off
SOURCES = (
    QuerySource("events e", ("e.cell_id", "hour(e.ts)", "e.steps + e.cell_id", "CAST(e.ts AS DATE)"), ("e.lon", "e.dwell_s", "e.steps", "CAST(e.ts AS DATE)", "(e.cell_id, hour(e.ts))", "(e.subscriber_id, e.steps)", "(e.lon, e.steps)", "e.ts", "e.steps % 3"), ("e.dwell_s < 700", "e.cell_id > 1")),
    QuerySource("subscribers s", ("s.gender", "s.home_zone", "s.age > 40"), ("s.age", "s.home_zone", "(s.age, s.gender)", "s.born"), ("s.age > 30",)),
    QuerySource("events e JOIN cells c USING (cell_id)", ("c.zone", "c.x > 1"), ("c.zone", "e.cell_id", "(c.zone, e.steps)", "c.x"), ("c.zone <> 'Z3'",)),
    QuerySource("events e JOIN subscribers s ON e.subscriber_id = s.subscriber_id", ("s.gender", "e.cell_id"), ("s.age", "s.home_zone", "e.steps", "(s.home_zone, e.cell_id)"), ("s.age > 30",)),
)
OPTIONS = ("", "max_groups_contributed = 2", "max_rows_contributed = 3", "max_groups_contributed = 2, max_rows_contributed = 5")
OTHERS = ("COUNT(*)", "COUNT(DISTINCT {}.subscriber_id)")
# fmt: on


@st.composite
def questions(draw: st.DrawFn) -> str:
    """Draw a question with some counts of different values."""
    source = draw(one_of_these(SOURCES))
    keys = draw(some_of(source.keys))
    value = st.sampled_from(source.values)
    named = st.sampled_from(("", "", ", contribution_bounds_per_group => (0, 2)"))
    written = st.builds("COUNT(DISTINCT {}{}){}".format, value, named, maybe(source.conditions, " FILTER (WHERE {})"))
    alias = source.rows.partition(" ")[2][0]
    others = st.sampled_from(OTHERS).map(lambda text: text.format(alias))
    measures = draw(st.lists(written | written | others, min_size=1, max_size=3))
    options = draw(one_of_these(OPTIONS))
    clause = f"WITH DIFFERENTIAL_PRIVACY OPTIONS({options}) " if options else ""
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {clause}{', '.join([*keys, *measures])} FROM {source.rows}{by}"


def test_one_person_moves_no_count_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    check_drawn(connection, catalog, questions(), EXAMPLES)


PEOPLE = (Subscriber(VICTIM, age="113"), *(Subscriber(person) for person in range(1, 9)))


def _steps(person: int, first: int, numbers: int, cells: int = 3) -> tuple[Run, ...]:
    return tuple(Run(str(person), cell=1 + n % cells, steps=str(first + n)) for n in range(numbers))


# the victim has values of its own, the others have some in common
VARIED = Database(
    (*_steps(VICTIM, 100, 30), *(run for p in range(1, 9) for run in _steps(p, 10, 12))), PEOPLE, declared=Declared(persons=1.8, consent=False)
)  # fmt: skip
ALONE = replace(VARIED, declared=Declared(rows=6.0, persons=1.0, consent=False))
# each person has six rare values and six that one other has; the victim has all the rare ones
RIVALS = replace(
    ALONE,
    runs=(
        *(run for p in range(1, 9) for run in (*_steps(p, 100 * (p // 2), 6), *_steps(p, 1000 + 10 * p, 6))),
        *(run for p in range(1, 9) for run in _steps(VICTIM, 1000 + 10 * p, 6)),
    ),
)
BY_CELL = "SELECT e.cell_id, COUNT(DISTINCT e.steps) FROM events e GROUP BY 1"
TOGETHER = "SELECT COUNT(DISTINCT steps) FROM events"
kept, in_groups, of_values, normal = (
    different_values.truncated_values,
    bound._bound_unit_per_group,
    bound._bound_distinct_values,
    different_values._normalized,
)


def without(pattern: str) -> Callable[..., str]:
    """Write what is kept without something that stands there."""

    def planted(*given: Any) -> str:
        text = kept(*given)
        made = re.sub(pattern, "", text)
        assert made != text
        return made

    return planted


def one_group_paid(*given: Any) -> VectorBound:
    """Forget the root of the groups."""
    made = of_values(*given)
    return replace(made, sensitivity=made.max_values << made.fraction_bits)


def root_rounded_down(rule: Any, squared: int, why: str) -> VectorBound:
    made = in_groups(rule, squared, why)
    return replace(made, sensitivity=math.isqrt(squared) << made.fraction_bits)


def rarest_first(source: str, plan: Any, vector: Any, bounds: VectorBound, *_: Any) -> str:
    """Planted: of each person, the values that fewest people have are counted."""
    del vector
    group = ", ".join(["person", *(f"k{i}" for i in range(len(plan.keys)))])
    sized = f"SELECT *, count(*) OVER (PARTITION BY x0) AS size FROM {source}"
    placed = f"SELECT *, row_number() OVER (PARTITION BY {group} ORDER BY size, x0) AS row_rank FROM ({sized}) AS s"
    return f"SELECT * FROM ({placed}) AS c WHERE row_rank BETWEEN 1 AND {bounds.max_values}"


PLANTED: tuple[tuple[str, Callable[[pytest.MonkeyPatch], None], str, Database, type[AssertionError]], ...] = (
    ("no choice of values", lambda m: m.setattr(render, "truncated_values", without(r"row_rank BETWEEN 1 AND \d+ AND ")), BY_CELL, VARIED, SensitivityExceeded),
    ("no choice of groups", lambda m: m.setattr(render, "truncated_values", without(r" AND group_rank BETWEEN 1 AND \d+")), BY_CELL, replace(VARIED, declared=Declared(persons=1.0, consent=False)), SensitivityExceeded),
    ("the root of the groups forgotten", lambda m: m.setattr(bound, "_bound_distinct_values", one_group_paid), BY_CELL, VARIED, SensitivityExceeded),
    ("the root rounded down", lambda m: m.setattr(bound, "_bound_unit_per_group", root_rounded_down), BY_CELL, VARIED, SensitivityExceeded),
    ("values chosen by what others have", lambda m: m.setattr(render, "truncated_values", rarest_first), TOGETHER, RIVALS, SensitivityExceeded),
    ("persons who are not admitted", lambda m: m.setattr(render, "_admitted_groups_join", lambda *_: ""), TOGETHER, replace(VARIED, declared=Declared()), UnexpectedChange),
    ("the first values of a person in no order", lambda m: m.setattr(render, "truncated_values", without(r" ORDER BY hash.*?x0(?=\) AS row_rank)")), TOGETHER, ALONE, UnexpectedChange),
)  # fmt: skip


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
