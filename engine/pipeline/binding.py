"""Binding before the charge: a query's generated SQL is bound against empty tables.

SQL that the engine can't bind would fail on every dataset: it is refused, and costs nothing. Proof:
`engine/backends/proofs.md#bound-before-charged`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from dialect import BoundedSql, Bounding, Catalog, Code, PrivatePlan, Question, Refusal, write
from dialect.catalog import OBJECTED
from dialect.codegen import RELEASED_KEYS, with_released
from engine.backends.exact import NOBODY_OBJECTED
from engine.backends.protocol import Backend
from engine.catalog.admission import admission
from engine.errors import ExecutionFailed
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release
from engine.pipeline.finish import bind_rest
from engine.pricing.prepare import Prepared

_WHY = "The engine can't plan the SQL of this question; nothing was charged."
_HINT = "give a NULL its type, CAST(NULL AS DOUBLE), or leave out what is computed of constants alone"


def without_groups(prepared: Prepared, catalog: Catalog, backend: Backend) -> Release:
    """Bind the SQL of a release and return an empty release with typed columns.

    Claim: the result, and whether it is refused, depend on plan, bounds and types. Symbols: tables without rows.
    Formula: none. Source: engine/backends/proofs.md#bound-before-charged. Raises Refusal with E_FUNC.
    """
    tables = {OBJECTED: NOBODY_OBJECTED}
    with _refused():
        if prepared.choice is not None:
            chosen = prepared.choice
            tables[RELEASED_KEYS] = _keys(chosen.plan, chosen.bounds, chosen.sql, tables, catalog, backend)
        keys = _keys(prepared.sized.numbers, prepared.bounds, prepared.sql, tables, catalog, backend)
    nothing = tuple(NoisyVector(np.zeros(0, np.int64)) for _ in prepared.bounds.vectors)
    grains, sigmas = (b.grain for b in prepared.bounds.vectors), (c.sigma for c in prepared.cost.vectors)
    return Release(keys, nothing, tuple(grains), tuple(sigmas))


def bind_outer(
    question: Question,
    prepared: tuple[Prepared, ...],
    empty: tuple[Release, ...],
    confidence: float,
    catalog: Catalog,
    backend: Backend,
) -> None:
    """Bind the post-processing SQL of a query over empty releases. Raises Refusal with E_FUNC."""
    with _refused():
        bind_rest(question, prepared, empty, confidence, catalog, backend)


def _keys(
    plan: PrivatePlan,
    bounds: Bounding,
    sql: BoundedSql,
    tables: dict[str, pa.Table],
    catalog: Catalog,
    backend: Backend,
) -> pa.Table:
    """Bind bounded SQL (a lake's in its DuckDB form) and return its empty key columns."""
    empty = backend.empty
    if sql.in_order:
        sql = write(plan, bounds, with_released(empty.target), admission(catalog, plan.dataset))
    return empty.columns(sql.text, tables).select([f"k{i}" for i in range(sql.keys)])


@contextmanager
def _refused() -> Iterator[None]:
    """Refuse SQL that can't be bound, without the engine's error text."""
    try:
        yield
    except ExecutionFailed:
        raise Refusal(Code.FUNC, _WHY, _HINT) from None
