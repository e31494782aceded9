"""Post-processing: the outer SQL of a query runs over its releases and public tables, and intervals are computed."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from dialect import Catalog, Question, Target
from dialect.codegen import OuterSql, public_tables_read, write_outer_query
from dialect.codegen.relations import release_table_name
from dialect.functions import quote_identifier
from engine.backends.protocol import Backend
from engine.backends.sandbox import public_table, public_table_sql, run_outer
from engine.mechanism.answer import Answer, build_answer, interval_constants
from engine.mechanism.release import RawNoise, Release, outer_sql_table, raw_noise
from engine.pricing.compile_release import CompiledRelease


def post_process(
    question: Question,
    compiled: tuple[CompiledRelease, ...],
    releases: tuple[Release, ...],
    confidence: float,
    catalog: Catalog,
    backend: Backend,
    outer_sql: OuterSql | None = None,
) -> Answer:
    """Run the outer SQL over releases and public tables, and compute intervals at a confidence level.

    `compiled` and `releases` have one element for each plan of the query. `outer_sql` = its outer SQL, if that is
    written already, for releases of the same noise.
    """
    tables = {table: public_table(table, catalog, backend) for table in public_tables_read(question)}
    tables |= _release_tables(question, compiled, releases, confidence)
    raw = raw_noise(question, releases)
    sql = write_outer_sql(question, raw, confidence) if outer_sql is None else outer_sql
    return build_answer(_run_outer(sql, tables), sql, confidence, raw)


def bind_post_processing(
    question: Question,
    compiled: tuple[CompiledRelease, ...],
    empty: tuple[Release, ...],
    confidence: float,
    catalog: Catalog,
    backend: Backend,
) -> OuterSql:
    """Bind the outer SQL over empty releases and empty public tables, and return it. Raises ExecutionFailed."""
    tables = {
        table: backend.empty.columns(public_table_sql(table, catalog, backend.empty.target), {})
        for table in public_tables_read(question)
    }
    tables |= _release_tables(question, compiled, empty, confidence)
    sql = write_outer_sql(question, raw_noise(question, empty), confidence)
    if sql.unchanged_release is None:
        run_outer(f"DESCRIBE {sql.text}", tables)
    return sql


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
    """Run the outer SQL; a mere renaming of a release's columns needs no database."""
    if sql.unchanged_release is None:
        return run_outer(sql.text, tables)
    released = tables[sql.unchanged_release.table]
    return pa.table({name: released.column(own) for name, own in sql.unchanged_release.columns})


def write_outer_sql(question: Question, raw: RawNoise, confidence: float) -> OuterSql:
    """Generate the outer SQL with the table names of the sandbox database."""
    constants = interval_constants(raw.variances, raw.sigmas, raw.fractional, confidence)
    tables = [*public_tables_read(question), *(release_table_name(i) for i in range(len(question.releases)))]
    return write_outer_query(
        question, raw.variances, Target({table: quote_identifier(table) for table in tables}), confidence, constants
    )
