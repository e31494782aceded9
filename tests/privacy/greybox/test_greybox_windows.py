"""Windows over one person's rows: that person moves no vector further than declared, and order and threads move none."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import import_module

import duckdb
import pytest

from dialect import compile_query
from dialect.algebra.relations import Window
from dialect.catalog.model import Catalog
from dialect.errors import Refusal
from tests.support.greybox.greybox import GreyBox, SensitivityExceeded, UnexpectedChange, check_drawn, check_on
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber, declared_as, make_worlds
from tests.support.greybox.greybox_windows import windowed_questions
from tests.support.planted import Plant, another_form, instead, written

dependencies, tie_order, windows, write_window, write_windows = (
    import_module("dialect.analysis.uniqueness"),
    import_module("dialect.functions.tie_order"),
    import_module("dialect.stability.row_operators"),
    import_module("dialect.codegen.relations.window_functions"),
    import_module("dialect.codegen.relations.window_functions"),
)
EXAMPLES = 50_000 if os.environ.get("PASSERSBY_NIGHTLY") else 16


def test_one_person_moves_no_vector_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    check_drawn(connection, catalog, windowed_questions(), EXAMPLES)


ME = str(VICTIM)
PEOPLE = (Subscriber(VICTIM), *(Subscriber(person) for person in range(1, 9)))
EVERYBODY = (VICTIM, *range(1, 9))
TIED = Database(
    tuple(Run(str(p), 40, 5, dwell=f"'{dwell}'", steps=str(dwell)) for p in EVERYBODY for dwell in (1, 7, 60)),
    PEOPLE,
    declared=Declared(rows=1_000, max_rows=500, consent=False),
)
LATE = Database(
    (Run(ME, steps="0"), *(Run(str(p), steps="7") for p in range(1, 9))),
    PEOPLE,
    declared=Declared(rows=1, consent=False),
)
CANCELLING = Database(
    tuple(
        Run(str(p), n, lon=lon, steps=lon.strip("'")[:1]) for p in EVERYBODY for n, lon in ((2, "'1e17'"), (1, "'1.5'"))
    ),
    PEOPLE,
    declared=Declared(consent=False),
)
ENDLESS = Database(
    tuple(Run(str(p), 2, steps="(-9223372036854775808)") for p in EVERYBODY), PEOPLE, declared=Declared(consent=False)
)
HEAVY = Database((Run(ME, 60, 3), Run("1")), PEOPLE, declared=Declared(max_rows=5))
NTH = (
    "SELECT w, COUNT(*) FROM (SELECT *, row_number() OVER (PARTITION BY subscriber_id ORDER BY cell_id) AS w FROM events)"
    " WHERE cell_id = 1 AND steps = 7 AND w <= 9 GROUP BY 1"
)
BOTH_ENDS = (
    "SELECT w, COUNT(*) FROM (SELECT *, row_number() OVER (PARTITION BY subscriber_id ORDER BY cell_id) AS w,"
    " row_number() OVER (PARTITION BY subscriber_id ORDER BY cell_id DESC) AS v FROM events)"
    " WHERE cell_id = 1 AND steps = 7 AND w <= 9 AND v > 0 GROUP BY 1"
)
LAGGED = (
    "SELECT COUNT(*) FROM (SELECT steps, lag(steps) OVER (PARTITION BY subscriber_id ORDER BY ts) AS w FROM events)"
    " WHERE w < steps"
)
LAST = (
    "SELECT COUNT(*) FROM (SELECT last_value(steps) OVER (PARTITION BY subscriber_id ORDER BY cell_id) AS w FROM events)"
    " WHERE w = 7"
)
FAR = (
    "SELECT COUNT(*) FROM (SELECT count(*) OVER (PARTITION BY subscriber_id ORDER BY steps RANGE 5 PRECEDING) AS w"
    " FROM events) WHERE w > 1"
)
NUMBERED = "SELECT COUNT(*) FROM (SELECT row_number() OVER (PARTITION BY subscriber_id ORDER BY ts) AS w FROM events) WHERE w > 5"
RANKED = "SELECT COUNT(*) FROM (SELECT rank() OVER ({}ORDER BY steps) AS w FROM events) WHERE w > 1"
SUMMED = (
    "SELECT COUNT(*) FROM (SELECT sum(lon) OVER (PARTITION BY subscriber_id ORDER BY cell_id) AS w FROM events)"
    " WHERE w > 0.5"
)


UNCUT = instead(windows, "truncate_rows", lambda relation: relation)
UNPLACED = written(Window, lambda sql: sql.replace(", row_rank", "").replace("ORDER BY row_rank", ""))
UNTIED = instead(write_windows, "_ordering_fields", lambda source, *_: [source.person])


@dataclass(frozen=True)
class Planted:
    """A bug, a question on data where it shows, and what must be raised."""

    title: str
    plant: Plant
    sql: str
    database: Database


PLANTED = (
    Planted("the tie breaker missing", UNTIED, NTH, TIED),
    Planted("the tie breaker missing where a row looks back", UNTIED, LAGGED, TIED),
    Planted("an order that ends before what is read is told", instead(dependencies, "_base_fields", lambda *_: set()), NTH, TIED),
    Planted("the place missing", UNPLACED, BOTH_ENDS, TIED),
    Planted("a place that is no function of the rows", instead(write_windows, "position_sql", lambda *_: "row_number() OVER ()"), BOTH_ENDS, TIED),
    Planted("a place by what is taken to tell the whole row", UNTIED, BOTH_ENDS, TIED),
    Planted("the last peer that comes", written(Window, lambda sql: re.sub(r"(last_value\(\w+) ORDER BY [^()]* row_rank\)", r"\1)", sql)), LAST, TIED),
    Planted("a sum of doubles as the engine adds them", another_form("{name}({0})", "sum", "avg"), SUMMED, CANCELLING),
    Planted("a distance that leaves its type", written(Window, lambda sql: re.sub(r"CAST\((\w+) AS HUGEINT\)", r"\1", sql)), FAR, ENDLESS),
)  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED, ids=[planted.title for planted in PLANTED])
def test_a_planted_bug_is_found(
    planted: Planted, connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cut below is lifted first: the order in which it leaves rows would hide what rests on order."""
    UNCUT(monkeypatch)
    check_on(connection, catalog, planted.database, planted.sql)
    planted.plant(monkeypatch)
    with pytest.raises(UnexpectedChange):
        check_on(connection, catalog, planted.database, planted.sql)


EVEN = Database(
    (Run(ME, cell=1), *(Run(str(p), 2, 2) for p in range(1, 9))),
    PEOPLE,
    declared=Declared(rows=1, persons=1, consent=False),
)
FIRST_CELL = (
    "SELECT cell_id, COUNT(*) FROM (SELECT *, row_number() OVER (PARTITION BY subscriber_id ORDER BY hour(ts) * 0) AS w"
    " FROM events) WHERE w = 1 GROUP BY 1"
)
USUAL_CELL = "SELECT c, COUNT(*) FROM (SELECT subscriber_id, MODE(cell_id) AS c FROM events GROUP BY 1) GROUP BY 1"


def test_ties_that_rest_on_what_others_do_are_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a person's tied cells the one that fewest rows of all people have: whoever is there turns everybody's."""
    check_on(connection, catalog, EVEN, FIRST_CELL)
    by_all = instead(tie_order.TieOrder, "hash_of", lambda _, value, *__: f"count(*) OVER (PARTITION BY {value})")
    by_all(monkeypatch)
    with pytest.raises(SensitivityExceeded):
        check_on(connection, catalog, EVEN, FIRST_CELL)


def test_tied_values_of_one_hash_without_a_tie_breaker_are_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_on(connection, catalog, TIED, USUAL_CELL)
    instead(tie_order.TieOrder, "hash_of", lambda _, value, *__: f"({value}) * 0")(monkeypatch)
    check_on(connection, catalog, TIED, USUAL_CELL)  # the value is behind it
    instead(tie_order.TieOrder, "order_terms", lambda _, value, *__: (f"({value}) * 0",))(monkeypatch)
    with pytest.raises(UnexpectedChange):
        check_on(connection, catalog, TIED, USUAL_CELL)


@pytest.mark.parametrize("by", ["", "PARTITION BY cell_id ", "PARTITION BY hour(ts) "])
def test_a_window_across_people_is_refused_or_else_found(
    by: str, connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = declared_as(catalog, LATE.declared)
    make_worlds(connection, LATE)
    GreyBox(connection, declared).check(RANKED.format("PARTITION BY subscriber_id "))
    with pytest.raises(Refusal):
        compile_query(RANKED.format(by), declared)
    monkeypatch.setattr(windows, "_check_partition", lambda *_: None)
    with pytest.raises(SensitivityExceeded):
        GreyBox(connection, declared).check(RANKED.format(by))


def test_a_window_is_asked_of_the_rows_that_a_person_may_keep(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the cut a person's work is bounded by nothing that is declared: a row number passes R."""
    make_worlds(connection, HEAVY)
    declared = declared_as(catalog, HEAVY.declared)

    def numbered() -> list[int]:
        (ran,) = GreyBox(connection, declared).run(compile_query(NUMBERED, declared), "everybody", 2)
        return [sum(vector.tolist()) for vector in ran.exact.vectors]

    assert numbered() == [0]
    UNCUT(monkeypatch)
    assert numbered()[0] > 0
