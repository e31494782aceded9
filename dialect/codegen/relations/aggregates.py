"""Aggregate calls as SQL of an engine: over one person's rows, over public rows, or over released rows."""

from __future__ import annotations

from dialect.algebra.expressions import Expr, Literal
from dialect.algebra.relations import Measure, PerPerson, Public, Relation
from dialect.catalog.model import EngineName, SqlType
from dialect.codegen.engine_syntax import WORDS
from dialect.codegen.spark.aggregates import inside_in_spark
from dialect.functions.aggregates import AGGREGATES, fixed_point_grain, inside_sql, over_sql, public_sql
from dialect.functions.emitter import write_expr
from dialect.functions.tie_order import TieOrder


def _argument(argument: Expr, engine: EngineName) -> str:
    """Write an argument. DuckDB cannot ORDER BY a constant text within an aggregate, but accepts a cast of one."""
    written = write_expr(argument, WORDS[engine].emitter)
    constant = isinstance(argument, Literal) and argument.type in (SqlType.VARCHAR, SqlType.BOOLEAN)
    return f"CAST({written} AS {argument.type})" if constant and engine is EngineName.DUCKDB else written


def write_measure(measure: Measure, source: Relation, engine: EngineName) -> str:
    """Write an aggregate call deterministically, in the form for its source's kind of rows."""
    aggregate, emitter = AGGREGATES[measure.function], WORDS[engine].emitter
    arguments = [_argument(argument, engine) for argument in measure.arguments]
    types = [argument.type for argument in measure.arguments]
    condition = None if measure.condition is None else write_expr(measure.condition, emitter)
    if isinstance(source, PerPerson):
        grain = fixed_point_grain(measure.arguments[0]) if arguments else 1
        inside = inside_in_spark if engine is EngineName.SPARK else inside_sql
        ties = TieOrder(source.person, engine)
        return inside(aggregate, arguments, types, condition, grain, directions=measure.directions, ties=ties)
    write = public_sql if isinstance(source, Public) else over_sql
    return write(aggregate, arguments, types, condition, directions=measure.directions)
