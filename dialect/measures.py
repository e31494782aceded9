"""One aggregate call -> Measure: its arguments typed, its place checked, its range inferred."""

from __future__ import annotations

from sqlglot import exp

from dialect.aggregates import AGGREGATES, Aggregate, measure_bounds
from dialect.catalog import SqlType
from dialect.errors import Code
from dialect.expressions import Call, Case, Expr, Field, Literal, Ref
from dialect.inference import range_of
from dialect.names import RowNames, Scope, aggregate_name
from dialect.ranges import known
from dialect.reading import Reading, only, refusal
from dialect.relations import Measure, PerPerson, Relation
from dialect.scalars import condition, scalar

_KEEPS_ARGUMENT = {"min", "max", "arg_min", "arg_max"}  # their value is one of the argument's values
_NUMERIC = {"sum", "avg", "median", "quantile_cont", "stddev", "variance"}
_INSTEAD = {
    "approxdistinct": "COUNT(DISTINCT x)",
    "anyvalue": "put the column into GROUP BY",
    "mode": "GROUP BY the column and ORDER BY COUNT(*) DESC",
}


def measure(node: exp.Expression, scope: Scope, source: Relation, releasing: bool, reading: Reading) -> Measure:
    """Read one aggregate call over the rows of a source; `releasing` where its groups hold many people's rows."""
    names = RowNames(scope)
    call, test = node, None
    if isinstance(node, exp.Filter):
        only(node, "this", "expression", code=Code.AGG)
        call, test = node.this, condition(node.expression.this, names)
    name = aggregate_name(call)
    if name not in AGGREGATES or isinstance(call, exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        hint = _INSTEAD.get(name or "", "COUNT, SUM or AVG")
        raise refusal(Code.AGG, f"The aggregate {(name or node.key).upper()} is not in the dialect.", hint, node)
    only(call, "this", "expression", "big_int", code=Code.AGG)
    name, arguments = _arguments(name, call, names)
    name, arguments, test = _conditional(name, arguments, test)
    aggregate = AGGREGATES[name]
    _check_arguments(aggregate, arguments, node)
    if releasing and isinstance(source, PerPerson):
        _check_release(aggregate, arguments, source, node)
    return Measure(name, arguments, test, _field(aggregate, arguments, source, reading))


def _arguments(name: str, call: exp.Expression, names: RowNames) -> tuple[str, tuple[Expr, ...]]:
    inner = call.this
    if isinstance(inner, exp.Star) and name == "count":
        return "count_star", ()
    if isinstance(inner, exp.Distinct):
        only(inner, "expressions", code=Code.AGG)
        if name != "count" or len(inner.expressions) != 1:
            raise refusal(Code.AGG, "DISTINCT is only allowed in COUNT of one thing.", "COUNT(DISTINCT x)", call)
        return "count_distinct", (_value(inner.expressions[0], names),)
    parts = [part for part in (call.args.get("this"), call.args.get("expression")) if part is not None]
    return name, tuple(_value(part, names) for part in parts)


def _value(node: exp.Expression, names: RowNames) -> Expr:
    """Type an argument; CASE WHEN .. THEN person END is how analysts count the persons for whom something holds."""
    if isinstance(node, exp.Case) and node.args.get("this") is None and node.args.get("default") is None:
        branches = node.args["ifs"]
        if len(branches) == 1 and isinstance(branches[0].args["true"], exp.Column):
            value = scalar(branches[0].args["true"], names)
            if isinstance(value, Ref) and value.field.is_person:
                return Case(((condition(branches[0].this, names), value),), Literal(None, SqlType.NULL), value.type)
    return scalar(node, names)


def _conditional(
    name: str, arguments: tuple[Expr, ...], test: Expr | None
) -> tuple[str, tuple[Expr, ...], Expr | None]:
    """Write COUNT_IF(x) and COUNT(CASE WHEN x THEN person END) as a plain count with a FILTER."""
    if name == "count_if" and arguments and arguments[0].type is SqlType.BOOLEAN:
        return "count_star", (), _both(test, arguments[0])
    if name not in {"count", "count_distinct"} or not arguments or not isinstance(arguments[0], Case):
        return name, arguments, test
    when, value = arguments[0].branches[0]
    if not (isinstance(value, Ref) and value.field.is_person):
        return name, arguments, test
    return name, (value,), _both(test, when)


def _both(test: Expr | None, other: Expr) -> Expr:
    return other if test is None else Call("and#0", (test, other), SqlType.BOOLEAN)


def _check_arguments(aggregate: Aggregate, arguments: tuple[Expr, ...], node: exp.Expression) -> None:
    name = aggregate.name.partition("_star")[0].upper()
    if len(arguments) != aggregate.arguments:
        raise refusal(Code.AGG, f"{name} takes {aggregate.arguments} argument(s).", "add or remove some", node)
    if aggregate.name in _NUMERIC and arguments[0].type not in (SqlType.BIGINT, SqlType.DOUBLE, SqlType.NULL):
        raise refusal(Code.AGG, f"{name} takes numbers.", f"{name}(CASE WHEN x THEN 1 ELSE 0 END)", node)
    if aggregate.name in {"count_if", "bool_and", "bool_or"} and arguments[0].type is not SqlType.BOOLEAN:
        raise refusal(Code.AGG, f"{name} takes a condition.", f"{name}(x > 0)", node)
    persons = [v for a in arguments for v in _values(a) if isinstance(v, Ref) and v.field.is_person]
    if persons and (aggregate.name not in {"count", "count_distinct"} or isinstance(arguments[0], Case)):
        hint = f"COUNT(DISTINCT {persons[0].field.name or 'person'})"
        raise refusal(Code.PERSON_KEY, "The person key can only be counted.", hint, node)


def _values(argument: Expr) -> tuple[Expr, ...]:
    """List what an argument may be: itself, or the values of its branches."""
    return tuple(value for _, value in argument.branches) if isinstance(argument, Case) else (argument,)


def _check_release(aggregate: Aggregate, arguments: tuple[Expr, ...], source: PerPerson, node: exp.Expression) -> None:
    name = aggregate.name.upper()
    if not aggregate.at_boundary:
        raise refusal(
            Code.AGG,
            f"{name} across people would return a stored value, or is not built yet.",
            f"{name} per person in a subquery that groups by {source.person.name or 'the person'}",
            node,
        )
    if aggregate.name == "count_distinct" and not (isinstance(arguments[0], Ref) and arguments[0].field.is_person):
        hint = f"COUNT(DISTINCT {source.person.name or 'person'})"
        raise refusal(Code.AGG, "COUNT(DISTINCT) of anything but the person is not built yet.", hint, node)
    if aggregate.name in {"sum", "avg"} and not known(range_of(arguments[0])):
        raise refusal(
            Code.BOUNDS,
            f"{name} needs a range that is known without the data.",
            f"{name}(LEAST(GREATEST(x, 0), 100)) with your own ends",
            node,
        )


def _field(aggregate: Aggregate, arguments: tuple[Expr, ...], source: Relation, reading: Reading) -> Field:
    first = arguments[0].field if arguments and isinstance(arguments[0], Ref) else None
    kept = first if aggregate.name in _KEEPS_ARGUMENT else None
    rows = source.max_rows if isinstance(source, PerPerson) else 1
    kind = aggregate.result or (arguments[0].type if arguments else SqlType.BIGINT)
    return Field(
        reading.fresh(), None, kind, nullable=not aggregate.name.startswith("count"),
        bounds=measure_bounds(aggregate, arguments, rows) if isinstance(source, PerPerson) else None,
        domain=kept.domain if kept else None, public=kept.public if kept else None,
        origin=first.origin if first else None, time_zone=kept.time_zone if kept else None,
    )  # fmt: skip
