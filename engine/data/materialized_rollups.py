"""Materialized rollups: the declared ones, with the SQL that builds each, and its table name in a layout.

A rollup is a query that a catalog declares, such as

    SELECT zone, day, COUNT(*) FROM visit GROUP BY zone, day

with per-unit partial aggregates stored, from which coarser queries are answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from dialect import Catalog, PrivatePlan, Refusal, Target, bound, read
from dialect.algebra import LakeRows, Rollup
from dialect.codegen import can_be_rolled, roll_up_lake, write_rollup
from dialect.functions import NoForm, name
from engine.errors import CatalogError

LAYOUT = "layout"  # alias of an attached layout
ROLLUP = "rollup "  # prefix of table names; no declared table has a space in its name
NOT_THERE = "another function: docs/spark.md names those that Spark has not"


@dataclass(frozen=True)
class StoredRollup:
    """A declared rollup, the SQL that builds it, and its table in a layout."""

    table: str  # named by a digest of the SQL
    rows: LakeRows  # the SQL that builds it; for local files without broadcast tables
    rollup: Rollup


def declared_rollups(catalog: Catalog, target: Target) -> list[StoredRollup]:
    """Plan all declared rollups. Raises CatalogError for one that cannot be a rollup."""
    made = []
    for key, dataset, sql in _declared(catalog):
        plan = _planned(key, dataset, sql, catalog)
        if isinstance(plan, CatalogError):
            raise plan from None
        try:
            made.append(_rollup(plan, catalog, target))
        except NoForm as missing:
            raise CatalogError(catalog.path, key, f"{missing}, where people's rows lie.", NOT_THERE) from None
    return made


def unread_rollups(catalog: Catalog) -> list[CatalogError]:
    """List the errors in declared rollups, from their SQL and the catalog alone; no data are read."""
    planned = (_planned(*each, catalog) for each in _declared(catalog))
    return [each for each in planned if isinstance(each, CatalogError)]


def _declared(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Yield the catalog key, dataset and SQL of each declared rollup."""
    for dataset in catalog.datasets:
        for i, sql in enumerate(dataset.rollups):
            yield f"datasets.{dataset.name}.rollups[{i}]", dataset.name, sql


def _planned(key: str, dataset: str, sql: str, catalog: Catalog) -> PrivatePlan | CatalogError:
    """Plan the SQL of a rollup; return a CatalogError if it is refused, or its aggregates do not add up over groups."""
    try:
        plans = read(sql, catalog).plans
    except Refusal as refusal:
        return CatalogError(catalog.path, key, f"it is refused: {refusal.why}", refusal.hint)
    if len(plans) != 1 or plans[0].dataset != dataset or not can_be_rolled(plans[0]):
        why = "it is no question whose numbers add up from group to group."
        return CatalogError(catalog.path, key, why, "counts, sums and persons of one GROUP BY by public keys")
    return plans[0]


def readable_rollups(catalog: Catalog, target: Target) -> Iterator[StoredRollup]:
    """Yield the valid declared rollups; invalid ones, which are never stored, are skipped."""
    for dataset in catalog.datasets:
        for sql in dataset.rollups:
            try:
                plans = read(sql, catalog).plans
                found = [_rollup(plan, catalog, target) for plan in plans[:1] if can_be_rolled(plan)]
            except (Refusal, NoForm):
                continue
            yield from found


def _rollup(plan: PrivatePlan, catalog: Catalog, target: Target) -> StoredRollup:
    """Build a rollup, named by a digest of its SQL."""
    bounds = bound(plan, catalog, None)  # only the grains are used
    lake = target.lake
    rows = LakeRows(write_rollup(plan, bounds, target)) if lake is None else roll_up_lake(plan, bounds, target, lake)
    stored = named(ROLLUP, "\n".join((rows.text, *(f"{place} {sql}" for place, sql in rows.handed.items()))))
    return StoredRollup(stored, rows, Rollup(plan, bounds, stored_at(stored)))


def named(what: str, sql: str) -> str:
    """Return the name of a stored table: a prefix and a digest of the SQL that builds it."""
    return what + hashlib.sha256(sql.encode()).hexdigest()[:16]


def stored_at(table: str) -> str:
    """Return the address of a table in an attached layout."""
    return f"{LAYOUT}.main.{name(table)}"
