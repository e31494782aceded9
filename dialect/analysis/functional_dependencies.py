"""Functional dependencies between the fields of a relation, used to drop redundant ordering fields.

They follow from enforced primary keys and from equality predicates that every row satisfies
(`dialect/stability/proofs.md#relation-kinds`).

Identifying fields are those that are not computed from other fields of the row: together they distinguish the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from dialect.algebra.expressions import Expr, Field, fields_of
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Group,
    Join,
    PerPerson,
    Project,
    Public,
    Relation,
    RowTruncation,
    Scan,
    SemiJoin,
    Window,
    identifying_fields,
)
from dialect.analysis.uniqueness import EXACT_TYPES, equated_fields

Dependency = tuple[frozenset[Field], frozenset[Field]]  # determinant -> determined fields


def minimal_ordering_fields(
    relation: Relation, fixed: Collection[Field] = (), read: Collection[Field] | None = None
) -> list[Field]:
    """Minimal tie-breaking order: the fewest leading fields that determine every other field of a row.

    Ordering by them equals ordering by all fields, for rows that agree in `fixed`: an omitted field is functionally
    determined by the fields before it. With `read`, only those fields must be determined: rows that agree in them are
    interchangeable. With the primary key (id):

        ORDER BY id, name, city   ->   ORDER BY id
    """
    dependencies, ordering, identifying = (
        list(_dependencies(relation)),
        list[Field](),
        identifying_fields(relation.fields),
    )
    determined = _closure(set(fixed), dependencies)
    wanted = None if read is None else _base_fields(read, identifying)
    for each in identifying:
        if wanted is not None and wanted <= determined:
            break
        if each not in determined:
            ordering.append(each)
            determined = _closure({*determined, each}, dependencies)
    return ordering


def attribute_closure(relation: Relation) -> Callable[[Collection[Field]], set[Field]]:
    """Attribute closure of a relation: a function from some fields to all fields that they functionally determine."""
    dependencies = list(_dependencies(relation))
    return lambda known: _closure(set(known), dependencies)


def _base_fields(read: Collection[Field], identifying: Collection[Field]) -> set[Field]:
    """Replace each field that is computed from other fields of the row by those fields.

    They determine it, so a row order that determines them determines it as well.
    """
    return {f for each in read for f in _definition_fields(each, identifying)}


def _definition_fields(field: Field, identifying: Collection[Field]) -> Iterator[Field]:
    """Yield the fields that a field is computed from, recursively; the field itself if it identifies rows."""
    if field in identifying or field.definition is None:
        yield field
        return
    for each in fields_of(field.definition):
        yield from _definition_fields(each, identifying)


def _closure(determined: set[Field], dependencies: list[Dependency]) -> set[Field]:
    """Closure of a set of fields under the dependencies."""
    added = {f for determinant, dependent in dependencies if determinant <= determined for f in dependent} - determined
    return _closure(determined | added, dependencies) if added else determined


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
        yield from _join_dependencies(operator)
    elif isinstance(operator, SemiJoin):
        yield from _dependencies(operator.left)
    elif isinstance(operator, Filter | Project | Window | RowTruncation | Group | Distinct):
        yield from _dependencies(operator.source)
        if isinstance(operator, Filter):
            yield from _equality_dependencies(operator.source, operator.condition)


def _has_one_row(relation: Relation) -> bool:
    """Return whether each person has at most one row, so that the primary key is enforced for private rows too."""
    return isinstance(relation, PerPerson) and relation.has_one_row_per_person


def _join_dependencies(join: Join) -> Iterator[Dependency]:
    """Yield the dependencies that hold in joined rows.

    Unmatched rows of a LEFT JOIN have NULL on the right side, so nothing determines that side; of a full join neither
    side.
    """
    if join.kind == "full":
        return
    yield from _dependencies(join.left)
    if join.kind == "left":
        return
    yield from _dependencies(join.right)
    for side in (join.left, join.right):
        yield from _equality_dependencies(side, join.condition)


def _equality_dependencies(side: Relation, condition: Expr) -> Iterator[Dependency]:
    """Each field that a predicate equates is determined by the fields of the other expression. Exact types only."""
    for field, other in equated_fields(side, condition):
        if field.type in EXACT_TYPES:
            yield frozenset(fields_of(other)), frozenset({field})
