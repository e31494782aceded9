"""Ratio to plain Spark: the same question over the same Parquet files on one cluster of two workers, started here.

A cluster needs Java 17 or 21; `PASSERSBY_BENCH_SPARK=sc://...` names another one, which must see this machine's files.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from budgets import Ledger
from dialect.catalog.model import Table
from engine.backends.lake import LakeBackend
from engine.catalog.file import load_catalog
from engine.catalog.operator import operator_path
from engine.data.lake_optimize import optimize_lake
from engine.data.open_data import open_lake
from engine.data.snapshot import open_snapshot
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.bench.guard import Guard
from tests.bench.machine import table
from tests.bench.pairs import HEAD, RHO, Paired, paired
from tests.bench.speed import AGE_GENDER, FIXED, QUESTIONS, ZONE_HOUR
from tests.support.spark.lake import as_lake
from tests.support.spark.spark_cluster import Cluster

if TYPE_CHECKING:
    from pyspark.sql.connect.dataframe import DataFrame

OTHER = "PASSERSBY_BENCH_SPARK"
MEMORY = 1536  # MB of each of the two workers
ROWS_OF_A_TASK = 2_000_000  # of more, both ways spill what they sort
SHORT, PAIRS = 20.0, 7  # seconds that both ways take at most, of which so many pairs are asked
LONG = 50_000_000  # events: a question over more takes minutes, and one short question of both ways warms for all


def main(events: int, runs: int) -> None:
    """Print a table for local rollups of the lake and one for the lake's own rows, and the guard's findings."""
    guard = Guard("spark")
    print(f"{events:.0e} events in Parquet, two workers of one core each, warm\n")
    with (
        tempfile.TemporaryDirectory() as folder,
        _remote(Path(folder), events) as (remote, processor),
        _opened(events, Path(folder), remote, processor) as asked,
    ):
        bare, warming = asked.without_rollups(), int(events < LONG)
        if events >= LONG:
            bare.ask(FIXED["mean by place"], 1, warming=0)
        print(f"from rollups beside the lake, {runs} pairs, {PAIRS} of what is short:\n", flush=True)
        table(("question", *HEAD), (_row(asked, name, runs, guard, ", from a rollup", warming) for name in QUESTIONS))
        print(f"\nfrom the lake's own rows, {runs} pairs:\n", flush=True)
        table(("question", *HEAD), (_row(bare, name, runs, guard, "", warming) for name in QUESTIONS))
    print(f"\n{guard.summary()}")


def _row(asked: _Stage, name: str, runs: int, guard: Guard, read: str, warming: int) -> tuple[object, ...]:
    found = asked.ask(QUESTIONS[name], runs, warming)
    if found.plain < SHORT and found.ours < SHORT:
        found = asked.ask(QUESTIONS[name], PAIRS, 1)
    if OTHER not in os.environ:  # of the processors of another cluster nothing is known
        guard.ratio(f"{name}{read}", found.processor)
    print(f"  {name}: {found.ratio:.2f} ({found.processor:.2f})", file=sys.stderr, flush=True)
    return name, *found.cells()


class _Stage:
    """Plain Spark and the engine, over the same files."""

    def __init__(self, remote: str, engine: Engine, processor: Callable[[], float]) -> None:
        from pyspark.sql.connect.session import SparkSession  # late: only this part needs it

        self.plain, self.engine = SparkSession.builder.remote(remote).create(), engine
        self.processor, self.asked = processor, itertools.count()  # without rollups too
        for each in engine.catalog.tables:
            self._rows(each).createOrReplaceTempView(each.name)

    def without_rollups(self) -> _Stage:
        """The same stage, with an engine that reads the lake itself."""
        backend = self.engine.backend
        assert isinstance(backend, LakeBackend)
        bare = copy(self)
        bare.engine = replace(self.engine, backend=replace(backend, target=replace(backend.target, rollups=())))
        return bare

    def _rows(self, of: Table) -> DataFrame:
        """A private table's files, or a public one's rows, which the engine broadcasts with each query too."""
        if of.private:
            return self.plain.read.parquet(of.source.path)
        return self.plain.createDataFrame(self.engine.backend.public(f"SELECT * FROM {self._address(of)}"))

    def _address(self, of: Table) -> str:
        assert isinstance(self.engine.backend, LakeBackend)
        return self.engine.backend.target.addresses[of.name]

    def ask(self, sql: str, runs: int, warming: int) -> Paired:
        """Time both engines in turn; each run is of another client at another price, so none is a replay."""
        rows = [0]

        def ours() -> None:
            run = next(self.asked)
            asked = Request(f"bench{run}", RHO + Fraction(run, 10**9))
            rows[0] = self.engine.answer(sql, asked).answer.table.num_rows

        found = paired(lambda: self.plain.sql(sql).toArrow(), ours, runs, warming, self.processor)
        return replace(found, keys=rows[0])


@contextmanager
def _remote(folder: Path, events: int) -> Iterator[tuple[str, Callable[[], float]]]:
    """Address of a cluster, named or started here, and a clock of the processor time it takes.

    What a named one takes is not seen here: then it is that of this process alone.
    """
    if OTHER in os.environ:
        yield os.environ[OTHER], time.process_time
        return
    (own := folder / "cluster").mkdir()
    settings = {
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC",
        "spark.executor.extraJavaOptions": "-XX:+UseSerialGC",
        "spark.sql.shuffle.partitions": str(max(2, events // ROWS_OF_A_TASK)),
    }
    with Cluster(own, settings, memory=MEMORY) as started:
        yield started.remote, lambda: time.process_time() + started.processor_seconds()


@contextmanager
def _opened(events: int, folder: Path, remote: str, processor: Callable[[], float]) -> Iterator[_Stage]:
    """Write the operator's tables into a lake, and open it."""
    catalog = load_catalog(operator_path(events, order="time"))
    rolled = tuple(replace(dataset, rollups=(ZONE_HOUR, AGE_GENDER)) for dataset in catalog.datasets)
    catalog = replace(catalog, datasets=rolled)
    files = open_snapshot(catalog, folder, lambda *_: None)
    lake = as_lake(catalog, folder / "lake", remote, files.files, files.addresses)
    made = optimize_lake(lake, remote, folder / "beside", lambda *_: None)
    print(
        f"optimized in {made.seconds:,.0f} s: {made.bytes_after / 1e6:,.0f} MB of {made.rollups} rollups\n", flush=True
    )
    with ExitStack() as opened:
        backend = open_lake(lake, remote, folder / "beside", lambda *_: None)
        opened.callback(backend.close)
        ledger = opened.enter_context(Ledger.open(folder / "bench.ledger"))
        yield _Stage(remote, Engine(lake, backend, ledger, add_noise), processor)
