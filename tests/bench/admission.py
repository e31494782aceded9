"""Cost of eligibility: the same bounded query with every filter and 1% of objectors, and with none.

Both run on the same file in the same process, in turn; ratios are medians of pairs. Processor time is what this process
took itself: on a machine that does other things at the same time, the clock tells more about those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import pyarrow as pa

from dialect import BoundedSql, Catalog, compile_query
from dialect.catalog.model import NO_ELIGIBILITY_RULES
from engine.backends.exact import NO_OBJECTIONS
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import price_release, unpriced_release
from tests.bench.machine import table
from tests.bench.pairs import RHO, opened, paired
from tests.bench.speed import QUESTIONS as KINDS

OBJECTING = 100  # one person in so many
QUESTIONS = KINDS | {
    "rows by cell and hour": "SELECT cell_id, hour(ts) AS h, count(*) AS n FROM event GROUP BY 1, 2",
    "rows in all": "SELECT count(*) AS n FROM event",
    "rows by private keys": "SELECT tac, count(*) AS n FROM event GROUP BY tac",
}


def main(events: int, runs: int) -> None:
    """Print a row per question and order of the table."""
    rows = []
    for order in ("person", "time"):
        with opened(events, order) as (plain, engine, _):
            ((persons,),) = plain.execute("SELECT count(*) FROM subscriber").fetchall()
            objecting = pa.array([str(i) for i in range(OBJECTING, persons + 1, OBJECTING)], pa.string())
            for name, sql in QUESTIONS.items():
                rows.append((order, name, *_cells(engine, sql, pa.table({"person": objecting}), runs)))
    print(f"{events:.0e} events, {persons:,} people, {len(objecting):,} objecting; two threads, warm, {runs} pairs")
    table(("sorted by", "question", "without s", "with s", "ratio on the clock", "ratio of processor time"), rows)


def _cells(engine: Engine, sql: str, objected: pa.Table, runs: int) -> tuple[float, ...]:
    without = _runs(engine, _unfiltered(engine, sql), NO_OBJECTIONS)
    found = paired(without, _runs(engine, _written(engine, engine.catalog, sql), objected), runs)
    return found.plain, found.ours, found.ratio, found.processor


def _runs(engine: Engine, bounded: list[BoundedSql], objected: pa.Table) -> Callable[[], None]:
    """Closure that runs one SQL form once."""

    def once() -> None:
        for each in bounded:
            engine.backend.run(each, objected)

    return once


def _written(engine: Engine, catalog: Catalog, sql: str) -> list[BoundedSql]:
    backend = engine.backend
    made = [
        price_release(unpriced_release(plan, catalog, backend), backend, RHO)
        for plan in compile_query(sql, catalog).plans
    ]
    return [each.statements[0] for each in made]  # of private keys the first pass, which chooses them


def _unfiltered(engine: Engine, sql: str) -> list[BoundedSql]:
    """Write the same query without any eligibility rule."""
    catalog = engine.catalog
    bare = replace(
        catalog,
        datasets=tuple(replace(dataset, eligibility=NO_ELIGIBILITY_RULES) for dataset in catalog.datasets),
        tables=tuple(replace(table, consent=None, retained_from=None) for table in catalog.tables),
    )
    with mock.patch("engine.pricing.compile_release.eligibility_filter", lambda *_: None):
        return _written(engine, bare, sql)
