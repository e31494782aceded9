"""Functional dependencies between the fields of a relation, used to drop redundant ordering fields.

They follow from enforced primary keys and from equality predicates that every row satisfies
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

Dependency = tuple[frozenset[Field], frozenset[Field]]  # determinant -> determined fields


def told_by_fewest(
    relation: Relation, known: Collection[Field] = (), read: Collection[Field] | None = None
) -> list[Field]:
    """Minimal tie-breaking order: the fewest leading fields that determine every other field of a row.

    Ordering by them equals ordering by all fields, for rows that agree in `known`: an omitted field is functionally
    determined by the fields before it. With `read`, only those fields must be determined: rows that agree in them are
    interchangeable. With the primary key (id):

        ORDER BY id, name, city   ->   ORDER BY id
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
    """Attribute closure of a relation: a function from some fields to all fields that they functionally determine."""
    rules = list(_dependencies(relation))
    return lambda known: _closed(set(known), rules)


def _first_fields(read: Collection[Field], apart: Collection[Field]) -> set[Field]:
    """Replace each field that is computed from other fields of the row by those fields."""
    return {f for each in read for f in _made_of(each, apart)}


def _made_of(field: Field, apart: Collection[Field]) -> Iterator[Field]:
    if field in apart or field.definition is None:
        yield field
        return
    for each in fields_of(field.definition):
        yield from _made_of(each, apart)


def _closed(told: set[Field], rules: list[Dependency]) -> set[Field]:
    """Closure of a set of fields under the dependencies."""
    more = {f for told_by, tells in rules if told_by <= told for f in tells} - told
    return _closed(told | more, rules) if more else told


def _dependencies(relation: Relation) -> Iterator[Dependency]:
    """Functional dependencies that hold in a relation: of primary keys, equality predicates and its sources."""
    operator = relation.operator
    if isinstance(operator, Scan):
        key = operator.table.primary_key
        if key and (isinstance(relation, Public) or _has_one_row(relation)):  # no other key is enforced
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
    """Dependencies that hold in joined rows. In a LEFT JOIN nothing determines the right side: it may be all NULL."""
    if join.how == "full":
        return
    yield from _dependencies(join.left)
    if join.how == "left":
        return
    yield from _dependencies(join.right)
    for side in (join.left, join.right):
        yield from _equal(side, join.condition)


def _equal(side: Relation, condition: Expr) -> Iterator[Dependency]:
    """Each field that a predicate equates is determined by the fields of the other expression. Exact types only."""
    for field, other in set_equal(side, condition):
        if field.type in EXACT_TYPES:
            yield frozenset(fields_of(other)), frozenset({field})
