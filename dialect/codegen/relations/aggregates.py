"""Aggregate calls as SQL of an engine: over one person's rows, over public rows, or over released rows."""

from __future__ import annotations

from dataclasses import replace

from dialect.algebra.expressions import Expr, Literal
from dialect.algebra.relations import AggregateCall, PerPerson, Public, Relation
from dialect.catalog.model import EngineName, SqlType
from dialect.codegen.engine_dialect import ENGINE_DIALECTS
from dialect.functions.aggregate_forms import AggregateOperands
from dialect.functions.aggregates import (
    AGGREGATES,
    grains_per_unit,
    per_person_spark_sql,
    per_person_sql,
    public_sql,
    released_sql,
)
from dialect.functions.emitter import write_expr
from dialect.functions.tie_order import TieOrder


def _argument_sql(argument: Expr, engine: EngineName) -> str:
    """Write an argument. DuckDB cannot ORDER BY a constant text within an aggregate, but accepts a cast of one."""
    written = write_expr(argument, ENGINE_DIALECTS[engine].emitter)
    is_constant_text = isinstance(argument, Literal) and argument.type in (SqlType.VARCHAR, SqlType.BOOLEAN)
    return f"CAST({written} AS {argument.type})" if is_constant_text and engine is EngineName.DUCKDB else written


def write_aggregate_call(call: AggregateCall, source: Relation, engine: EngineName) -> str:
    """Write an aggregate call deterministically, in the form for its source's kind of rows.

    A person's rows need forms that are independent of row order, with ties broken by a hash; public and released rows
    have simpler ones.
    """
    aggregate, emitter = AGGREGATES[call.function], ENGINE_DIALECTS[engine].emitter
    arguments = [_argument_sql(argument, engine) for argument in call.arguments]
    types = [argument.type for argument in call.arguments]
    condition = None if call.condition is None else write_expr(call.condition, emitter)
    operands = AggregateOperands(arguments, types, condition, directions=call.sort_directions)
    if isinstance(source, PerPerson):
        grain = grains_per_unit(call.arguments[0]) if arguments else 1
        write_per_person = per_person_spark_sql if engine is EngineName.SPARK else per_person_sql
        return write_per_person(aggregate, replace(operands, grain=grain, ties=TieOrder(source.person, engine)))
    return (public_sql if isinstance(source, Public) else released_sql)(aggregate, operands)
