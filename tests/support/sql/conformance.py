"""Expressions as data: each is evaluated by the dialect's form and by plain DuckDB, over many values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import duckdb
from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Ref
from dialect.binder.scalars import bind_scalar
from dialect.catalog.model import SqlType
from dialect.functions.emitter import write_expr
from dialect.parser.parser import parse
from tests.support.sql.plain import MACROS
from tests.support.tree import ROOT

FILE = ROOT / "tests" / "sql" / "conformance.txt"

# columns -> values: ordinary, outside functions' domains, and limits of each type
VALUES: dict[str, tuple[SqlType, tuple[str, ...]]] = {
    "i": (SqlType.BIGINT, ("3", "0", "-7", "12", "100", "9223372036854775807", "-9223372036854775807 - 1", "1", "2147483648")),
    "j": (SqlType.BIGINT, ("2", "5", "0", "-3", "7", "2", "-1", "9223372036854775807", "63")),
    "x": (SqlType.DOUBLE, ("1.5", "0.0", "-2.5", "0.1", "1e300", "'inf'", "'-inf'", "'nan'", "-7.25", "123.456", "5e-324")),
    "y": (SqlType.DOUBLE, ("2.0", "-0.5", "0.0", "3.0", "100", "1e-9", "'nan'", "'inf'", "1.0", "-1e308")),
    "s": (SqlType.VARCHAR, ("'abc'", "''", "'Zürich'", "'a-b-c'", "'2026-10-14'", "'  pad '", "'😀x'", "'a%b_c'", "'AbC 12'")),
    "t": (SqlType.VARCHAR, ("'b'", "'Zone 7'", "'x,y,,z'", "'ß'", "'a''b'", "'NaN'", "'line' || chr(10) || 'two'", "'100'")),
    "b": (SqlType.BOOLEAN, ("TRUE", "FALSE")),
    "p": (SqlType.BOOLEAN, ("FALSE", "TRUE", "TRUE")),
    "d": (SqlType.DATE, ("'2026-10-14'", "'2000-02-29'", "'1970-01-01'", "'0001-01-01'", "'9999-12-31'", "'infinity'",
                         "'2026-01-01'", "'5881580-07-10'")),
    "e": (SqlType.DATE, ("'2026-10-01'", "'1999-12-31'", "'2024-02-29'", "'2027-01-04'")),
    "ts": (SqlType.TIMESTAMP, ("'2026-10-14 23:59:59.999999'", "'2000-02-29 00:00:00'", "'1969-12-31 12:00:00.5'",
                               "'2026-03-29 02:30:00'", "'infinity'", "'9999-12-31 23:59:59'", "'0001-01-01 00:00:00'")),
    "us": (SqlType.TIMESTAMP, ("'2026-10-14 22:00:00'", "'2026-10-25 02:30:00'", "'2000-03-01 00:00:00.000001'",
                               "'1970-01-01 00:00:00'")),
    "z": (SqlType.TIMESTAMPTZ, ("'2026-10-14 22:00:00+00'", "'2026-10-25 00:30:00+00'", "'1970-01-01 00:00:00+00'")),
    "c": (SqlType.TIME, ("'00:00:00'", "'23:59:59.999999'", "'12:30:00.5'")),
    "l": (SqlType.VARCHAR_LIST, ("['a', 'b']", "[]", "['x', NULL, 'a']", "['b', 'b', 'c']")),
    "n": (SqlType.BIGINT_LIST, ("[1, 2, 3]", "[]", "[NULL, 5]", "[9223372036854775807, 1]")),
}  # fmt: skip
_LAST_DIGITS = 1e-12
COLUMNS = {name: Field(name, name, kind) for name, (kind, _) in VALUES.items()}


@dataclass(frozen=True)
class Case:
    """One expression, and the reason if it differs from DuckDB on purpose."""

    sql: str
    because: str = ""  # empty: equal unless DuckDB raises


@dataclass(frozen=True)
class Found:
    """Results of both evaluations."""

    compared: int  # rows where DuckDB has a value
    raised: int  # rows where it raises
    different: tuple[tuple[object, object], ...]  # pairs of values


def cases() -> tuple[Case, ...]:
    """Read the file, one expression per line; those under `# on purpose: why` differ, up to the next title."""
    read, because = [], ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            because = line.removeprefix("# on purpose: ") if line.startswith("# on purpose: ") else ""
        elif line.strip():
            read.append(Case(line.strip(), because))
    return tuple(read)


class _Columns:
    """Column scope without further features."""

    def resolve_column(self, node: exp.Column) -> Expr:
        return Ref(COLUMNS[node.name])

    def bind_special(self, node: exp.Expr) -> Expr | None:
        return None


def typed(sql: str) -> Expr:
    """Bind one expression; raises Refusal."""
    (selected,) = parse(f"SELECT {sql} FROM stored").expressions
    return bind_scalar(selected.unalias(), _Columns())


class Conformance:
    """A table with a row for each value, and both evaluations."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(MACROS.read_text(encoding="utf-8"))
        columns = ", ".join(f"{name} {kind.value}" for name, (kind, _) in VALUES.items())
        self.connection.execute(f"CREATE TABLE stored (row_number BIGINT, {columns})")
        for number, row in enumerate(_rows()):
            casts = (f"CAST({cell} AS {kind.value})" for cell, (kind, _) in zip(row, VALUES.values(), strict=True))
            self.connection.execute(f"INSERT INTO stored SELECT {number}, {', '.join(casts)}")

    def compare(self, sql: str) -> Found:
        """Evaluate an expression both ways in every row; fails if a total form raises."""
        form = write_expr(typed(sql))
        ours = self.connection.execute(f"SELECT {form} FROM stored ORDER BY row_number").fetchall()
        theirs = self._plain(sql)
        pairs = [(mine[0], plain[0]) for mine, plain in zip(ours, theirs, strict=True) if plain is not None]
        different = tuple(pair for pair in pairs if not are_equal(*pair))
        return Found(len(pairs), len(theirs) - len(pairs), different)

    def _plain(self, sql: str) -> list[tuple[object] | None]:
        """Evaluate with plain DuckDB, row by row if a row raises."""
        query = f"SELECT {sql} FROM stored"
        try:
            return self.connection.execute(f"{query} ORDER BY row_number").fetchall()
        except duckdb.Error as error:
            if isinstance(error, duckdb.BinderException | duckdb.ParserException | duckdb.CatalogException):
                raise
        (count,) = self.connection.execute("SELECT count(*) FROM stored").fetchall()[0]
        return [self._plain_row(sql, number) for number in range(count)]

    def _plain_row(self, sql: str, number: int) -> tuple[object] | None:
        """Evaluate one row by itself."""
        one = f"(SELECT * FROM stored WHERE row_number = {number} LIMIT 1)"
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE one AS FROM {one}")
        try:
            return self.connection.execute(f"SELECT {sql} FROM one").fetchall()[0]
        except duckdb.Error:
            return None


def _rows() -> Iterator[tuple[str, ...]]:
    """Pair the columns' values in three ways, so that they meet each other and NULL."""
    for step in (0, 1, 5):
        moved = (values[step % len(values) :] + values[: step % len(values)] if place % 2 else values
                 for place, (_, values) in enumerate(VALUES.values()))  # fmt: skip
        yield from zip_longest(*moved, fillvalue="NULL")
    yield from zip(*(_cycled(values) for _, values in VALUES.values()), strict=True)


def _cycled(values: tuple[str, ...]) -> list[str]:
    return [values[place % len(values)] for place in range(20)]


def are_equal(ours: object, theirs: object) -> bool:
    """Return whether two values are equal; doubles up to their last digits, decimals as doubles."""
    if ours is None or theirs is None or isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, float) or type(theirs).__name__ in {"float", "Decimal"}:
        one, other = float(str(ours)), float(str(theirs))
        same = one == other or (math.isnan(one) and math.isnan(other))
        return same or abs(one - other) <= _LAST_DIGITS * max(abs(one), abs(other)) < math.inf
    return ours == theirs
