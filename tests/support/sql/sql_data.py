"""Small generated databases with their catalogs, for generated queries.

`act` has persons' actions, `who` the persons, `item` the parts of an action, whose person is found through it. `pub`
and `num` are public. Every column has a palette of values; a hash assigns them to rows, so that few choices determine a
whole database.

Three things are excluded, because answers differ on purpose (tests/sql/exact_on_purpose.sql): values outside a declared
domain, doubles too large for a grain, and the least BIGINT, whose sum overflows. NaN and infinities occur in `wild`
databases only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.support.sql.sql_declared import declared_catalog

INT, DOUBLE, TEXT, DATE, TIME, BOOL = "int", "double", "text", "date", "time", "bool"
TEXTS = ("a", "b", "B b", "", "é", "o'k", "a%", "10")
DAYS = ("2026-02-27", "2026-02-28", "2026-03-01", "2026-03-04", "2025-12-31", "2026-01-01")
MOMENTS = (
    *("2026-02-28 23:59:59.999999", "2026-03-01 00:00:00", "2026-03-01 00:00:00.000001", "2026-03-01 05:30:00"),
    *("2026-03-02 12:00:00", "2026-02-27 18:45:10", "2026-03-04 23:15:00"),
)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC")
SMALL = (-3, -1, 0, 1, 2, 3, 5, 7, 12)
EXTREMES = (2**63 - 1, -(2**63) + 1, 2**31)
INTEGER_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "BIGINT")
EIGHTHS = ("-2.5", "-0.125", "0", "-0.0", "0.375", "1", "1.5", "7.25", "100.5", "65536")
WILD = ("NaN", "Infinity", "-Infinity")


@dataclass(frozen=True)
class Col:
    """One column: how queries see it, and how it is stored and declared."""

    name: str
    kind: str
    stored: str
    palette: tuple[str, ...]  # SQL constants
    declared: str = ""  # further entries of its line in the catalog
    bounded: bool = False
    listed: bool = False  # its values are public
    private: bool = True


@dataclass(frozen=True)
class Database:
    """Statements, catalog, and the columns available to queries."""

    statements: str
    catalog: str
    tables: Mapping[str, tuple[Col, ...]] = field(repr=False)
    time_zone: str
    wild: bool  # NaN and infinities occur
    extreme: bool  # integers near the ends of 64 bits occur
    instants: bool  # act.t is an instant


def quoted(text: str) -> str:
    """Quote a text constant."""
    return "'" + text.replace("'", "''") + "'"


@st.composite
def databases(draw: st.DrawFn) -> Database:
    """Draw a database."""
    wild, extreme = draw(st.sampled_from((False, False, True))), draw(st.sampled_from((False, False, True)))
    zone, consent = draw(st.sampled_from(ZONES)), draw(st.booleans())
    person = draw(st.sampled_from(("BIGINT", "UBIGINT", "VARCHAR")))
    pub, num = draw(_pub()), draw(_num())
    act = draw(_act(wild, extreme, zone))
    who = (draw(_listed_text("g")), draw(_integer("age", False)))
    item = (draw(_integer("q", False)), draw(_double("p", False)), draw(_boolean("f")))
    rows = draw(st.sampled_from((0, 1, 9, 30, 60)))
    salt = draw(st.integers(0, 2**16))
    tables = {"act": act, "who": who, "item": item, "pub": pub[0], "num": num[0]}
    statements = "\n".join(
        (
            "CREATE MACRO pick(i, salt, m) AS 1 + CAST(hash(i * 7919 + salt) % m AS BIGINT);",
            _stored("act", rows, salt, [("pid", person, _persons(person)), ("aid", "BIGINT", None)], act),
            _stored(
                "who",
                5,
                salt + 1,
                [("pid", person, None), *([("c", "VARCHAR", ("'y'", "'n'", "NULL"))] * consent)],
                who,
            ),
            _stored("item", 40, salt + 2, [("aid", "BIGINT", tuple(map(str, range(rows + 2))))], item),
            f"CREATE TABLE pub (k VARCHAR, w INTEGER, lab VARCHAR); INSERT INTO pub VALUES {pub[1]};",
            f"CREATE TABLE num (z INTEGER, name VARCHAR, v DOUBLE); INSERT INTO num VALUES {num[1]};",
        )
    )
    instants = next(c for c in act if c.name == "t").stored == "TIMESTAMPTZ"
    return Database(statements, declared_catalog(tables, person, consent), tables, zone, wild, extreme, instants)


def _persons(stored: str) -> tuple[str, ...]:
    named = [f"'{i}'" if stored == "VARCHAR" else str(i) for i in range(8)]
    return (*named, "NULL")


def _stored(
    table: str, rows: int, salt: int, keys: list[tuple[str, str, tuple[str, ...] | None]], columns: tuple[Col, ...]
) -> str:
    """SQL of the rows of a private table; a key without a palette counts them."""
    written = [(name, stored, palette) for name, stored, palette in keys]
    written += [(c.name, c.stored, c.palette) for c in columns]
    picked = ", ".join(
        f"CAST({'i' if palette is None else _picked(palette, salt + 31 * place)} AS {stored}) AS {name}"
        for place, (name, stored, palette) in enumerate(written)
    )
    return f"CREATE TABLE {table} AS SELECT {picked} FROM range({rows}) AS r(i);"


def _picked(palette: tuple[str, ...], salt: int) -> str:
    return f"[{', '.join(palette)}][pick(i, {salt}, {len(palette)})]"


@st.composite
def _act(draw: st.DrawFn, wild: bool, extreme: bool, zone: str) -> tuple[Col, ...]:
    return (
        draw(_integer("n", extreme)),
        draw(_double("x", wild)),
        draw(_text("k")),
        draw(_key_integer("z")),
        draw(_moment("t", zone)),
        draw(_day("d")),
        draw(_boolean("b")),
    )


def _some(values: tuple[str, ...], most: int = 4) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(tuple)


def _nulls(draw: st.DrawFn, palette: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Add a NULL to the values, or declare the column as not nullable, or neither."""
    choice = draw(st.sampled_from(("null", "null", "never", "not said")))
    return ((*palette, "NULL"), "") if choice == "null" else (palette, ", nullable = false" * (choice == "never"))


@st.composite
def _integer(draw: st.DrawFn, name: str, extreme: bool) -> Col:
    stored = "BIGINT" if extreme else draw(st.sampled_from(INTEGER_TYPES))
    palette = draw(_some(tuple(map(str, SMALL + EXTREMES * extreme))))
    palette, declared = _nulls(draw, palette)
    bounded = draw(st.sampled_from((True, True, True, False)))
    declared += ", bounds = [-4, 12]" if bounded else ""
    return Col(name, INT, stored, palette, declared, bounded)


@st.composite
def _key_integer(draw: st.DrawFn, name: str) -> Col:
    palette, declared = _nulls(draw, draw(_some(("0", "1", "2", "3", "4"))))
    domain = draw(st.sampled_from(("range = [0, 4]", 'values_of = "num.z"', "values = [0, 1, 2, 3, 4]", "")))
    return Col(
        name, INT, "INTEGER", palette, f"{declared}, bounds = [0, 4]" + f", {domain}" * bool(domain), True, bool(domain)
    )


@st.composite
def _double(draw: st.DrawFn, name: str, wild: bool) -> Col:
    stored = "DOUBLE" if wild else draw(st.sampled_from(("DOUBLE", "DOUBLE", "FLOAT", "DECIMAL(9,3)")))
    palette = tuple(map(quoted, draw(_some(EIGHTHS)) + (draw(_some(WILD)) if wild else ())))
    palette, declared = _nulls(draw, palette)
    bounded = draw(st.sampled_from((True, True, True, False)))
    declared += ", bounds = [-2, 100.5]" if bounded else ""
    return Col(name, DOUBLE, stored, palette, declared, bounded)


@st.composite
def _text(draw: st.DrawFn, name: str) -> Col:
    palette, declared = _nulls(draw, tuple(map(quoted, draw(_some(TEXTS, 5)))))
    domain = draw(st.sampled_from((f"values = {json.dumps(TEXTS, ensure_ascii=False)}", 'values_of = "pub.k"', "")))
    return Col(name, TEXT, "VARCHAR", palette, declared + f", {domain}" * bool(domain), listed=bool(domain))


@st.composite
def _listed_text(draw: st.DrawFn, name: str) -> Col:
    palette, declared = _nulls(draw, draw(_some(("'f'", "'m'", "'x'"), 3)))
    return Col(name, TEXT, "VARCHAR", palette, declared + ', values = ["f", "m", "x"]', listed=True)


@st.composite
def _moment(draw: st.DrawFn, name: str, zone: str) -> Col:
    palette, declared = _nulls(draw, tuple(map(quoted, draw(_some(MOMENTS)))))
    how = draw(st.sampled_from(("local", "utc", "instant")))
    ranged = draw(st.booleans())
    declared += f', time_zone = "{zone}"' + ', stored = "utc"' * (how == "utc")
    declared += ', range = ["2026-02-25", "2026-03-06"]' * ranged
    return Col(name, TIME, "TIMESTAMPTZ" if how == "instant" else "TIMESTAMP", palette, declared, listed=ranged)


@st.composite
def _day(draw: st.DrawFn, name: str) -> Col:
    palette, declared = _nulls(draw, tuple(map(quoted, draw(_some(DAYS)))))
    ranged = draw(st.booleans())
    return Col(name, DATE, "DATE", palette, declared + ', range = ["2025-12-01", "2026-03-31"]' * ranged, listed=ranged)


@st.composite
def _boolean(draw: st.DrawFn, name: str) -> Col:
    palette, declared = _nulls(draw, draw(_some(("TRUE", "FALSE"), 2)))
    return Col(name, BOOL, "BOOLEAN", palette, declared, listed=True)


@st.composite
def _pub(draw: st.DrawFn) -> tuple[tuple[Col, ...], str]:
    """SQL of the public table: every text of `act`, some twice, and perhaps a NULL."""
    twice = draw(st.lists(st.sampled_from(TEXTS), max_size=2)) + ["NULL"] * draw(st.integers(0, 1))
    rows = [
        f"({'NULL' if k == 'NULL' else quoted(k)}, {place % 3}, {('NULL', quoted('even'), quoted('odd'))[place % 3]})"
        for place, k in enumerate([*TEXTS, *twice])
    ]
    columns = (
        Col("k", TEXT, "VARCHAR", (), private=False, listed=True),
        Col("w", INT, "INTEGER", (), private=False, bounded=True, declared=", bounds = [0, 2]", listed=True),
        Col("lab", TEXT, "VARCHAR", (), private=False, listed=True),
    )
    return columns, ", ".join(rows)


@st.composite
def _num(draw: st.DrawFn) -> tuple[tuple[Col, ...], str]:
    names = draw(st.lists(st.sampled_from(("'p'", "'q'", "NULL")), min_size=5, max_size=5))
    rows = ", ".join(f"({z}, {name}, {z} / 4 - 0.5)" for z, name in enumerate(names))
    columns = (
        Col("z", INT, "INTEGER", (), ", nullable = false, bounds = [0, 4]", private=False, bounded=True, listed=True),
        Col("name", TEXT, "VARCHAR", (), private=False, listed=True),
        Col("v", DOUBLE, "DOUBLE", (), ", bounds = [-1, 1]", private=False, bounded=True, listed=True),
    )
    return columns, rows
