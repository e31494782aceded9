"""One aggregate call -> Measure: its arguments typed, its place checked, its range inferred."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp, parse_one

from dialect.aggregate_calls import aggregate_call, both_exist
from dialect.aggregates import AGGREGATES, Aggregate, measure_bounds
from dialect.calls import is_person, polygon_refused
from dialect.canonical import plain_text
from dialect.catalog import Bounds, SqlType
from dialect.errors import Code
from dialect.expressions import Expr, Field, Literal, Ref
from dialect.functions_interval import OF_PEOPLE, TRY, holds_end
from dialect.inference import nullable, range_of, sides_or_null
from dialect.kept_rows import check_ignored
from dialect.moments import MOMENTS, can_be_multiplied
from dialect.named_bounds import check_named
from dialect.names import RowNames, Scope, aggregate_name
from dialect.ranges import known
from dialect.reading import Reading, only, refusal
from dialect.relations import Distinct, Measure, PerPerson, Project, Public, Relation, with_null_row
from dialect.scalars import condition
from dialect.spans import called

WIDEST = 1e25  # of a range that sums can be clamped to: below 2^27 grains of at most 2^60, or a value fits no 64 bits
_KEEPS_ARGUMENT = {"min", "max", "arg_min", "arg_max"}  # their value is one of the argument's values
_COUNTS = {"count_star", "count", "count_distinct"}
_QUANTILES = {"median", "quantile_cont", "min", "max"}  # across people; of one person's rows MIN and MAX are their own
_BOUNDED = {"sum", "avg", *_QUANTILES}
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)
_NUMERIC = {"sum", "avg", "median", "quantile_cont", *MOMENTS}
_LISTS = (SqlType.VARCHAR_LIST, SqlType.BIGINT_LIST)
_INSTEAD = {
    "approxdistinct": "COUNT(DISTINCT x)",
    "anyvalue": "put the column into GROUP BY",
    "mode": "GROUP BY the column and ORDER BY COUNT(*) DESC",
    "mean": "AVG(x)",
}


def measure(node: exp.Expr, scope: Scope, source: Relation, releasing: bool, reading: Reading) -> Measure:
    """Read one aggregate call over the rows of a source; `releasing` where its groups hold many people's rows."""
    names = RowNames(scope)
    call, test = node, None
    if isinstance(node, exp.Filter):
        only(node, "this", "expression", code=Code.AGG)
        call, test = node.this, condition(node.expression.this, names)
    name = aggregate_name(call)
    within = isinstance(call, exp.WithinGroup) and name != "quantile_cont"
    if name not in AGGREGATES or within or isinstance(call, exp.IgnoreNulls | exp.RespectNulls):
        hint = _INSTEAD.get(name or "", "COUNT, SUM or AVG")
        texts = [part.sql("duckdb", comments=False) for part in call.walk() if isinstance(part, exp.Column)]
        instead = (f"AVG({texts[0]})", f"COUNT(DISTINCT {texts[0]})", f"COUNT({texts[0]})") if texts else ()
        counted = instead if name in {"mean", "quantile", "percentiledisc", "approxquantile"} else instead[1:]
        raise refusal(Code.AGG, f"The aggregate {called(call)} is not in the dialect.", hint, node, *counted)
    name, arguments, test = aggregate_call(name, call, test, names, node)
    aggregate = AGGREGATES[name]
    check_arguments(aggregate, arguments, node)
    named = reading.bounds.get(call.meta.get("start", -1))
    if named is not None:
        check_named("persons" if _of_persons(name, arguments) else name, named, releasing)
    if releasing and isinstance(source, PerPerson):
        if any(map(holds_end, arguments)):
            raise refusal(Code.AGG, OF_PEOPLE, TRY, node)
        _check_release(aggregate, arguments, source, node, None if named is None else named.bounds)
        test = both_exist(arguments, test, node) if len(arguments) > 1 and name in MOMENTS else test
        alone = arguments[:1] if name != "count_distinct" or len(arguments) == 1 else ()  # a tuple of NULLs is one
        check_ignored(name, alone, test, source, scope.written(source.person), node)
        if name in _QUANTILES:
            return Measure(name, arguments, test, _of_many(aggregate, arguments, reading))
    made = _field(aggregate, arguments, test, source, reading)
    return Measure(name, arguments, test, made, None if named is None else named.bounds)


def _of_persons(name: str, arguments: tuple[Expr, ...]) -> bool:
    """Tell whether different persons are counted, and nothing else."""
    return name == "count_distinct" and len(arguments) == 1 and is_person(arguments[0])


def _of_many(aggregate: Aggregate, arguments: tuple[Expr, ...], reading: Reading) -> Field:
    """Describe a released quantile, of which nothing is known but its type."""
    text = f"{aggregate.name}({', '.join(plain_text(argument) for argument in arguments)})"
    return Field(reading.fresh(), text, aggregate.result or arguments[0].type)


def check_arguments(aggregate: Aggregate, arguments: tuple[Expr, ...], node: exp.Expr) -> None:
    """Refuse arguments that an aggregate does not take; raises Refusal with E_AGG or E_PERSON_KEY."""
    name = _name(node)
    if len(arguments) != aggregate.arguments and not (aggregate.name == "count_distinct" and arguments):
        raise refusal(Code.AGG, f"{name} takes {aggregate.arguments} argument(s).", "add or remove some", node)
    if aggregate.name in _NUMERIC and any(a.type not in (*_NUMBERS, SqlType.NULL) for a in arguments):
        raise refusal(Code.AGG, f"{name} takes numbers.", f"{name}(CASE WHEN x THEN 1 ELSE 0 END)", node)
    if aggregate.name in {"count_if", "bool_and", "bool_or"} and arguments[0].type is not SqlType.BOOLEAN:
        raise refusal(Code.AGG, f"{name} takes a condition.", f"{name}(x > 0)", node)
    if aggregate.name in _KEEPS_ARGUMENT and any(argument.type in _LISTS for argument in arguments):
        raise refusal(Code.AGG, f"{name} takes no lists.", f"{name}(LENGTH(x))", node)
    if any(argument.type is SqlType.POLYGON for argument in arguments):
        raise polygon_refused(node)
    persons = [a for a in arguments if is_person(a)]
    if persons and aggregate.name not in {"count", "count_distinct"}:
        shown = next((a.field.name for a in persons if isinstance(a, Ref)), None) or "person"
        raise refusal(Code.PERSON_KEY, "The person key can only be counted.", f"COUNT(DISTINCT {shown})", node)


def _can_be_bounded(argument: Expr) -> bool:
    bounds = range_of(argument)
    return known(bounds) and max(abs(bounds.lower), abs(bounds.upper)) <= WIDEST


def _check_release(
    aggregate: Aggregate, arguments: tuple[Expr, ...], source: PerPerson, node: exp.Expr, named: Bounds | None
) -> None:
    name = _name(node)
    stored = aggregate.name in {"min", "max"} and arguments[0].type not in _NUMBERS
    if not aggregate.at_boundary or stored:
        inside = f"{name} per person in a subquery that groups by {source.person.name or 'the person'}"
        raise refusal(
            Code.AGG,
            f"{name} across people would return a stored value, or is not built yet.",
            inside if aggregate.inside is not None else "AVG(x), or COUNT(*) GROUP BY ranges of x by CASE",
            node,
            *(f"AVG({_written(argument)})" for argument in _call(node).iter_expressions()),
            *(f"COUNT({_written(argument)})" for argument in _call(node).iter_expressions()),
        )
    multiplied = aggregate.name not in MOMENTS or can_be_multiplied(arguments, named)
    if not multiplied or (aggregate.name in _BOUNDED and named is None and not _can_be_bounded(arguments[0])):
        cut = _cut_to_range(_call(node), arguments)
        why = f"{name} needs a range that is known without the data: no bounds are declared. Say your own ends."
        raise refusal(Code.AGG if aggregate.name in {"min", "max"} else Code.BOUNDS, why, cut, node, cut)


def _cut_to_range(call: exp.Expr, arguments: tuple[Expr, ...]) -> str:
    """Write a call with ends around its argument."""
    if isinstance(call, exp.WithinGroup):
        value, level = call.expression.expressions[0].this, arguments[1]
        assert isinstance(level, Literal)  # noqa: S101  read as a constant
        return f"QUANTILE_CONT(LEAST(GREATEST({_written(value)}, 0), 100), {level.value})"
    cut = call.copy()
    inner = cut.this.expressions[0] if isinstance(cut.this, exp.Distinct) else cut.this
    cut.set("this", _within(inner))
    if len(arguments) > 1 and cut.args.get("expression") is not None:
        cut.set("expression", _within(cut.expression))
    return _written(cut)


def _within(value: exp.Expr) -> exp.Expr:
    return parse_one(f"LEAST(GREATEST({_written(value)}, 0), 100)", dialect="duckdb")


def _call(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.Filter) else node


def _name(node: exp.Expr) -> str:
    call = _call(node)
    return called(call.this if isinstance(call, exp.WithinGroup) else call)


def _written(node: exp.Expr) -> str:
    return node.sql("duckdb", comments=False)


def _field(
    aggregate: Aggregate, arguments: tuple[Expr, ...], test: Expr | None, source: Relation, reading: Reading
) -> Field:
    first = arguments[0].field if arguments and isinstance(arguments[0], Ref) else None
    kept = first if aggregate.name in _KEEPS_ARGUMENT else None
    kind = aggregate.result or (arguments[0].type if arguments else SqlType.BIGINT)
    certain = aggregate.name in _KEEPS_ARGUMENT and isinstance(source, PerPerson) and test is None
    text = f"{aggregate.name}({', '.join(plain_text(argument) for argument in arguments)})"
    made = Field(
        reading.fresh(), text, kind,
        nullable=aggregate.name not in _COUNTS and not (certain and not any(nullable(a) for a in arguments)),
        bounds=measure_bounds(aggregate, arguments, source.max_rows) if isinstance(source, PerPerson) else None,
        domain=kept.domain if kept else None, time_zone=kept.time_zone if kept else None,
        origin=first.origin if first and (kept or aggregate.name == "avg") else None,
    )  # fmt: skip
    if kept is not None and kept.sides:
        made = replace(made, sides=sides_or_null(kept) if made.nullable else kept.sides)
    return with_list(made, kept) if kept is not None and kept.public is not None else made


def with_list(made: Field, kept: Field) -> Field:
    """Give one person's MIN of a public column the list of that column alone: other fields may be of other rows."""
    assert kept.public is not None  # noqa: S101  the caller asks
    alone = Field(made.id, None, made.type, kept.nullable)
    projected = Public(Project(kept.public, ((alone, Ref(kept)),)), (*kept.public.fields, alone))
    listed = Public(Distinct(projected, (alone,)), (alone,))
    return replace(made, public=with_null_row(listed) if made.nullable else listed)
