"""The engine without noise, without bounds and without thresholds: exact answers, for tests alone.

It is put together here from the engine's own parts, and there is no switch for it anywhere in the engine:

* `dialect.read` and `dialect.write` are used as they are; only the plan's bounds are others (`tests.support.lifted`);
* `DuckDBBackend.run` gives the exact integers, which become a `Release` of scale 0 instead of being noised;
* `Engine.finish` runs the outer part.

    exact_engine("operator").query("SELECT place_id, COUNT(*) FROM visit GROUP BY place_id")  # -> pyarrow.Table
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from dialect import Bounding, Catalog, PrivatePlan, Question, read, write
from dialect.private_plan import VectorKind
from engine.admission import admission
from engine.backends.duckdb import DuckDBBackend, Limits
from engine.catalogs import find_catalog
from engine.desk import cache_folder
from engine.exact import Exact
from engine.pipeline import Engine
from engine.prepare import Prepared
from engine.release import Release
from engine.snapshot import snapshot
from tests.support.lifted import lifted_bounding, lifted_plan

SUMS = (VectorKind.SUM, VectorKind.CENTRED)


class ExactEngine:
    """A catalog and its data, answered exactly."""

    def __init__(self, catalog: Catalog, threads: int = 2) -> None:
        self.catalog = catalog
        self._scratch = tempfile.TemporaryDirectory(prefix="exact-")
        made = snapshot(catalog, cache_folder(), lambda stage, fraction: None)
        self.files, self.addresses = made.files, made.addresses
        self.backend = DuckDBBackend.open(
            made.files, made.addresses, Path(self._scratch.name), Limits(memory="2GB", threads=threads)
        )
        self._engine = Engine(catalog, self.backend, None, _no_noise)  # type: ignore[arg-type]

    def query(self, sql: str) -> pa.Table:
        """Answer a question exactly: only groups that plain SQL returns; raises Refusal for what is not accepted."""
        question, prepared = self.prepare(sql)
        return self.finish(question, prepared, self.run(prepared))

    def prepare(self, sql: str) -> tuple[Question, tuple[Prepared, ...]]:
        """Read a question and write the SQL of its releases, nothing of anybody cut."""
        question = read(sql, self.catalog)
        return question, tuple(self._prepared(plan) for plan in question.plans)

    def run(self, prepared: tuple[Prepared, ...]) -> tuple[Exact, ...]:
        """Give the exact integers of every release."""
        return tuple(self.backend.run(each.sql) for each in prepared)

    def finish(self, question: Question, prepared: tuple[Prepared, ...], exact: tuple[Exact, ...]) -> pa.Table:
        """Run the outer part over exact integers."""
        releases = tuple(_release(made, p.plan, p.bounds) for made, p in zip(exact, prepared, strict=True))
        return self._engine.finish(question, prepared, releases, 0.95).table

    def _prepared(self, plan: PrivatePlan) -> Prepared:
        lifted = lifted_plan(plan)
        bounds = lifted_bounding(plan)
        who = admission(self.catalog, plan.dataset)
        sql = write(lifted, bounds, self.backend.target, who)
        return Prepared(lifted, bounds, None, sql, "", None)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the data."""
        self.backend.close()
        self._scratch.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def exact_engine(catalog: Catalog | str | Path, threads: int = 2) -> ExactEngine:
    """Open a catalog, or the catalog of that name, file or folder, for exact answers."""
    return ExactEngine(catalog if isinstance(catalog, Catalog) else find_catalog(str(catalog)), threads)


def _release(exact: Exact, plan: PrivatePlan, bounds: Bounding) -> Release:
    """Let exact integers stand where noisy ones would: scale 0, all keys, and a sum of nothing stays NULL."""
    missing = tuple(
        mask if vector.kind in SUMS else None  # a count of nothing is 0, as in SQL
        for vector, mask in zip(plan.vectors, exact.missing, strict=True)
    )
    grains = tuple(bound.grain for bound in bounds.vectors)
    return Release(exact.keys, exact.vectors, grains, tuple(0.0 for _ in grains), {}, missing)


def _no_noise(exact: np.ndarray, *_: object) -> np.ndarray:
    raise AssertionError("the oracle never asks for noise")
