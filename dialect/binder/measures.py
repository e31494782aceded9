"""One aggregate call -> Measure: its arguments typed, its place checked, its range inferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from dialect.algebra.cuts import rows_in
from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.algebra.intervals import known
from dialect.algebra.relations import (
    Distinct,
    Measure,
    PerPerson,
    Project,
    Public,
    Relation,
    public_list,
    with_null_row,
)
from dialect.analysis.known_ranges import known_range
from dialect.binder.aggregate_calls import aggregate_call, both_exist
from dialect.binder.aggregate_order import check_varying, in_its_own_order
from dialect.binder.names import RowNames, aggregate_name
from dialect.binder.scalars import condition
from dialect.catalog.catalog import Bounds, SqlType
from dialect.errors import Code, Suggestion
from dialect.functions.aggregates import AGGREGATES, Aggregate, measure_bounds
from dialect.functions.inference import alternatives_or_null, nullable
from dialect.functions.moments import MOMENTS, can_be_multiplied
from dialect.functions.plain_text import plain_text
from dialect.functions.scalar.noise_intervals import OF_PEOPLE, TRY, holds_end
from dialect.parser.aggregate_bounds import check_named
from dialect.parser.context import Reading, only, refusal
from dialect.parser.spans import called
from dialect.parser.suggestions.aggregates import (
    BEYOND_ENDS,
    OF_INTERVALS,
    across_people,
    unknown_aggregate,
    within_ends,
    wrong_type,
)
from dialect.stability.calls import is_person, polygon_refused
from dialect.stability.outer_joins import check_ignored
from dialect.stability.rules import facts_of

WIDEST = 1e25  # of a range that sums can be clamped to: below 2^27 grains of at most 2^60, or a value fits no 64 bits
_LEVELS = {"quantile_cont", "quantile_disc"}
_KEEPS_ARGUMENT = {
    "min",
    "max",
    "arg_min",
    "arg_max",
    "mode",
    "any_value",
    "first",
    "last",
    "quantile_disc",
}  # their value is one of the argument's values
_ONE_ROW = {"first", "last"}
_COUNTS = {"count_star", "count", "count_distinct"}
_QUANTILES = {"median", *_LEVELS, "min", "max"}  # across people; of one person's rows MIN and MAX are their own
_BOUNDED = {"sum", "avg", *_QUANTILES}
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)
_NUMERIC = {"sum", "avg", "median", "quantile_cont", "product", "sum_distinct", "avg_distinct", *MOMENTS}
_LISTS = (SqlType.VARCHAR_LIST, SqlType.BIGINT_LIST)
_LIST_OF = {SqlType.VARCHAR: SqlType.VARCHAR_LIST, SqlType.BIGINT: SqlType.BIGINT_LIST}
_CONDITION = ((SqlType.BOOLEAN,), "a condition", "{0} <> 0")
_LISTED = (tuple(_LIST_OF), "text or integers", "CAST({0} AS VARCHAR)")
_BITS = ((SqlType.BIGINT,), "integers", "CAST({0} AS BIGINT)")
# type -> what is a number of it
_NUMBER_OF = {
    SqlType.BOOLEAN: ("CAST({0} AS INT)",),
    SqlType.INTERVAL: OF_INTERVALS,
    **dict.fromkeys((SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ), ("HOUR({0})", "DAYOFWEEK({0})")),
    **dict.fromkeys(_LISTS, ("LENGTH({0})",)),
    SqlType.TIME: ("HOUR({0})",),
}
# what the first argument must be, in words too, and what would be it
_TAKING: dict[str, tuple[tuple[SqlType, ...], str, str]] = {
    **dict.fromkeys(("count_if", "bool_and", "bool_or"), _CONDITION),
    **dict.fromkeys(("list", "list_distinct"), _LISTED),
    **dict.fromkeys(("bit_and", "bit_or", "bit_xor"), _BITS),
    "string_agg": ((SqlType.VARCHAR,), "text", "CAST({0} AS VARCHAR), ','"),
}


def measure(node: exp.Expr, names: RowNames, source: Relation, releasing: bool, reading: Reading) -> Measure:
    """Read one aggregate call over the rows of a source; `releasing` where its groups hold many people's rows."""
    call, test = node, None
    if isinstance(node, exp.Filter):
        only(node, "this", "expression", code=Code.AGG)
        call, test = node.this, condition(node.expression.this, names)
    call, name = _allowed(call, node)
    if name in _ONE_ROW and releasing and isinstance(source, PerPerson):
        raise across_people(name, node, source.person.name or "the person")
    read = aggregate_call(name, call, test, names, node)
    name, arguments, test = read.name, read.arguments, read.test
    aggregate = AGGREGATES[name]
    if releasing and isinstance(source, PerPerson):
        _check_release(aggregate, arguments, source, node)
    check_arguments(aggregate, arguments[: len(arguments) - len(read.directions)], node)
    check_varying(name, arguments, read.directions, node)
    named = reading.bounds.get(call.meta.get("start", -1))
    bounds = None if named is None else named.bounds
    if named is not None:
        check_named("persons" if _of_persons(name, arguments) else name, named, releasing)
    if releasing and isinstance(source, PerPerson):
        if any(map(holds_end, arguments)):
            raise refusal(Code.AGG, OF_PEOPLE, TRY, node)
        facts = (*source.facts, *(facts_of(test) if test is not None else ()))
        _check_ranges(aggregate, arguments, facts, node, bounds)
        test = both_exist(arguments, test, node) if len(arguments) > 1 and name in MOMENTS else test
        alone = arguments[:1] if name != "count_distinct" or len(arguments) == 1 else ()  # a tuple of NULLs is one
        check_ignored(name, alone, test, source, names.scope.written(source.person), node)
        if name in _QUANTILES:
            return Measure(name, arguments, test, _of_many(aggregate, arguments, reading))
    made = _field(aggregate, arguments, test, source, reading)
    made = _at_least_one(made) if name == "count_star" and test is None and not releasing else made
    return Measure(name, arguments, test, made, bounds, read.directions)


def _allowed(call: exp.Expr, node: exp.Expr) -> tuple[exp.Expr, str]:
    """Give a call and its name in the allow-list; raises Refusal where it has none."""
    call = in_its_own_order(call)
    name = aggregate_name(call) or ""
    if isinstance(call, exp.IgnoreNulls) and isinstance(call.this, exp.AnyValue):
        call = call.this  # as the parser reads every ANY_VALUE
    within = isinstance(call, exp.WithinGroup) and name not in _LEVELS
    if name not in AGGREGATES or within or isinstance(call, exp.IgnoreNulls | exp.RespectNulls):
        raise unknown_aggregate(name, node)
    return call, name


def _of_persons(name: str, arguments: tuple[Expr, ...]) -> bool:
    """Tell whether different persons are counted, and nothing else."""
    return name == "count_distinct" and len(arguments) == 1 and is_person(arguments[0])


def _of_many(aggregate: Aggregate, arguments: tuple[Expr, ...], reading: Reading) -> Field:
    """Describe a released quantile, of which nothing is known but its type."""
    text = f"{aggregate.name}({', '.join(plain_text(argument) for argument in arguments)})"
    return Field(reading.fresh(), text, aggregate.result or arguments[0].type)


def check_arguments(aggregate: Aggregate, arguments: tuple[Expr, ...], node: exp.Expr) -> None:
    """Refuse arguments that an aggregate does not take; raises Refusal with E_AGG or E_PERSON_KEY."""
    if len(arguments) != aggregate.arguments and not (aggregate.name == "count_distinct" and arguments):
        raise refusal(Code.AGG, f"{_name(node)} takes {aggregate.arguments} argument(s).", "add or remove some", node)
    _check_types(aggregate.name, arguments, node)
    if any(argument.type is SqlType.POLYGON for argument in arguments):
        raise polygon_refused(node)
    persons = [a for a in arguments if is_person(a)]
    if persons and aggregate.name not in {"count", "count_distinct"}:
        shown = next((a.field.name for a in persons if isinstance(a, Ref)), None) or "person"
        raise refusal(
            Code.PERSON_KEY,
            "The person key can only be counted.",
            Suggestion(f"COUNT(DISTINCT {shown})", "counts people"),
            node,
        )


def _check_types(function: str, arguments: tuple[Expr, ...], node: exp.Expr) -> None:
    types = [argument.type for argument in arguments]
    strange = next((kind for kind in types if kind not in (*_NUMBERS, SqlType.NULL)), None)
    if function in _NUMERIC and strange is not None:
        raise wrong_type("numbers", _NUMBER_OF.get(strange, ()), node)
    if function in _KEEPS_ARGUMENT and any(kind in _LISTS for kind in types):
        name = _name(node)
        raise refusal(Code.AGG, f"{name} takes no lists.", f"{name}(LENGTH(x))", node)
    taken, what, instead = _TAKING.get(function, (tuple(SqlType), "", ""))
    if types and types[0] not in taken:
        raise wrong_type(what, (instead,), node)


def _check_release(aggregate: Aggregate, arguments: tuple[Expr, ...], source: PerPerson, node: exp.Expr) -> None:
    """Refuse what would be one person's value; of what is no condition, say that first."""
    if _TAKING.get(aggregate.name) is _CONDITION:
        _check_types(aggregate.name, arguments, node)
    stored = aggregate.name in {"min", "max", "quantile_disc"} and arguments and arguments[0].type not in _NUMBERS
    if not aggregate.at_boundary or stored:
        raise across_people(aggregate.name, node, source.person.name or "the person")


def _can_be_bounded(bounds: Bounds) -> bool:
    return known(bounds) and max(abs(bounds.lower), abs(bounds.upper)) <= WIDEST


def _check_ranges(
    aggregate: Aggregate, arguments: tuple[Expr, ...], facts: Sequence[Expr], node: exp.Expr, named: Bounds | None
) -> None:
    """Refuse values that may be however large in the rows of which facts are true."""
    ranges = [known_range(argument, facts) for argument in arguments]
    multiplied = aggregate.name not in MOMENTS or can_be_multiplied(ranges, named)
    if not multiplied or (aggregate.name in _BOUNDED and named is None and not _can_be_bounded(ranges[0])):
        cut = Suggestion(_cut_to_range(_call(node), arguments), BEYOND_ENDS)
        why = f"{_name(node)} needs a range that is known without the data: no bounds are declared. Say your own ends."
        raise refusal(Code.AGG if aggregate.name in {"min", "max"} else Code.BOUNDS, why, cut, node, cut)


def _cut_to_range(call: exp.Expr, arguments: tuple[Expr, ...]) -> str:
    """Write a call with ends around its argument."""
    if isinstance(call, exp.WithinGroup):
        value, level = call.expression.expressions[0].this, arguments[1]
        assert isinstance(level, Literal)  # noqa: S101  read as a constant
        return f"QUANTILE_CONT({_written(within_ends(value))}, {level.value})"
    cut = call.copy()
    inner = cut.this.expressions[0] if isinstance(cut.this, exp.Distinct) else cut.this
    cut.set("this", within_ends(inner))
    if len(arguments) > 1 and cut.args.get("expression") is not None:
        cut.set("expression", within_ends(cut.expression))
    return _written(cut)


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
    kind = _LIST_OF[kind] if aggregate.name in {"list", "list_distinct"} else kind
    certain = aggregate.name in _KEEPS_ARGUMENT and isinstance(source, PerPerson) and test is None
    text = f"{aggregate.name}({', '.join(plain_text(argument) for argument in arguments)})"
    rows = rows_in(source, reading.together) if isinstance(source, PerPerson) else None
    made = Field(
        reading.fresh(), text, kind,
        nullable=aggregate.name not in _COUNTS and not (certain and not any(nullable(a) for a in arguments)),
        bounds=None if rows is None else measure_bounds(aggregate, arguments, rows),
        domain=kept.domain if kept else None, time_zone=kept.time_zone if kept else None,
        origin=first.origin if first and (kept or aggregate.name == "avg") else None,
    )  # fmt: skip
    if kept is not None and kept.alternatives:
        made = replace(made, alternatives=alternatives_or_null(kept) if made.nullable else kept.alternatives)
    return with_list(made, kept) if kept is not None and kept.public is not None else made


def _at_least_one(rows: Field) -> Field:
    """Say of the rows of one person's group that there is one."""
    return rows if rows.bounds is None else replace(rows, bounds=Bounds(1, rows.bounds.upper))


def with_list(made: Field, kept: Field) -> Field:
    """Give one person's MIN of a public column the list of that column alone: other fields may be of other rows."""
    public = public_list(kept)
    assert public is not None  # noqa: S101  the caller asks
    alone = Field(made.id, None, made.type, kept.nullable)
    projected = Public(Project(public, ((alone, Ref(kept)),)), (*public.fields, alone))
    listed = Public(Distinct(projected, (alone,)), (alone,))
    return replace(made, public=with_null_row(listed) if made.nullable else listed)
