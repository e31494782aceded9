"""The engine without noise, bounds or thresholds: exact answers, for tests only.

It is composed here of the engine's own parts; the engine itself has no such switch:

* `dialect.read` and `dialect.generate_sql` are unchanged; the plan has wider bounds and two more vectors
  (`tests.support.statistics.lifted`): a noisy engine shows every public key, with 0 for empty groups; plain SQL
  does not;
* `DuckDBBackend.run` gives exact integers, which become a `Release` of scale 0;
* `Engine.finish` runs the outer query, over tables in which an empty sum is NULL.

    exact_engine("operator").query("SELECT place_id, COUNT(*) FROM visit GROUP BY place_id")  # -> pyarrow.Table
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dialect import Catalog, ContributionBounds, PrivatePlan, Question, compile_query, generate_sql
from dialect.algebra.expressions import Ref
from dialect.algebra.formulas import SumOf
from dialect.algebra.relations import NullExtendedValue
from dialect.algebra.release_plan import ReleaseColumns, VectorKind
from dialect.stability.outer_joins import outcomes
from engine.backends.duckdb import DuckDBBackend, Limits
from engine.backends.exact import Exact
from engine.catalog.bundled import find_catalog
from engine.catalog.eligibility import eligibility_filter
from engine.catalog.folders import cache_folder
from engine.data.snapshot import open_snapshot
from engine.mechanism.release import Release, outer_sql_table
from engine.pipeline import post_process as post_process_module
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import CompiledRelease
from tests.support.statistics.lifted import lifted_bounding, lifted_plan, witnessed

SUMS = (VectorKind.SUM, VectorKind.CENTRED)


class ExactEngine:
    """A catalog and its data, answered exactly."""

    def __init__(self, catalog: Catalog, threads: int = 2) -> None:
        self.catalog = catalog
        self._scratch = tempfile.TemporaryDirectory(prefix="exact-")
        made = open_snapshot(catalog, cache_folder(), lambda stage, fraction: None)
        self.files, self.addresses = made.files, made.addresses
        self.backend = DuckDBBackend.open(
            made.files, made.addresses, Path(self._scratch.name), Limits(memory="2GB", threads=threads)
        )
        self._engine = Engine(catalog, self.backend, None, _no_noise)  # type: ignore[arg-type]

    def query(self, sql: str) -> pa.Table:
        """Answer a query exactly, with only the groups of plain SQL; raises Refusal."""
        question, prepared = self.prepare(sql)
        return self.finish(question, prepared, self.run(prepared))

    def prepare(self, sql: str) -> tuple[Question, tuple[CompiledRelease, ...]]:
        """Bind a query and generate the SQL of its releases without clipping."""
        question = compile_query(sql, self.catalog)
        return question, tuple(self._prepared(plan) for plan in question.plans)

    def run(self, prepared: tuple[CompiledRelease, ...]) -> tuple[Exact, ...]:
        """Compute the exact integers of every release."""
        return tuple(self.backend.run(each.sql) for each in prepared)

    def finish(self, question: Question, prepared: tuple[CompiledRelease, ...], exact: tuple[Exact, ...]) -> pa.Table:
        """Run the outer query over exact integers."""
        releases = tuple(_release(made, p.plan, p.bounds) for made, p in zip(exact, prepared, strict=True))
        with mock.patch.object(post_process_module, "outer_sql_table", _outer_table):
            return self._engine.finish(question, prepared, releases, 0.95).table

    def _prepared(self, plan: PrivatePlan) -> CompiledRelease:
        lifted = lifted_plan(witnessed(plan))
        bounds = lifted_bounding(witnessed(plan))
        who = eligibility_filter(self.catalog, plan.dataset)
        sql = generate_sql(lifted, bounds, self.backend.target, who)
        return CompiledRelease(lifted, bounds, None, sql, "", None, ("", ""))  # type: ignore[arg-type]

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
    """Open a catalog, by object, name, file or folder, for exact answers."""
    return ExactEngine(catalog if isinstance(catalog, Catalog) else find_catalog(str(catalog)), threads)


@dataclass(frozen=True)
class ExactRelease(Release):
    """Exact integers in the place of a noisy release, at scale 0."""

    nothing: dict[int, np.ndarray] = field(kw_only=True)  # position of a sum -> where it has no value


def _release(exact: Exact, plan: PrivatePlan, bounds: ContributionBounds) -> ExactRelease:
    """Remove the additional vectors, and the groups without rows."""
    sums = [i for i, vector in enumerate(plan.vectors) if vector.kind in SUMS]
    requested = len(plan.vectors) - len(sums) - 1
    every = not plan.keys or (
        plan.key_set is not None and plan.key_set.is_listed_by_query
    )  # without keys there is a row of nobody
    has_rows = np.ones(len(exact.vectors[-1]), dtype=bool) if every else groups_with_rows(exact)
    nothing = {
        i: exact.vectors[requested + place][has_rows] == 0 for place, i in enumerate(sums) if not _of_nobody(plan, i)
    }
    grains = tuple(bound.grain_size for bound in bounds.vectors[:requested])
    noisy = tuple(vector[has_rows] for vector in exact.vectors[:requested])
    return ExactRelease(exact.keys.filter(has_rows), noisy, grains, tuple(0.0 for _ in grains), nothing=nothing)


def _of_nobody(plan: PrivatePlan, place: int) -> bool:
    """Return whether a sum is 0, not NULL, over the unmatched row of a LEFT JOIN."""
    value, preserved = plan.vectors[place].value, plan.source.preserved_side
    return preserved is not None and value is not None and NullExtendedValue.ZERO in outcomes(preserved, Ref(value))


def groups_with_rows(exact: Exact) -> np.ndarray:
    """Groups that have a row; plain SQL returns no others."""
    return exact.vectors[-1] > 0


def _outer_table(release: ExactRelease, plan: PrivatePlan, columns: ReleaseColumns, confidence: float) -> pa.Table:
    """Turn empty sums into NULL, as in SQL; empty counts stay 0."""
    table = outer_sql_table(release, plan, columns, confidence)
    for output in columns.outputs:
        if isinstance(output.formula, SumOf) and output.formula.vector in release.nothing:
            table = _with_nulls(table, output.field.id, release.nothing[output.formula.vector])
    return table


def _with_nulls(table: pa.Table, name: str, where: np.ndarray) -> pa.Table:
    place, column = table.column_names.index(name), table.column(name)
    return table.set_column(place, name, pc.if_else(pa.array(where), pa.scalar(None, column.type), column))


def _no_noise(exact: np.ndarray, *_: object) -> np.ndarray:
    raise AssertionError("the oracle never asks for noise")
