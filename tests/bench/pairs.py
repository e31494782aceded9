"""Pairs of runs: plain DuckDB and this engine in turn over one file in one process; pages quote their ratios."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import duckdb

from budgets import Ledger
from dialect import Catalog, compile_query
from dialect.algebra.codegen_types import Rollup
from engine.backends.duckdb import DuckDBBackend, Limits
from engine.catalog.file import load_catalog
from engine.catalog.folders import cache_folder
from engine.catalog.operator import operator_path
from engine.data.layout import build_layout, layout_file, open_layout_or_snapshot
from engine.data.snapshot import Snapshot, open_snapshot
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.support.sql.analysts import macros

WITH_NORMS = Path("tests/support/catalogs_with_norms/operator.toml")
RHO = Fraction(1, 200)
LEAST = 1e-4  # seconds: below it no processor time is told
FAST = 0.05  # seconds: of what plain DuckDB answers sooner, the fixed cost counts and not the ratio


@dataclass(frozen=True)
class Paired:
    """One query, timed on both engines in turn."""

    keys: int
    plain: float  # seconds, median
    ours: float
    ratio: float  # median of the pairs' ratios
    least: float
    most: float
    processor: float  # median ratio of what was taken of the processors: of a busy machine it tells more than the clock
    extra: float  # seconds, median of the pairs' differences

    @property
    def is_fast(self) -> bool:
        """Is plain DuckDB so fast that a ratio is meaningless?"""
        return self.plain < FAST

    def cells(self) -> tuple[object, ...]:
        """Cells of one table row, in the order of HEAD."""
        extra = f"{1000 * self.extra:+.0f} ms"
        return self.keys, self.plain, self.ours, self.ratio, self.least, self.most, self.processor, extra


HEAD = ("keys", "plain s", "passersby s", "ratio", "least", "most", "processor", "more")


@dataclass(frozen=True)
class Stage:
    """Plain DuckDB and the engine over the same file, two threads each."""

    plain: duckdb.DuckDBPyConnection
    engine: Engine
    folder: Path

    def ask(self, sql: str, runs: int) -> Paired:
        """Time both engines in turn, warm."""
        with self._asking(sql, runs) as ours:
            rows = [0]

            def counted() -> None:
                rows[0] = ours()

            return replace(paired(lambda: self.plain.sql(sql).to_arrow_table(), counted, runs), keys=rows[0])

    def busy(self, sql: str, runs: int) -> float:
        """Processor seconds of the engine alone for a query: warm, median of the runs."""
        with self._asking(sql, runs) as ours:
            return statistics.median([_taken(ours)[1] for _ in range(runs + 1)][1:])

    @contextmanager
    def _asking(self, sql: str, runs: int) -> Iterator[Callable[[], int]]:
        """Closure that runs the query once more and returns the number of rows.

        Each run is of another client who holds nothing, at another price: none is a repeat.
        """
        with Ledger.open(self.folder / f"{uuid4().hex}.ledger") as ledger:
            asking = replace(self.engine, ledger=ledger)
            terms = [Request(f"bench{run}", RHO + Fraction(run, 10**9)) for run in range(runs + 1)]
            for asked in terms:  # the scale of a price is known where it was asked before
                asking.compile(compile_query(sql, asking.catalog), asked)
            waiting = iter(terms)
            yield lambda: asking.answer(sql, next(waiting)).answer.table.num_rows


def paired(
    plain: Callable[[], object],
    ours: Callable[[], object],
    runs: int,
    warming: int = 1,
    processor: Callable[[], float] = time.process_time,
) -> Paired:
    """Time two functions in turn, in wall and processor time; the first pairs only warm up.

    `processor` tells the seconds that were taken of them until now: by default of this process alone.
    """
    walls, processors = [], []
    for _ in range(runs + warming):
        times = [_taken(plain, processor), _taken(ours, processor)]
        walls.append([wall for wall, _ in times])
        processors.append([own for _, own in times])
    ratios = [after / before for before, after in walls[warming:]]
    first, second = (statistics.median(column) for column in zip(*walls[warming:], strict=True))
    extra = statistics.median(after - before for before, after in walls[warming:])
    own = statistics.median(after / max(before, LEAST) for before, after in processors[warming:])
    return Paired(0, first, second, statistics.median(ratios), min(ratios), max(ratios), own, extra)


def _taken(run: Callable[[], object], processor: Callable[[], float] = time.process_time) -> tuple[float, float]:
    wall, own = time.perf_counter(), processor()
    run()
    return time.perf_counter() - wall, processor() - own


@contextmanager
def opened(
    events: int, order: str, memory: str | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Engine, Path]]:
    """Open plain DuckDB and the engine over the synthetic operator, two threads each, and so much memory.

    Its catalog declares norms, so that no profile is bought: `profiles` tells what these cost.

    `order` is how events lie there, by person or by time; or what the engine reads beside events by time: the layout
    that optimizing makes, or that with its rollups. Without `memory` the engine has its own limit, DuckDB the machine's.
    """
    stored = order if order in ("person", "time") else "time"
    catalog = load_catalog(_catalog_with_norms(events, stored))
    with tempfile.TemporaryDirectory() as folder:
        files = open_snapshot(catalog, Path(folder), lambda *_: None)
        made, rollups = (files, ()) if order == stored else _optimized(catalog)
        with_rollups = rollups if order == "rollups" else ()
        scratch = Path(folder) / "scratch"
        limits = Limits() if memory is None else Limits(memory=memory)
        backend = DuckDBBackend.open(made.files, made.addresses, scratch, limits, with_rollups)
        own = {} if memory is None else {"memory_limit": memory, "temp_directory": str(Path(folder) / "plain")}
        plain = duckdb.connect(config={"threads": 2, **own})
        plain.execute("SET enable_progress_bar = false")
        plain.execute(macros())
        plain.execute("ATTACH ? AS operator (READ_ONLY)", [next(iter(files.files.values()))])
        plain.execute("SET search_path = 'operator.main,memory.main'")
        yield plain, Engine(catalog, backend, Ledger.open(":memory:"), add_noise), Path(folder)
        plain.close()
        backend.close()


def _catalog_with_norms(events: int, order: str) -> Path:
    """Return the catalog file of the synthetic operator with declared norms, after writing it beside the data."""
    file, text = operator_path(events, order=order).with_name("with_norms.toml"), WITH_NORMS.read_text(encoding="utf-8")
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
    return file


def _optimized(catalog: Catalog) -> tuple[Snapshot, tuple[Rollup, ...]]:
    """Make the layout if it is missing, and print its cost."""
    if not layout_file(catalog, cache_folder()).exists():
        cost = build_layout(catalog, cache_folder(), lambda *_: None)
        sizes = f"{cost.bytes_after / 1e6:,.0f} MB beside {cost.bytes_before / 1e6:,.0f} MB"
        print(f"optimized in {cost.seconds:,.0f} s: {sizes}\n", flush=True)
    return open_layout_or_snapshot(catalog, cache_folder(), lambda *_: None)
