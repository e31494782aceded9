"""Bind aggregate calls to Measures: supported name, typed arguments, FILTER condition, allowed place, range.

Ordered-set and list aggregates also take an order, a separator or a level. Which of their arguments order the rows,
and which must be constants, is decided here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra.expressions import NULL, Case, Expr, Field, Literal, Ref, expand, fields_of
from dialect.algebra.intervals import known
from dialect.algebra.relations import (
    Direction,
    Distinct,
    Measure,
    PerPerson,
    Project,
    Public,
    Relation,
    public_list,
    rows_in,
    with_null_row,
)
from dialect.analysis.predicates import known_range
from dialect.binder.scalars import Names, condition, scalar
from dialect.binder.scope import RowNames, aggregate_name
from dialect.catalog.model import Bounds, SqlType
from dialect.errors import Code, Suggestion
from dialect.functions.aggregates import AGGREGATES, MOMENTS, Aggregate, can_be_multiplied, measure_bounds
from dialect.functions.emitter import plain_text
from dialect.functions.inference import alternatives_or_null, nullable
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
from dialect.stability.calls import call as apply
from dialect.stability.calls import case, is_person, polygon_refused
from dialect.stability.outer_joins import check_ignored
from dialect.stability.row_operators import facts_of

Ordered = tuple[tuple[Expr, ...], tuple[Direction, ...]]
_ROWS = {"first", "last"}  # undefined without an order
_IN_ORDER = {*_ROWS, "list", "list_distinct", "mode", "string_agg"}  # order-dependent aggregates


def ordered(name: str, call: exp.Expr, names: Names) -> Ordered:
    """Bind FIRST(x ORDER BY t), LIST(x), STRING_AGG(x, ',' ORDER BY t DESC): arguments, sort keys, directions."""
    only(call, "this", "separator", code=Code.AGG)
    inner = call.this
    terms = inner.expressions if isinstance(inner, exp.Order) else []
    value = inner.this if isinstance(inner, exp.Order) else inner
    if value is None or (isinstance(value, exp.Distinct) and not any(value.expressions)):
        raise refusal(Code.AGG, f"{name.upper()} takes something to put in order.", f"{name.upper()}(x)", call)
    if isinstance(value, exp.Distinct):
        why = "DISTINCT and an order of other things do not go together here."
        each = f"{name.upper()}({value.sql('duckdb', comments=False)})"
        raise refusal(
            Code.AGG, why, "LIST(DISTINCT x)", call, Suggestion(each, "in the order of the values themselves")
        )
    if name in _ROWS and not terms:
        text = value.sql("duckdb", comments=False)
        why = f"{name.upper()} needs an order: rows have none of their own."
        instead = Suggestion(f"{name.upper()}({text} ORDER BY {text})", f"in the order of {text}: name your own")
        raise refusal(Code.AGG, why, instead, call, instead)
    arguments = (scalar(value, names), *((_separator(call, names),) if name == "string_agg" else ()))
    keys = tuple(scalar(_term(term), names) for term in terms)
    directions = tuple(Direction(bool(t.args.get("desc")), bool(t.args.get("nulls_first"))) for t in terms)
    return (*arguments, *keys), directions


def in_its_own_order(call: exp.Expr) -> exp.Expr:
    """Normalize MODE() WITHIN GROUP (ORDER BY x) to MODE(x); MODE(x ORDER BY x), which breaks ties, stays."""
    within = isinstance(call, exp.WithinGroup) and isinstance(call.this, exp.Mode) and call.this.this is None
    order = call.expression if within else call.this if isinstance(call, exp.Mode) else None
    if not isinstance(order, exp.Order):
        return call
    first = order.expressions[0]
    value = first.this if within else order.this
    plain = exp.Mode(this=value.copy())
    if len(order.expressions) > 1 or first.this != value or first.args.get("desc"):
        why = "Of values that are equally frequent a hash of the person decides, or MODE(x ORDER BY x) the least."
        instead = Suggestion(plain.sql("duckdb", comments=False), "another of equally frequent values may be given")
        raise refusal(Code.AGG, why, instead, call, instead)
    plain.parent = call.parent
    return plain if within else call


def check_varying(name: str, arguments: tuple[Expr, ...], directions: tuple[Direction, ...], call: exp.Expr) -> None:
    """Refuse a constant as an ordering expression, which DuckDB can't bind; raises Refusal with E_AGG."""
    if name not in _IN_ORDER:
        return
    of_rows = (arguments[0], *arguments[len(arguments) - len(directions) :])
    if any(not any(fields_of(expand(each))) for each in of_rows):
        shown = name.removesuffix("_distinct").upper()
        why = f"{shown} puts rows in order, and a constant is the same in every row."
        raise refusal(Code.AGG, why, f"{shown} of a column, in the order of columns", call)


def _term(term: exp.Expr) -> exp.Expr:
    """Expression of an ORDER BY term."""
    only(term, "this", "desc", "nulls_first", code=Code.AGG)
    inner: exp.Expr = term.this
    return inner


def _separator(call: exp.Expr, names: Names) -> Literal:
    """Constant separator of STRING_AGG, a comma by default."""
    written = call.args.get("separator")
    found = Literal(",", SqlType.VARCHAR) if written is None else scalar(written, names)
    if not isinstance(found, Literal) or found.type is not SqlType.VARCHAR or found.value is None:
        raise refusal(Code.AGG, "What stands between joined texts is a constant.", "STRING_AGG(x, ', ')", call)
    return found


def quantile(name: str, call: exp.Expr, names: Names) -> tuple[Expr, ...]:
    """Bind QUANTILE_CONT(x, 0.25) or PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY x), and their _DISC forms."""
    if not isinstance(call, exp.WithinGroup):
        only(call, "this", "expression", "quantile", code=Code.AGG)
        level, value = call.args.get("expression") or call.args.get("quantile"), call.this
        at = _level(level, False, name, call, names)  # checked before the value is bound
        return (scalar(value, names), at)
    only(call.this, "this", code=Code.AGG)
    only(call.expression, "expressions", code=Code.AGG)
    if len(call.expression.expressions) != 1:
        raise refusal(Code.AGG, "A quantile is of one thing.", "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)", call)
    (term,) = call.expression.expressions
    value, descending = _term(term), bool(term.args.get("desc"))
    if descending and name == "quantile_disc":
        why = "PERCENTILE_DISC is read from below."
        raise refusal(Code.AGG, why, "PERCENTILE_DISC(0.75) WITHIN GROUP (ORDER BY x)", call)
    return (scalar(value, names), _level(call.this.this, descending, name, call, names))


def _level(node: exp.Expr | None, descending: bool, name: str, call: exp.Expr, names: Names) -> Literal:
    """Constant quantile level from 0 to 1, inverted for a descending order."""
    if isinstance(node, exp.Array):
        raise _one_each(node, name, call)
    typed = scalar(node, names) if node is not None else None
    value = typed.value if isinstance(typed, Literal) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        why = "The level of a quantile is one number from 0 to 1."
        raise refusal(Code.PARAM, why, "QUANTILE_CONT(x, 0.25)", call)
    return Literal(1.0 - value if descending else float(value), SqlType.DOUBLE)


def _one_each(levels: exp.Array, name: str, call: exp.Expr) -> Exception:
    """Refuse a list of quantile levels; suggest one call per level, which costs the same."""
    value = call.expression.expressions[0].this if isinstance(call, exp.WithinGroup) else call.this
    text = value.sql("duckdb", comments=False)
    calls = ", ".join(f"{name.upper()}({text}, {level.sql('duckdb', comments=False)})" for level in levels.expressions)
    why = "One call gives one quantile; several levels of one value cost what one costs."
    return refusal(
        Code.AGG, why, calls or f"{name.upper()}({text}, 0.5)", call, Suggestion(calls, "a column for each level")
    )


@dataclass(frozen=True)
class Called:
    """A bound aggregate call."""

    name: str
    arguments: tuple[Expr, ...]
    test: Expr | None  # FILTER, and conditions of the call itself
    directions: tuple[Direction, ...] = ()  # of the sort keys, which are the last arguments


_EACH_ONCE = {"min", "max", "bool_and", "bool_or", "any_value"}  # DISTINCT has no effect
_DISTINCT = {"sum", "avg", "list"}  # with DISTINCT, aggregates of their own
_ORDERED = {"first", "last", "list", "string_agg"}
_LARGEST = sys.float_info.max
_ONE, _ZERO = Literal(1, SqlType.BIGINT), Literal(0, SqlType.BIGINT)


# type of an untyped NULL argument; BIGINT for all other aggregates
_NULL_AS = {
    **dict.fromkeys(("bool_and", "bool_or", "count_if"), SqlType.BOOLEAN),
    **dict.fromkeys(("list", "list_distinct", "string_agg"), SqlType.VARCHAR),
}


def aggregate_call(name: str, call: exp.Expr, test: Expr | None, names: Names, node: exp.Expr) -> Called:
    """Bind an aggregate call's arguments; `filter_condition` is extended by what the call itself tests."""
    read = _called(name, call, test, names, node)
    return replace(read, arguments=_typed(read.name, read.arguments))


def _typed(name: str, arguments: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Cast each untyped NULL to a type that the aggregate accepts; engines would infer none."""
    null = Literal(None, _NULL_AS.get(name, SqlType.BIGINT))
    return tuple(null if each.type is SqlType.NULL else each for each in arguments)


def _called(name: str, call: exp.Expr, test: Expr | None, names: Names, node: exp.Expr) -> Called:
    """Bind a call by its form: quantile, ordered, plain; counts of conditions become filtered counts."""
    if name in {"quantile_cont", "quantile_disc"}:
        return Called(name, quantile(name, call, names), test)
    if name in _ORDERED and not isinstance(call.this, exp.Distinct):
        arguments, directions = ordered(name, call, names)
        joined = name == "string_agg" and nullable(arguments[0])
        return Called(name, arguments, _both(test, exists(arguments[0], node), node) if joined else test, directions)
    if name == "mode" and isinstance(call.this, exp.Order):  # ordered by its own value, which breaks ties
        value = scalar(call.this.this, names)
        return Called(name, (value, value), test, (Direction(descending=False, nulls_first=False),))
    apart = "separator" if name == "string_agg" else "this"  # of DISTINCT, which is refused below
    only(call, "this", "expression", "big_int", "expressions", apart, code=Code.AGG)
    name, arguments = _arguments(name, call, names)
    arguments = _typed(name, arguments)
    first = arguments[0] if arguments else None
    if name == "count_if" and first is not None and first.type is SqlType.BOOLEAN:
        return Called("count_star", (), _both(test, first, node))
    if name == "sum" and first is not None and first.type is SqlType.BOOLEAN:
        return Called(name, (_as_number(first, node),), test)
    if name in {"count", "count_distinct"} and len(arguments) == 1 and isinstance(first, Case) and is_person(first):
        when, value = first.branches[0]
        return Called(name, (value,), _both(test, when, node))
    return Called(name, arguments, test)


def _arguments(name: str, call: exp.Expr, names: Names) -> tuple[str, tuple[Expr, ...]]:
    """Bind the arguments of a plain call; DISTINCT changes the aggregate's name or disappears."""
    inner = call.this
    if name == "count" and _of_rows(call):
        return "count_star", ()
    if isinstance(inner, exp.Distinct):
        only(inner, "expressions", code=Code.AGG)
        if name in _EACH_ONCE and len(inner.expressions) == 1:
            return name, (scalar(inner.expressions[0], names),)
        if name in _DISTINCT and len(inner.expressions) == 1:
            return f"{name}_distinct", (scalar(inner.expressions[0], names),)
        if name != "count" or len(inner.expressions) != 1:
            counted = ", ".join(part.sql("duckdb", comments=False) for part in inner.expressions if part is not None)
            instead = Suggestion(f"COUNT(DISTINCT {counted})", "the number of different values")
            if len(inner.expressions) > 1:
                instead = Suggestion(f"COUNT(DISTINCT ({counted}))", "tuples with a NULL count too")
            why = "DISTINCT is only allowed in COUNT, of one thing or of one tuple."
            raise refusal(Code.AGG, why, instead, call, instead)
        part = inner.expressions[0].unnest()
        if isinstance(part, exp.Tuple):
            return "count_distinct", tuple(scalar(each, names) for each in part.expressions)
        return "count_distinct", (_counted(part, names),)
    parts = [part for part in (call.args.get("this"), call.args.get("expression")) if part is not None]
    if isinstance(call, exp.Anonymous | exp.AnonymousAggFunc):
        parts = list(call.expressions)
    return name, tuple(_counted(part, names) if name == "count" else scalar(part, names) for part in parts)


def _of_rows(call: exp.Expr) -> bool:
    """Return whether a call counts rows: count(*), or DuckDB's count()."""
    if isinstance(call.this, exp.Star):
        only(call.this, code=Code.AGG)
    return isinstance(call.this, exp.Star) or (isinstance(call, exp.Count) and call.this is None)


def _counted(node: exp.Expr, names: Names) -> Expr:
    """Bind the argument of COUNT; CASE WHEN .. THEN person END counts persons who satisfy a condition."""
    if isinstance(node, exp.Case) and node.args.get("this") is None and node.args.get("default") is None:
        branches = node.args["ifs"]
        if len(branches) == 1 and isinstance(branches[0].args["true"], exp.Column):
            value = scalar(branches[0].args["true"], names)
            if is_person(value):
                return Case(((condition(branches[0].this, names), value),), Literal(None, SqlType.NULL), value.type)
    return scalar(node, names)


def _as_number(test: Expr, node: exp.Expr) -> Expr:
    """Convert a condition to 1 or 0, and NULL where it is NULL, so that its sum counts the true rows."""
    if not nullable(test):
        return case([(test, _ONE)], _ZERO, node)
    return case([(test, _ONE), (apply("not", [test], node), _ZERO)], NULL, node)


def _both(test: Expr | None, other: Expr, node: exp.Expr) -> Expr:
    """Conjunction of two conditions, the first of which may be absent."""
    return other if test is None else apply("and", [test, other], node)


def both_exist(arguments: tuple[Expr, ...], test: Expr | None, node: exp.Expr) -> Expr | None:
    """Extend a condition to rows where every argument is a finite number: pairs of CORR and the like."""
    for argument in arguments:
        if argument.type is SqlType.DOUBLE:  # false for NULL and NaN, and for infinities
            test = _both(test, apply(">=", [argument, Literal(-_LARGEST, SqlType.DOUBLE)], node), node)
            test = _both(test, apply("<=", [argument, Literal(_LARGEST, SqlType.DOUBLE)], node), node)
        elif nullable(argument):
            test = _both(test, exists(argument, node), node)
    return test


def exists(value: Expr, node: exp.Expr) -> Expr:
    """IS NOT NULL of a value."""
    return apply("not", [apply("is null", [value], node)], node)


# widest range of fixed-point sums: at most 2^27 grains of at most 2^60, else a value overflows 64 bits
WIDEST = 1e25
_LEVELS = {"quantile_cont", "quantile_disc"}
# the result is one of the argument's values
_KEEPS_ARGUMENT = {"min", "max", "arg_min", "arg_max", "mode", "any_value", "first", "last", "quantile_disc"}
_ONE_ROW = {"first", "last"}
_COUNTS = {"count_star", "count", "count_distinct"}
_QUANTILES = {"median", *_LEVELS, "min", "max"}  # over many persons; within one person's rows MIN and MAX are exact
_BOUNDED = {"sum", "avg", *_QUANTILES}
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)
_NUMERIC = {"sum", "avg", "median", "quantile_cont", "product", "sum_distinct", "avg_distinct", *MOMENTS}
_LISTS = (SqlType.VARCHAR_LIST, SqlType.BIGINT_LIST)
_LIST_OF = {SqlType.VARCHAR: SqlType.VARCHAR_LIST, SqlType.BIGINT: SqlType.BIGINT_LIST}
_CONDITION = ((SqlType.BOOLEAN,), "a condition", "{0} <> 0")
_LISTED = (tuple(_LIST_OF), "text or integers", "CAST({0} AS VARCHAR)")
_BITS = ((SqlType.BIGINT,), "integers", "CAST({0} AS BIGINT)")
# type -> conversions to a number
_NUMBER_OF = {
    SqlType.BOOLEAN: ("CAST({0} AS INT)",),
    SqlType.INTERVAL: OF_INTERVALS,
    **dict.fromkeys((SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ), ("HOUR({0})", "DAYOFWEEK({0})")),
    **dict.fromkeys(_LISTS, ("LENGTH({0})",)),
    SqlType.TIME: ("HOUR({0})",),
}
# aggregate -> types of its first argument, their description, and a conversion to one of them
_TAKING: dict[str, tuple[tuple[SqlType, ...], str, str]] = {
    **dict.fromkeys(("count_if", "bool_and", "bool_or"), _CONDITION),
    **dict.fromkeys(("list", "list_distinct"), _LISTED),
    **dict.fromkeys(("bit_and", "bit_or", "bit_xor"), _BITS),
    "string_agg": ((SqlType.VARCHAR,), "text", "CAST({0} AS VARCHAR), ','"),
}


def measure(node: exp.Expr, names: RowNames, source: Relation, releasing: bool, reading: Reading) -> Measure:
    """Bind one aggregate call over a source's rows; `is_release_point`: its groups contain rows of many persons.

    Raises Refusal where the aggregate is not supported there, its arguments don't fit, or a value has no known range.
    """
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
        alone = arguments[:1] if name != "count_distinct" or len(arguments) == 1 else ()  # a tuple of NULLs is counted
        check_ignored(name, alone, test, source, names.scope.written(source.person), node)
        if name in _QUANTILES:
            return Measure(name, arguments, test, _of_many(aggregate, arguments, reading))
    made = _field(aggregate, arguments, test, source, reading)
    made = _at_least_one(made) if name == "count_star" and test is None and not releasing else made
    return Measure(name, arguments, test, made, bounds, read.directions)


def _allowed(call: exp.Expr, node: exp.Expr) -> tuple[exp.Expr, str]:
    """Unwrap a call and return its name in the allow-list; raises Refusal where it has none."""
    call = in_its_own_order(call)
    name = aggregate_name(call) or ""
    if isinstance(call, exp.IgnoreNulls) and isinstance(call.this, exp.AnyValue):
        call = call.this  # sqlglot wraps every ANY_VALUE
    within = isinstance(call, exp.WithinGroup) and name not in _LEVELS
    if name not in AGGREGATES or within or isinstance(call, exp.IgnoreNulls | exp.RespectNulls):
        raise unknown_aggregate(name, node)
    return call, name


def _of_persons(name: str, arguments: tuple[Expr, ...]) -> bool:
    """Return whether a call counts distinct persons and nothing else."""
    return name == "count_distinct" and len(arguments) == 1 and is_person(arguments[0])


def _of_many(aggregate: Aggregate, arguments: tuple[Expr, ...], reading: Reading) -> Field:
    """Field of a released quantile; only its type is known."""
    text = f"{aggregate.name}({', '.join(plain_text(argument) for argument in arguments)})"
    return Field(reading.fresh(), text, aggregate.result or arguments[0].type)


def check_arguments(aggregate: Aggregate, arguments: tuple[Expr, ...], node: exp.Expr) -> None:
    """Refuse arguments that an aggregate does not accept; raises Refusal with E_AGG or E_PERSON_KEY."""
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
    """Refuse arguments of types that an aggregate does not accept."""
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
    """Refuse an aggregate that would disclose one person's value; wrong types are reported first."""
    if _TAKING.get(aggregate.name) is _CONDITION:
        _check_types(aggregate.name, arguments, node)
    stored = aggregate.name in {"min", "max", "quantile_disc"} and arguments and arguments[0].type not in _NUMBERS
    if not aggregate.at_boundary or stored:
        raise across_people(aggregate.name, node, source.person.name or "the person")


def _can_be_bounded(bounds: Bounds) -> bool:
    """Return whether a range is finite and small enough for fixed-point sums."""
    return known(bounds) and max(abs(bounds.lower), abs(bounds.upper)) <= WIDEST


def _check_ranges(
    aggregate: Aggregate, arguments: tuple[Expr, ...], facts: Sequence[Expr], node: exp.Expr, named: Bounds | None
) -> None:
    """Refuse values of unknown range, unless named bounds clamp them; `predicates` hold for all rows."""
    ranges = [known_range(argument, facts) for argument in arguments]
    multiplied = aggregate.name not in MOMENTS or can_be_multiplied(ranges, named)
    if not multiplied or (aggregate.name in _BOUNDED and named is None and not _can_be_bounded(ranges[0])):
        cut = Suggestion(_cut_to_range(_call(node), arguments), BEYOND_ENDS)
        why = f"{_name(node)} needs a range that is known without the data: no bounds are declared. Say your own ends."
        raise refusal(Code.AGG if aggregate.name in {"min", "max"} else Code.BOUNDS, why, cut, node, cut)


def _cut_to_range(call: exp.Expr, arguments: tuple[Expr, ...]) -> str:
    """Suggest the call with LEAST and GREATEST around its arguments."""
    if isinstance(call, exp.WithinGroup):
        value, level = call.expression.expressions[0].this, arguments[1]
        assert isinstance(level, Literal)  # noqa: S101  bound as a constant
        return f"QUANTILE_CONT({_written(within_ends(value))}, {level.value})"
    cut = call.copy()
    inner = cut.this.expressions[0] if isinstance(cut.this, exp.Distinct) else cut.this
    cut.set("this", within_ends(inner))
    if len(arguments) > 1 and cut.args.get("expression") is not None:
        cut.set("expression", within_ends(cut.expression))
    return _written(cut)


def _call(node: exp.Expr) -> exp.Expr:
    """Return the aggregate call without FILTER."""
    return node.this if isinstance(node, exp.Filter) else node


def _name(node: exp.Expr) -> str:
    """Name of the aggregate as the analyst wrote it."""
    call = _call(node)
    return called(call.this if isinstance(call, exp.WithinGroup) else call)


def _written(node: exp.Expr) -> str:
    return node.sql("duckdb", comments=False)


def _field(
    aggregate: Aggregate, arguments: tuple[Expr, ...], test: Expr | None, source: Relation, reading: Reading
) -> Field:
    """Field of an aggregate's value: type, range, domain and origin."""
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
    """Raise the lower bound of a person's row count to 1: a group of rows is never empty."""
    return rows if rows.bounds is None else replace(rows, bounds=Bounds(1, rows.bounds.upper))


def with_list(made: Field, kept: Field) -> Field:
    """Key set of one person's MIN or similar of a public column: only that column's values.

    Other columns of the same public row are left out: the field's value may come from another row than theirs.
    """
    public = public_list(kept)
    assert public is not None  # noqa: S101  checked by the caller
    alone = Field(made.id, None, made.type, kept.nullable)
    projected = Public(Project(public, ((alone, Ref(kept)),)), (*public.fields, alone))
    listed = Public(Distinct(projected, (alone,)), (alone,))
    return replace(made, public=with_null_row(listed) if made.nullable else listed)
