"""Emit typed expressions as SQL text of an engine. This is the only module that quotes constants.

Every form is total: it returns NULL where the engine's own function would raise. Expressions are also written as
plain text, which names result columns and the keys that clip bounds are declared by.

A form is a template with slots: {0} is an argument, {*, } all arguments and {1*, } those from the second on, joined by
what follows the star.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dialect.algebra.expressions import Call, Case, Expr, Literal, Ref
from dialect.catalog.model import SqlType
from dialect.functions.registry import OVERLOADS
from dialect.functions.scalar.geography import POLYGON_TYPE as POLYGON
from dialect.functions.scalar.geography import SPARK_POLYGON_TYPE as POLYGON_OF_SPARK
from dialect.functions.scalar.time import microseconds, microseconds_of_day
from dialect.functions.signatures import SAME, Function, NoForm, constant_values, quote_spark_text
from dialect.functions.tie_order import DUCKDB_TIE_HASH, SPARK_TIE_HASH, TieHash

NO_COLUMN = "1 AS dummy"  # a select list where nothing is read


def plain_text(expr: Expr) -> str:
    """Write an expression as people would: hour(started_at), cast(started_at as date). Clip bounds use it as key.

    Fields are written as their definitions or stored columns. `wall`, which converts an instant to local time, is left
    out: queries do not write it.
    """
    if isinstance(expr, Ref):
        field_ = expr.field
        if field_.definition is not None:
            return plain_text(field_.definition)
        return field_.origin.column if field_.origin is not None else field_.name or "value"
    if isinstance(expr, Literal):
        kind = "interval " if expr.type is SqlType.INTERVAL else ""
        return f"{kind}{expr.value!r}" if isinstance(expr.value, str) else str(expr.value).lower()
    if isinstance(expr, Case):
        return "case ... end"
    name = expr.name
    arguments = [plain_text(argument) for argument in expr.arguments]
    if name in {"to_date", "to_timestamp"}:
        return f"cast({arguments[0]} as {name[3:]})"
    if name == "wall":
        return arguments[0]
    name = "to_timestamp" if name == "from_epoch" else name
    return f"{name}({', '.join(arguments)})" if name[0].isalpha() else f"({f' {name} '.join(arguments)})"


_SLOT = re.compile(r"\{(\d?)(\*?)([^}]*)\}")


def quote_literal(literal: Literal) -> str:
    """Quote a constant for DuckDB. No value enters generated SQL in any other way.

    Negative integers are in parentheses, so that a minus sign before them does not begin a comment.
    """
    return _quote_value(literal.value, literal.type)


def _quote_value(value: bool | float | str | None, kind: SqlType) -> str:
    """Quote a constant of a type, as `quote_literal` does."""
    if value is None:
        return "NULL" if kind is SqlType.NULL else f"CAST(NULL AS {POLYGON if kind is SqlType.POLYGON else kind})"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int) and kind is not SqlType.DOUBLE:
        if value == -(2**63):
            return f"CAST('{value}' AS BIGINT)"  # as a bare literal it does not fit BIGINT
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, int | float):
        return f"CAST('{float(value)!r}' AS DOUBLE)"
    text = quote_text(value)
    if kind is SqlType.VARCHAR:
        return text
    if kind is SqlType.INTERVAL:
        amount, unit = value.split(" ")
        return f"INTERVAL '{int(amount)} {unit}'"
    return f"CAST({text} AS {kind})"


def value_rows(rows: Iterable[Sequence[Literal]], types: Sequence[SqlType]) -> str:
    """Write the rows of a VALUES list, of constants as values of the types of its columns."""
    cells = [[_quote_value(each.value, of) for each, of in zip(row, types, strict=True)] for row in rows]
    return ", ".join(f"({', '.join(row)})" for row in cells)


# https://spark.apache.org/docs/latest/sql-ref-datatypes.html
_SPARK_TYPES = {SqlType.VARCHAR: "STRING", SqlType.TIMESTAMP: "TIMESTAMP_NTZ", SqlType.NULL: "VOID"}
_SPARK_TYPES |= {SqlType.TIME: "BIGINT", SqlType.INTERVAL: "BIGINT", SqlType.POLYGON: POLYGON_OF_SPARK}
_SPARK_TYPES |= {
    SqlType.TIMESTAMPTZ: "TIMESTAMP",
    SqlType.VARCHAR_LIST: "ARRAY<STRING>",
    SqlType.BIGINT_LIST: "ARRAY<BIGINT>",
}


_MICROSECONDS = {SqlType.TIME: microseconds_of_day, SqlType.INTERVAL: microseconds}


def quote_for_spark(literal: Literal) -> str:
    """Quote a constant for Spark, where strings have escapes and integers have types."""
    value, kind = literal.value, literal.type
    target = _SPARK_TYPES.get(kind, kind.value)
    if value is None or isinstance(value, bool):
        return str(value).upper() if value is not None else f"CAST(NULL AS {target})"
    if kind is SqlType.VARCHAR:
        return quote_spark_text(str(value))
    if kind in _MICROSECONDS:
        return f"({_MICROSECONDS[kind](str(value))}L)"  # two minus signs would begin a comment
    return f"CAST({quote_spark_text(str(value))} AS {target})"


def quote_text(value: str) -> str:
    """Quote text. A NUL character, which would end the statement, is written as chr(0)."""
    parts = ["'" + part.replace("'", "''") + "'" for part in value.split("\x00")]
    return parts[0] if len(parts) == 1 else f"({' || chr(0) || '.join(parts)})"


def quote_identifier(identifier: str) -> str:
    """Quote a stored identifier."""
    return '"' + identifier.replace('"', '""') + '"'


@dataclass(frozen=True)
class Emitter:
    """How one engine's expressions are written: its name, its literals, its form of each function, and its hash."""

    name: str
    quote: Callable[[Literal], str]
    form_of: Callable[[Function, Sequence[Expr]], str | None]
    tie_hash: TieHash


class UnsupportedByEngine(Exception):
    """A construct has no SQL form in an engine. Raised before the engine runs anything; the text is for analysts."""


def _duckdb_form(row: Function, _: Sequence[Expr]) -> str:
    """Return the DuckDB form of a row; it does not depend on the arguments, unlike Spark's."""
    return row.duckdb


def _spark_form(row: Function, arguments: Sequence[Expr]) -> str | None:
    """Return the Spark form of a row, generated from the call's constants where it depends on them; None: none."""
    if isinstance(row.spark, NoForm):
        return None
    if callable(row.spark):
        return row.spark(*constant_values(row, arguments))
    return row.duckdb if row.spark == SAME else row.spark


DUCKDB = Emitter("DuckDB", quote_literal, _duckdb_form, DUCKDB_TIE_HASH)
SPARK = Emitter("Spark", quote_for_spark, _spark_form, SPARK_TIE_HASH)


def write_expr(expr: Expr, engine: Emitter = DUCKDB) -> str:
    """Write an expression over columns named by their field ids; raises UnsupportedByEngine without a form."""
    if isinstance(expr, Literal):
        return engine.quote(expr)
    if isinstance(expr, Ref):
        return expr.field.id
    if isinstance(expr, Case):
        tests = ((write_expr(test, engine), write_expr(value, engine)) for test, value in expr.branches)
        branches = " ".join(f"WHEN {test} THEN {value}" for test, value in tests)
        return f"CASE {branches} ELSE {write_expr(expr.otherwise, engine)} END"
    return _write_call(expr, engine)


def write_order_term(expr: Expr, descending: bool, nulls_first: bool, engine: Emitter = DUCKDB) -> str:
    """Write an ORDER BY term with an explicit position of NULLs."""
    direction, nulls = "DESC" if descending else "ASC", "FIRST" if nulls_first else "LAST"
    return f"{write_expr(expr, engine)} {direction} NULLS {nulls}"


def _write_call(expr: Call, engine: Emitter) -> str:
    """Write a call by filling the arguments into the slots of its form.

    A slot is (digit, star, separator): the argument at that position, or all from it on, joined by the separator.
    """
    form = engine.form_of(OVERLOADS[expr.function], expr.arguments)
    if form is None:
        raise UnsupportedByEngine(f"{expr.name} has no form in {engine.name}")
    arguments = [write_expr(argument, engine) for argument in expr.arguments]

    def fill_slot(found: re.Match[str]) -> str:
        """Write what a slot is for; in a list slot, a missing digit means all arguments."""
        position, is_list, separator = found[1], found[2], found[3]
        if not is_list:
            return arguments[int(position)]
        return separator.join(arguments[int(position or 0) :])

    return _SLOT.sub(fill_slot, form)
