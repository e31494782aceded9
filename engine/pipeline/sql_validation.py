"""SQL validation: before the charge, a query's generated SQL is bound against empty tables.

SQL that the engine can't bind would fail on every dataset: it is refused, and costs nothing. Proof:
`engine/backends/proofs.md#bound-before-charged`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from dialect import BoundedSql, Catalog, ContributionBounds, PrivatePlan, Question, generate_sql
from dialect.codegen import RELEASED_KEYS, SharedPlan
from engine.backends.protocol import Backend
from engine.catalog.eligibility import eligibility_filter
from engine.errors import EngineKind, ExecutionFailed
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release
from engine.pipeline.post_process import WriteOuterSql, bind_post_processing
from engine.pricing.compile_release import CompiledRelease


def bind_release(compiled: CompiledRelease, catalog: Catalog, backend: Backend) -> Release:
    """Bind the SQL of a release and return an empty release with typed columns.

    Claim: the result, and whether it is refused, depend on plan, bounds and types. Symbols: tables without rows.
    Formula: none. Source: engine/backends/proofs.md#bound-before-charged. Raises Refusal with E_FUNC.
    """
    tables = dict[str, pa.Table]()
    with _refusing_unbindable():
        if compiled.selection is not None:
            for each in compiled.selection.rounds:
                bounds = compiled.selection.bounds
                tables[RELEASED_KEYS] = _bind_keys(each.plan, bounds, each.sql, tables, catalog, backend)
        shared = None if compiled.profile is None else compiled.profile.shared
        plan = compiled.unpriced_release.measured_plan
        keys = _bind_keys(plan, compiled.bounds, compiled.sql, tables, catalog, backend, shared)
    empty_vectors = tuple(NoisyVector(np.zeros(0, np.int64)) for _ in compiled.bounds.vectors)
    grains, sigmas = (b.grain_size for b in compiled.bounds.vectors), (c.sigma for c in compiled.cost.vectors)
    return Release(keys, empty_vectors, tuple(grains), tuple(sigmas))


def bind_outer(
    question: Question,
    compiled: tuple[CompiledRelease, ...],
    empty: tuple[Release, ...],
    confidence: float,
    catalog: Catalog,
    backend: Backend,
    write: WriteOuterSql,
) -> None:
    """Bind the post-processing SQL of a query over empty releases. Raises Refusal with E_FUNC."""
    with _refusing_unbindable():
        bind_post_processing(question, compiled, empty, confidence, catalog, backend, write)


def _bind_keys(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    sql: BoundedSql,
    tables: dict[str, pa.Table],
    catalog: Catalog,
    backend: Backend,
    shared: SharedPlan | None = None,
) -> pa.Table:
    """Bind bounded SQL (a lake's in its DuckDB form) and return its empty key columns.

    Statements that share its partial aggregates read their integers only, so they bind where it does.
    """
    empty = backend.empty
    if sql.ordering_sql:
        admission = eligibility_filter(catalog, plan.dataset)
        sql = generate_sql(plan, bounds, empty.target, admission, shared)
    return empty.columns(sql.text, tables).select([f"k{i}" for i in range(sql.key_count)])


@contextmanager
def _refusing_unbindable() -> Iterator[None]:
    """Refuse SQL that can't be bound, without the engine's error text."""
    try:
        yield
    except ExecutionFailed:
        raise EngineKind.ENGINE_CANNOT_PLAN.at() from None
