"""The same rows in DuckDB and in a lake: every pass of a query on both, before noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql.connect.session import SparkSession

from dialect import Target, compile_query
from dialect.catalog.model import Catalog
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from dialect.postprocess import reads_single_groups
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import NO_OBJECTIONS, Exact
from engine.backends.lake import LakeBackend
from engine.backends.lockdown import declared_columns
from engine.backends.protocol import Lake
from engine.backends.spark.backend import SparkLake
from engine.data.checks.lake import bit_cast_person_columns, lake_placeholder, lake_target
from engine.pricing.compile_release import compile_release
from tests.support.greybox.greybox import InMemory, ReleaseRun
from tests.support.spark.lake import of_connection
from tests.support.sql.passes import every_other, passes

RHO = Fraction(1, 200)
SAME = "CAST(0 AS INT)"  # identity instead of a hash: both engines truncate in value order


def truncate_unhashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make both engines truncate rows by plain values: their hashes differ on purpose."""
    for engine, dialect in ENGINE_DIALECTS.items():
        monkeypatch.setitem(ENGINE_DIALECTS, engine, replace(dialect, hash=SAME, salted_hash=SAME))


def session_of(lake: Lake) -> SparkSession:
    """Session that the next query runs in."""
    assert isinstance(lake, SparkLake)
    with lake.sessions.entered() as session:
        return session


class Both:
    """One world of a connection, with its persons in a lake."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, catalog: Catalog, world: str, private: Sequence[str], folder: Path, remote: str
    ) -> None:  # fmt: skip
        addresses = {table.name: f"{world}.{table.name}" for table in catalog.tables}
        self.catalog = catalog
        self.duck = InMemory(Target(addresses), connection, private)
        lake = of_connection(connection, catalog, folder, remote, addresses)
        sources = {lake_placeholder(table): table.source for table in lake.tables if table.private}
        public = {table.name: addresses[table.name] for table in catalog.tables if not table.private}
        public_backend = InMemory(Target(public), connection, private)
        persons = bit_cast_person_columns(catalog)
        spark = SparkLake(remote, sources, persons)
        for place in persons:
            spark.detect_person_types(place)
        self.lake = LakeBackend(
            lake_target(catalog, public),
            public_backend,
            spark,
            declared_columns(t for t in catalog.tables if t.private),
        )

    def run(self, sql: str, objected: pa.Table = NO_OBJECTIONS) -> list[tuple[Exact, Exact]]:
        """Exact integers of both engines, second passes over the same keys; raises Refusal."""
        return both(sql, (self.catalog, self.duck), (self.catalog, self.lake), objected)

    def close(self) -> None:
        """Close the Spark session, which would wait a minute for a missing cluster."""
        self.lake.lake.close()

    def in_lake(self, sql: str, keys: pa.Table | None = None, objected: pa.Table = NO_OBJECTIONS) -> list[ReleaseRun]:
        """Exact integers of the lake, second passes over some keys."""
        question = compile_query(sql, self.catalog)
        by_group = reads_single_groups(question)
        prepared = [
            compile_release(plan, self.catalog, self.lake, RHO, reads_single_groups=by_group) for plan in question.plans
        ]
        return [ReleaseRun(*each) for p in prepared for each in passes(p, self.lake, objected, keys)]


def both(
    sql: str,
    here: tuple[Catalog, DuckDBBackend],
    there: tuple[Catalog, LakeBackend],
    objected: pa.Table = NO_OBJECTIONS,
) -> list[tuple[Exact, Exact]]:
    """Run every pass of a query on both engines, second passes over the same keys; raises Refusal."""
    found = []
    question = compile_query(sql, here[0])
    by_group = reads_single_groups(question)
    for plan in question.plans:
        ours, theirs = (
            compile_release(plan, catalog, backend, RHO, reads_single_groups=by_group)
            for catalog, backend in (here, there)
        )
        keys = None if ours.selection is None else every_other(here[1].run(ours.selection.rounds[0].sql, objected).keys)
        pairs = zip(passes(ours, here[1], objected, keys), passes(theirs, there[1], objected, keys), strict=True)
        found += [(one, other) for (_, one), (_, other) in pairs]
    return found


def same(one: Exact, other: Exact) -> bool:
    """Return whether keys, their order and all integers are equal, whatever their widths; NaN equals NaN."""
    are_equal = (repr(exact.keys.to_pylist()) for exact in (one, other))
    vectors = zip(one.vectors, other.vectors, strict=True)
    return (
        one.keys.num_rows == other.keys.num_rows and len({*are_equal}) == 1 and all(np.array_equal(*v) for v in vectors)
    )
