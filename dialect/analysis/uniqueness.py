"""Unique keys, functional dependencies, join multiplicity: whether a row can match several rows of a relation.

Decided from declared keys and join predicates. Proof: `dialect/stability/proofs.md#relation-kinds`.

Join multiplicity is many-to-many where several rows of one person pair with several others, or with several public
rows. The clip bounds declared for a table do not account for such pairs.

A field is equated if a top-level conjunct `a = b` fixes it to an expression of the other side. Types have exact
equality if equal values are interchangeable, which DOUBLE is not.

Identifying fields are those that are not computed from other fields of the row: together they distinguish the rows.
Functional dependencies between fields show which of them an order needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.properties import Properties
from dialect.algebra.relations import identifying_fields
from dialect.algebra.traversal import walk
from dialect.catalog.model import SqlType, Table
from dialect.functions.registry import is_constant_per_person, is_date
from dialect.functions.window_functions import numbers_rows

Key = frozenset[Field]  # no two rows agree in all of these fields
SINGLE_ROW: Key = frozenset()  # key of a relation with at most one row
EXACT_TYPES = (SqlType.BOOLEAN, SqlType.BIGINT, SqlType.VARCHAR, SqlType.DATE, SqlType.TIMESTAMP)


def equated_fields(
    side: rel.Relation, condition: Expr, signs: Collection[str] = ("=",)
) -> Iterator[tuple[Field, Expr]]:
    """Yield the fields of one side that a top-level equality compares with an expression over the other side.

    Yields (field, expression of the other side), which are of one type. `signs` are the accepted comparison operators.
    """
    return ((f, other) for f, other in _compared_fields(side, condition, signs) if f.type is other.type)


def _compared_fields(side: rel.Relation, condition: Expr, signs: Collection[str]) -> Iterator[tuple[Field, Expr]]:
    """Yield the fields of one side that a top-level comparison relates to the other side, of any type."""
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name in signs):
            continue
        for one, other in (part.arguments, part.arguments[::-1]):
            if isinstance(one, Ref) and one.field in side.fields and not set(fields_of(other)) & set(side.fields):
                yield one.field, other


def exactly_equated_fields(
    public: rel.Public, condition: Expr, accepts: Callable[[Expr], bool] = lambda _: True
) -> set[Field]:
    """Return the public fields that a top-level equality fixes to a value of the other side, exactly.

    Equality of DOUBLE, and of a whole number with a DOUBLE, is not exact: different values may compare as equal.
    `accepts` restricts the expressions of the other side.
    """
    return {f for f, other in equated_fields(public, condition) if f.type in EXACT_TYPES and accepts(other)}


def enforced_primary_key(relation: rel.Relation) -> Key | None:
    """Return the enforced primary key of a scanned table as fields; None without one.

    It is enforced for public tables, and for people's where the person is the key: no other key of people's rows is.
    """
    scan = relation.operator
    is_enforced = isinstance(relation, rel.Public) or (
        isinstance(relation, rel.PerPerson) and relation.has_one_row_per_person
    )
    if not isinstance(scan, rel.Scan) or not is_enforced or not scan.table.primary_key:
        return None
    key = frozenset(f for f in scan.fields if f.origin and f.origin.column in scan.table.primary_key)
    return key if len(key) == len(scan.table.primary_key) else None


def covers_primary_key(public: rel.Public, equated: set[Field]) -> bool:
    """Return whether the equated fields contain the whole enforced primary key of the scanned public table."""
    key = enforced_primary_key(public)
    return key is not None and key <= equated


def matches_at_most_one_row(relation: rel.Relation, condition: Expr) -> bool:
    """Return whether a join key matches at most one row: by a public primary key, or by one row per person.

    Of private rows only the person key is known to be unique.
    """
    if isinstance(relation, rel.Public):
        return covers_primary_key(relation, exactly_equated_fields(relation, condition))
    if not isinstance(relation, rel.PerPerson) or not relation.has_one_row_per_person:
        return False
    equal = (part.arguments for part in conjuncts(condition) if isinstance(part, Call) and part.name == "=")
    return any(Ref(relation.person) in values for values in equal)


@dataclass(frozen=True)
class PathStep:
    """An equality of a foreign key on the way to the person with the primary key that it refers to."""

    referencing: rel.Relation  # the side with the foreign key
    referenced: rel.Relation
    key: Field  # primary key, of the referenced side
    is_timed: bool  # the referenced row has a time, its own or along its path


def path_steps(left: rel.Relation, right: rel.Relation, condition: Expr) -> Iterator[PathStep]:
    """Yield the equalities of a join that are first steps of the foreign-key paths of the catalog.

    Claim: rows of two people never meet one, nor, where it `is_timed`, do rows of two privacy windows that are both
    kept. Needs rows of persons on both sides. Raises: nothing. Proof: dialect/stability/proofs.md#foreign-key-paths
    """
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name == "="):
            continue
        for one, other in (part.arguments, part.arguments[::-1]):
            if isinstance(one, Ref) and isinstance(other, Ref) and one.type is other.type and one.type in EXACT_TYPES:
                yield from _path_step(left, one.field, right, other.field)
                yield from _path_step(right, one.field, left, other.field)


def _path_step(referencing: rel.Relation, foreign: Field, referenced: rel.Relation, key: Field) -> Iterator[PathStep]:
    """Yield the step of a path from a foreign key of one side to a primary key of the other, if the catalog has it."""
    if foreign not in referencing.fields or key not in referenced.fields or foreign.origin is None:
        return
    table, target = _scanned_table(referencing, foreign), _scanned_table(referenced, key)
    if table is None or target is None or table.person is None or key.origin is None:
        return
    step = (foreign.origin.column, target.name)
    if step == (*table.person.through, ("", ""))[0] and (key.origin.column,) == target.primary_key:
        on_path = {target.name, *(name for _, name in table.person.through)}
        scanned = (each.operator.table for each in walk(referenced) if isinstance(each.operator, rel.Scan))
        is_timed = any(each.time_column is not None for each in scanned if each.name in on_path)
        yield PathStep(referencing, referenced, key, is_timed)


def _scanned_table(relation: rel.Relation, field: Field) -> Table | None:
    """Return the stored table of persons that a field was read from; None if the relation scans none of its name."""
    scans = (each.operator.table for each in walk(relation) if isinstance(each.operator, rel.Scan))
    return next((t for t in scans if t.private and field.origin is not None and t.name == field.origin.table), None)


def refers_to_one_row(step: PathStep) -> bool:
    """Return whether a row meets at most one row by a step of its path: the referenced side repeats no stored row.

    The primary keys of referenced tables are enforced. Proof: dialect/stability/proofs.md#foreign-key-paths
    """
    return _repeats_no_row(step.referenced, step.key)


def _repeats_no_row(relation: rel.Relation, key: Field) -> bool:
    """Return whether each stored row of the table that this key was read from is in at most one row."""
    operator = relation.operator
    if isinstance(operator, rel.Scan):
        return any(f.id == key.id for f in operator.fields)
    if isinstance(operator, rel.Join) and operator.kind != "full":
        if type(relation) is rel.Relation or matches_at_most_one_row(operator.right, operator.condition):
            return _repeats_no_row(operator.left, key)  # along a path each row refers to one
        if operator.kind == "inner" and matches_at_most_one_row(operator.left, operator.condition):
            return _repeats_no_row(operator.right, key)
    return operator.row_origin is rel.RowOrigin.SUBSET and _repeats_no_row(relation.children[0], key)


def selects_one_row_number(rows: rel.Relation, condition: Expr, known: Properties) -> bool:
    """Return whether a filter on row_number() leaves at most one row of each person.

        QUALIFY row_number() OVER (PARTITION BY person ORDER BY ts) = 1

    Claim: at most one row of a person satisfies the condition. Needs rows of persons. Raises: nothing.
    Proof: dialect/stability/proofs.md#relation-kinds
    """
    numbered = known.of(row_numbers, rows)
    numbers = [f for f, partition in numbered.items() if all(map(is_constant_per_person, partition))]
    return bool(numbers) and any(_allows_one_row_number(conjunct, numbers) for conjunct in conjuncts(condition))


def row_numbers(relation: rel.Relation, known: Properties) -> Mapping[Field, Key]:
    """Find the fields that number the rows of a person's partition from 1 without repetition, and the partition.

    They are row_number() partitioned by fields of a person's rows. Filters and joins may remove rows, but not repeat
    them: a join does not if it matches at most one row.
    """
    operator = relation.operator
    if not isinstance(relation, rel.PerPerson):
        return {}
    found: dict[Field, Key] = {}
    if operator.row_origin is rel.RowOrigin.SUBSET:
        found |= known.of(row_numbers, relation.children[0])
    elif isinstance(operator, rel.Join) and operator.kind != "full":
        if matches_at_most_one_row(operator.right, operator.condition):
            found |= known.of(row_numbers, operator.left)
        # a left join pads the right side with NULL, where nothing is numbered
        if operator.kind == "inner" and matches_at_most_one_row(operator.left, operator.condition):
            found |= known.of(row_numbers, operator.right)
    if isinstance(operator, rel.Window):
        for call in operator.calls:
            fields = [part.field for part in call.partition if isinstance(part, Ref)]
            if numbers_rows(call.function) and len(fields) == len(call.partition):
                found[call.result] = frozenset(fields)
    return found


def _allows_one_row_number(conjunct: Expr, row_numbers: Collection[Field]) -> bool:
    """Return whether a comparison with a constant allows a single row number: `n = 3`, `n <= 1`, `n < 2`."""
    for number, sign, constant in conjunct.compared_constants:
        if isinstance(number, Ref) and number.field in row_numbers:
            limit = constant.value if isinstance(constant.value, int | float) else math.inf
            return sign == "=" or (sign == "<=" and limit < 2) or (sign == "<" and limit <= 2)
    return False


def unique_keys(relation: rel.Relation, known: Properties) -> frozenset[Key]:
    """Find unique keys of a relation, for every content of the stored tables; the empty key of a single row."""
    operator = relation.operator
    if _selects_single_row(operator):
        return frozenset({SINGLE_ROW})
    if operator.row_origin is rel.RowOrigin.SUBSET:
        return known.of(unique_keys, relation.children[0]) | _numbered_partitions(relation, known)
    if isinstance(operator, rel.Join):  # a full join without matches has one row of each side
        is_single = operator.kind != "full" and all(has_at_most_one_row(side, known) for side in relation.children)
        return frozenset({SINGLE_ROW}) if is_single else frozenset(_joined_keys(operator, known))
    if isinstance(operator, rel.Group | rel.ReleasePoint | rel.Distinct | rel.ReleaseScan):
        key = None if operator.keys is None else frozenset(operator.keys)
    else:
        key = enforced_primary_key(relation)
    return frozenset() if key is None else frozenset({key})


def declared_keys(relation: rel.Relation, known: Properties) -> frozenset[Key]:
    """Find the unique keys of a relation if the declared primary keys hold; NULLs are not compared.

    Nothing enforces those of people's rows, so that no bound may depend on the result: a number may, whose bounds hold
    without it. Rows that a join repeats have no key of their own.
    """
    operator = relation.operator
    if isinstance(operator, rel.Scan):
        columns = operator.table.primary_key
        key = frozenset(f for f in operator.fields if f.origin is not None and f.origin.column in columns)
        return frozenset({key}) if columns and len(key) == len(columns) else frozenset()
    if operator.row_origin is rel.RowOrigin.SUBSET:
        return known.of(declared_keys, relation.children[0])
    if isinstance(operator, rel.Join) and operator.kind in ("inner", "left"):
        return frozenset(_declared_keys_of_pairs(operator, known))
    return known.of(unique_keys, relation)


def _declared_keys_of_pairs(join: rel.Join, known: Properties) -> Iterator[Key]:
    """Yield the declared keys of a side each of whose rows meets at most one row of the other."""
    for side, other in ((join.left, join.right), (join.right, join.left)):
        equated = {f for f, _ in equated_fields(other, join.condition)}
        if any(key <= equated for key in known.of(declared_keys, other)) or has_at_most_one_row(other, known):
            yield from known.of(declared_keys, side)


def _numbered_partitions(relation: rel.Relation, known: Properties) -> frozenset[Key]:
    """Find the partitions of a person's rows where a filter on row_number() keeps one row each."""
    operator = relation.operator
    if not isinstance(operator, rel.Filter) or not isinstance(relation, rel.PerPerson):
        return frozenset()
    numbered, conditions = known.of(row_numbers, operator.source), conjuncts(operator.condition)
    found = (part for number, part in numbered.items() if any(_allows_one_row_number(c, (number,)) for c in conditions))
    return frozenset(part | {relation.person} for part in found)


def _joined_keys(join: rel.Join, known: Properties) -> Iterator[Key]:
    """Yield the unique keys of a side each of whose rows matches at most one row; unmatched rows have NULLs instead."""
    if join.kind in ("inner", "left") and equates_unique_key(join.right, join.condition, known):
        yield from known.of(unique_keys, join.left)
    if join.kind == "inner" and equates_unique_key(join.left, join.condition, known):
        yield from known.of(unique_keys, join.right)


def has_at_most_one_row(relation: rel.Relation, known: Properties) -> bool:
    """Return whether a relation has at most one row: the empty set of fields is a unique key."""
    return SINGLE_ROW in known.of(unique_keys, relation)


def has_one_row_per_group(rows: rel.PerPerson, keys: Collection[Field], known: Properties) -> bool:
    """Return whether a person has at most one row in each group: person and group keys determine a unique key.

    Proof: dialect/planner/proofs.md#rows-of-persons
    """
    read = (key.expression for key in keys)
    fixed = {rows.person, *keys, *(expr.field for expr in read if isinstance(expr, Ref))}
    determined = attribute_closure(rows, known)(fixed)
    return any(key <= determined for key in known.of(unique_keys, rows))


def equates_unique_key(side: rel.Relation, condition: Expr, known: Properties) -> bool:
    """Return whether a join condition matches at most one row of this side: it equates a unique key of it."""
    equated = {f for f, _ in equated_fields(side, condition, ("=", "is not distinct from"))}
    return any(key <= equated for key in known.of(unique_keys, side))


def _selects_single_row(operator: rel.Operator) -> bool:
    """Return whether an operator has at most one row by itself: by a constant, LIMIT 1, or an equality with a key."""
    if isinstance(operator, rel.Filter):
        return isinstance(operator.source, rel.Public) and matches_at_most_one_row(operator.source, operator.condition)
    if isinstance(operator, rel.Values):
        return len(operator.rows) <= 1
    return isinstance(operator, rel.Sort) and operator.limit is not None and operator.limit <= 1


Dependency = tuple[frozenset[Field], frozenset[Field]]  # determinant -> determined fields


def minimal_ordering_fields(
    relation: rel.Relation, known: Properties, fixed: Collection[Field] = (), read: Collection[Field] | None = None
) -> list[Field]:
    """Minimal tie-breaking order: the fewest leading fields that determine every other field of a row.

    Ordering by them equals ordering by all fields, for rows that agree in `fixed`: an omitted field is functionally
    determined by the fields before it. With `read`, only those fields must be determined: rows that agree in them are
    interchangeable. With the primary key (id):

        ORDER BY id, name, city   ->   ORDER BY id
    """
    closure, ordering = attribute_closure(relation, known), list[Field]()
    identifying, determined = identifying_fields(relation.fields), closure(fixed)
    wanted = None if read is None else _base_fields(read, identifying)
    for each in identifying:
        if wanted is not None and wanted <= determined:
            break
        if each not in determined:
            ordering.append(each)
            determined = closure({*determined, each})
    return ordering


def attribute_closure(relation: rel.Relation, known: Properties) -> Callable[[Collection[Field]], set[Field]]:
    """Attribute closure of a relation: a function from some fields to all fields that they functionally determine."""
    proved = known.of(dependencies, relation)
    return lambda given: _closure(set(given), proved)


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


def _closure(determined: set[Field], proved: Collection[Dependency]) -> set[Field]:
    """Closure of a set of fields under dependencies."""
    added = {f for determinant, dependent in proved if determinant <= determined for f in dependent} - determined
    return _closure(determined | added, proved) if added else determined


def dependencies(relation: rel.Relation, known: Properties) -> tuple[Dependency, ...]:
    """Find the functional dependencies of a relation: of primary keys, equality predicates and its inputs."""
    return tuple(_dependencies(relation, known))


def _dependencies(relation: rel.Relation, known: Properties) -> Iterator[Dependency]:
    """Yield the functional dependencies of a relation."""
    operator = relation.operator
    if isinstance(operator, rel.Scan):
        key = enforced_primary_key(relation)
        yield from [] if key is None else [(key, frozenset(operator.fields))]
    elif isinstance(operator, rel.Join):
        yield from _join_dependencies(operator, known)
    elif operator.row_origin in (rel.RowOrigin.SUBSET, rel.RowOrigin.GROUPS):
        yield from known.of(dependencies, relation.children[0])
        if isinstance(operator, rel.Filter):
            yield from _equality_dependencies(operator.source, operator.condition)


def _join_dependencies(join: rel.Join, known: Properties) -> Iterator[Dependency]:
    """Yield the dependencies that hold in joined rows.

    Unmatched rows of a LEFT JOIN have NULL on the right side, so nothing determines that side; of a full join neither
    side.
    """
    if join.kind == "full":
        return
    yield from known.of(dependencies, join.left)
    if join.kind == "left":
        return
    yield from known.of(dependencies, join.right)
    for side in (join.left, join.right):
        yield from _equality_dependencies(side, join.condition)


def _equality_dependencies(side: rel.Relation, condition: Expr) -> Iterator[Dependency]:
    """Each field that a predicate equates is determined by the fields of the other expression. Exact types only."""
    for field, other in equated_fields(side, condition):
        if field.type in EXACT_TYPES:
            yield frozenset(fields_of(other)), frozenset({field})


_RANGE_COMPARISONS = ("<", "<=", ">", ">=")


def is_presumed_unique(side: rel.Public, conditions: Collection[Expr], known: Properties) -> bool:
    """Return whether conditions presumably match at most one row of a public side; for predictions only.

    Polygons, and bands between two columns, are assumed not to overlap: `ST_Within(p, s.area)`,
    `v >= s.from AND v < s.until`. Otherwise the compared columns must contain a unique key.
    """
    if any(_reads_polygon(side, part) for condition in conditions for part in conjuncts(condition)):
        return True
    equated = {field for each in conditions for field, _ in _compared_fields(side, each, ("=",))}
    ranges = [found for each in conditions for found in _compared_fields(side, each, _RANGE_COMPARISONS)]
    if any(value == other and upper != lower for lower, value in ranges for upper, other in ranges):
        return True  # a band between two columns; bands are assumed disjoint
    return _contains_unique_key(side, equated, {field for field, _ in ranges} if equated else set(), known)


def _reads_polygon(side: rel.Public, conjunct: Expr) -> bool:
    """Return whether a condition reads a polygon of this side."""
    return any(f.type is SqlType.POLYGON and f in side.fields for f in fields_of(conjunct))


def _contains_unique_key(relation: rel.Relation, equated: set[Field], ranged: set[Field], known: Properties) -> bool:
    """Return whether the fields compared by equality and by range contain a unique key of the relation.

    `equated` and `ranged` are these fields. A range counts like an equality, as ranges next to a key are assumed not to
    overlap.
    """
    operator = relation.operator
    if has_at_most_one_row(relation, known):
        return True
    if isinstance(operator, rel.Scan):
        columns = {f.origin.column for f in operator.fields if f in equated | ranged and f.origin is not None}
        return bool(operator.table.primary_key) and columns.issuperset(operator.table.primary_key)
    if isinstance(operator, rel.Group | rel.Distinct) and equated.issuperset(operator.keys):
        return True
    if isinstance(operator, rel.Series):
        return operator.field in equated
    if isinstance(operator, rel.Values):
        return _has_distinct_rows(operator, equated)
    if isinstance(operator, rel.Join):
        return _is_join_unique(operator, equated, ranged, known)
    below = () if isinstance(operator, rel.SetOperation) else relation.children[:1]
    return any(
        _contains_unique_key(source, equated | _fields_fixed_below(operator, equated), ranged, known)
        for source in below
    )


def _fields_fixed_below(operator: rel.Operator, equated: set[Field]) -> set[Field]:
    """Return further fields of the source that are fixed: by a filter, or by their date, which a series has once."""
    if isinstance(operator, rel.Project):
        return {
            f for output, value in operator.computed if output in equated and is_date(value) for f in fields_of(value)
        }
    if isinstance(operator, rel.Filter):
        return {field for field, _ in _compared_fields(operator.source, operator.condition, ("=",))}
    return set()


def _is_join_unique(join: rel.Join, equated: set[Field], ranged: set[Field], known: Properties) -> bool:
    """Return whether one join side is unique by the compared fields, and the other by these and the join key."""
    for first, second in ((join.left, join.right), (join.right, join.left)):
        joined = {field for field, _ in _compared_fields(second, join.condition, ("=",))}
        if _contains_unique_key(first, equated, ranged, known) and _contains_unique_key(
            second, equated | joined, ranged, known
        ):
            return True
    return False


def _has_distinct_rows(values: rel.Values, equated: set[Field]) -> bool:
    """Return whether constant rows differ pairwise in the given fields."""
    places = [i for i, field in enumerate(values.fields) if field in equated]
    compared_rows: list[tuple[Literal, ...]] = [tuple(row[i] for i in places) for row in values.rows]
    return len(set(compared_rows)) == len(compared_rows)


def has_many_to_many_join(relation: rel.Relation) -> bool:
    """Return whether the plan contains a many-to-many join of one person's rows."""
    return any(True for _ in _many_to_many_joins(relation))


def has_unkeyed_many_to_many_join(relation: rel.Relation) -> bool:
    """Return whether the plan has a many-to-many join of a person's rows with neither side on its primary key."""
    return any(
        not any(_equates_primary_key(side, join.condition) for side in (join.left, join.right))
        for join in _many_to_many_joins(relation)
    )


def _many_to_many_joins(relation: rel.Relation) -> Iterator[rel.Join]:
    """Yield the joins in which one person can have several rows on both sides."""
    repeats = (isinstance(side, rel.PerPerson) and not side.has_one_row_per_person for side in relation.children)
    if isinstance(relation.operator, rel.Join) and all(repeats):
        yield relation.operator
    for source in _repeating_inputs(relation):
        yield from _many_to_many_joins(source)


def _repeating_inputs(relation: rel.Relation) -> tuple[rel.Relation, ...]:
    """Return the inputs whose rows may be repeated above: the right side of a semi-join repeats no row."""
    return relation.children[:1] if isinstance(relation.operator, rel.SemiJoin) else relation.children


def may_match_several_public_rows(relation: rel.Relation, known: Properties, above: tuple[Expr, ...] = ()) -> bool:
    """Return whether a person's row can match several public rows and count once for each.

    `above` are the enclosing predicates. A heuristic for predictions; no bound depends on it. Polygons, bands between
    two columns, and ranges of time or numbers next to an equated key are assumed not to overlap.
    """
    operator = relation.operator
    if isinstance(operator, rel.Filter | rel.Join):
        above = (*above, operator.condition)
    public = (
        [side for side in relation.children if isinstance(side, rel.Public)] if isinstance(operator, rel.Join) else []
    )
    if len(public) == 1 and not is_presumed_unique(public[0], above, known):  # the other side is per person
        return True
    return any(may_match_several_public_rows(source, known, above) for source in _repeating_inputs(relation))


def _equates_primary_key(side: rel.Relation, condition: Expr) -> bool:
    """Return whether a join equates the whole declared primary key of the one stored table on this side.

    The key is declared, not enforced, so this is for predictions. A side of several tables has no such key.
    """
    equated = {f.origin.column for f, _ in equated_fields(side, condition) if f.origin is not None}
    tables = [each.operator.table for each in walk(side) if isinstance(each.operator, rel.Scan)]
    return len(tables) == 1 and bool(tables[0].primary_key) and set(tables[0].primary_key) <= equated
