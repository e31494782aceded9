"""Fields of aggregate values: type, nullability, domain, and the range of one person's value.

A person's value is clamped to its range where it is summed or averaged, so a narrow range means little noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Alternative, Expr, Field, Ref, fields_of, map_fields
from dialect.algebra.relations import public_values_of, row_bound_over_windows, with_null_row
from dialect.analysis.predicates import narrowed_range
from dialect.analysis.value_counts import count_combinations, count_grouped_rows, count_values
from dialect.catalog.model import Bounds, SqlType, Value, ValueList, ValueRange
from dialect.functions.aggregates import Aggregate, ReleasedAs, aggregate_range
from dialect.functions.emitter import plain_text
from dialect.functions.registry import may_be_null, with_null_alternative
from dialect.parser.compile_context import CompileContext
from dialect.stability.row_operators import predicates_of

_LIST_OF = {SqlType.VARCHAR: SqlType.VARCHAR_LIST, SqlType.BIGINT: SqlType.BIGINT_LIST}
MAX_LISTED_COUNT = 100  # a number of one person that is a key is listed up to here: nobody has most larger ones


def aggregate_field(
    aggregate: Aggregate,
    arguments: tuple[Expr, ...],
    filter_condition: Expr | None,
    source: rel.Relation,
    context: CompileContext,
) -> Field:
    """Field of an aggregate's value: type, range, domain and origin; MIN and the like keep those of their argument."""
    first_field = arguments[0].field if arguments and isinstance(arguments[0], Ref) else None
    argument_field = first_field if aggregate.returns_argument else None
    kind = aggregate.result or (arguments[0].type if arguments else SqlType.BIGINT)
    kind = _LIST_OF[kind] if aggregate.returns_list else kind
    is_never_null = aggregate.returns_argument and isinstance(source, rel.PerPerson) and filter_condition is None
    keeps_origin = argument_field is not None or aggregate.released_as is ReleasedAs.MEAN
    text = f"{aggregate.name}({', '.join(plain_text(argument) for argument in arguments)})"
    rows = row_bound_over_windows(source, context.windows_per_unit) if isinstance(source, rel.PerPerson) else None
    result = Field(
        context.new_field_id(), text, kind,
        nullable=not aggregate.is_count and not (is_never_null and not any(may_be_null(a) for a in arguments)),
        bounds=None if rows is None else aggregate_range(aggregate, arguments, rows),
        domain=argument_field.domain if argument_field else None,
        time_zone=argument_field.time_zone if argument_field else None,
        origin=first_field.origin if first_field and keeps_origin else None,
    )  # fmt: skip
    if argument_field is not None and argument_field.alternatives:
        result = replace(
            result,
            alternatives=with_null_alternative(argument_field) if result.nullable else argument_field.alternatives,
        )
    if argument_field is not None and argument_field.public_values is not None:
        return with_key_set(result, argument_field)
    return result


def with_person_range(
    value: Field,
    aggregate: Aggregate,
    arguments: tuple[Expr, ...],
    filter_condition: Expr | None,
    source: rel.PerPerson,
    context: CompileContext,
) -> Field:
    """Narrow the range of an aggregate over one person's rows to what predicates and declared values leave possible.

    Claim: a person whose rows have declared values has no other value, and no sensitivity depends on it, as values are
    clamped to it. Formula: arguments have the range that WHERE and FILTER leave; rows are at most the combinations of
    the keys of a GROUP BY or DISTINCT below; different values are at most those that are possible; a group has a row.
    Proof: proofs.md#ranges-of-a-persons-values. Raises: nothing.
    """
    facts = (*source.predicates, *(() if filter_condition is None else predicates_of(filter_condition)))
    rows, possible = row_bound_over_windows(source, context.windows_per_unit), count_grouped_rows(source)
    if aggregate.released_as is ReleasedAs.DISTINCT:
        is_tuple = len(arguments) > 1
        values = count_combinations(arguments, facts) if is_tuple else count_values(arguments[0], facts)
        possible = min((each for each in (possible, values) if each is not None), default=None)
    most = rows if possible is None else max(1, min(rows, possible))
    range_ = aggregate.range_rule([narrowed_range(argument, facts) for argument in arguments], most)
    if range_ is not None and not range_.is_finite:
        listed = with_listed_ends(arguments)
        range_ = aggregate.range_rule([narrowed_range(argument, facts) for argument in listed], most)
    if aggregate.returns_argument:
        value = _with_values_of_argument(value, arguments, filter_condition, facts)
    if range_ is None or not aggregate.is_count:
        return replace(value, bounds=range_)
    counts_all = len(arguments) > 1 or not any(map(may_be_null, arguments))
    lower = 1 if counts_all and filter_condition is None else 0
    is_listed = possible is not None and possible <= min(rows, MAX_LISTED_COUNT)
    return replace(
        value, bounds=Bounds(lower, range_.upper), domain=ValueRange(lower, most) if is_listed else value.domain
    )


def _with_values_of_argument(
    value: Field, arguments: Sequence[Expr], filter_condition: Expr | None, facts: tuple[Expr, ...]
) -> Field:
    """Add the values of the first argument to the field of one person's MIN or similar: its list follows from them.

    Columns that declare their values have them already.
    """
    if value.alternatives or value.public_values is not None or value.domain is not None:
        return value
    values = replace(value, alternatives=(Alternative(arguments[0], facts),))
    is_nullable = filter_condition is not None or any(may_be_null(each, include_far=False) for each in arguments)
    return replace(values, alternatives=with_null_alternative(values)) if is_nullable else values


def with_key_set(result: Field, argument: Field) -> Field:
    """Key set of one person's MIN or similar of a public column: only that column's values.

    Other columns of the same public row are left out: the field's value may come from another row than theirs.
    """
    public = public_values_of(argument)
    assert public is not None  # noqa: S101  checked by the caller
    value_field = Field(result.id, None, result.type, argument.nullable)
    projected = rel.Public(rel.Project(public, ((value_field, Ref(argument)),)), (*public.fields, value_field))
    key_set = rel.Public(rel.Distinct(projected, (value_field,)), (value_field,))
    return replace(result, public_values=with_null_row(key_set) if result.nullable else key_set)


def with_bounds(arguments: tuple[Expr, ...], bounds: Mapping[Field, Bounds | None]) -> tuple[Expr, ...]:
    """Copy arguments with other bounds of some of their fields."""
    images = {field: Ref(replace(field, bounds=ends)) for field, ends in bounds.items()}
    return tuple(map_fields(argument, images.get) for argument in arguments)


def with_listed_ends(arguments: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Copy arguments with the least and largest declared key as bounds of whole numbers that have none.

    Claim: such bounds clamp values, as declared ones do, and decide nothing else but that the range is known. Symbols:
    none. Formula: none. Source and proof: dialect/binder/proofs.md#bounds-of-key-sets.
    """
    fields = {field for argument in arguments for field in fields_of(argument)}
    ends = {field: listed_ends(field) for field in fields if field.type is SqlType.BIGINT and not _is_bounded(field)}
    return with_bounds(arguments, {field: found for field, found in ends.items() if found is not None})


def listed_ends(field: Field) -> Bounds | None:
    """Return the least and largest whole number of a declared key set; None for other fields."""
    match field.domain:
        case ValueRange(lower, upper):
            numbers: tuple[Value, ...] = (lower, upper)
        case ValueList(values):
            numbers = values
        case _:
            return None
    whole = [float(number) for number in numbers if isinstance(number, int)]
    return Bounds(min(whole), max(whole)) if whole else None


def _is_bounded(field: Field) -> bool:
    """Return whether a field has a known range."""
    return field.bounds is not None and field.bounds.is_finite
