"""Post-processing: the outer SQL of a query runs over its releases and public tables, and intervals are computed.

Before the charge, a query's generated SQL is bound against empty tables: SQL that the engine can't bind would fail on
every dataset, so it is refused, and costs nothing. Proof: `engine/backends/proofs.md#bound-before-charged`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa
from pyarrow.compute import call_function

from dialect import BoundedSql, Catalog, ContributionBounds, PrivatePlan, Question, Target, generate_sql
from dialect.algebra import Call, CountOf, Expr, Literal, Ref, Relation, ReleaseScan, Sort, release_table_name
from dialect.codegen import ARITHMETIC, RELEASED_KEYS, OuterSql, SharedPlan, read_eligible_from, write_outer_query
from dialect.codegen.relations import write_rows
from dialect.functions import quote_identifier
from dialect.postprocess import candidate_rows, counting_columns, result_columns, selection_by_noise
from engine.backends.lockdown import public_table, public_table_sql, run_outer
from engine.backends.protocol import Backend
from engine.catalog.eligibility import eligibility_filter
from engine.errors import EngineKind, ExecutionFailed
from engine.mechanism.answer import Answer, build_answer, interval_constants
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.intervals import IntervalLevels
from engine.mechanism.release import RawNoise, Release, outer_sql_table, raw_noise
from engine.pricing.compile_release import CompiledRelease

WriteOuterSql = Callable[[Question, RawNoise, IntervalLevels], OuterSql]


def post_process(
    question: Question,
    compiled: tuple[CompiledRelease, ...],
    releases: tuple[Release, ...],
    confidence: float,
    catalog: Catalog,
    backend: Backend,
    write: WriteOuterSql,
) -> Answer:
    """Run the outer SQL over releases and public tables, and compute intervals at a confidence level.

    `compiled` and `releases` have one element for each plan of the query. `write` = `write_outer_sql`, cached or not.
    """
    public = {table: public_table(table, catalog, backend) for table in question.public_tables}
    question, asked = with_hidden_count(question), question
    raw = raw_noise(question, releases)
    levels = _interval_levels(question, compiled, releases, confidence, raw, public)
    tables = public | _release_tables(question, compiled, releases, levels.null_level)
    sql = write(asked, raw, levels)
    return _without_hidden_count(build_answer(_run_outer(sql, tables), sql, levels, raw))


HIDDEN_COUNT = "\0count"  # no name of a column that a query can write


def with_hidden_count(question: Question) -> Question:
    """Add a hidden column with a count of each row, by which to tell whether a selected row may be nothing.

    Only where noise selects the rows, and no column that is shown tells it.
    """
    if selection_by_noise(question) is None or counting_columns(question):
        return question
    counts = [
        output.field
        for release in question.releases
        for output in release.outputs
        if isinstance(output.formula, CountOf) and output.field in question.outer.fields
    ]
    hidden = result_columns(question, [(HIDDEN_COUNT, field) for field in counts[:1]])
    return replace(question, columns=(*question.columns, *(column for column in hidden if column.form is not None)))


def _without_hidden_count(answer: Answer) -> Answer:
    """Take the hidden count out of an answer's columns, and keep its interval."""
    if HIDDEN_COUNT not in answer.intervals:
        return answer
    intervals, shares = dict(answer.intervals), dict(answer.clipping_shares)
    (lower, upper), _ = intervals.pop(HIDDEN_COUNT), shares.pop(HIDDEN_COUNT, None)
    hidden = answer.strict_lower.get(HIDDEN_COUNT, lower), upper
    table = answer.table.drop_columns([HIDDEN_COUNT])
    return replace(answer, table=table, intervals=intervals, clipping_shares=shares, hidden_count=hidden)


def _interval_levels(
    question: Question,
    compiled: tuple[CompiledRelease, ...],
    releases: tuple[Release, ...],
    confidence: float,
    raw: RawNoise,
    public: Mapping[str, pa.Table],
) -> IntervalLevels:
    """Set the level of each column's intervals, from the number of rows that noise selected the answer's from.

    Simultaneous intervals hold for any selection already; sums over selected rows are wider all the same.
    """
    selection = selection_by_noise(question)
    if selection is None:
        return IntervalLevels(confidence)
    tables = dict(public)

    def count(relation: Relation) -> int:
        """Count the rows of a relation that noise does not select."""
        if isinstance(relation.operator, ReleaseScan):
            return int(releases[question.releases[relation.operator.index].plan_index].keys.num_rows)
        if len(tables) == len(public):
            tables.update(_release_tables(question, compiled, releases, confidence))
        rows = write_rows(relation, relation.fields, _sandbox_target(question))
        counted = run_outer(f"SELECT COUNT(*) AS n FROM ({rows}) AS candidates", tables)
        return int(counted.column("n")[0].as_py())

    return IntervalLevels(
        confidence,
        selection,
        1 if question.is_simultaneous else candidate_rows(question.outer, question.releases, count) or 1,
        sum(len(each.raw_fields) * releases[each.plan_index].keys.num_rows for each in question.releases),
        bool(raw.consistency_factors) or any(release.is_correlated for release in releases),
    )


def bind_outer(
    question: Question,
    compiled: tuple[CompiledRelease, ...],
    empty: tuple[Release, ...],
    confidence: float,
    catalog: Catalog,
    backend: Backend,
    write: WriteOuterSql,
) -> None:
    """Bind the outer SQL over empty releases and empty public tables. Raises Refusal with E_FUNC.

    Rows of a release that are shown as they are, or sorted by its columns, need no test: ARITHMETIC and ORDER BY bind
    over the columns of any release.
    """
    operator = question.outer.operator
    if isinstance(operator, Sort) and all(isinstance(key.expr, Ref) for key in operator.order):
        operator = operator.source.operator
    if isinstance(operator, ReleaseScan):
        return
    with _refusing_unbindable():
        tables = {
            table: backend.empty.columns(public_table_sql(table, catalog, backend.empty.target), {})
            for table in question.public_tables
        }
        tables |= _release_tables(question, compiled, empty, confidence)
        sql = write(question, raw_noise(question, empty), IntervalLevels(confidence))
        run_outer(f"DESCRIBE {sql.text}", tables)


def _release_tables(
    question: Question, compiled: tuple[CompiledRelease, ...], releases: tuple[Release, ...], confidence: float
) -> dict[str, pa.Table]:
    """Convert the releases to the tables, by name, that the outer SQL reads."""
    return {
        release_table_name(i): outer_sql_table(
            releases[columns.plan_index], compiled[columns.plan_index].plan, columns, confidence
        )
        for i, columns in enumerate(question.releases)
    }


def _run_outer(sql: OuterSql, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run the outer SQL; renamed columns of a release, and their variances, need no database."""
    if sql.unchanged_release is None:
        return run_outer(sql.text, tables)
    released = tables[sql.unchanged_release.table]
    return pa.table({name: _computed(expr, released) for name, expr in sql.unchanged_release.columns})


def _computed(expr: Expr, released: pa.Table) -> pa.Array | pa.ChunkedArray:
    """Compute a column from those of a release by ARITHMETIC, as DuckDB would."""
    if isinstance(expr, Ref):
        return released.column(expr.field.id)
    if isinstance(expr, Call):
        return call_function(ARITHMETIC[expr.function], [_computed(each, released) for each in expr.arguments])
    assert isinstance(expr, Literal)  # noqa: S101  nothing else is arithmetic
    return pa.repeat(pa.scalar(expr.value, pa.float64()), released.num_rows)


def write_outer_sql(question: Question, raw: RawNoise, levels: IntervalLevels) -> OuterSql:
    """Generate the outer SQL with the table names of the sandbox database.

    The ends of interval functions are those of all candidates together, where noise selects rows: a condition on ends
    must not change with the number of rows that it selects.
    """
    question = with_hidden_count(question)
    factor = max(map(levels.variance_factor, range(len(question.columns))), default=1.0)
    constants = interval_constants(raw.variances, raw.sigmas, raw.fractional, levels.strict, variance_factor=factor)
    target = _sandbox_target(question)
    return write_outer_query(question, raw.variances, target, levels.null_level, constants, raw.residuals)


def _sandbox_target(question: Question) -> Target:
    """Names of the tables of a question in the sandbox database."""
    tables = [*question.public_tables, *(release_table_name(i) for i in range(len(question.releases)))]
    return Target({table: quote_identifier(table) for table in tables})


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
    if sql.eligible_sql:  # the text that runs later
        sql = read_eligible_from(sql, empty.eligible_table(sql.eligible_sql))
    return empty.columns(sql.text, tables).select([f"k{i}" for i in range(sql.key_count)])


@contextmanager
def _refusing_unbindable() -> Iterator[None]:
    """Refuse SQL that can't be bound, without the engine's error text."""
    try:
        yield
    except ExecutionFailed:
        raise EngineKind.ENGINE_CANNOT_PLAN.at() from None
