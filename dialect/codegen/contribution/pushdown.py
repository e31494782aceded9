"""Pushdown through a join: work is done on the side with fewer rows, before the join.

Aggregation pushdown: a person's rows are aggregated before the one row that holds the group key is joined.

    SELECT h.zone, COUNT(*) FROM event e JOIN home h USING (person) GROUP BY h.zone

event is aggregated per person, then joined to home: of 10 million events only 100,000 rows are joined, and the key's
text is not carried through the aggregation.

Pushdown to the public input: text keys of joined public rows are dictionary-encoded, and rows are grouped by their
codes; summed values are converted to value grains (fixed-point integers, units of 2^-value_bits of the value's unit).

Proof: `dialect/codegen/proofs.md#render`. Source: Yan and Larson, Eager Aggregation and Lazy Aggregation, VLDB 1995.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from dialect.algebra.codegen_types import Target, UnitPartials
from dialect.algebra.expressions import Call, Expr, Field, Ref, conjuncts, fields_of
from dialect.algebra.relations import (
    DictionaryEncoded,
    Filter,
    FixedPointEncoded,
    Join,
    Operator,
    PerPerson,
    Project,
    Public,
    Relation,
)
from dialect.algebra.release_plan import ContributionBounds, PrivatePlan, QueryVector, VectorBound, VectorKind
from dialect.catalog.model import SqlType
from dialect.codegen.contribution.clipping import value_grains
from dialect.codegen.relations.relation import write_rows


@dataclass(frozen=True)
class Pushdown:
    """Inputs of a join on the person key alone, between which aggregation can be pushed down."""

    aggregated: PerPerson  # the aggregated input
    key_input: PerPerson  # the input with at most one row per person, which holds the keys


def find_pushdown(plan: PrivatePlan) -> Pushdown | None:
    """Split a plan's source into the aggregated input and the input with the keys; None where that is not possible.

    It is possible if keys are functions of the person, no vector counts distinct values (which have no per-unit sums),
    vectors and privacy window read the aggregated input alone, and keys the other one alone.

    Claim: a unit's numbers over the rows of `aggregated`, joined with the person's row of `key_input`, are those over
    the joined rows. Symbols: none. Source and proof: dialect/codegen/proofs.md#render. Raises: nothing.
    """
    pushdown = _pushdown_of(plan.source) if plan.has_one_group_per_person and plan.keys else None
    if pushdown is None or any(vector.kind is VectorKind.DISTINCT for vector in plan.vectors):
        return None
    read_by_vectors = {f for vector in plan.vectors for f in vector.fields}
    read_by_vectors |= {f for name, f in plan.unit_columns.items() if name != "person"}
    key_fields = {key.field for key in plan.keys}
    if read_by_vectors <= set(pushdown.aggregated.fields) and key_fields <= set(pushdown.key_input.fields):
        return pushdown
    return None


def aggregated_plan(plan: PrivatePlan, pushdown: Pushdown) -> PrivatePlan:
    """Derive the plan of the aggregated input alone: one row per unit, without group keys."""
    return replace(plan, source=pushdown.aggregated, keys=(), has_one_group_per_person=False)


def join_keys(plan: PrivatePlan, pushdown: Pushdown, partials: UnitPartials, target: Target) -> UnitPartials:
    """Join each unit's partial aggregates to the row that holds its group keys, and add these as k0, ....

    `partials` are those of `aggregated_plan`, with no key columns. Units without such a row drop out, as in the join.
    """
    person = pushdown.key_input.person
    key_rows = write_rows(pushdown.key_input, {key.field for key in plan.keys} | {person}, target)
    keys = ", ".join(f"r.{key.field.id} AS k{i}" for i, key in enumerate(plan.keys))
    text = f"SELECT l.*, {keys} FROM ({partials.text}) AS l JOIN ({key_rows}) AS r ON {_same_person(person.id)}"
    return replace(partials, text=text)


def _same_person(person: str) -> str:
    """Write the join condition of partial aggregates `l` with key rows `r`, whose person column is given."""
    return f"l.person = r.{person}"


def _pushdown_of(relation: Relation) -> Pushdown | None:
    """Find the join to push aggregation below; None if some operator above it reads both of its inputs.

    Each conjunct of a filter and each computed column above the join moves into the input that it reads.
    """
    operator = relation.operator
    if isinstance(operator, Join):
        return _split_person_join(operator) or _push_public_join(operator)
    if isinstance(operator, Filter):
        pushdown = _pushdown_of(operator.source)
        for each in conjuncts(operator.condition):
            pushdown = None if pushdown is None else _push_down(pushdown, each)
        return pushdown
    if isinstance(operator, Project):
        pushdown = _pushdown_of(operator.source)
        for field, expr in operator.computed:
            pushdown = None if pushdown is None else _push_down(pushdown, expr, field)
        return pushdown
    return None


def _split_person_join(join: Join) -> Pushdown | None:
    """Split an inner join on the person key alone, one of whose inputs has one row per person.

    Any further condition could read both inputs. The input with one row per person holds the keys, on either side.
    """
    left, right = join.left, join.right
    if join.kind != "inner" or not isinstance(left, PerPerson) or not isinstance(right, PerPerson):
        return None
    condition = join.condition
    persons = {Ref(left.person), Ref(right.person)}
    if not isinstance(condition, Call) or condition.name != "=" or set(condition.arguments) != persons:
        return None
    if right.has_one_row_per_person:
        return Pushdown(left, right)
    return Pushdown(right, left) if left.has_one_row_per_person else None


def _push_public_join(join: Join) -> Pushdown | None:
    """Push a join with public rows into the aggregated input, if its condition reads no other private rows.

    Only where the public rows are the right input, to which the planner puts them.
    """
    pushdown = _pushdown_of(join.left) if isinstance(join.right, Public) else None
    if pushdown is None or not set(fields_of(join.condition)) <= {*pushdown.aggregated.fields, *join.right.fields}:
        return None
    return replace(
        pushdown,
        aggregated=pushdown.aggregated.with_operator(replace(join, left=pushdown.aggregated), join.right.fields),
    )


def _push_down(pushdown: Pushdown, expr: Expr, computed: Field | None = None) -> Pushdown | None:
    """Move a predicate, or the expression of a computed field, into the input that it reads; None if it reads both."""

    def add(rows: PerPerson) -> PerPerson:
        """Put the filter or the projection on top of an input."""
        return rows.with_filter(expr) if computed is None else rows.with_columns(((computed, expr),))

    read_fields = set(fields_of(expr))
    if read_fields <= set(pushdown.aggregated.fields):
        return replace(pushdown, aggregated=add(pushdown.aggregated))
    return (
        replace(pushdown, key_input=add(pushdown.key_input)) if read_fields <= set(pushdown.key_input.fields) else None
    )


@dataclass(frozen=True)
class Dictionary:
    """A dictionary-encoded public text column: the public rows, the text and its code."""

    rows: Public
    text: Field
    code: Field


def encode_text_keys(plan: PrivatePlan) -> tuple[PrivatePlan, Mapping[int, Dictionary]]:
    """Dictionary-encode text keys that come from public rows; also return the dictionaries by key index.

    Only for public key sets, whose rows translate codes back to texts. Where each person has one group, keys are
    carried along and not grouped by, so that codes gain nothing.
    """
    if plan.key_set is None or plan.has_one_group_per_person:
        return plan, {}
    source: PerPerson = plan.source
    keys, dictionaries = list(plan.keys), dict[int, Dictionary]()
    for i, key in enumerate(plan.keys):
        if key.field.type is not SqlType.VARCHAR:
            continue
        code = Field(f"{key.field.id}_code{i}", key.field.name, SqlType.BIGINT, nullable=True)
        carried = _carry_up(source, key.field, code, partial(_encode, code))
        if carried is not None:
            new_source, rows, text = carried
            dictionaries[i] = Dictionary(rows, text, code)
            assert isinstance(new_source, PerPerson)  # noqa: S101  only its operator has changed
            source, keys[i] = new_source, replace(key, field=code)
    return replace(plan, source=source, keys=tuple(keys)), dictionaries


def pre_grain_values(plan: PrivatePlan, bounds: ContributionBounds) -> tuple[PrivatePlan, frozenset[int]]:
    """Convert values that come from public rows to value grains there; also return the vectors' indices.

    A product is left out: its second factor may come from other rows. In the new plan, the vector's value is the field
    of grains.
    """
    source, vectors, indices = plan.source, list(plan.vectors), set[int]()
    for i, (vector, bound) in enumerate(zip(plan.vectors, bounds.vectors, strict=True)):
        if vector.value is None or not vector.is_sum or vector.factor is not None:
            continue
        grains_field = Field(f"{vector.value.id}_grains{i}", vector.value.name, SqlType.BIGINT, nullable=True)
        carried = _carry_up(source, vector.value, grains_field, partial(_to_grains, grains_field, vector, bound))
        if carried is not None:
            assert isinstance(carried[0], PerPerson)  # noqa: S101  only its operator has changed
            source, vectors[i] = carried[0], replace(vector, value=grains_field)
            indices.add(i)
    return replace(plan, source=source, vectors=tuple(vectors)), frozenset(indices)


def _encode(code: Field, rows: Public, text: Field) -> Operator:
    """Make the operator that adds a code for `text`; the new field comes first, so that it can be bound."""
    return DictionaryEncoded(rows, text, code)


def _to_grains(grains_field: Field, vector: QueryVector, bound: VectorBound, rows: Public, value: Field) -> Operator:
    """Make the operator that adds the value grains of one vector's value."""
    return FixedPointEncoded(rows, value, grains_field, value_grains(replace(vector, value=value), bound))


_MakeOperator = Callable[[Public, Field], Operator]
_Carried = tuple[Relation, Public, Field]  # changed relation, public rows with the new column, origin field in them


def _carry_up(relation: Relation, origin: Field, new_field: Field, make_operator: _MakeOperator) -> _Carried | None:
    """Add a computed column to the public rows that a field comes from, and pass it up through the relation.

    Returns the changed relation, the public rows with the column, and the field of these rows that `origin` is; None
    where the field is computed above the public rows or comes from people's rows. `make_operator(rows, field)` computes
    it.
    """
    if isinstance(relation, Public):
        public = Public(make_operator(relation, origin), (*relation.fields, new_field), relation.predicates)
        return public, public, origin
    operator = relation.operator
    # only projections, filters and joins pass a new column through; a projection may rename the field
    if not isinstance(operator, Project | Filter | Join):
        return None
    value = dict(operator.computed).get(origin, Ref(origin)) if isinstance(operator, Project) else Ref(origin)
    is_right = isinstance(operator, Join) and origin not in operator.left.fields
    sources = list(relation.children)
    carried = _carry_up(sources[is_right], value.field, new_field, make_operator) if isinstance(value, Ref) else None
    if carried is None:
        return None
    sources[is_right], rows, origin_below = carried
    return replace(relation.with_children(sources), fields=(*relation.fields, new_field)), rows, origin_below
