"""SQL validation: before the charge, a query's generated SQL is bound against empty tables.

SQL that the engine can't bind would fail on every dataset: it is refused, and costs nothing. Proof:
`engine/backends/proofs.md#bound-before-charged`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa

from dialect import BoundedSql, Catalog, ContributionBounds, PrivatePlan, Question, generate_sql
from dialect.codegen import (
    RELEASED_KEYS,
    CentredAverage,
    MeanBins,
    OuterSql,
    SharedPlan,
    bound_together,
    with_released_keys,
    write_distances_sql,
    write_means_sql,
    write_profile_sql,
    write_totals_sql,
)
from engine.backends.protocol import Backend
from engine.catalog.eligibility import eligibility_filter
from engine.errors import EngineKind, ExecutionFailed
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release
from engine.pipeline.post_process import bind_post_processing
from engine.pricing.clip_bounds.profiles.compiled_profile import CompiledProfile
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
        profile, plan = compiled.profile, compiled.unpriced_release.measured_plan
        shared, others = None, list[BoundedSql]()
        if profile is not None:
            shared, others = profile.shared, _profile_statements(profile, catalog, backend)
        keys = _bind_keys(plan, compiled.bounds, compiled.sql, tables, catalog, backend, shared, others)
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
) -> OuterSql:
    """Bind the post-processing SQL of a query over empty releases, and return it. Raises Refusal with E_FUNC."""
    with _refusing_unbindable():
        return bind_post_processing(question, compiled, empty, confidence, catalog, backend)


def _bind_keys(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    sql: BoundedSql,
    tables: dict[str, pa.Table],
    catalog: Catalog,
    backend: Backend,
    shared: SharedPlan | None = None,
    others: Sequence[BoundedSql] = (),
) -> pa.Table:
    """Bind bounded SQL (a lake's in its DuckDB form) and return its empty key columns.

    `others` = further statements, which share its partial aggregates, and are bound with it.
    """
    empty = backend.empty
    if sql.ordering_sql:
        admission = eligibility_filter(catalog, plan.dataset)
        sql = generate_sql(plan, bounds, with_released_keys(empty.target), admission, shared)
    text = bound_together([sql, *others]) if others else sql.text
    return empty.columns(text, tables).select([f"k{i}" for i in range(sql.key_count)])


def _profile_statements(profile: CompiledProfile, catalog: Catalog, backend: Backend) -> list[BoundedSql]:
    """Write the SQL of a profile (a lake's in its DuckDB form), and of totals of all its vectors at clip bound 1.

    Which totals are bought, and their clip bounds, follow from the profile; other numbers do not change what binds.
    """
    facts = (profile.shared, profile.bounds, profile.histograms)
    admission, target = eligibility_filter(catalog, profile.plan.dataset), with_released_keys(backend.empty.target)
    sql = write_profile_sql(*facts, target, admission) if profile.sql.ordering_sql else profile.sql
    totals = [(vector, 1) for vector in dict.fromkeys(each.vector for each in profile.histograms)]
    averages = [(total, each.count) for each in profile.averages for total in each.totals]
    about, plan = [CentredAverage(*each, 0, 1) for each in averages], with_offsets(profile.shared.plan)
    values, products = (
        [each for each in about if (plan.vectors[each.total].factor is None) == is_value] for is_value in (True, False)
    )
    further = [write_distances_sql(*facts, values, target, admission)] if values else []
    if products:
        bins = [MeanBins(each.total, each.count, (0, 1)) for each in products]
        further.append(write_distances_sql(*facts, products, target, admission, plan))
        further.append(write_means_sql(profile.shared, plan, profile.bounds, bins, target, admission))
    return [sql, write_totals_sql(*facts, totals, target, admission), *further]


def with_offsets(plan: PrivatePlan) -> PrivatePlan:
    """Subtract 1 from each product, as some other number will be."""
    vectors = (each if each.factor is None else replace(each, offset=1.0) for each in plan.vectors)
    return replace(plan, vectors=tuple(vectors))


@contextmanager
def _refusing_unbindable() -> Iterator[None]:
    """Refuse SQL that can't be bound, without the engine's error text."""
    try:
        yield
    except ExecutionFailed:
        raise EngineKind.ENGINE_CANNOT_PLAN.at() from None
