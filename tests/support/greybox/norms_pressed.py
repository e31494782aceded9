"""Vectors just above a clip bound, where rounding of the clip factor could let one through."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import duckdb
import pyarrow as pa

from dialect import Target, compile_query
from dialect.catalog.model import Bounds, Catalog, ClipBounds
from engine.pricing.compile_release import compile_release
from tests.support.greybox.greybox import RHO, InMemory, groups

LARGEST = 2**31 - 1  # maximum of one person's number in one group
ONE_ROW = 2**27  # maximum contribution of one row
ROWS_OF_A_NUMBER = 16
QUESTION = "SELECT cell_id, SUM(steps) FROM events GROUP BY cell_id"


def pressing_vectors(norm: int, many: int) -> list[list[int]]:
    """Draw vectors whose square is slightly above norm^2, or multiples of such a vector; and arbitrary ones."""
    draw = random.Random(norm)  # deterministic
    return [_wild(draw) if i % 4 == 3 else _pressing(draw, norm) for i in range(many)]


def _pressing(draw: random.Random, norm: int) -> list[int]:
    """Split norm^2 plus a little into squares: some random, then always the largest that fits."""
    left = norm * norm + draw.choice((1, 1, 2, 2, 3, 4, 7, 16))
    entries = []
    for _ in range(draw.randint(0, 4)):
        entries.append(draw.randint(0, math.isqrt(left)))
        left -= entries[-1] ** 2
    while left:
        entries.append(math.isqrt(left))
        left -= entries[-1] ** 2
    times = draw.choice((1, 1, 2, 3, LARGEST // max(entries)))
    times = max(1, min(times, LARGEST // max(entries)))
    return [entry * times * draw.choice((-1, 1)) for entry in entries if entry]


def _wild(draw: random.Random) -> list[int]:
    return [draw.randint(-LARGEST, LARGEST) >> draw.randint(0, 31) for _ in range(draw.randint(1, 30))] + [LARGEST]


def scaled(connection: duckdb.DuckDBPyConnection, catalog: Catalog, norm: int, vectors: list[list[int]]) -> list[int]:
    """Clip each vector with the engine, one person each; returns the exact excess of each square over the bound."""
    _store(connection, vectors)
    normed = _normed(catalog, norm)
    prepared = compile_release(compile_query(QUESTION, normed).plans[0], normed, _backend(connection), RHO)
    bound = prepared.bounds.vectors[0]
    assert (bound.rule, bound.value_bits, bound.clip_bound_value_grains) == ("scale", 0, norm)
    given = groups(_backend(connection).run(prepared.sql))
    numbers = iter(range(sum(map(len, vectors))))
    squares = [sum(given[(repr(next(numbers)),)][0] ** 2 for _ in vector) for vector in vectors]
    return [square - bound.sensitivity**2 for square in squares]


def _backend(connection: duckdb.DuckDBPyConnection) -> InMemory:
    return InMemory(Target({table: f"pressed.{table}" for table in ("events", "subscribers", "cells")}), connection)


def _store(connection: duckdb.DuckDBPyConnection, vectors: list[list[int]]) -> None:
    """Store each vector as one person with its own groups, and every number as sixteen rows."""
    persons = [person for person, vector in enumerate(vectors) for _ in vector]
    entries = pa.table({"person": persons, "v": [v for vector in vectors for v in vector], "cell": range(len(persons))})
    many = ROWS_OF_A_NUMBER
    connection.register("entries", entries)
    connection.execute(f"""
        DROP SCHEMA IF EXISTS pressed CASCADE; CREATE SCHEMA pressed;
        CREATE TABLE pressed.cells AS SELECT cell AS cell_id FROM entries;
        CREATE TABLE pressed.subscribers AS SELECT DISTINCT person AS subscriber_id, true AS consent FROM entries;
        CREATE TABLE pressed.events AS
        SELECT person AS subscriber_id, cell AS cell_id,
               CAST(sign(v) * (abs(v) // {many} + CAST(n < abs(v) % {many} AS BIGINT)) AS BIGINT) AS steps
        FROM entries CROSS JOIN range({many}) AS parts(n);
    """)
    connection.unregister("entries")


def _normed(catalog: Catalog, norm: int) -> Catalog:
    """Declare the clip bound of SUM(steps)."""
    events = catalog.tables_by_name.get("events")
    assert events is not None
    bounds = Bounds(-float(ONE_ROW), float(ONE_ROW))
    columns = tuple(
        replace(c, bounds=bounds, sum_clip_bound=float(norm)) if c.name == "steps" else c for c in events.columns
    )
    changed = replace(events, columns=columns, clip_bounds=ClipBounds(1e6, 1e6))
    return replace(catalog, tables=tuple(changed if t.name == "events" else t for t in catalog.tables))
