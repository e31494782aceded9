"""Aggregation pushdown: a person's rows are aggregated before the one row that holds the group key is joined.

    SELECT h.zone, COUNT(*) FROM event e JOIN home h USING (person) GROUP BY h.zone

event is aggregated per person, then joined to home: of 10 million events only 100,000 rows are joined, and the key's
text is not carried through the aggregation. Proof: `dialect/codegen/proofs.md#render`.

Source: Yan and Larson, Eager Aggregation and Lazy Aggregation, VLDB 1995.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dialect.algebra.codegen_types import Target, UnitPartials
from dialect.algebra.expressions import Call, Expr, Field, Ref, conjuncts, fields_of
from dialect.algebra.relations import Filter, Join, PerPerson, Project, Public, Relation
from dialect.algebra.release_plan import PrivatePlan, VectorKind
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
    return (
        pushdown
        if read_by_vectors <= set(pushdown.aggregated.fields) and key_fields <= set(pushdown.key_input.fields)
        else None
    )


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
