"""Materialized rollups: the declared ones, with the SQL that builds each, and its table name in a layout.

A rollup is a query that a catalog declares, such as

    SELECT zone, day, COUNT(*) FROM visit GROUP BY zone, day

with per-unit partial aggregates stored, from which coarser queries are answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from dialect import Catalog, PrivatePlan, Refusal, Target, bound_contributions, compile_query
from dialect.algebra import LakeSql, Rollup
from dialect.codegen import is_rollup_compatible, lake_rollup, write_rollup
from dialect.functions import UnsupportedByEngine, quote_identifier
from engine.errors import CatalogError

LAYOUT_ALIAS = "layout"  # alias of an attached layout
ROLLUP_PREFIX = "rollup "  # prefix of table names; no declared table has a space in its name
UNSUPPORTED_FUNCTION_CURE = "another function: docs/spark.md names those that Spark has not"


@dataclass(frozen=True)
class StoredRollup:
    """A declared rollup, the SQL that builds it, and its table in a layout."""

    table: str  # named by a digest of the SQL
    rows: LakeSql  # the SQL that builds it; for local files without broadcast tables
    rollup: Rollup


def declared_rollups(catalog: Catalog, target: Target) -> list[StoredRollup]:
    """Plan all declared rollups. Raises CatalogError for one that cannot be a rollup."""
    return [_stored_rollup(catalog, target, *declared) for declared in _rollup_declarations(catalog)]


def rollup_errors(catalog: Catalog) -> list[CatalogError]:
    """List the errors in declared rollups, from their SQL and the catalog alone; no data are read."""
    found = []
    for declared in _rollup_declarations(catalog):
        try:
            _plan_rollup(catalog, *declared)
        except CatalogError as error:
            found.append(error)
    return found


def valid_rollups(catalog: Catalog, target: Target) -> Iterator[StoredRollup]:
    """Yield the valid declared rollups; invalid ones, which are never stored, are skipped."""
    for declared in _rollup_declarations(catalog):
        with suppress(CatalogError):
            yield _stored_rollup(catalog, target, *declared)


def _rollup_declarations(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Yield the catalog key, dataset and SQL of each declared rollup."""
    for dataset in catalog.datasets:
        for i, sql in enumerate(dataset.rollups):
            yield f"datasets.{dataset.name}.rollups[{i}]", dataset.name, sql


def _plan_rollup(catalog: Catalog, key: str, dataset: str, sql: str) -> PrivatePlan:
    """Plan the SQL of a rollup. Raises CatalogError if it is refused, or its aggregates do not add up over groups."""
    try:
        plans = compile_query(sql, catalog).plans
    except Refusal as refusal:
        raise CatalogError(catalog.path, key, f"it is refused: {refusal.why}", refusal.hint) from None
    if len(plans) != 1 or plans[0].dataset != dataset or not is_rollup_compatible(plans[0]):
        why = "it is no question whose numbers add up from group to group."
        raise CatalogError(catalog.path, key, why, "counts, sums and persons of one GROUP BY by public keys")
    return plans[0]


def _stored_rollup(catalog: Catalog, target: Target, key: str, dataset: str, sql: str) -> StoredRollup:
    """Plan a rollup, named by a digest of the SQL that builds it. Raises CatalogError."""
    plan = _plan_rollup(catalog, key, dataset, sql)
    bounds = bound_contributions(plan, catalog, None)  # only the grains are used
    lake = target.lake
    try:
        rows = LakeSql(write_rollup(plan, bounds, target)) if lake is None else lake_rollup(plan, bounds, target, lake)
    except UnsupportedByEngine as missing:
        why = f"{missing}, where people's rows lie."
        raise CatalogError(catalog.path, key, why, UNSUPPORTED_FUNCTION_CURE) from None
    stored = stored_table_name(
        ROLLUP_PREFIX, "\n".join((rows.text, *(f"{place} {sql}" for place, sql in rows.broadcast.items())))
    )
    return StoredRollup(stored, rows, Rollup(plan, bounds, layout_address(stored)))


def stored_table_name(prefix: str, sql: str) -> str:
    """Return the name of a stored table: a prefix and a digest of the SQL that builds it."""
    return prefix + hashlib.sha256(sql.encode()).hexdigest()[:16]


def layout_address(table: str) -> str:
    """Return the address of a table in an attached layout."""
    return f"{LAYOUT_ALIAS}.main.{quote_identifier(table)}"
