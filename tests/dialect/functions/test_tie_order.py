"""Ties among one person's rows: broken uniformly, and equally in both engines for all rows."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable
from itertools import permutations
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialect import compile_query
from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Field
from dialect.algebra.relations import BoundQuery
from dialect.catalog.model import Catalog, SqlType
from dialect.codegen.relations.relation import write_rows
from dialect.functions.tie_order import (
    DUCKDB_TIE_HASH,
    SPARK_TIE_HASH,
    TieHash,
    TieOrder,
    hash_text_length,
    value_occurrences,
)
from dialect.notes import NoteCode
from tests.support.ties import tie_hash

Rows = Callable[[str], BoundQuery]
PERSONS = {SqlType.BIGINT: st.integers(-(2**63), 2**63 - 1), SqlType.VARCHAR: st.text(max_size=40)}
TIMES = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))
VALUES: dict[SqlType, st.SearchStrategy[Any]] = {
    SqlType.BOOLEAN: st.booleans(),
    SqlType.BIGINT: st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    SqlType.DOUBLE: st.floats() | st.sampled_from((0.5, 0.25, -0.0, 9e18, 2.0**63, math.inf, -math.inf, math.nan)),
    SqlType.VARCHAR: st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=20),
    SqlType.DATE: st.dates(),
    SqlType.TIMESTAMP: TIMES,
}
DEVIATIONS = 5.0


def _hash(
    database: duckdb.DuckDBPyConnection, person: Any, value: Any, person_type: SqlType, kind: SqlType, stored: str = ""
) -> int:
    text = TieOrder(Field("p", None, person_type)).hash_of("v", kind)
    cast = f"SELECT CAST(? AS {person_type}) AS p, CAST(? AS {stored or kind}) AS v"
    (found,) = database.execute(f"SELECT {text} FROM ({cast}) AS r", [person, value]).fetchall()
    return int(found[0])


@pytest.mark.parametrize("person_type", PERSONS)
@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=25)
@given(data=st.data())
def test_the_sql_hash_equals_the_reference_hash(
    kind: SqlType, person_type: SqlType, data: st.DataObject, database: duckdb.DuckDBPyConnection
) -> None:
    person, value = data.draw(PERSONS[person_type].filter(lambda p: "\0" not in str(p))), data.draw(VALUES[kind])
    if isinstance(value, str) and "\0" in value:
        return
    assert _hash(database, person, value, person_type, kind) == tie_hash(person, value)


def test_equal_values_have_one_hash_however_they_are_stored(database: duckdb.DuckDBPyConnection) -> None:
    for stored in ("TINYINT", "UTINYINT", "INTEGER", "UBIGINT", "BIGINT"):
        assert _hash(database, 7, 5, SqlType.BIGINT, SqlType.BIGINT, stored) == tie_hash(7, 5)
    assert _hash(database, 7, -5, SqlType.BIGINT, SqlType.BIGINT, "TINYINT") == tie_hash(7, -5)
    assert tie_hash(7, 0.0) == tie_hash(7, -0.0) and tie_hash(7, math.nan) == tie_hash(7, -math.nan)
    assert _hash(database, 7, -0.0, SqlType.BIGINT, SqlType.DOUBLE) == tie_hash(7, 0.0)


@pytest.mark.parametrize("kind", [*VALUES, SqlType.TIMESTAMPTZ])
def test_neither_null_nor_the_ends_of_a_type_raise(kind: SqlType, database: duckdb.DuckDBPyConnection) -> None:
    far = {
        SqlType.DATE: ("infinity", "-infinity", "5881580-07-10"),
        **dict.fromkeys(
            (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ), ("infinity", "-infinity", "290309-12-22 (BC) 00:00:00")
        ),
        SqlType.DOUBLE: ("inf", "-inf", "nan", "1.7976931348623157e308", "5e-324"),
    }
    for value in (None, *far.get(kind, ())):
        for person in (1, 2):
            assert 0 <= _hash(database, person, value, SqlType.BIGINT, kind) < 2**31


@pytest.mark.parametrize("hash_", [DUCKDB_TIE_HASH, SPARK_TIE_HASH], ids=["duckdb", "spark"])
@pytest.mark.parametrize("kind", [*VALUES, SqlType.TIMESTAMPTZ, SqlType.INTERVAL])
def test_no_hash_is_longer_than_its_predicted_size(hash_: TieHash, kind: SqlType) -> None:
    value = "x" * 100
    for person in PERSONS:
        text = TieOrder(Field("c99", None, person), hash_).hash_of(value, kind) or ""
        assert len(text) <= hash_text_length(kind, hash_) + value_occurrences(kind, hash_) * len(value) + 40


SETS: tuple[tuple[Any, ...], ...] = (
    (1, 2), (1, 2, 3), (10, 20, 30, 40), (-1, 0, 2**40), (1 << 40, 2 << 40, 3 << 40), ("campus", "home"), ("a", "b", "c"),
    (0.5, 0.25, 0.75), (dt.date(2026, 1, 1), dt.date(2026, 1, 2), dt.date(2026, 1, 3)), (False, True),
    tuple(dt.datetime(2026, 1, day) for day in (1, 2, 3)),
)  # fmt: skip


@pytest.mark.parametrize(
    "of", [int, lambda n: n * 1000, lambda n: -n, lambda n: f"person {n}"], ids=["n", "1000n", "-n", "text"]
)
@pytest.mark.parametrize("values", SETS, ids=str)
def test_every_order_of_tied_values_is_as_frequent(values: tuple[Any, ...], of: Callable[[int], Any]) -> None:
    """A chi-square over the orders in which 2,000 persons have the values, within five deviations of what is even."""
    many = 2_000
    orders = Counter(tuple(sorted(values, key=lambda v: tie_hash(of(n), v))) for n in range(many))
    expected = many / math.factorial(len(values))
    off = sum((orders[order] - expected) ** 2 / expected for order in permutations(values))
    free = math.factorial(len(values)) - 1
    assert off <= free + DEVIATIONS * math.sqrt(2 * free)
    smallest = sum(order[0] == values[0] for order in orders.elements())
    assert abs(smallest - many / len(values)) <= DEVIATIONS * math.sqrt(many / len(values))


VISITED = (
    "SELECT subscriber_id, cell_id, n FROM (SELECT subscriber_id, cell_id, count(*) AS n FROM events GROUP BY 1, 2)"
    " QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY n DESC{}) = 1"
)
ASKED = {
    "row_number": VISITED.format(""),
    "first_value": "SELECT DISTINCT subscriber_id, first_value(cell_id) OVER (PARTITION BY subscriber_id ORDER BY n DESC) AS c"
    " FROM (SELECT subscriber_id, cell_id, count(*) AS n FROM events GROUP BY 1, 2)",
    "mode": "SELECT subscriber_id, mode(cell_id) AS c FROM events GROUP BY 1",
    "mode of an expression": "SELECT subscriber_id, mode(cell_id + 0) AS c FROM events GROUP BY 1",
    "arg_max": "SELECT subscriber_id, arg_max(cell_id, n) AS c FROM (SELECT subscriber_id, cell_id, count(*) AS n"
    " FROM events GROUP BY 1, 2) GROUP BY 1",
    "arg_min": "SELECT subscriber_id, arg_min(cell_id, -n) AS c FROM (SELECT subscriber_id, cell_id, count(*) AS n"
    " FROM events GROUP BY 1, 2) GROUP BY 1",
    "first": "SELECT subscriber_id, first(cell_id ORDER BY n DESC) AS c FROM (SELECT subscriber_id, cell_id,"
    " count(*) AS n FROM events GROUP BY 1, 2) GROUP BY 1",
    "last": "SELECT subscriber_id, last(cell_id ORDER BY n) AS c FROM (SELECT subscriber_id, cell_id,"
    " count(*) AS n FROM events GROUP BY 1, 2) GROUP BY 1",
    "list": "SELECT subscriber_id, list(cell_id ORDER BY n DESC)[1] AS c FROM (SELECT subscriber_id, cell_id,"
    " count(*) AS n FROM events GROUP BY 1, 2) GROUP BY 1",
}
LAST = {"arg_max", "last"}  # which take the end of the order
PEOPLE, CELLS = 3_000, (3, 5, 9)


@pytest.fixture(scope="module")
def tied() -> duckdb.DuckDBPyConnection:
    """People who all were in three cells twice."""
    connection = duckdb.connect()
    connection.execute(
        f"CREATE TABLE events AS SELECT p AS subscriber_id, c AS cell_id, TIMESTAMP '2026-10-01' + n * INTERVAL 1 HOUR AS ts"
        f" FROM range({PEOPLE}) AS a(p), (VALUES (3), (5), (9)) AS b(c), range(2) AS d(n) ORDER BY hash(p, c, n)"
    )
    return connection


@pytest.mark.parametrize("asked", ASKED)
def test_ties_are_broken_uniformly_and_by_the_reference_hash(
    asked: str, rows_of: Rows, catalog: Catalog, tied: duckdb.DuckDBPyConnection
) -> None:
    """What is the most visited cell of people who were in three cells equally often is each of the three a third of times."""
    selected = rows_of(ASKED[asked])
    shown = [f for _, f in selected.columns][:2]
    target = Target({"events": "memory.main.events"})
    text = write_rows(selected.relation, shown, target)
    found = dict(tied.execute(f"SELECT {', '.join(f.id for f in shown)} FROM ({text})").fetchall())
    pick = max if asked in LAST else min
    assert found == {p: pick(CELLS, key=lambda cell: (tie_hash(p, cell), cell)) for p in range(PEOPLE)}
    counted = Counter(found.values())
    assert all(abs(counted[cell] - PEOPLE / 3) <= DEVIATIONS * math.sqrt(PEOPLE * 2 / 9) for cell in CELLS)


def test_peers_stay_peers(rows_of: Rows, tied: duckdb.DuckDBPyConnection) -> None:
    """RANK, and frames that end with peers, see equal places as equal."""
    by = "OVER (PARTITION BY subscriber_id ORDER BY n DESC)"
    selected = rows_of(
        f"SELECT subscriber_id, rank() {by} AS r, dense_rank() {by} AS d, count(*) {by} AS c, cume_dist() {by} AS u FROM"
        " (SELECT subscriber_id, cell_id, count(*) AS n FROM events GROUP BY 1, 2)"
    )
    shown = [f for _, f in selected.columns][1:]
    text = write_rows(selected.relation, shown, Target({"events": "memory.main.events"}))
    assert "_hash" not in text
    assert set(tied.execute(f"SELECT {', '.join(f.id for f in shown)} FROM ({text})").fetchall()) == {(1, 1, 3, 1.0)}


def test_an_order_without_ties_gets_no_tie_breaker(rows_of: Rows, tied: duckdb.DuckDBPyConnection) -> None:
    selected = rows_of(VISITED.format(", cell_id DESC"))
    shown = [f for _, f in selected.columns][:2]
    text = write_rows(selected.relation, shown, Target({"events": "memory.main.events"}))
    assert "_hash" not in text.partition("FROM (SELECT")[0]
    assert set(tied.execute(f"SELECT {shown[1].id} FROM ({text})").fetchall()) == {(9,)}


def test_ties_do_not_depend_on_other_selected_columns(rows_of: Rows, tied: duckdb.DuckDBPyConnection) -> None:
    """A release is independent of other selected numbers: ties are broken column by column."""
    of_events = "FROM events QUALIFY row_number() OVER (PARTITION BY subscriber_id ORDER BY hour(ts) * 0) <= 2"
    selected = rows_of(f"SELECT subscriber_id, cell_id, ts {of_events}")
    few, many = ([f for _, f in selected.columns][:n] for n in (2, 3))
    target = Target({"events": "(SELECT *, 1 AS lat, 1 AS lon, 1 AS dwell_s, 1 AS steps FROM memory.main.events)"})
    texts = [write_rows(selected.relation, shown, target) for shown in (few, many)]
    person, cell = (f.id for f in few)
    less, more = (tied.execute(f"SELECT {person}, {cell} FROM ({text}) ORDER BY ALL").fetchall() for text in texts)
    assert less == more


def test_a_note_appears_only_where_ties_are_possible(catalog: Catalog) -> None:
    def notes(sql: str) -> list[str]:
        return [note.text for note in compile_query(sql, catalog).notes if note.code is NoteCode.TIES]

    counted = "SELECT cell_id, COUNT(*) FROM ({}) GROUP BY 1"
    (note,) = notes(counted.format(ASKED["row_number"]))
    assert "ROW_NUMBER" in note
    (note,) = notes(
        "SELECT c, COUNT(*) FROM (SELECT subscriber_id, mode(cell_id) AS c FROM events GROUP BY 1) GROUP BY 1"
    )
    assert "MODE" in note
    assert notes(counted.format(VISITED.format(", cell_id"))) == []
    assert (
        notes(
            "SELECT COUNT(*) FROM (SELECT subscriber_id, rank() OVER (PARTITION BY subscriber_id ORDER BY ts) AS r FROM events) WHERE r < 3"
        )
        == []
    )
    assert notes("SELECT cell_id, COUNT(*) FROM events GROUP BY 1") == []


@pytest.mark.parametrize(("order", "first"), [("", None), (" ORDER BY cell_id", 3)])
def test_a_mode_in_its_own_order_is_the_least(
    order: str, first: int | None, rows_of: Rows, catalog: Catalog, tied: duckdb.DuckDBPyConnection
) -> None:
    sql = f"SELECT subscriber_id, mode(cell_id{order}) AS c FROM events GROUP BY 1"
    selected = rows_of(sql)
    shown = [f for _, f in selected.columns]
    text = write_rows(selected.relation, shown, Target({"events": "memory.main.events"}))
    found = {row[0] for row in tied.execute(f"SELECT {shown[1].id} FROM ({text})").fetchall()}
    assert found == (set(CELLS) if first is None else {first})
    notes = compile_query(f"SELECT c, COUNT(*) FROM ({sql}) GROUP BY 1", catalog).notes
    assert any("MODE" in note.text for note in notes) == (first is None)
