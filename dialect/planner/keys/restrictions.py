"""Conditions that restrict a key set, by joined public rows and by NULL: keys that no row can have are not listed.

    FROM visit JOIN calendar c ON c.d = CAST(ts AS DATE) WHERE NOT c.is_weekend GROUP BY CAST(ts AS DATE)
    FROM visit WHERE zone IN (SELECT zone FROM zone WHERE level = 2) GROUP BY zone

The list of a key has all days, or all zones, and knows nothing of the public table's other columns. A key is equated
with a column of the public relation, or computed from what is. Two functions of one nullable time are NULL together.
Proof: `dialect/planner/proofs.md#key-sets`.

Terms: a fact is a predicate that is true of every row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from dialect.algebra import relations as rel
from dialect.algebra.expressions import (
    Expr,
    Field,
    Ref,
    conjuncts,
    equal_pairs,
    expand_definitions,
    fields_of,
    map_fields,
)
from dialect.algebra.relations import public_values_of
from dialect.analysis.time_granularity import UnderivableError, rewrite_over_keys
from dialect.analysis.uniqueness import EXACT_TYPES
from dialect.functions.registry import (
    definition_of,
    is_not_distinct,
    is_null,
    is_null_if_inputs_null,
    may_be_null,
)
from dialect.planner.keys.public_domains import PublicList, list_of_rows


@dataclass(frozen=True)
class _Equality:
    """An expression over private rows that is equal to a field of a public relation, on every row."""

    expr: Expr
    public: rel.Public
    field: Ref


def restricting_lists(
    lists: Collection[PublicList], source: rel.PerPerson
) -> tuple[tuple[PublicList, ...], tuple[Expr, ...]]:
    """Find public relations that restrict listed values: (the relations as lists, the conditions that they meet).

    Claim: each row has its listed values, and a row of each relation, for which all conditions hold. Raises: nothing.
    Proof: dialect/planner/proofs.md#key-sets
    """
    pairs = [each.replacements[0] for each in lists]
    used = {field for old, _ in (pair for each in lists for pair in each.replacements) for field in fields_of(old)}
    found: dict[rel.Public, PublicList] = {}
    conditions: list[Expr] = []
    for equality in _equalities(source):
        fields = set(equality.public.fields)
        if equality.public not in found and fields & used:  # rows of the relation are listed already
            continue
        met = [each for old, new in pairs if (each := _condition(equality, old, new)) is not None]
        if met:
            found.setdefault(equality.public, list_of_rows(equality.public))
            used |= fields
            conditions += met
    return tuple(found.values()), tuple(dict.fromkeys(conditions))


def null_conditions(lists: Iterable[PublicList]) -> Iterator[Expr]:
    """Relate lists of functions that are NULL just where the same field is: their values are NULL together.

    Claim: the conditions hold for the listed values of every row. Raises: nothing.
    Proof: dialect/planner/proofs.md#key-sets
    """
    first: dict[Field, Expr] = {}
    for old, new in (each.replacements[0] for each in lists):
        field = _field_that_makes_null(old)
        if field is not None and may_be_null(new):
            other = first.setdefault(field, new)
            if other is not new:
                yield is_not_distinct(is_null(new), is_null(other))


def _field_that_makes_null(expr: Expr) -> Field | None:
    """Return the one field that an expression reads, if it is NULL just where that is; far dates aside."""
    written = definition_of(expr)
    fields = set() if written is None else set(fields_of(written))
    if written is None or len(fields) != 1 or not is_null_if_inputs_null(written):
        return None
    (field,) = fields
    present = map_fields(written, {field: Ref(replace(field, nullable=False))}.get)
    return None if may_be_null(present, include_far=False) else field


def _condition(equality: _Equality, old: Expr, new: Expr) -> Expr | None:
    """Relate a listed value to a public row: one is computed from the other; None if neither determines the other.

    `old` is what the list replaces in the keys, and `new` the value in it.
    """
    if old.type not in EXACT_TYPES or not any(True for _ in fields_of(old)):
        return None
    with suppress(UnderivableError):
        return is_not_distinct(new, rewrite_over_keys(old, {equality.expr: equality.field.field}))
    if isinstance(new, Ref):
        with suppress(UnderivableError):
            return is_not_distinct(rewrite_over_keys(equality.expr, {old: new.field}), equality.field)
    return None


def _equalities(source: rel.PerPerson) -> Iterator[_Equality]:
    """Yield equalities with fields of public relations that lack some rows of their table."""
    facts = source.predicates
    read = [set(fields_of(fact)) for fact in facts]
    for expr, other in equal_pairs(facts):
        public = public_values_of(other.field) if isinstance(other, Ref) else None
        if isinstance(other, Ref) and public is not None and _is_exact(expr, other):
            rows = set(public.fields)
            if not _is_whole_table(public) or any(fields and fields <= rows for fields in read):
                yield _Equality(expr, public, other)
    for join in _semi_joins(source):
        if isinstance(join.right, rel.Public):
            for expr, other in equal_pairs(conjuncts(join.condition)):
                if isinstance(other, Ref) and other.field in join.right.fields and _is_exact(expr, other):
                    yield _Equality(expand_definitions(expr), join.right, other)


def _is_exact(expr: Expr, field: Ref) -> bool:
    """Return whether an expression over rows has the very value of a field that it is equal to."""
    return field.type is expr.type and expr.type in EXACT_TYPES and any(True for _ in fields_of(expr))


def _is_whole_table(public: rel.Public) -> bool:
    """Return whether a relation has all rows of one stored table."""
    operator = public.operator
    while isinstance(operator, rel.Project):
        operator = operator.source.operator
    return isinstance(operator, rel.Scan)


def _semi_joins(relation: rel.Relation) -> Iterator[rel.SemiJoin]:
    """Yield the semi-joins whose condition holds for every row of a relation."""
    operator = relation.operator
    if isinstance(operator, rel.SemiJoin) and not operator.is_anti:
        yield operator
    if operator.row_origin is rel.RowOrigin.SUBSET:
        yield from _semi_joins(relation.children[0])
    elif isinstance(operator, rel.Join) and operator.kind != "full":
        yield from _semi_joins(operator.left)
        if operator.kind != "left":
            yield from _semi_joins(operator.right)
