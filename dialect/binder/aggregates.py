"""Bind aggregate calls to measures: supported name, typed arguments, FILTER condition, allowed place, range.

measure         AggregateCall: function, arguments, FILTER condition, result field, named bounds, sort directions
release point   GROUP BY over private rows without the person key: its groups have rows of many persons
named bounds    contribution_bounds_per_group => (lower, upper), written in the call by the analyst
null-extended   a row of a public LEFT JOIN private without a match: its private columns are NULL
moments         aggregates of products (variance, correlation, regression), which need narrow ranges
grain           unit of fixed-point sums: a value grain is 2^-value_bits of the unit of the value
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra.expressions import Case, Expr, Field, Literal, Ref, expand_definitions, fields_of
from dialect.algebra.relations import AggregateCall, PerPerson, Relation, SortDirection
from dialect.analysis.predicates import declared_range, narrowed_range
from dialect.binder.aggregate_fields import (
    aggregate_field,
    listed_ends,
    with_bounds,
    with_listed_ends,
    with_person_range,
)
from dialect.binder.scalars import (
    NameResolver,
    bind_condition,
    bind_scalar,
    condition_as_number,
    share_of_finite,
    value_or_zero,
)
from dialect.binder.scope import RowResolver, aggregate_name
from dialect.catalog.model import Bounds, Column, SqlType
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, Suggestion
from dialect.functions.aggregates import (
    AGGREGATES,
    CONDITION,
    NUMBERS,
    Aggregate,
    DistinctRule,
    Order,
    ReleasedAs,
    products_fit,
)
from dialect.functions.emitter import plain_text
from dialect.functions.registry import may_be_null
from dialect.functions.scalar.numbers import contains_interval_end
from dialect.parser.compile_context import CompileContext, check_parts, refusal
from dialect.parser.privacy_clause import check_bounds_apply
from dialect.parser.spans import sql_text, written_name
from dialect.parser.suggestions.aggregates import (
    CLAMPED_TO_ENDS,
    INTERVAL_TO_NUMBER,
    across_persons_refusal,
    clamp_to_ends,
    clamped_difference,
    unknown_aggregate_refusal,
    wrong_type_refusal,
)
from dialect.parser.written_averages import is_average_over_rows, is_share_of_values, is_written_average
from dialect.stability.outer_joins import check_ignores_null_extended
from dialect.stability.row_operators import predicates_of
from dialect.stability.typed_calls import apply_function as apply
from dialect.stability.typed_calls import is_person_key, polygon_refusal

OrderedArguments = tuple[tuple[Expr, ...], tuple[SortDirection, ...]]  # arguments, directions of the last ones
# DuckDB can't bind these over a constant
_ORDER_DEPENDENT = (Order.BY_VALUE, Order.BY_FREQUENCY, Order.OPTIONAL, Order.REQUIRED)


def bind_ordered_arguments(name: str, call: exp.Expr, resolver: NameResolver) -> OrderedArguments:
    """Bind FIRST(x ORDER BY t), STRING_AGG(x, ',' ORDER BY t): (value, separator, sort keys...), directions."""
    check_parts(call, "this", "separator", code=Code.AGG)
    argument = call.this
    terms = argument.expressions if isinstance(argument, exp.Order) else []
    value = argument.this if isinstance(argument, exp.Order) else argument
    if value is None or (isinstance(value, exp.Distinct) and not any(value.expressions)):
        raise refusal(Kind.NOTHING_TO_ORDER, call, name=name.upper())
    if isinstance(value, exp.Distinct):
        unordered = f"{name.upper()}({value.sql('duckdb', comments=False)})"
        raise refusal(Kind.DISTINCT_WITH_ORDER, call, Suggestion(unordered, "in the order of the values themselves"))
    if AGGREGATES[name].order is Order.REQUIRED and not terms:
        text = sql_text(value)
        replacement = Suggestion(f"{name.upper()}({text} ORDER BY {text})", f"in the order of {text}: name your own")
        raise refusal(Kind.NO_ORDER_OF_ITS_OWN, call, replacement, name=name.upper(), replacement=replacement)
    separators = (_separator(call, resolver),) if AGGREGATES[name].has_separator else ()
    arguments = (bind_scalar(value, resolver), *separators)
    keys = tuple(bind_scalar(_order_expression(term), resolver) for term in terms)
    directions = tuple(SortDirection(bool(t.args.get("desc")), bool(t.args.get("nulls_first"))) for t in terms)
    return (*arguments, *keys), directions


def normalize_mode(call: exp.Expr) -> exp.Expr:
    """Normalize MODE() WITHIN GROUP (ORDER BY x) to MODE(x); MODE(x ORDER BY x), which breaks ties, stays."""
    is_within_group = isinstance(call, exp.WithinGroup) and isinstance(call.this, exp.Mode) and call.this.this is None
    order = call.expression if is_within_group else call.this if isinstance(call, exp.Mode) else None
    if not isinstance(order, exp.Order):
        return call
    first = order.expressions[0]
    value = first.this if is_within_group else order.this
    plain = exp.Mode(this=value.copy())
    # any other order would be ignored: a hash of the person decides between equally frequent values
    if len(order.expressions) > 1 or first.this != value or first.args.get("desc"):
        replacement = Suggestion(sql_text(plain), "another of equally frequent values may be given")
        raise refusal(Kind.MODE_TIES, call, replacement, replacement=replacement)
    plain.parent = call.parent
    return plain if is_within_group else call


def refuse_constant_order(
    name: str, arguments: tuple[Expr, ...], directions: tuple[SortDirection, ...], call: exp.Expr
) -> None:
    """Refuse a constant as the value or as one of the sort keys, the last arguments: DuckDB can't bind it."""
    if AGGREGATES[name].order not in _ORDER_DEPENDENT:
        return
    row_expressions = (arguments[0], *arguments[len(arguments) - len(directions) :])
    if any(not any(fields_of(expand_definitions(each))) for each in row_expressions):
        shown = name.removesuffix("_distinct").upper()
        raise refusal(Kind.CONSTANT_ORDER, call, name=shown)


def _order_expression(term: exp.Expr) -> exp.Expr:
    """Expression of an ORDER BY term."""
    check_parts(term, "this", "desc", "nulls_first", code=Code.AGG)
    return term.this


def _separator(call: exp.Expr, resolver: NameResolver) -> Literal:
    """Constant separator of STRING_AGG, a comma by default."""
    separator_node = call.args.get("separator")
    separator = Literal(",", SqlType.VARCHAR) if separator_node is None else bind_scalar(separator_node, resolver)
    if not isinstance(separator, Literal) or separator.type is not SqlType.VARCHAR or separator.value is None:
        raise refusal(Kind.SEPARATOR_NOT_CONSTANT, call)
    return separator


def bind_quantile(name: str, call: exp.Expr, resolver: NameResolver) -> tuple[Expr, ...]:
    """Bind QUANTILE_CONT(x, 0.25), PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY x) or their _DISC: (value, level)."""
    if not isinstance(call, exp.WithinGroup):
        check_parts(call, "this", "expression", "quantile", code=Code.AGG)
        level, value = call.args.get("expression") or call.args.get("quantile"), call.this
        bound_level = _quantile_level(level, False, name, call, resolver)  # checked before the value is bound
        return (bind_scalar(value, resolver), bound_level)
    check_parts(call.this, "this", code=Code.AGG)
    check_parts(call.expression, "expressions", code=Code.AGG)
    if len(call.expression.expressions) != 1:
        raise refusal(Kind.QUANTILE_OF_SEVERAL, call)
    (term,) = call.expression.expressions
    value, descending = _order_expression(term), bool(term.args.get("desc"))
    quantile = AGGREGATES[name].quantile
    if descending and quantile is not None and quantile.is_value:
        raise refusal(Kind.DISCRETE_QUANTILE_FROM_ABOVE, call)
    return (bind_scalar(value, resolver), _quantile_level(call.this.this, descending, name, call, resolver))


def _quantile_level(
    node: exp.Expr | None, descending: bool, name: str, call: exp.Expr, resolver: NameResolver
) -> Literal:
    """Constant quantile level from 0 to 1, inverted for a descending order; raises Refusal for anything else."""
    if isinstance(node, exp.Array):
        raise _level_list_refusal(node, name, call)
    typed = bind_scalar(node, resolver) if node is not None else None
    value = typed.value if isinstance(typed, Literal) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise refusal(Kind.QUANTILE_LEVEL, call)
    return Literal(1.0 - value if descending else float(value), SqlType.DOUBLE)


def _level_list_refusal(levels: exp.Array, name: str, call: exp.Expr) -> Exception:
    """Refuse a list of quantile levels; suggest one call per level, which costs the same."""
    value = call.expression.expressions[0].this if isinstance(call, exp.WithinGroup) else call.this
    text = sql_text(value)
    calls = ", ".join(f"{name.upper()}({text}, {level.sql('duckdb', comments=False)})" for level in levels.expressions)
    return refusal(
        Kind.SEVERAL_LEVELS,
        call,
        Suggestion(calls, "a column for each level"),
        call=calls or f"{name.upper()}({text}, 0.5)",
    )


@dataclass(frozen=True)
class BoundAggregate:
    """A bound aggregate call."""

    name: str
    arguments: tuple[Expr, ...]
    filter_condition: Expr | None  # FILTER, and conditions of the call itself
    directions: tuple[SortDirection, ...] = ()  # of the sort keys, which are the last arguments


_MAX_DOUBLE = sys.float_info.max


def bind_aggregate_call(
    name: str, call: exp.Expr, filter_condition: Expr | None, resolver: NameResolver, node: exp.Expr
) -> BoundAggregate:
    """Bind an aggregate call's arguments; `filter_condition` is extended by what the call itself tests."""
    bound = _bind_call(name, call, filter_condition, resolver, node)
    return replace(bound, arguments=_with_typed_nulls(bound.name, bound.arguments))


def _with_typed_nulls(name: str, arguments: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Cast each untyped NULL to a type that the aggregate accepts; engines would infer none."""
    null = Literal(None, AGGREGATES[name].accepts.types[0])
    return tuple(null if each.type is SqlType.NULL else each for each in arguments)


def _bind_call(
    name: str, call: exp.Expr, filter_condition: Expr | None, resolver: NameResolver, node: exp.Expr
) -> BoundAggregate:
    """Bind a call by its form: quantile, ordered, plain; counts of conditions become filtered counts."""
    aggregate = AGGREGATES[name]
    if aggregate.has_level:
        return BoundAggregate(name, bind_quantile(name, call, resolver), filter_condition)
    if aggregate.order in (Order.OPTIONAL, Order.REQUIRED) and not isinstance(call.this, exp.Distinct):
        arguments, directions = bind_ordered_arguments(name, call, resolver)
        skips_nulls = aggregate.has_separator and may_be_null(arguments[0])
        return BoundAggregate(
            name,
            arguments,
            _conjunction(filter_condition, is_not_null(arguments[0], node), node) if skips_nulls else filter_condition,
            directions,
        )
    if aggregate.order is Order.BY_FREQUENCY and isinstance(call.this, exp.Order):  # by its value, which breaks ties
        value, ascending = bind_scalar(call.this.this, resolver), SortDirection(descending=False, nulls_first=False)
        return BoundAggregate(name, (value, value), filter_condition, (ascending,))
    last_slot = "separator" if aggregate.has_separator else "this"  # of DISTINCT, which is refused below
    check_parts(call, "this", "expression", "big_int", "expressions", last_slot, code=Code.AGG)
    name, arguments = _bind_arguments(name, call, resolver)
    arguments = _with_typed_nulls(name, arguments)
    first, aggregate = arguments[0] if arguments else None, AGGREGATES[name]
    if first is not None and first.type is SqlType.BOOLEAN:
        if aggregate.as_filter_of:
            return BoundAggregate(aggregate.as_filter_of, (), _conjunction(filter_condition, first, node))
        if aggregate.released_as is ReleasedAs.SUM or is_written_average(call):
            first = condition_as_number(first, node)
            arguments = (first,)
    if first is not None and is_average_over_rows(call):
        arguments = (value_or_zero(first, node),)
    if first is not None and is_share_of_values(call):
        arguments = (share_of_finite(first, node),)
    if aggregate.is_count and len(arguments) == 1 and isinstance(first, Case) and is_person_key(first):
        when, value = first.branches[0]  # its only one: CASE WHEN condition THEN person END
        return BoundAggregate(name, (value,), _conjunction(filter_condition, when, node))
    return BoundAggregate(name, arguments, filter_condition)


def _bind_arguments(name: str, call: exp.Expr, resolver: NameResolver) -> tuple[str, tuple[Expr, ...]]:
    """Bind the arguments of a plain call: (name, arguments); DISTINCT changes the name, or is dropped as in MAX."""
    inner, is_count = call.this, AGGREGATES[name].released_as is ReleasedAs.VALUES
    if is_count and _counts_rows(call):
        return "count_star", ()
    if isinstance(inner, exp.Distinct):
        check_parts(inner, "expressions", code=Code.AGG)
        if AGGREGATES[name].distinct is DistinctRule.IGNORED and len(inner.expressions) == 1:
            return name, (bind_scalar(inner.expressions[0], resolver),)
        if AGGREGATES[name].distinct is not DistinctRule.OWN_ROW or len(inner.expressions) != 1:
            texts = ", ".join(sql_text(part) for part in inner.expressions if part is not None)
            replacement = Suggestion(f"COUNT(DISTINCT {texts})", "the number of different values")
            if len(inner.expressions) > 1:
                replacement = Suggestion(f"COUNT(DISTINCT ({texts}))", "tuples with a NULL count too")
            raise refusal(Kind.DISTINCT_OUTSIDE_COUNT, call, replacement, replacement=replacement)
        part = inner.expressions[0].unnest() if is_count else inner.expressions[0]
        is_tuple = is_count and isinstance(part, exp.Tuple)
        values = part.expressions if is_tuple else [part]
        return f"{name}_distinct", _bind_values(values, is_count and not is_tuple, resolver)
    parts = [part for part in (call.args.get("this"), call.args.get("expression")) if part is not None]
    if isinstance(call, exp.Anonymous | exp.AnonymousAggFunc):
        parts = list(call.expressions)
    return name, _bind_values(parts, is_count, resolver)


def _bind_values(nodes: Sequence[exp.Expr], may_count_persons: bool, resolver: NameResolver) -> tuple[Expr, ...]:
    """Bind arguments; those of COUNT may be the persons who satisfy a condition."""
    bind = _bind_counted_argument if may_count_persons else bind_scalar
    return tuple(bind(node, resolver) for node in nodes)


def _counts_rows(call: exp.Expr) -> bool:
    """Return whether a call counts rows: count(*), or DuckDB's count()."""
    if isinstance(call.this, exp.Star):
        check_parts(call.this, code=Code.AGG)
    return isinstance(call.this, exp.Star) or (isinstance(call, exp.Count) and call.this is None)


def _bind_counted_argument(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind the argument of COUNT; CASE WHEN .. THEN person END counts persons who satisfy a condition.

    So do IF (.., person, NULL), and a CASE all of whose values are the person or NULL.
    """
    choice = node.unnest()
    branches: list[exp.Expr] = [choice] if isinstance(choice, exp.If) else []
    if isinstance(choice, exp.Case) and choice.this is None:
        branches = choice.args["ifs"]
    otherwise = choice.args.get("default") or choice.args.get("false") or exp.Null()
    values = [*(branch.args["true"] for branch in branches), otherwise]
    persons = [value for value in values if not isinstance(value, exp.Null)] if branches else []
    if not persons or not all(isinstance(each, exp.Column) and each == persons[0] for each in persons):
        return bind_scalar(node, resolver)
    value = bind_scalar(persons[0], resolver)
    if not is_person_key(value):
        return bind_scalar(node, resolver)
    condition = branches[0].this
    if len(branches) > 1 or values[-1] in persons:
        is_chosen = [exp.Boolean(this=each in persons) for each in values]
        tests = [exp.If(this=branch.this, true=chosen) for branch, chosen in zip(branches, is_chosen, strict=False)]
        condition = exp.Case(ifs=tests, default=is_chosen[-1])
    return Case(((bind_condition(condition, resolver), value),), Literal(None, SqlType.NULL), value.type)


def _conjunction(test: Expr | None, other: Expr, node: exp.Expr) -> Expr:
    """Conjunction of two conditions, the first of which may be absent."""
    return other if test is None else apply("and", [test, other], node)


def all_arguments_finite(arguments: tuple[Expr, ...], filter_condition: Expr | None, node: exp.Expr) -> Expr | None:
    """Extend a condition to rows where every argument is finite: CORR and the like skip other pairs of values."""
    for argument in arguments:
        if argument.type is SqlType.DOUBLE:  # false for NULL and NaN, and for infinities
            filter_condition = _conjunction(
                filter_condition, apply(">=", [argument, Literal(-_MAX_DOUBLE, SqlType.DOUBLE)], node), node
            )
            filter_condition = _conjunction(
                filter_condition, apply("<=", [argument, Literal(_MAX_DOUBLE, SqlType.DOUBLE)], node), node
            )
        elif may_be_null(argument):
            filter_condition = _conjunction(filter_condition, is_not_null(argument, node), node)
    return filter_condition


def is_not_null(value: Expr, node: exp.Expr) -> Expr:
    """IS NOT NULL of a value."""
    return apply("not", [apply("is null", [value], node)], node)


# widest range of fixed-point sums: at most 2^27 grains of at most 2^60, else a value overflows 64 bits
MAX_MAGNITUDE = 1e25
_LIST_TYPES = (SqlType.VARCHAR_LIST, SqlType.BIGINT_LIST)
# type -> conversions to a number
_NUMBER_CONVERSIONS = {
    SqlType.BOOLEAN: ("CAST({0} AS INT)",),
    SqlType.INTERVAL: INTERVAL_TO_NUMBER,
    **dict.fromkeys((SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ), ("HOUR({0})", "DAYOFWEEK({0})")),
    **dict.fromkeys(_LIST_TYPES, ("LENGTH({0})",)),
    SqlType.TIME: ("HOUR({0})",),
}


def bind_measure(
    node: exp.Expr, resolver: RowResolver, source: Relation, is_release_point: bool, context: CompileContext
) -> AggregateCall:
    """Bind one aggregate call over a source's rows; `is_release_point`: its groups contain rows of many persons.

    Over many persons the value must not be one person's, every value summed needs a range known without the data, and
    null-extended rows must not matter. Raises Refusal where one of these fails, or the arguments do not fit.
    """
    call, filter_condition = node, None
    if isinstance(node, exp.Filter):
        check_parts(node, "this", "expression", code=Code.AGG)
        call, filter_condition = node.this, bind_condition(node.expression.this, resolver)
    call, name = _supported_call(call, node)
    if AGGREGATES[name].order is Order.REQUIRED and is_release_point and isinstance(source, PerPerson):
        raise across_persons_refusal(name, node, source.person.name or "the person")
    bound = bind_aggregate_call(name, call, filter_condition, resolver, node)
    name, arguments, filter_condition = bound.name, bound.arguments, bound.filter_condition
    aggregate = AGGREGATES[name]
    if is_release_point and isinstance(source, PerPerson):
        _check_disclosure(aggregate, arguments, source, node)
    check_argument_types(aggregate, arguments[: len(arguments) - len(bound.directions)], node)
    refuse_constant_order(name, arguments, bound.directions, node)
    named_bounds = context.bounds.get(call.meta.get("start", -1))  # by the offset of the call's name
    bounds = None if named_bounds is None else named_bounds.bounds
    if named_bounds is not None:
        check_bounds_apply(named_bounds, aggregate.is_count, _counts_persons(aggregate, arguments), is_release_point)
    if is_release_point and isinstance(source, PerPerson):
        if any(map(contains_interval_end, arguments)):
            raise refusal(Kind.ROWS_WITHOUT_INTERVAL, node)
        predicates = (*source.predicates, *(predicates_of(filter_condition) if filter_condition is not None else ()))
        arguments = _with_known_ranges(aggregate, arguments, predicates, node, bounds, context)
        if len(arguments) > 1 and aggregate.moments is not None:
            filter_condition = all_arguments_finite(arguments, filter_condition, node)
        is_tuple = aggregate.released_as is ReleasedAs.DISTINCT and len(arguments) > 1  # counted even if all are NULL
        ignorable, person = () if is_tuple else arguments[:1], resolver.scope.qualified_name(source.person)
        check_ignores_null_extended(aggregate, ignorable, filter_condition, source, person, node)
        if aggregate.released_as is ReleasedAs.QUANTILE:
            field = _released_quantile_field(aggregate, arguments, context)
            return AggregateCall(name, arguments, filter_condition, field)
    field = aggregate_field(aggregate, arguments, filter_condition, source, context)
    if isinstance(source, PerPerson) and not is_release_point:
        field = with_person_range(field, aggregate, arguments, filter_condition, source, context)
    return AggregateCall(name, arguments, filter_condition, field, bounds, bound.directions)


def _supported_call(call: exp.Expr, node: exp.Expr) -> tuple[exp.Expr, str]:
    """Unwrap a call: (the call, its name in the allow-list); refused at `node`, which includes its FILTER."""
    call = normalize_mode(call)
    name = aggregate_name(call) or ""
    if isinstance(call, exp.IgnoreNulls) and isinstance(call.this, exp.AnyValue):
        call = call.this  # sqlglot wraps every ANY_VALUE
    is_unsupported = name not in AGGREGATES or (isinstance(call, exp.WithinGroup) and not AGGREGATES[name].has_level)
    if is_unsupported or isinstance(call, exp.IgnoreNulls | exp.RespectNulls):
        raise unknown_aggregate_refusal(name, node)
    return call, name


def _counts_persons(aggregate: Aggregate, arguments: tuple[Expr, ...]) -> bool:
    """Return whether a call counts distinct persons and nothing else."""
    return aggregate.released_as is ReleasedAs.DISTINCT and len(arguments) == 1 and is_person_key(arguments[0])


def _released_quantile_field(aggregate: Aggregate, arguments: tuple[Expr, ...], context: CompileContext) -> Field:
    """Field of a released quantile; only its type is known."""
    text = f"{aggregate.name}({', '.join(plain_text(argument) for argument in arguments)})"
    return Field(context.new_field_id(), text, aggregate.result or arguments[0].type)


def check_argument_types(aggregate: Aggregate, arguments: tuple[Expr, ...], node: exp.Expr) -> None:
    """Refuse arguments that an aggregate does not accept; raises Refusal with E_AGG or E_PERSON_KEY."""
    is_tuple = aggregate.released_as is ReleasedAs.DISTINCT and len(arguments) > 1
    if len(arguments) != aggregate.argument_count and not is_tuple:
        raise refusal(Kind.AGGREGATE_ARGUMENT_COUNT, node, name=_written_name(node), count=aggregate.argument_count)
    _check_types(aggregate, arguments, node)
    if any(argument.type is SqlType.POLYGON for argument in arguments):
        raise polygon_refusal(node)
    persons = [a for a in arguments if is_person_key(a)]
    if persons and not aggregate.is_count:
        shown = next((a.field.name for a in persons if isinstance(a, Ref)), None) or "person"
        raise refusal(Kind.PERSON_KEY_ONLY_COUNTED, node, count=Suggestion(f"COUNT(DISTINCT {shown})", "counts people"))


def _check_types(aggregate: Aggregate, arguments: tuple[Expr, ...], node: exp.Expr) -> None:
    """Refuse arguments of types that an aggregate does not accept."""
    types, accepts = [argument.type for argument in arguments], aggregate.accepts
    if accepts is NUMBERS:
        unsupported_type = next((kind for kind in types if kind not in (*NUMBERS.types, SqlType.NULL)), None)
        if unsupported_type is not None:
            raise wrong_type_refusal(NUMBERS.description, _NUMBER_CONVERSIONS.get(unsupported_type, ()), node)
    elif aggregate.returns_argument and any(kind in _LIST_TYPES for kind in types):
        name = _written_name(node)
        raise refusal(Kind.AGGREGATE_OF_LISTS, node, name=name)
    elif types and types[0] not in accepts.types:
        raise wrong_type_refusal(accepts.description, (accepts.conversion,), node)


def _check_disclosure(aggregate: Aggregate, arguments: tuple[Expr, ...], source: PerPerson, node: exp.Expr) -> None:
    """Refuse an aggregate whose value would be one person's: MIN of numbers is released as a quantile, of text not."""
    if aggregate.accepts is CONDITION:
        _check_types(aggregate, arguments, node)
    returns_stored_value = aggregate.returns_argument and arguments and arguments[0].type not in NUMBERS.types
    if aggregate.is_releasable and not returns_stored_value:
        return
    refused = across_persons_refusal(aggregate.name, node, source.person.name or "the person")
    declared = declared_range(arguments[0], source.predicates) if returns_stored_value else None
    if declared is None:
        raise refused
    lower, upper = (str(end.value).partition(" ")[0] for end in declared)
    raise refused.explained(Kind.TIME_ACROSS_PERSONS, *refused.rewrites, lower=lower, upper=upper)


def _are_ranges_known(
    aggregate: Aggregate, arguments: tuple[Expr, ...], predicates: Sequence[Expr], named_bounds: Bounds | None
) -> bool:
    """Return whether values have a known range, or named bounds that clamp them; `predicates` hold for all rows."""
    ranges = [narrowed_range(argument, predicates) for argument in arguments]
    if aggregate.moments is not None and not products_fit(ranges, named_bounds):
        return False
    if named_bounds is not None or aggregate.released_as not in (ReleasedAs.SUM, ReleasedAs.MEAN, ReleasedAs.QUANTILE):
        return True
    # small enough for fixed-point sums
    return ranges[0].is_finite and max(abs(ranges[0].lower), abs(ranges[0].upper)) <= MAX_MAGNITUDE


def _unknown_range_refusal(aggregate: Aggregate, arguments: tuple[Expr, ...], node: exp.Expr) -> Exception:
    """Refusal of values of unknown range."""
    clamped = _clamped_call(_unfiltered_call(node), arguments)
    code = Code.AGG if aggregate.is_extreme else Code.BOUNDS
    return refusal(Kind.NO_DECLARED_BOUNDS, node, clamped, code=code, name=_written_name(node), clamped=clamped)


# values of a column whose bounds are measured are clamped to them and to this range, by which they are accepted
MEASURABLE_BOUNDS = Bounds(-(2.0**40), 2.0**40)


def _with_known_ranges(
    aggregate: Aggregate,
    arguments: tuple[Expr, ...],
    predicates: Sequence[Expr],
    node: exp.Expr,
    named_bounds: Bounds | None,
    context: CompileContext,
) -> tuple[Expr, ...]:
    """Return the arguments, with bounds from key sets or measured ones where nothing else gives them a range.

    Claim: measured bounds clamp values and decide nothing else. Symbols: acceptance is decided with the public range
    MEASURABLE_BOUNDS in their place. Formula: none. Source and proof: dialect/binder/proofs.md#measured-bounds.
    Ends of declared key sets are bounds as well, but only where no other range is known.
    Raises Refusal where a range is unknown, or bounds are to be measured and were not.
    """
    if _are_ranges_known(aggregate, arguments, predicates, named_bounds):
        return arguments
    measured = {
        field: column
        for field in dict.fromkeys(field for argument in arguments for field in fields_of(argument))
        if field.origin is not None
        and (column := context.catalog.column(field.origin.table, field.origin.column)) is not None
        and column.measures_bounds
    }

    def with_measured(given: tuple[Expr, ...], bounds_of: Callable[[Column], Bounds | None]) -> tuple[Expr, ...]:
        """Copy arguments with other bounds of the measured columns."""
        return with_bounds(given, {field: bounds_of(column) for field, column in measured.items()})

    for given in (arguments, with_listed_ends(arguments)):
        if _are_ranges_known(aggregate, given, predicates, named_bounds):
            return given
        if not _are_ranges_known(
            aggregate, with_measured(given, lambda _: MEASURABLE_BOUNDS), predicates, named_bounds
        ):
            continue
        missing = next((column.name for column in measured.values() if column.measured_bounds is None), None)
        if missing is None:
            return with_measured(given, lambda column: column.measured_bounds)
        clamped = _clamped_call(_unfiltered_call(node), arguments)
        raise refusal(Kind.BOUNDS_NOT_MEASURED, node, clamped, column=missing, clamped=clamped)
    raise _unknown_range_refusal(aggregate, arguments, node)


def _clamped_call(call: exp.Expr, arguments: tuple[Expr, ...]) -> Suggestion:
    """Suggest the call with LEAST and GREATEST around its arguments; of WITHIN GROUP the second is the level."""
    if isinstance(call, exp.WithinGroup):
        value, level = call.expression.expressions[0].this, arguments[1]
        assert isinstance(level, Literal)  # noqa: S101  bound as a constant
        return Suggestion(f"QUANTILE_CONT({sql_text(clamp_to_ends(value))}, {level.value})", clamped_difference(value))
    inner = call.this.expressions[0] if isinstance(call.this, exp.Distinct) else call.this
    changed = call.copy()
    if len(arguments) > 1 and changed.args.get("expression") is not None:
        for part, argument in (("this", arguments[0]), ("expression", arguments[1])):
            has_ends = isinstance(argument, Ref) and bool(argument.field.bounds or listed_ends(argument.field))
            if not has_ends:
                changed.set(part, clamp_to_ends(call.args[part]))
        return Suggestion(sql_text(changed), CLAMPED_TO_ENDS)
    changed.set("this", clamp_to_ends(inner))
    return Suggestion(sql_text(changed), clamped_difference(inner))


def _unfiltered_call(node: exp.Expr) -> exp.Expr:
    """Return the aggregate call without FILTER."""
    return node.this if isinstance(node, exp.Filter) else node


def _written_name(node: exp.Expr) -> str:
    """Name of the aggregate as the analyst wrote it."""
    call = _unfiltered_call(node)
    return written_name(call.this if isinstance(call, exp.WithinGroup) else call)
