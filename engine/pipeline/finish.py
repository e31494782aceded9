"""Post-processing: the outer SQL of a query runs over its releases and public tables, and intervals are computed."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from dialect import Catalog, Question, Target
from dialect.codegen import OuterSql, public_tables, write_outer
from dialect.codegen.relations import release_name
from dialect.functions import name
from dialect.postprocess import Reaches
from engine.backends.protocol import Backend
from engine.backends.sandbox import outer, public_table, read_public
from engine.mechanism.answer import Answer, answer, reaches
from engine.mechanism.release import Release, outer_table, raw_noise
from engine.pricing.prepare import Prepared


def finish(
    question: Question,
    prepared: tuple[Prepared, ...],
    releases: tuple[Release, ...],
    confidence: float,
    catalog: Catalog,
    backend: Backend,
) -> Answer:
    """Run the outer SQL over releases and public tables, and compute intervals."""
    tables = {table: public_table(table, catalog, backend) for table in public_tables(question)}
    tables |= _released(question, prepared, releases, confidence)
    raw = raw_noise(question, releases)
    reached = reaches(raw.variances, raw.sigmas, raw.parted, confidence)
    sql = _outer_sql(question, raw.variances, confidence, reached)
    return answer(_rows(sql, tables), sql, confidence, raw)


def bind_rest(
    question: Question,
    prepared: tuple[Prepared, ...],
    empty: tuple[Release, ...],
    confidence: float,
    catalog: Catalog,
    backend: Backend,
) -> None:
    """Bind the outer SQL over empty releases and empty public tables. Raises ExecutionFailed."""
    tables = {
        table: backend.empty.columns(read_public(table, catalog, backend.empty.target), {})
        for table in public_tables(question)
    }
    tables |= _released(question, prepared, empty, confidence)
    raw = raw_noise(question, empty)
    sql = _outer_sql(question, raw.variances, confidence, reaches(raw.variances, raw.sigmas, raw.parted, confidence))
    if sql.as_released is None:
        outer(f"DESCRIBE {sql.text}", tables)


def _released(
    question: Question, prepared: tuple[Prepared, ...], releases: tuple[Release, ...], confidence: float
) -> dict[str, pa.Table]:
    """Convert the releases to the tables, by name, that the outer SQL reads."""
    return {
        release_name(i): outer_table(releases[columns.plan], prepared[columns.plan].plan, columns, confidence)
        for i, columns in enumerate(question.releases)
    }


def _rows(sql: OuterSql, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run the outer SQL; a mere renaming of a release's columns needs no database."""
    if sql.as_released is None:
        return outer(sql.text, tables)
    released = tables[sql.as_released.table]
    return pa.table({name: released.column(own) for name, own in sql.as_released.columns})


def _outer_sql(question: Question, variances: Mapping[str, float], confidence: float, reached: Reaches) -> OuterSql:
    """Generate the outer SQL with the table names of the sandbox database."""
    tables = [*public_tables(question), *(release_name(i) for i in range(len(question.releases)))]
    return write_outer(question, variances, Target({table: name(table) for table in tables}), confidence, reached)
