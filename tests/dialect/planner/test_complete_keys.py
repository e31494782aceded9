"""Into how many groups further keys part each group: of closed lists alone, and counted as the engine lists them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.algebra.release_plan import PrivatePlan
from dialect.catalog.model import Catalog
from dialect.codegen.relations.relation import write_rows
from dialect.parser.compile_context import CompileContext
from dialect.planner.grouping_set_reuse import count_finer_groups

PlanOf = Callable[[str], PrivatePlan]
PEOPLE = "events e JOIN subscribers s ON s.subscriber_id = e.subscriber_id"

# all keys, of which the first is kept; rest of the question -> cells of each group
PARTS: list[tuple[str, str, int | None]] = [
    ("cell_id, dwell_s > 60", "events", 3),
    ("cell_id, CASE WHEN dwell_s > 60 THEN 'long' ELSE 'short' END", "events", 2),
    ("cell_id, dwell_s > 60, lat > 0", "events", 9),
    ("cell_id, hour(ts)", "events", 25),
    ("cell_id, hour(ts)", "events WHERE hour(ts) BETWEEN 7 AND 9", 3),
    ("dwell_s > 60, cell_id", "events WHERE cell_id IN (1, 2)", 2),
    ("dwell_s > 60, cell_id", "events WHERE cell_id >= 1 AND cell_id <= 4", 4),
    ("dwell_s > 60, cell_id", "events WHERE cell_id >= 1 AND cell_id <= 4 AND cell_id <> 2", None),
    ("dwell_s > 60, cell_id", "events WHERE cell_id IN (1, 2) AND cell_id > 1", None),
    ("dwell_s > 60, cell_id", "events", None),
    ("dwell_s > 60, gender", PEOPLE, None),
    ("gender, gender = 'f'", PEOPLE, None),
    ("cell_id, cell_id = 3", "events WHERE cell_id IN (1, 2, 3)", None),
    ("cell_id, hour(ts)", "events WHERE cell_id IN (1, 2) AND hour(ts) IN (1, 2) AND (cell_id = 1 OR hour(ts) = 2)", None),
    ("cell_id, hour(ts)", "events WHERE hour(ts) IN (NULL)", None),
    ("cell_id, date_trunc('hour', ts)", "events WHERE ts >= TIMESTAMP '2026-10-02' AND ts < TIMESTAMP '2026-10-04'", 48),
    ("cell_id, date_trunc('hour', ts)", "events WHERE ts::DATE BETWEEN '2026-10-02' AND '2026-10-03'", 48),
    ("cell_id, date_trunc('hour', ts)", "events WHERE ts > '2026-10-02 10:30:00' AND ts < '2026-10-02 13:10:00'", 4),
    # no such constant begins a unit: the 15th, the 2nd at noon
    ("cell_id, date_trunc('day', ts)", "events WHERE date_trunc('month', ts) >= '2026-10-15' AND ts < '2026-11-04'", 3),
    ("cell_id, date_trunc('hour', ts)", "events WHERE date_trunc('day', ts) < '2026-10-02 12:00:00' AND ts >= '2026-10-02'", 24),
    ("cell_id, date_trunc('hour', ts)", "events WHERE date_trunc('day', ts) <= '2026-10-02 12:00:00' AND ts >= '2026-10-02'", 24),
    ("cell_id, date_trunc('hour', ts)", "events WHERE date_trunc('day', ts) > '2026-10-02 12:00:00' AND ts < '2026-10-04'", 24),
    ("cell_id, date_trunc('hour', ts)", "events WHERE ts::DATE IN ('2026-10-02', '2026-10-04')", None),
    ("cell_id, date_trunc('hour', ts)", "events WHERE ts::DATE = '2026-10-02' AND hour(ts) < 6", None),
    ("hour(ts), date_trunc('hour', ts)", "events WHERE ts::DATE BETWEEN '2026-10-02' AND '2026-10-03'", None),
    ("hour(ts), ts::DATE", "events WHERE ts::DATE BETWEEN '2026-10-02' AND '2026-10-03'", 2),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "rest", "cells"), PARTS)
def test_keys_are_complete_only_if_no_row_is_lost(
    keys: str,
    rest: str,
    cells: int | None,
    plan_of: PlanOf,
    catalog: Catalog,
    target: Target,
    database: duckdb.DuckDBPyConnection,
) -> None:
    plan = plan_of(f"SELECT {keys}, COUNT(*) FROM {rest} GROUP BY ALL")
    texts = [re.sub(r"\w+#\d+\.", "", key.canonical_text) for key in plan.keys]
    first = keys.split(",", maxsplit=1)[0]
    kept = next(i for i, text in enumerate(texts) if text == first or text.strip("()").endswith(first))
    fields = [key.field for key in plan.keys]
    more = [f for i, f in enumerate(fields) if i != kept]
    assert (
        count_finer_groups([fields[kept]], more, plan.source, CompileContext(catalog, "", field_ids=count(1_000)))
        == cells
    )
    if cells is not None and plan.key_set is not None:
        sql = write_rows(plan.key_set.relation, plan.key_set.keys, target)
        coarse = plan.key_set.keys[kept].id
        listed = database.execute(f"SELECT DISTINCT count(*) FROM ({sql}) AS k GROUP BY {coarse}").fetchall()
        assert listed == [(cells,)]
