"""Claims of a typed relation hold for its rows: persons, row bounds, NULLs, definitions, predicates, key sets.

The promise rests on a part of these claims (one row or one value per person, no NULL among persons), the answer's shape
on the others. Queries are generated, their rows read from a real database, and each claim is asked of every row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Expr, Field, fields_of
from dialect.algebra.relations import BoundQuery, PerPerson, Public
from dialect.catalog.model import Catalog
from dialect.codegen.relations.relation import write_rows
from dialect.errors import Refusal
from dialect.functions.emitter import write_expr
from dialect.functions.registry import is_constant_per_person
from dialect.parser.compile_context import CompileContext
from dialect.planner.keys.key_set import build_key_set

CONDITIONS = (
    "e.dwell_s > 600", "e.cell_id BETWEEN 2 AND 5", "hour(e.ts) < 8", "e.lat IS NOT NULL", "e.cell_id IN (1, 3, 3, NULL)",
    "e.ts >= '2026-10-02' AND e.ts < TIMESTAMP '2026-10-03 12:00:00'", "e.lon > -103.3 OR e.lon IS NULL",
)  # fmt: skip
TESTS = (
    "e.subscriber_id IN (SELECT subscriber_id FROM subscribers WHERE age > 30)",
    "NOT EXISTS (FROM events f WHERE f.subscriber_id = e.subscriber_id AND f.ts > e.ts AND f.cell_id = s.age % 9)",
    "e.cell_id NOT IN (SELECT cell_id FROM cells WHERE zone = 'C1' AND cell_id IS NOT NULL)",
)  # fmt: skip
SIDES = (
    "{how} subscribers AS s ON e.subscriber_id = s.subscriber_id",
    "{how} subscribers AS s ON s.subscriber_id = e.subscriber_id AND s.age > 40",
    "{how} subscribers AS s ON e.subscriber_id = s.subscriber_id AND e.dwell_s > s.age * 30",
    ("{how} (SELECT subscriber_id, age, CASE WHEN age < 30 THEN 'young' ELSE 'old' END AS gender FROM subscribers"
    " WHERE age < 60) AS s ON e.subscriber_id = s.subscriber_id"),
    ("{how} (SELECT e.subscriber_id, MAX(e.cell_id) AS age, MIN(c.zone) AS gender FROM events e JOIN cells c"
    " USING (cell_id) WHERE e.dwell_s > 1000 GROUP BY e.subscriber_id) AS s ON e.subscriber_id = s.subscriber_id"),
    ("{how} (SELECT subscriber_id, cell_id AS age, CASE WHEN lat > 20.7 THEN 'north' END AS gender FROM (SELECT *, row_number()"
    " OVER (PARTITION BY subscriber_id ORDER BY ts DESC) AS n FROM events) WHERE n = 1) AS s ON e.subscriber_id = s.subscriber_id"),
    ("{how} (SELECT e.subscriber_id, hour(e.ts) AS age, upper(c.zone) AS gender FROM events e LEFT JOIN cells c"
    " ON c.cell_id = e.cell_id AND c.zone <> 'C1' WHERE e.dwell_s > 3000) AS s ON e.subscriber_id = s.subscriber_id"),
    ("{how} (SELECT f.subscriber_id, s.age, s.gender FROM events g LEFT JOIN events f ON f.subscriber_id = g.subscriber_id"
    " AND f.cell_id = g.cell_id + 1 LEFT JOIN subscribers s ON s.subscriber_id = f.subscriber_id WHERE g.cell_id < 4) AS s"
    " ON s.subscriber_id = e.subscriber_id"),
)  # fmt: skip
PUBLIC = (
    "{how} cells AS c ON c.cell_id = e.cell_id",
    "{how} cells AS c ON c.cell_id = s.age",
    "{how} cells AS c ON c.cell_id = s.age AND e.cell_id > 3",
    "{how} cells AS c ON c.lon = e.lon",
    "{how} hours AS c ON c.h = hour(e.ts)",
    "{how} hours AS c ON c.h = s.age",
    "{how} (SELECT zone, COUNT(*) AS cell_id FROM cells GROUP BY zone) AS c ON c.cell_id = s.age % 5",
)
COLUMNS = (
    "e.cell_id", "e.lat", "e.dwell_s > 600", "s.age", "s.gender", "coalesce(s.gender, 'none')", "s.age // 10",
    "hour(e.ts)", "CASE WHEN e.dwell_s < 60 THEN 'a' WHEN e.dwell_s < 600 THEN 'b' END", "CAST(e.ts AS DATE)", "c.*",
    "s.age IS NULL", "s.gender || '!'", "dayname(e.ts)", "CASE WHEN s.age > 40 THEN s.gender ELSE 'x' END", "s.subscriber_id",
)  # fmt: skip
AGGREGATES = ("COUNT(*)", "MIN(s.gender)", "MAX(e.cell_id)", "AVG(e.dwell_s)", "COUNT(s.subscriber_id)",
              "arg_min(e.cell_id, e.ts)", "SUM(s.age) FILTER (WHERE e.cell_id > 3)")  # fmt: skip


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Write a query over rows of persons: joins, conditions, columns, and one of no, DISTINCT or grouped rows."""
    how = st.sampled_from(["JOIN", "LEFT JOIN"])
    joins = draw(st.sampled_from(SIDES)).format(how=draw(how))
    joins += " " + draw(st.sampled_from(PUBLIC)).format(how=draw(how))
    chosen = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4, unique=True))
    columns = [column if column == "c.*" else f"{column} AS x{i}" for i, column in enumerate(chosen)]
    where = draw(st.lists(st.sampled_from(CONDITIONS + TESTS), max_size=2, unique=True))
    source = f"FROM events AS e {joins}" + (f" WHERE {' AND '.join(where)}" if where else "")
    shape = draw(st.sampled_from(["plain", "distinct", "grouped"]))
    if shape == "plain":
        return f"SELECT e.subscriber_id, {', '.join(columns)} {source}"
    if shape == "distinct":
        return f"SELECT DISTINCT e.subscriber_id, {', '.join(columns)} {source}"
    keys = [column for column in columns if column != "c.*"]
    made = draw(st.lists(st.sampled_from(AGGREGATES), min_size=1, max_size=3, unique=True))
    made = [f"{aggregate} AS y{i}" for i, aggregate in enumerate(made)]
    return f"SELECT e.subscriber_id, {', '.join([*keys, *made])} {source} GROUP BY ALL"


class Rows:
    """The rows of one relation in a table, to ask claims of."""

    def __init__(self, relation: PerPerson, target: Target, database: duckdb.DuckDBPyConnection) -> None:
        self.relation, self.database, self.target = relation, database, target
        database.execute(f"CREATE OR REPLACE TEMP TABLE claimed AS {write_rows(relation, relation.fields, target)}")

    def holds_nowhere(self, condition: str, claim: str) -> None:
        found = self.database.execute(f"SELECT * FROM claimed WHERE {condition} LIMIT 1").fetchall()
        assert not found, (claim, found)

    def most(self, value: str) -> int:
        person = self.relation.person.id
        (most,) = self.database.execute(
            f"SELECT coalesce(max(n), 0) FROM (SELECT {value} AS n FROM claimed GROUP BY {person})"
        ).fetchall()[0]
        return int(most)

    def check_persons(self) -> None:
        """What the promise rests on."""
        relation = self.relation
        self.holds_nowhere(f"{relation.person.id} IS NULL", "every row has a person")
        for f in relation.fields:
            if f.is_person_key:
                self.holds_nowhere(f"{f.id} <> {relation.person.id}", f"{f.id} is the row's person or NULL")
            if is_constant_per_person(f):
                values = f"count(DISTINCT {f.id}) + max(CASE WHEN {f.id} IS NULL THEN 1 ELSE 0 END)"
                assert self.most(values) <= 1, f"{f.id} has one value per person"
        if relation.has_one_row_per_person:
            assert self.most("count(*)") <= 1, "one row per person"

    def check_values(self) -> None:
        """What the answer's shape and numbers rest on."""
        for f in self.relation.fields:
            if not f.nullable:
                self.holds_nowhere(f"{f.id} IS NULL", f"{f.id} is never NULL")
            if f.definition is not None and self._readable(f.definition):
                self.holds_nowhere(f"{write_expr(f.definition)} IS DISTINCT FROM {f.id}", f"{f.id} is its definition")
            if f.public_values is not None:
                self.check_list(f.public_values, (f,), (f,))
        for fact in self.relation.predicates:
            if self._readable(fact):
                self.holds_nowhere(f"({write_expr(fact)}) IS NOT TRUE", "a fact is true of every row")

    def _readable(self, expr: Expr) -> bool:
        return all(f in self.relation.fields for f in fields_of(expr))

    def check_list(self, listed: Public, columns: tuple[Field, ...], fields: tuple[Field, ...]) -> None:
        """Every combination of the rows' values is in a list."""
        wanted = ", ".join(f.id for f in columns)
        names = ", ".join(f"{f.id} AS {f.id}" for f in fields)
        keys = f"SELECT {names} FROM ({write_rows(listed, fields, self.target)})"
        found = self.database.execute(f"SELECT {wanted} FROM claimed EXCEPT {keys}").fetchall()
        assert not found, (wanted, found[:3])


def _checked(
    sql: str,
    rows_of: Callable[[str], BoundQuery],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    catalog: Catalog,
) -> None:
    try:
        selected = rows_of(sql)
    except Refusal:
        return
    relation = selected.relation
    assert isinstance(relation, PerPerson)
    rows = Rows(relation, target, database)
    rows.check_persons()
    rows.check_values()
    for keys in [[f] for _, f in selected.columns] + [[f for _, f in selected.columns][-2:]]:
        if any(f.is_person_key for f in keys):
            continue
        listed = build_key_set(
            keys, relation, CompileContext(catalog, sql, field_ids=count(1_000))
        )  # beyond the ids of the rows
        if listed is not None and listed.is_exhaustive:
            rows.check_list(listed.relation, tuple(keys), listed.keys)


LEFT_OF_LEFT = (
    "SELECT e.subscriber_id, s.age AS x0 FROM events e LEFT JOIN events f ON f.subscriber_id = e.subscriber_id"
    " AND f.cell_id = e.cell_id + 1 LEFT JOIN subscribers s ON s.subscriber_id = f.subscriber_id"
)
TWO_PERSONS = (
    "SELECT DISTINCT e.subscriber_id, f.subscriber_id AS x0 FROM events e LEFT JOIN events f"
    " ON f.subscriber_id = e.subscriber_id AND f.cell_id = e.cell_id + 1"
)
ROUNDED = (
    "SELECT e.subscriber_id, v.k AS x0 FROM (SELECT subscriber_id, age + 9007199254740992.0 AS big FROM subscribers) e"
    " JOIN (VALUES (9007199254741055), (9007199254741056), (9007199254741057)) v(k) ON v.k = e.big"
)
OTHER_ROW = (
    "SELECT e.subscriber_id, MIN(c.zone) AS x0, MAX(c.cell_id) AS x1 FROM events e JOIN cells c"
    " ON c.cell_id >= e.cell_id GROUP BY 1"
)
OF_LEAST = (
    "SELECT e.subscriber_id, MIN(e.ts) AS x0, MAX(e.cell_id) FILTER (WHERE e.lat > 40) AS x1, MAX(e.cell_id) AS x2"
    " FROM events e WHERE e.ts >= '2026-10-02' AND e.cell_id BETWEEN 2 AND 5 GROUP BY 1"
)


@given(sql=queries())
@example(sql=LEFT_OF_LEFT)
@example(sql=TWO_PERSONS)
@example(sql=ROUNDED)
@example(sql=OTHER_ROW)
@example(sql=OF_LEAST)
def test_every_claim_is_true_of_every_row(
    sql: str,
    rows_of: Callable[[str], BoundQuery],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    catalog: Catalog,
) -> None:
    _checked(sql, rows_of, target, database, catalog)


# rows of people, a condition, and what stands in for a value of each type
QUERIED = (
    ("events e JOIN cells c USING (cell_id)", ("e.cell_id < 7", "e.dwell_s > 900 AND e.cell_id IN (2, 3, 4)"),
     {"int": ("e.cell_id", "hour(e.ts)", "e.cell_id * 2", "7"), "text": ("c.zone", "upper(c.zone)", "dayname(e.ts)", "'here'", "NULL"),
      "date": ("CAST(e.ts AS DATE)", "e.ts", "date_trunc('day', e.ts)")}),
    ("subscribers e", ("e.age > 30", "e.gender IN ('f', 'm')"),
     {"int": ("e.age // 10", "e.age % 3", "NULL"), "text": ("e.gender", "coalesce(e.gender, 'none')", "CASE WHEN e.age > 40 THEN 'old' END"),
      "date": ("DATE '2026-10-01'", "CAST(NULL AS DATE)")}),
    ("events e LEFT JOIN subscribers s ON s.subscriber_id = e.subscriber_id AND s.age > 40",
     ("e.ts >= '2026-10-02' AND e.ts < TIMESTAMP '2026-10-03 12:00:00'", "e.lat IS NOT NULL"),
     {"int": ("s.age // 20", "e.cell_id"), "text": ("s.gender", "'there'"), "date": ("CAST(e.ts AS DATE)", "e.ts")}),
    ("(SELECT subscriber_id, MIN(cell_id) AS cell_id, MAX(ts) AS ts, MIN(zone) AS zone FROM events JOIN cells USING (cell_id) GROUP BY 1) e",
     ("e.cell_id > 1", "e.zone <> 'C1'"),
     {"int": ("e.cell_id", "minute(e.ts)"), "text": ("e.zone", "'all'"), "date": ("e.ts", "CAST(e.ts AS DATE)")}),
)  # fmt: skip
ABOVE = (
    "SELECT * FROM ({sets}) AS u",
    "SELECT u.*, u.x0 IS NULL AS y FROM ({sets}) AS u WHERE u.x0 IS NOT NULL",
    "SELECT e.subscriber_id, u.x0, u.x1 FROM subscribers e LEFT JOIN ({sets}) AS u USING (subscriber_id)",
    "SELECT DISTINCT subscriber_id, x1 FROM ({sets}) AS u",
    "SELECT subscriber_id, MIN(x0) AS x0, MAX(x1) AS x1 FROM ({sets}) AS u GROUP BY 1",
    "SELECT subscriber_id, x0, MIN(x1) AS x1, GROUPING(x0) AS y FROM ({sets}) AS u GROUP BY subscriber_id, ROLLUP (x0)",
    "SELECT s.subscriber_id, g.y, g.x0 FROM subscribers s LEFT JOIN (SELECT subscriber_id, x0, GROUPING(x0) AS y FROM ({sets}) GROUP BY subscriber_id, CUBE (x0, x1)) g USING (subscriber_id)",
    "SELECT a.subscriber_id, a.x0, b.x1 FROM ({sets}) AS a JOIN ({sets}) AS b USING (subscriber_id, x0)",
)
OPERATIONS = ("UNION ALL", "UNION", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL", "UNION ALL BY NAME")


@st.composite
def set_queries(draw: st.DrawFn) -> str:
    """Write set operations over rows of persons, and something over them."""
    kinds = draw(st.lists(st.sampled_from(["int", "text", "date"]), min_size=2, max_size=3))

    def query() -> str:
        source, conditions, columns = draw(st.sampled_from(QUERIED))
        shown = ", ".join(f"{draw(st.sampled_from(columns[kind]))} AS x{i}" for i, kind in enumerate(kinds))
        where = draw(st.one_of(st.just(""), st.sampled_from(conditions).map(" WHERE {}".format)))
        return f"SELECT e.subscriber_id, {shown} FROM {source}{where}"

    sets = query()
    for operation in draw(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=2)):
        other = query()
        sets = draw(st.sampled_from([f"({sets}) {operation} {other}", f"({other}) {operation} ({sets})"]))
    return draw(st.sampled_from(ABOVE)).format(sets=sets)


@given(sql=set_queries())
def test_every_claim_is_true_of_every_row_of_a_set_operation(
    sql: str,
    rows_of: Callable[[str], BoundQuery],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    catalog: Catalog,
) -> None:
    _checked(sql, rows_of, target, database, catalog)


WINDOWS = (
    "row_number() OVER {by}", "rank() OVER {by}", "ntile(3) OVER {by}", "cume_dist() OVER {by}", "lag(s.gender) OVER {by}",
    "lag(c.zone, 1, 'none') OVER {by}", "lead(e.cell_id, 1, 7) OVER {by}", "lag(c.zone) OVER {by}", "count(s.age) OVER {by}",
    "first_value(c.zone) OVER {by}", "first_value(e.cell_id) OVER (PARTITION BY e.subscriber_id)", "nth_value(s.age, 2) OVER {by}",
    "last_value(s.age IGNORE NULLS) OVER {by}", "max(e.cell_id) OVER (PARTITION BY e.subscriber_id)", "sum(e.cell_id) OVER {by}",
    "min(e.cell_id) OVER (PARTITION BY e.subscriber_id ORDER BY e.ts ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)",
    "max(e.cell_id) FILTER (WHERE e.lat > 40) OVER {by}", "max(c.zone) OVER (PARTITION BY e.subscriber_id, e.cell_id)",
    "count(*) OVER (PARTITION BY e.subscriber_id, s.gender)", "bool_and(e.dwell_s > 9) OVER {by}", "avg(e.dwell_s) OVER {by}",
)  # fmt: skip
PLACES = ("row_number(", "rank(", "ntile(", "cume_dist(", "count(", "count_star(")
ORDERS = (
    "ORDER BY e.ts",
    "ORDER BY s.age DESC, e.cell_id",
    "",
    "ORDER BY c.zone ROWS 1 PRECEDING",
    "ORDER BY e.cell_id GROUPS 1 PRECEDING",
)
CHOICES = (
    "",
    " WHERE e.cell_id BETWEEN 2 AND 5",
    " QUALIFY row_number() OVER (PARTITION BY e.subscriber_id ORDER BY e.ts) < 4",
)
OVER_WINDOWS = (
    "{rows}", "SELECT * FROM ({rows}) AS u WHERE x0 IS NOT NULL", "SELECT DISTINCT subscriber_id, x1 FROM ({rows}) AS u",
    "SELECT e.subscriber_id, u.x0, u.x1 FROM subscribers e LEFT JOIN ({rows}) AS u USING (subscriber_id)",
    "SELECT subscriber_id, MIN(x0) AS x0, MAX(x1) AS x1 FROM ({rows}) AS u GROUP BY 1",
    "({rows}) UNION ALL ({rows})",
)  # fmt: skip


@st.composite
def window_queries(draw: st.DrawFn) -> str:
    """Write windows over joined rows of persons, and something over them."""
    shown = []
    for i in range(3):
        by = f"(PARTITION BY {draw(st.sampled_from(('e.subscriber_id', 'e.subscriber_id, e.cell_id')))} {{}})"
        framed = draw(st.sampled_from(WINDOWS))
        order = draw(st.sampled_from(ORDERS if "sum" in framed or "value" in framed or "max" in framed else ORDERS[:3]))
        shown.append(f"{framed.format(by=by.format(order))} AS x{i}")
    how = draw(st.sampled_from(["JOIN", "LEFT JOIN"]))
    source = f"events e {SIDES[0].format(how=how)} {PUBLIC[0].format(how=draw(st.sampled_from(['JOIN', 'LEFT JOIN'])))}"
    rows = f"SELECT e.subscriber_id, {', '.join(shown)} FROM {source}{draw(st.sampled_from(CHOICES))}"
    return draw(st.sampled_from(OVER_WINDOWS)).format(rows=rows)


@given(sql=window_queries())
def test_every_claim_is_true_of_every_row_behind_windows(
    sql: str,
    rows_of: Callable[[str], BoundQuery],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    catalog: Catalog,
) -> None:
    _checked(sql, rows_of, target, database, catalog)
    _check_ends(rows_of, sql, target, database)


def _check_ends(
    rows_of: Callable[[str], BoundQuery], sql: str, target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    """Places, shares and counts lie within their ends; declared bounds are broken by the data, those of rows are not."""
    try:
        relation = rows_of(sql).relation
    except Refusal:
        return
    assert isinstance(relation, PerPerson)
    rows = Rows(relation, target, database)
    for f in relation.fields:
        if (f.name or "").startswith(PLACES) and f.bounds is not None and f.bounds.is_finite:
            lower, upper = f.bounds.lower, f.bounds.upper
            rows.holds_nowhere(f"{f.id} < {lower!r} OR {f.id} > {upper!r}", f"{f.id} lies in {f.bounds}")


BAND = f"SELECT e.subscriber_id, s.gender AS x0 FROM events e {SIDES[3].format(how='LEFT JOIN')}"


def test_a_planted_definition_is_found(
    rows_of: Callable[[str], BoundQuery],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Believe that a value computed below a LEFT JOIN is what it was above it: rows without a partner say no."""
    monkeypatch.setattr(
        "dialect.stability.joins.null_extended", lambda field, certain=False: replace(field, nullable=True)
    )
    relation = rows_of(BAND).relation
    assert isinstance(relation, PerPerson)
    with pytest.raises(AssertionError, match="is its definition"):
        Rows(relation, target, database).check_values()


def _claims_too_much(field: Field) -> bool:
    return field.is_constant_per_person or field.is_person_key


@pytest.mark.parametrize("sql", [LEFT_OF_LEFT, TWO_PERSONS])
def test_a_planted_claim_is_found(
    sql: str,
    rows_of: Callable[[str], BoundQuery],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Believe that a person key is its person's also where it may be NULL: the rows say no."""
    monkeypatch.setitem(globals(), "is_constant_per_person", _claims_too_much)
    relation = rows_of(sql).relation
    assert isinstance(relation, PerPerson)
    with pytest.raises(AssertionError, match="per person"):
        Rows(relation, target, database).check_persons()
