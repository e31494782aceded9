"""Dates that are declared to be those of times -> SQL that finds a row on another one: asked when data are opened."""

from __future__ import annotations

from dialect.catalog.catalog import Catalog, Table
from dialect.catalog.engine_name import EngineName
from dialect.codegen.engines import WORDS
from dialect.codegen.retention import stored_time

WHY = "a row is not on the date of its {}, or has none."
CURE = "correct the rows, or remove date_column"


def rests_on_date(table: Table, catalog: Catalog) -> bool:
    """Tell whether questions take a row's date for that of its time unasked: where windows are, each scan asks."""
    dated = table.private and table.date_column is not None and table.time_column is not None
    return dated and catalog.dataset(table.dataset).stretch is None


def is_on_other_date(table: Table, engine: EngineName = EngineName.DUCKDB) -> str:
    """Write that a row is on another date than that of its time, or says none."""
    return f"({WORDS[engine].name(table.date_column or '')} = CAST({stored_time(table, engine)} AS DATE)) IS NOT TRUE"


def rows_on_other_dates(table: Table, address: str, engine: EngineName = EngineName.DUCKDB) -> str:
    """Write the rows on another date than that of their time. Proof: proofs.md#declared-dates."""
    return f"SELECT 1 AS one FROM {address} WHERE {is_on_other_date(table, engine)} LIMIT 1"
