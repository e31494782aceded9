"""Joins, semi-joins and anti joins: private rows are joined to public rows and to rows of the same person only.

Joins: `proofs.md#relation-kinds`. Semi-joins filter private rows by private or public ones
(`dialect/binder/proofs.md#semi-joins`). LEFT JOIN with WHERE right IS NULL is an anti join (`proofs.md#unmet`). A FULL
JOIN of private relations is a UNION ALL of the LEFT JOIN and the unmatched right rows (`proofs.md#full-joins`).

Terms:

    private          PerPerson: every row belongs to one person; `person` is the field with the person key
    predicates       conditions that hold in every row of a relation (local name: facts)
    preserved side   public rows of `public LEFT JOIN private` that appear in the answer also without a match
    null-extended    a row of the preserved side without a match: its fields of the other side are NULL
    max_rows         row-count bound per person, as the catalog declares it or joins multiply it; truncation enforces it
    one row          has_one_row_per_person: then every field is a function of the person
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjunction, conjuncts
from dialect.algebra.relations import (
    MAX_ROW_BOUND,
    Join,
    JoinKind,
    PerPerson,
    Project,
    Public,
    Relation,
    Released,
    RowTruncation,
    SemiJoin,
    SetOperation,
    Values,
    truncate_rows,
    with_null_row,
)
from dialect.analysis.person_rows import truncation_of
from dialect.analysis.uniqueness import (
    covers_primary_key,
    exactly_equated_fields,
    matches_at_most_one_row,
    path_steps,
    refers_to_one_row,
)
from dialect.diagnostics.field_values import Unnamed
from dialect.diagnostics.kinds import Kind
from dialect.errors import to_suggestions
from dialect.functions.registry import is_function_of_person, null_extended
from dialect.parser.compile_context import CompileContext, refusal
from dialect.stability.outer_joins import join_preserved, preserve, with_null_extended
from dialect.stability.row_operators import predicates_of, prepare_for_join, project
from dialect.stability.set_operations import output_column, type_set_operation
from dialect.stability.typed_calls import apply_function

_ASSUMED_MATCHES = 100  # assumed public matches per row without a primary key or VALUES
_MAX_ASSUMED_ROWS = 10_000  # most assumed rows per person after such a join
_MAX_PAIRS = 10**7  # of one person's rows of two tables: the engine refuses more
_MAX_ROWS_BY_WINDOW = 1_000  # of a person in one privacy window, where more pairs were possible: windows add theirs


def join(left: Relation, right: Relation, kind: JoinKind, condition: Expr, node: exp.Expr) -> Relation:
    """Join two relations and infer the kind of the result; two private relations must equate the person key.

    Raises Refusal with E_JOIN. A RIGHT JOIN has been exchanged to a LEFT JOIN before. Without private rows the result
    is Released if either side is, else Public.
    """
    if kind == "full":
        return _full_join(left, right, condition, node)
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return _join_private(left, right, kind, condition, node)
    if isinstance(left, PerPerson) or isinstance(right, PerPerson):
        return _join_public(left, right, kind, condition, node)
    # after a LEFT JOIN neither the ON nor predicates of the right side hold in null-extended rows
    facts = left.predicates + (right.predicates + predicates_of(condition) if kind != "left" else ())
    fields = right.fields if kind != "left" else tuple(null_extended(f) for f in right.fields)
    return prepare_for_join(
        _relation_kind(left, right)(Join(left, right, kind, condition), left.fields + fields, facts)
    )


def _full_join(left: Relation, right: Relation, condition: Expr, node: exp.Expr) -> Relation:
    """FULL JOIN of relations that are not private; private ones are refused, as some rows would have no person.

    Two private relations never come here: `dialect.stability.joins` rewrites their FULL JOIN as a union.
    """
    if isinstance(left, PerPerson) or isinstance(right, PerPerson):
        raise refusal(Kind.FULL_JOIN_WITHOUT_PERSON, node)
    fields = tuple(null_extended(f) for f in left.fields + right.fields)
    return prepare_for_join(_relation_kind(left, right)(Join(left, right, "full", condition), fields))


def _relation_kind(left: Relation, right: Relation) -> type[Public | Released]:
    """Kind of the result where neither side is private: Released if either is, since its values carry noise."""
    return Released if isinstance(left, Released) or isinstance(right, Released) else Public


def _join_public(left: Relation, right: Relation, kind: JoinKind, condition: Expr, node: exp.Expr) -> Relation:
    """Join a private with a public relation, on either side; every result row keeps the person of its private row.

    Released rows are refused: their noisy numbers do not exist before the statement has run, so bounded SQL, which is
    compiled before, can't read them. The preserved side of an earlier LEFT JOIN is joined to the public rows too.
    """
    if isinstance(left, Released) or isinstance(right, Released):
        raise refusal(Kind.JOIN_WITH_RELEASED, node)
    if isinstance(left, PerPerson) and isinstance(right, Public):
        preserved = (
            None if left.preserved_side is None else join_preserved(left.preserved_side, right, kind, condition, node)
        )
        return replace(_join_public_right(left, right, kind, condition), preserved_side=preserved)
    assert isinstance(right, PerPerson) and isinstance(left, Public)  # noqa: S101  the only pair that is left
    return _join_public_left(left, right, kind, condition, node)


def _join_public_left(public: Public, person: PerPerson, kind: JoinKind, condition: Expr, node: exp.Expr) -> PerPerson:
    """Join a public left side: LEFT JOIN becomes an inner join, and its preserved rows become the key set.

    Other rows of the LEFT JOIN belong to nobody and are never generated. Only one public table can be preserved: behind
    one LEFT JOIN a second is refused. Fields are in the order of the query, public ones first.
    """
    fields = _mark_determined_by_person(public, condition) + person.fields
    join_operator = Join(public, person, "inner" if kind == "left" else kind, condition)
    inner = _inner_join(person, public, join_operator, fields, condition)
    if kind == "left":
        if person.preserved_side is not None:
            raise refusal(Kind.PRESERVED_ON_THE_LEFT, node)
        return replace(inner, preserved_side=preserve(public, person.fields))
    return replace(
        inner,
        preserved_side=None
        if person.preserved_side is None
        else join_preserved(person.preserved_side, public, kind, condition, node),
    )


def _join_public_right(person: PerPerson, public: Public, kind: JoinKind, condition: Expr) -> PerPerson:
    """Join private rows on the left with public rows: the kind stays, the public fields are appended.

    In a LEFT JOIN the fields may be NULL, so their public key set gets a row of NULLs. They are constant per person
    only if every conjunct of the ON equates a public field with a function of the person: then all rows of a person
    match alike.
    """
    if kind != "left":
        fields = person.fields + _mark_determined_by_person(public, condition)
        return _inner_join(person, public, Join(person, public, kind, condition), fields, condition)
    # then every conjunct equates a public field with a function of the person
    is_constant_per_person = len(exactly_equated_fields(public, condition, is_function_of_person)) == len(
        conjuncts(condition)
    )
    padded = with_null_row(public)
    extended = tuple(
        replace(null_extended(f, is_constant_per_person), public_values=padded)
        for f in _mark_determined_by_person(public, condition)
    )
    one_row = person.has_one_row_per_person and matches_at_most_one_row(public, condition)
    return replace(
        person, operator=Join(person, public, kind, condition), fields=person.fields + extended,
        has_one_row_per_person=one_row, max_rows=_assumed_rows(person, public, condition),
    )  # fmt: skip


def _inner_join(
    person: PerPerson, public: Public, join_operator: Join, fields: tuple[Field, ...], condition: Expr
) -> PerPerson:
    """Properties of an inner join of private with public rows, in either order of the sides.

    `join_operator` and `fields` have the order of the query. Predicates of both sides and of the ON hold in every row.
    """
    facts = person.predicates + public.predicates + predicates_of(condition)
    one_row = person.has_one_row_per_person and matches_at_most_one_row(public, condition)
    rows = _assumed_rows(person, public, condition)
    return replace(
        person, operator=join_operator, fields=fields, predicates=facts, has_one_row_per_person=one_row, max_rows=rows
    )


def _mark_determined_by_person(public: Public, condition: Expr) -> tuple[Field, ...]:
    """Mark public fields determined by the person: equated with something of the person, or all by a primary key."""
    equated = exactly_equated_fields(public, condition, is_function_of_person)
    covers_key = covers_primary_key(public, equated)
    return tuple(replace(f, is_constant_per_person=True) if covers_key or f in equated else f for f in public.fields)


def _assumed_rows(person: PerPerson, public: Public, condition: Expr) -> int:
    """Estimate rows per person of a join with public rows; a wrong guess costs accuracy, not privacy.

    Unchanged where each row matches one public row at most; else times the length of a VALUES list, or an assumed 100.
    """
    if matches_at_most_one_row(public, condition):
        return person.max_rows
    operator = public.operator
    matches = len(operator.rows) if isinstance(operator, Values) else _ASSUMED_MATCHES
    return max(person.max_rows, min(person.max_rows * matches, _MAX_ASSUMED_ROWS))


def _using_person(node: exp.Expr, person: str) -> list[str]:
    """Suggested text of a join clause: USING the person key, and columns of one name that the join equates.

    Empty where a subquery, not a table, is joined, and where ON has more than such an equality.
    """
    if not isinstance(node, exp.Join) or not isinstance(node.this, exp.Table):
        return []
    alias = f" {node.this.alias}" if node.this.alias else ""
    names = [column.name for column in node.args.get("using") or ()]
    on = node.args.get("on")
    if isinstance(on, exp.EQ) and on.left.name == on.right.name:
        names.append(on.left.name)
    elif on is not None:
        return []
    return [f"{node.this.name}{alias} USING ({', '.join([person, *names])})"]


def _join_private(left: PerPerson, right: PerPerson, kind: JoinKind, condition: Expr, node: exp.Expr) -> PerPerson:
    """Join two private relations of one dataset on the person key: each row meets rows of the same person only.

    Where both sides may have several rows per person, each is truncated to its own row bound first, as one more row of
    a side adds a row for every row of the other; with one row on a side that can't happen. Row bounds multiply.
    `preserved_side` survives a LEFT JOIN only: an inner join drops unmatched rows. Raises Refusal with E_JOIN.
    """
    if left.dataset != right.dataset:
        raise refusal(Kind.JOIN_OF_TWO_DATASETS, node)
    condition = with_equal_persons(left, right, condition)
    person_key = equated_person(left, right, condition)
    if person_key is None:
        person = left.person.name or "person"
        raise refusal(
            Kind.JOIN_WITHOUT_PERSON,
            node,
            *to_suggestions(_using_person(node, person), "each row meets those of the same person alone"),
            person=person,
        )
    # with further conditions or a nullable left person, matches differ among one person's rows
    on_person_only = len(conjuncts(condition)) == 1 and not person_key.nullable
    fields, facts = right.fields, left.predicates
    if kind == "left":
        fields = tuple(null_extended(f, on_person_only) for f in fields)
    else:
        facts += right.predicates + predicates_of(condition)
    has_single_row_side = left.has_one_row_per_person or right.has_one_row_per_person
    multi_row_side = right if left.has_one_row_per_person else left  # whose rows the result repeats or filters
    sides = (left, right) if has_single_row_side else _truncate_both(left, right)
    preserved = (
        None if left.preserved_side is None or kind != "left" else with_null_extended(left.preserved_side, fields)
    )
    return replace(
        left, operator=Join(*sides, kind, condition), fields=left.fields + fields, predicates=facts,
        preserved_side=preserved,
        has_one_row_per_person=left.has_one_row_per_person and right.has_one_row_per_person,
        max_rows=min(sides[0].max_rows * sides[1].max_rows, MAX_ROW_BOUND),
        per_window_factors=left.per_window_factors + right.per_window_factors,
        derived_from=multi_row_side.derived_from if has_single_row_side else None,
    )  # fmt: skip


def _truncate_both(left: PerPerson, right: PerPerson) -> tuple[PerPerson, PerPerson]:
    """Truncate both sides of a join to their row limits per person, or to smaller ones if too many pairs were possible.

    The limits of a catalog that declares none would give a person more pairs than the engine makes.
    """
    if left.max_rows * right.max_rows <= _MAX_PAIRS:
        return truncate_rows(left), truncate_rows(right)
    return _truncate_to_pairs(left), _truncate_to_pairs(right)


def _truncate_to_pairs(side: PerPerson) -> PerPerson:
    """Truncate a side of a join to its part of all pairs; to fewer rows where the limit is per privacy window."""
    limit = min(side.max_rows, _MAX_ROWS_BY_WINDOW if side.per_window_factors else math.isqrt(_MAX_PAIRS))
    truncation = RowTruncation(side, side.person, limit, per_window_factors=side.per_window_factors)
    return replace(side.with_operator(truncation), max_rows=limit)


def limit_pairs(
    left: Relation, right: Relation, condition: Expr, window_counts: tuple[int, int], *, is_per_window: bool
) -> tuple[Relation, Relation]:
    """Lower the row truncations of both sides of a join, so that no person has too many pairs over all windows.

    `window_counts`: the privacy windows that each side reads, 0 without event time. `is_per_window`: both rows of a
    pair lie in one window. Unchanged where a side is not truncated, or a foreign key refers to at most one row. Claim:
    truncation to fewer rows is personal. Raises: nothing. Proof: proofs.md#relation-kinds
    """
    left_operator, right_operator = truncation_of(left), truncation_of(right)
    if left_operator is None or right_operator is None:
        return left, right
    if any(map(refers_to_one_row, path_steps(left, right, condition))):
        return left, right
    max_pairs = _MAX_PAIRS // (max(1, *window_counts) if is_per_window else 1)
    one, other = (
        1 if is_per_window or operator.window is None else max(1, count)
        for operator, count in zip((left_operator, right_operator), window_counts, strict=True)
    )
    left_rows, right_rows = left_operator.max_rows * one, right_operator.max_rows * other
    if left_rows * right_rows <= max_pairs:
        return left, right
    half = math.isqrt(max_pairs)
    left_limit, right_limit = max(half, max_pairs // right_rows), max(half, max_pairs // left_rows)
    return (
        left if left_rows <= left_limit else _truncate_further(left, left_limit, is_per_window),
        right if right_rows <= right_limit else _truncate_further(right, right_limit, is_per_window),
    )


def _truncate_further(side: Relation, max_rows: int, is_per_window: bool) -> Relation:
    """Lower the row truncation of a side of a join; over all windows where pairs may combine several."""
    operator = side.operator
    if isinstance(operator, Project):
        return side.with_operator(replace(operator, source=_truncate_further(operator.source, max_rows, is_per_window)))
    assert isinstance(operator, RowTruncation)  # noqa: S101  by truncation_of
    window = operator.window if is_per_window else None
    return side.with_operator(replace(operator, max_rows=max_rows, window=window))


def with_equal_persons(left: PerPerson, right: PerPerson, condition: Expr) -> Expr:
    """Add the equality of persons to a condition that implies it: one of a foreign key on the way to the person.

        sale JOIN visit USING (visit)   ->   sale JOIN visit USING (person, visit)

    Unchanged if the condition equates persons, or nothing implies it. Claim: the same pairs meet it. Raises:
    nothing. Proof: proofs.md#foreign-key-paths
    """
    if equated_person(left, right, condition) is not None or not any(path_steps(left, right, condition)):
        return condition
    equal = apply_function("=", [Ref(left.person), Ref(right.person)], exp.Null())
    return conjunction((equal, *conjuncts(condition)))


def equated_person(left: PerPerson, right: PerPerson, condition: Expr) -> Field | None:
    """Return the left person key that a top-level equality equates with the right person key; None if none does.

    The condition may equate further columns. The key may be nullable, as after a LEFT JOIN.
    """
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name == "="):
            continue
        persons = [a.field for a in part.arguments if isinstance(a, Ref) and a.field.is_person_key]
        for one, other in (persons, persons[::-1]) if len(persons) == 2 else ():  # the equality in either order
            if one in left.fields and other in right.fields:
                return one
    return None


def semi_join(left: Relation, right: Relation, condition: Expr, is_anti: bool, node: exp.Expr) -> Relation:
    """Keep left rows with a matching right row; with `is_anti`, those without; raises Refusal with E_SUBQUERY.

    Public rows can't be chosen by private ones, since their presence would disclose the private rows; private rows
    can't be chosen by released numbers, which do not exist yet. Public rows chosen by released ones are Released.
    """
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return _semi_join_private(left, right, condition, is_anti, node)
    if isinstance(right, PerPerson):
        raise refusal(Kind.PUBLIC_ROWS_BY_PRIVATE, node)
    if isinstance(left, PerPerson) and isinstance(right, Released):
        raise refusal(Kind.ROWS_BY_RELEASED_NUMBERS, node)
    operator = SemiJoin(left, right, condition, is_anti)
    if isinstance(left, Public) and isinstance(right, Released):
        return Released(operator, left.fields, left.predicates)
    return left.with_operator(operator)


def _semi_join_private(left: PerPerson, right: PerPerson, condition: Expr, is_anti: bool, node: exp.Expr) -> PerPerson:
    """Semi- or anti-join of two private relations of one dataset: rows are chosen by rows of the same person.

    Raises Refusal with E_SUBQUERY unless the condition equates the person keys.
    """
    person = left.person.name or Unnamed.PERSON
    if left.dataset != right.dataset:
        raise refusal(Kind.SUBQUERY_OF_TWO_DATASETS, node)
    condition = with_equal_persons(left, right, condition)
    if equated_person(left, right, condition) is None:
        raise refusal(Kind.ROWS_BY_OTHER_PERSONS, node, person=person, inner=right.person.name or person)
    # otherwise one row of a side may decide about many rows of the other, so both are truncated first
    on_person_only = len(conjuncts(condition)) == 1 or left.has_one_row_per_person or right.has_one_row_per_person
    sides = (left, right) if on_person_only else _truncate_both(left, right)
    return left.with_operator(SemiJoin(*sides, condition, is_anti))


def rewrite_as_anti_join(relation: Relation, condition: Expr, node: exp.Expr) -> Relation:
    """Rewrite a LEFT JOIN whose right side must be NULL to an anti join; unchanged where the rule does not apply.

        a LEFT JOIN b USING (person) WHERE b.person IS NULL   ->   a ANTI JOIN b USING (person)

    The tested right column must never be NULL itself: then NULL means that no row matched. The rule needs a LEFT JOIN
    as the topmost operator, and private rows on both sides; with a public left side the preserved rows are kept
    instead. Claim: the rows that satisfy the condition, and their values, are the same. Proof: proofs.md#unmet. Raises:
    nothing.
    """
    operator = relation.operator
    if not isinstance(relation, PerPerson) or relation.preserved_side is not None or not isinstance(operator, Join):
        return relation
    left, right = operator.left, operator.right
    # only a LEFT JOIN has null-extended rows
    if operator.kind != "left" or not isinstance(left, PerPerson) or not isinstance(right, PerPerson):
        return relation
    # a nullable column may be NULL in a row that matched
    if _never_null(right).isdisjoint(field.id for field in _fields_tested_null(condition)):
        return relation
    anti_join = semi_join(left, right, operator.condition, True, node)
    right_fields = relation.fields[len(left.fields) :]
    null_fields = tuple((field, Literal(None, field.type)) for field in right_fields)
    return replace(anti_join, operator=Project(anti_join, null_fields), fields=relation.fields)


def _never_null(relation: Relation) -> frozenset[str]:
    """Ids of the fields of a relation that are not nullable."""
    return frozenset(field.id for field in relation.fields if not field.nullable)


def _fields_tested_null(condition: Expr) -> Iterator[Field]:
    """Yield the fields that a condition requires to be NULL: the x of each top-level `x IS NULL`."""
    for part in conjuncts(condition):
        if isinstance(part, Call) and part.name == "is null" and isinstance(part.arguments[0], Ref):
            yield part.arguments[0].field


def full_join(
    left: PerPerson, right: PerPerson, condition: Expr, node: exp.Join, context: CompileContext
) -> tuple[Relation, Mapping[str, Field], Field]:
    """Build a FULL JOIN as a union of the LEFT JOIN and the anti-joined right side; raises Refusal with E_JOIN.

        SELECT l.*, r.*, l.person FROM l LEFT JOIN r ON ...
        UNION ALL SELECT NULL, r.*, r.person FROM r ANTI JOIN l ON ...

    Returns the relation; id of a field of either side -> its output field; and the person field of every row, which is
    the last column and has no name in the query.
    """
    if left.preserved_side is not None or right.preserved_side is not None:
        raise refusal(Kind.FULL_JOIN_OF_PRESERVED, node)
    left_join, unmatched = join(left, right, "left", condition, node), semi_join(right, left, condition, True, node)
    pairs: list[tuple[Expr, Expr]] = [(Ref(f), Literal(None, f.type)) for f in left_join.fields[: len(left.fields)]]
    pairs += [(Ref(f), Ref(g)) for f, g in zip(left_join.fields[len(left.fields) :], unmatched.fields, strict=True)]
    pairs.append((Ref(left.person), Ref(right.person)))
    left_rows, lefts = project(left_join, [a for a, _ in pairs], context)
    right_rows, rights = project(unmatched, [b for _, b in pairs], context)
    names = [f.name for f in (*left_join.fields, left.person)]
    columns = tuple(
        (a, b, output_column(context.new_field_id(), name, (a, b), (left_rows, right_rows)))
        for name, a, b in zip(names, lefts, rights, strict=True)
    )
    relation = type_set_operation(SetOperation(left_rows, right_rows, "union", False, columns))
    output = [field for *_, field in columns]
    return relation, {f.id: standing for f, standing in zip(left_join.fields, output, strict=False)}, output[-1]


@dataclass(frozen=True)
class JoinResult:
    """Result of a join."""

    relation: Relation
    output_fields: Mapping[str, Field]  # id of a field of either side -> field in the result
    person: Field | None = None  # after a FULL JOIN of private relations: the person of every row


def join_relations(
    left: Relation, right: Relation, kind: JoinKind, condition: Expr, node: exp.Join, context: CompileContext
) -> JoinResult:
    """Join two relations of any kinds; raises Refusal with E_JOIN. A FULL JOIN of two private ones becomes a union."""
    if kind == "full" and isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return JoinResult(*full_join(left, right, condition, node, context))
    relation = join(left, right, kind, condition, node)
    return JoinResult(relation, {f.id: f for f in relation.fields})
