"""Lists that are declared complete -> SQL that finds a row that holds something else: asked when data are opened."""

from __future__ import annotations

from collections.abc import Mapping

from dialect.algebra.expressions import Literal
from dialect.catalog.catalog import Column, ColumnOf, Table, Value, ValueList, ValueRange
from dialect.catalog.engine_name import EngineName
from dialect.codegen.engines import WORDS, Words
from dialect.codegen.stored_column import stored_column


def rows_outside(
    table: Table, column: Column, addresses: Mapping[str, str], engine: EngineName = EngineName.DUCKDB
) -> str:
    """Write the rows in which a column holds a value outside its complete list, or a NULL that is not declared.

    Proof: proofs.md#complete-lists
    """
    missing = "" if column.nullable else f" OR {stored_column(column, table, engine)} IS NULL"
    outside = is_outside(column, addresses, table, engine)
    return f"SELECT 1 FROM {addresses[table.name]} WHERE ({outside}){missing} LIMIT 1"


def is_outside(
    column: Column, addresses: Mapping[str, str], table: Table | None = None, engine: EngineName = EngineName.DUCKDB
) -> str:
    """Write that a row holds a value outside a complete list."""
    stored, said = stored_column(column, table, engine), WORDS[engine]
    return f"{stored} IS NOT NULL AND NOT ({_listed(column, stored, addresses, said)})"


def _listed(column: Column, stored: str, addresses: Mapping[str, str], said: Words) -> str:
    domain = column.domain

    def quoted(value: Value) -> str:
        return said.emitter.quote(Literal(value, column.type))

    if isinstance(domain, ValueList):
        return f"{stored} IN ({', '.join(map(quoted, domain.values))})"
    if isinstance(domain, ValueRange):
        return f"{stored} BETWEEN {quoted(domain.lower)} AND {quoted(domain.upper)}"
    assert isinstance(domain, ColumnOf)  # noqa: S101  the catalog reader refuses complete without a domain
    return f"{stored} IN ({_public(domain, addresses, said)})"


def _public(domain: ColumnOf, addresses: Mapping[str, str], said: Words) -> str:
    """Write a public column without NULL, beside which no value would count as missing."""
    column = said.name(domain.column)
    return f"SELECT {column} FROM {addresses[domain.table]} WHERE {column} IS NOT NULL"
