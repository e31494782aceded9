"""The rollups that a catalog declares -> how each is made, and called in a layout."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from dialect import Catalog, PrivatePlan, Refusal, Target, bound, read
from dialect.algebra import LakeRows, Rollup
from dialect.codegen import can_be_rolled, roll_up_lake, write_rollup
from dialect.functions import NoForm, name
from engine.errors import CatalogError

LAYOUT = "layout"  # the name under which a layout's file is attached
ROLLUP = "rollup "  # before a digest; no declared table can have such a name
NOT_THERE = "another function: docs/spark.md names those that Spark has not"


@dataclass(frozen=True)
class StoredRollup:
    """A rollup, and how it is made and called in a layout."""

    table: str  # named by the digest of the SQL
    rows: LakeRows  # of files: DuckDB's SQL, and nothing is handed
    rollup: Rollup


def declared_rollups(catalog: Catalog, target: Target) -> list[StoredRollup]:
    """Read the declared rollups; raise CatalogError for one that can't be."""
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
    """List what is wrong with declared rollups by their text and the catalog alone: no data are looked at."""
    planned = (_planned(*each, catalog) for each in _declared(catalog))
    return [each for each in planned if isinstance(each, CatalogError)]


def _declared(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Walk all rollups: the catalog's key, the dataset and the text of each."""
    for dataset in catalog.datasets:
        for i, sql in enumerate(dataset.rollups):
            yield f"datasets.{dataset.name}.rollups[{i}]", dataset.name, sql


def _planned(key: str, dataset: str, sql: str, catalog: Catalog) -> PrivatePlan | CatalogError:
    try:
        plans = read(sql, catalog).plans
    except Refusal as refusal:
        return CatalogError(catalog.path, key, f"it is refused: {refusal.why}", refusal.hint)
    if len(plans) != 1 or plans[0].dataset != dataset or not can_be_rolled(plans[0]):
        why = "it is no question whose numbers add up from group to group."
        return CatalogError(catalog.path, key, why, "counts, sums and persons of one GROUP BY by public keys")
    return plans[0]


def readable_rollups(catalog: Catalog, target: Target) -> Iterator[StoredRollup]:
    """Read the declared rollups that can be read: of others none is stored."""
    for dataset in catalog.datasets:
        for sql in dataset.rollups:
            try:
                plans = read(sql, catalog).plans
                found = [_rollup(plan, catalog, target) for plan in plans[:1] if can_be_rolled(plan)]
            except (Refusal, NoForm):
                continue
            yield from found


def _rollup(plan: PrivatePlan, catalog: Catalog, target: Target) -> StoredRollup:
    """Name a rollup by the digest of the SQL that makes it."""
    bounds = bound(plan, catalog, None)  # for its grains alone
    lake = target.lake
    rows = LakeRows(write_rollup(plan, bounds, target)) if lake is None else roll_up_lake(plan, bounds, target, lake)
    stored = named(ROLLUP, "\n".join((rows.text, *(f"{place} {sql}" for place, sql in rows.handed.items()))))
    return StoredRollup(stored, rows, Rollup(plan, bounds, stored_at(stored)))


def named(what: str, sql: str) -> str:
    """Name what is stored in a layout by the SQL that makes it."""
    return what + hashlib.sha256(sql.encode()).hexdigest()[:16]


def stored_at(table: str) -> str:
    """Say where a table lies in a layout."""
    return f"{LAYOUT}.main.{name(table)}"
