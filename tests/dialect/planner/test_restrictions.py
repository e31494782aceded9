"""Key sets restricted by joined public tables: they list all keys that rows can have, and no others."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.algebra.relations import Relation, SemiJoin
from dialect.algebra.release_plan import PrivatePlan
from dialect.algebra.traversal import walk
from dialect.codegen.relations.relation import write_rows

restrictions: Any = import_module("dialect.planner.keys.restrictions")

DAYS = "(VALUES (DATE '2026-10-02', TRUE), (DATE '2026-10-03', TRUE), (DATE '2026-10-05', FALSE)) AS d(day, free)"
DAY = "CAST(ts AS DATE)"
FREE = f"FROM events JOIN {DAYS} ON day = {DAY} WHERE free"
ZONE = "EXISTS (SELECT 1 FROM cells c WHERE c.cell_id = events.cell_id AND c.zone = 'C3')"

# keys, rest of the question -> number of listed keys
LISTED = [
    (DAY, FREE, 2),
    (DAY, FREE.replace("WHERE", "WHERE ts >= '2026-10-01' AND ts < '2026-10-03' AND"), 1),
    (f"date_trunc('week', {DAY})", FREE, 1),
    ("date_trunc('month', ts)", FREE, 1),
    ("dayname(ts)", FREE, 2),
    ("date_trunc('hour', ts)", FREE.replace("WHERE", "WHERE ts >= '2026-10-01' AND ts < '2026-10-08' AND"), 48),
    (f"{DAY}, hour(ts)", FREE, 48),
    (f"{DAY}, cell_id", FREE, 32),
    (f"{DAY}, free", FREE, 2),
    (DAY, f"FROM events JOIN {DAYS} ON day = {DAY}", 3),
    (DAY, f"FROM events LEFT JOIN {DAYS} ON day = {DAY} AND free", 8),
    (DAY, f"FROM events WHERE {DAY} IN (SELECT day FROM {DAYS} WHERE free)", 2),
    (DAY, f"FROM events WHERE EXISTS (SELECT 1 FROM {DAYS} WHERE free AND day = {DAY})", 2),
    (DAY, f"FROM events WHERE {DAY} NOT IN (SELECT day FROM {DAYS} WHERE free)", 8),
    ("e.cell_id", "FROM events e JOIN cells c ON c.cell_id = e.cell_id", 15),
    ("e.cell_id", "FROM events e JOIN cells c ON c.cell_id = e.cell_id WHERE c.zone = 'C3'", 3),
    ("e.cell_id", "FROM events e LEFT JOIN cells c ON c.cell_id = e.cell_id AND c.zone = 'C3'", 16),
    ("cell_id", f"FROM events WHERE {ZONE}", 3),
    ("cell_id", f"FROM events WHERE {ZONE} AND hour(ts) < 3", 3),
    ("cell_id", f"FROM events WHERE NOT {ZONE}", 16),
    ("cell_id", f"FROM events WHERE {ZONE} OR hour(ts) < 3", 16),
    ("cell_id", f"FROM (SELECT * FROM events WHERE {ZONE}) JOIN subscribers USING (subscriber_id)", 3),
    ("cell_id", f"FROM subscribers LEFT JOIN (SELECT * FROM events WHERE {ZONE}) USING (subscriber_id)", 16),
]


def _keys(plan: PrivatePlan, target: Target, database: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    assert plan.key_set is not None
    shown = ", ".join(f.id for f in plan.key_set.keys)
    rows = write_rows(plan.key_set.relation, plan.key_set.keys, target)
    return database.execute(f"SELECT {shown} FROM ({rows})").fetchall()


def _outside(plan: PrivatePlan, target: Target, database: duckdb.DuckDBPyConnection) -> set[tuple[object, ...]]:
    """Keys of rows that the key set lacks, besides values that the catalog's lists do not have."""
    held = [key.field for key in plan.keys]
    rows = f"SELECT {', '.join(f.id for f in held)} FROM ({write_rows(plan.source, held, target)})"
    return set(database.execute(rows).fetchall()) - set(_keys(plan, target, database))


@pytest.mark.parametrize(("keys", "rest", "count"), LISTED, ids=lambda value: str(value)[:70])
def test_keys_without_a_joined_public_row_are_not_listed(
    keys: str,
    rest: str,
    count: int,
    plan_of: Callable[[str], PrivatePlan],
    target: Target,
    database: duckdb.DuckDBPyConnection,
) -> None:
    plan = plan_of(f"SELECT {keys}, COUNT(*) {rest} GROUP BY ALL")
    assert len(_keys(plan, target, database)) == count
    assert _outside(plan, target, database) <= _undeclared(keys, rest, plan_of, target, database)


def _undeclared(
    keys: str, rest: str, plan_of: Callable[[str], PrivatePlan], target: Target, database: duckdb.DuckDBPyConnection
) -> set[tuple[object, ...]]:
    """Keys that the lists alone do not have: rows may hold what is not declared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("dialect.planner.keys.key_set"), "restricting_lists", lambda *_: ((), ()))
        return _outside(plan_of(f"SELECT {keys}, COUNT(*) {rest} GROUP BY ALL"), target, database)


def test_keys_that_an_anti_join_leaves_are_missed_where_it_restricts(
    plan_of: Callable[[str], PrivatePlan],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planted: rows without a match are taken for rows with one."""
    sql = f"SELECT cell_id, COUNT(*) FROM events WHERE NOT {ZONE} GROUP BY 1"
    before = _outside(plan_of(sql), target, database)

    def all_semi_joins(relation: Relation) -> list[SemiJoin]:
        return [each.operator for each in walk(relation) if isinstance(each.operator, SemiJoin)]

    monkeypatch.setattr(restrictions, "_semi_joins", all_semi_joins)
    assert _outside(plan_of(sql), target, database) - before
