"""Functional dependencies: which fields of a row are told by others, so that no order need look at them.

They rest on enforced primary keys and on equalities that every row meets
(`dialect/stability/proofs.md#relation-kinds`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from dialect.algebra.expressions import Expr, Field, fields_of
from dialect.algebra.relations import (
    Cut,
    Distinct,
    Filter,
    Group,
    Join,
    PerPerson,
    Project,
    Public,
    Relation,
    Scan,
    SemiJoin,
    Window,
)
from dialect.algebra.traversal import told_apart_by
from dialect.analysis.uniqueness import EXACT_TYPES, set_equal

Dependency = tuple[frozenset[Field], frozenset[Field]]  # rows that agree in the first agree in the second


def told_by_fewest(
    relation: Relation, known: Collection[Field] = (), read: Collection[Field] | None = None
) -> list[Field]:
    """List the fields by which rows that agree in `known` are told apart, without what earlier ones tell.

    An order by them is the order by all: a field that is left out is equal wherever all before it are. Where only some
    fields are read, the list ends when these are told: rows that it leaves equal are the same to whoever reads.
    """
    rules, kept, apart = list(_dependencies(relation)), list[Field](), told_apart_by(relation.fields)
    told = _closed(set(known), rules)
    wanted = None if read is None else _first_fields(read, apart)
    for each in apart:
        if wanted is not None and wanted <= told:
            break
        if each not in told:
            kept.append(each)
            told = _closed({*told, each}, rules)
    return kept


def telling(relation: Relation) -> Callable[[Collection[Field]], set[Field]]:
    """Give what finds the fields in which rows of a relation agree that agree in some."""
    rules = list(_dependencies(relation))
    return lambda known: _closed(set(known), rules)


def _first_fields(read: Collection[Field], apart: Collection[Field]) -> set[Field]:
    """Put for fields that are computed from others of the row what they are computed from."""
    return {f for each in read for f in _made_of(each, apart)}


def _made_of(field: Field, apart: Collection[Field]) -> Iterator[Field]:
    if field in apart or field.definition is None:
        yield field
        return
    for each in fields_of(field.definition):
        yield from _made_of(each, apart)


def _closed(told: set[Field], rules: list[Dependency]) -> set[Field]:
    """Add whatever follows."""
    more = {f for told_by, tells in rules if told_by <= told for f in tells} - told
    return _closed(told | more, rules) if more else told


def _dependencies(relation: Relation) -> Iterator[Dependency]:
    operator = relation.operator
    if isinstance(operator, Scan):
        key = operator.table.primary_key
        if key and (isinstance(relation, Public) or _has_one_row(relation)):  # others are not enforced
            yield (
                frozenset(f for f in operator.fields if f.origin and f.origin.column in key),
                frozenset(operator.fields),
            )
    elif isinstance(operator, Join):
        yield from _of_join(operator)
    elif isinstance(operator, SemiJoin):
        yield from _dependencies(operator.left)
    elif isinstance(operator, Filter | Project | Window | Cut | Group | Distinct):
        yield from _dependencies(operator.source)
        if isinstance(operator, Filter):
            yield from _equal(operator.source, operator.condition)


def _has_one_row(relation: Relation) -> bool:
    return isinstance(relation, PerPerson) and relation.one_row_per_person


def _of_join(join: Join) -> Iterator[Dependency]:
    """Walk what holds of pairs; a left row without a partner tells nothing of the right side."""
    if join.how == "full":
        return
    yield from _dependencies(join.left)
    if join.how == "left":
        return
    yield from _dependencies(join.right)
    for side in (join.left, join.right):
        yield from _equal(side, join.condition)


def _equal(side: Relation, condition: Expr) -> Iterator[Dependency]:
    """Walk fields that equal something outside of a side, of a type whose equal values are the same."""
    for field, other in set_equal(side, condition):
        if field.type in EXACT_TYPES:
            yield frozenset(fields_of(other)), frozenset({field})
