"""Lists that are declared complete -> SQL that finds a row that holds something else: asked when data are opened."""

from __future__ import annotations

from collections.abc import Mapping

from dialect.catalog import Column, ColumnOf, SqlType, Table, ValueList, ValueRange
from dialect.expressions import Literal
from dialect.stored_column import stored_column
from dialect.write_expr import name, quote


def rows_outside(table: Table, column: Column, addresses: Mapping[str, str]) -> str:
    """Write the rows in which a column holds a value outside its complete list, or a NULL that is not declared.

    Proof: proofs.md#complete-lists
    """
    stored = stored_column(column)
    outside = f"{stored} IS NOT NULL AND NOT ({_listed(column, stored, addresses)})"
    missing = "" if column.nullable else f" OR {stored} IS NULL"
    return f"SELECT 1 FROM {addresses[table.name]} WHERE ({outside}){missing} LIMIT 1"


def _listed(column: Column, stored: str, addresses: Mapping[str, str]) -> str:
    domain = column.domain
    if isinstance(domain, ValueList):
        return f"{stored} IN ({', '.join(_quoted(value, column.type) for value in domain.values)})"
    if isinstance(domain, ValueRange):
        return f"{stored} BETWEEN {_quoted(domain.lower, column.type)} AND {_quoted(domain.upper, column.type)}"
    assert isinstance(domain, ColumnOf)  # noqa: S101  the catalog reader refuses complete without a domain
    return f"{stored} IN ({_public(domain, addresses)})"


def _public(domain: ColumnOf, addresses: Mapping[str, str]) -> str:
    """Write a public column without NULL, beside which no value would count as missing."""
    column = name(domain.column)
    return f"SELECT {column} FROM {addresses[domain.table]} WHERE {column} IS NOT NULL"


def _quoted(value: bool | float | str | None, kind: SqlType) -> str:
    return quote(Literal(value, kind))
