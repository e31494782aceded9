"""Whole queries answered repeatedly with fresh noise, over exact numbers that are read once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from budgets import Ledger
from dialect import BoundedSql
from dialect.catalog.model import Catalog
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import Exact
from engine.data.snapshot import open_snapshot
from engine.mechanism.gaussian import add_noise
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.support.ledger.blank_ledger import blank_ledger

Noise = npt.NDArray[np.int64]


class ReadOnce:
    """A backend that caches each exact vector, or is given it; `later` = number in all passes but the first."""

    def __init__(self, backend: DuckDBBackend, exact: Exact | None = None, later: int | None = None) -> None:
        self._backend, self._exact, self._later = backend, exact, later
        self._read: dict[str, Exact] = {}

    def run(self, bounded: BoundedSql, *objected: pa.Table) -> Exact:
        if self._exact is not None:
            keys = objected[1] if len(objected) > 1 else self._exact.keys  # a later pass of private keys
            if len(objected) > 1 and self._later is not None:
                number = np.full(keys.num_rows, self._later, dtype=np.int64)
                return Exact(keys, (number,) * bounded.vector_count)
            return Exact(keys, tuple(vector[: keys.num_rows] for vector in self._exact.vectors[: bounded.vector_count]))
        if bounded.text not in self._read:
            self._read[bounded.text] = self._backend.run(bounded, *objected)
        return self._read[bounded.text]

    def sharing(self) -> AbstractContextManager[Any]:
        """Run the statements of a release as any others."""
        return nullcontext(self.run)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


@contextmanager
def engine_over(catalog: Catalog, folder: Path) -> Iterator[Engine]:
    """Open an engine over a catalog's data; every answer gets its own ledger."""
    made = open_snapshot(catalog, folder / "cache", lambda *_: None)
    backend = DuckDBBackend.open(made.files, made.addresses, folder / "scratch")
    with Ledger.open(":memory:") as ledger:
        yield Engine(catalog, ReadOnce(backend), ledger, add_noise)  # type: ignore[arg-type]
    backend.close()


def with_private_keys(engine: Engine, keys: int, number: int, vectors: int, later: int | None = None) -> Engine:
    """Make an engine find the same number in each of many private keys; another one in later passes."""
    names = pa.table({"k0": [f"key {i:05d}" for i in range(keys)]})
    exact = Exact(names, tuple(np.full(keys, number, dtype=np.int64) for _ in range(vectors)))
    return replace(engine, backend=ReadOnce(engine.backend, exact, later))  # type: ignore[arg-type]


def answers(engine: Engine, sql: str, rho: str, times: int) -> Iterator[Answered]:
    """Answer a query from scratch repeatedly, each time with an empty ledger."""
    for _ in range(times):
        with blank_ledger() as ledger:
            yield replace(engine, ledger=ledger).answer(sql, Request("law", Fraction(rho)))


def noises(engine: Engine, sql: str, rho: str, times: int) -> tuple[list[Noise], list[float]]:
    """Noise of each vector, one row per answer, and the priced scales."""
    rows: list[tuple[Noise, ...]] = []
    scales: list[float] = []
    for answered in answers(engine, sql, rho, times):
        ((prepared,), (release,)) = answered.prepared, answered.releases
        exact = engine.backend.run(prepared.sql)
        assert release.keys.equals(exact.keys), "a key fell short of the threshold"
        rows.append(tuple(noisy - v for noisy, v in zip(release.noisy, exact.vectors, strict=True)))
        scales = [cost.sigma for cost in prepared.cost.vectors]
    return [np.stack(vector) for vector in zip(*rows, strict=True)], scales
