"""UNION ALL of released rows: each row brings along what its noise is made from (`proofs.md#noise-followed`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dialect.algebra.expressions import Expr, Field, Ref, expand, fields_of
from dialect.algebra.formulas import Gathered, NoisyTerm
from dialect.algebra.relations import Project, Public, Relation, Released
from dialect.algebra.set_operation import SetOperation
from dialect.catalog.catalog import SqlType
from dialect.planner.boundaries import Planning
from dialect.postprocess.linear import ONE, ZERO, Linear, times
from dialect.postprocess.uncertainty import Form, form_of, forms_by_field, never_negative

MOST_NUMBERS = 8  # that one column rests on: each is brought along through every union around it
MOST_BROUGHT = 300  # fields of one question


@dataclass
class _Columns:
    """What a union's rows bring along, side by side."""

    planning: Planning
    left: list[tuple[Field, Expr]] = field(default_factory=list)
    right: list[tuple[Field, Expr]] = field(default_factory=list)
    made: list[Field] = field(default_factory=list)
    positive: frozenset[Field] = frozenset()  # numbers that are never below 0

    def add(self, left: Expr, right: Expr) -> Field | None:
        """Bring a number along; None where it is 0 on both sides."""
        if left == right == ZERO:
            return None
        one, other, both = (Field(self.planning.reading.fresh(), None, SqlType.DOUBLE) for _ in range(3))
        self.left.append((one, left))
        self.right.append((other, right))
        self.made.append(both)
        return both


def with_noise(relation: Relation, operator: SetOperation, planning: Planning) -> Relation:
    """Bring the noise of a UNION ALL's columns along; other set operations, and other columns, are left as they are.

    Claim: each gathered number is what its own side's form says, with that side's variance. Symbols: of a side, weights
    c_i of raw numbers; 0 for those of the other side. Source and proof: proofs.md#noise-followed. Raises: nothing.
    """
    if operator.how != "union" or operator.distinct or not isinstance(relation, Released):
        return replace(relation, operator=operator)
    columns = _Columns(planning, positive=never_negative(planning.so_far(relation)))
    for left, right, made in operator.columns:
        forms = [_form(f, side, planning) for f, side in ((left, operator.left), (right, operator.right))]
        known = [form for form in forms if form is not None]
        if len(known) == len(forms) and made.type in (SqlType.BIGINT, SqlType.DOUBLE) and _few(known, planning):
            planning.gathered.append(_gathered(made, known[0], known[1], columns))
    sides = zip(columns.left, columns.right, columns.made, strict=True)
    brought = tuple((one, other, both) for (one, _), (other, _), both in sides)
    wider = replace(
        operator,
        left=_computed(operator.left, columns.left),
        right=_computed(operator.right, columns.right),
        columns=operator.columns + brought,
    )
    return replace(relation, operator=wider, fields=relation.fields + tuple(columns.made))


def _computed(side: Relation, computed: list[tuple[Field, Expr]]) -> Relation:
    if not computed:
        return side
    return replace(side, operator=Project(side, tuple(computed)), fields=side.fields + tuple(f for f, _ in computed))


def _form(shown: Field, side: Relation, planning: Planning) -> Form | None:
    """Find the form of one side's column, its parts being at hand there."""
    assert isinstance(side, Released | Public)  # noqa: S101  the rows of a released union
    form = form_of(expand(Ref(shown)), forms_by_field(planning.so_far(side)))
    if form is None:
        return None
    parts = [form.offset, form.numerator.value()] + ([form.denominator.value()] if form.denominator else [])
    at_hand = {f for part in parts for f in fields_of(part)} <= set(side.fields)
    return form if at_hand and not (form.denominator and form.numerator.shares_noise(form.denominator)) else None


def _few(forms: list[Form], planning: Planning) -> bool:
    numbers = sum(
        len(form.numerator.terms) + (len(form.denominator.terms) if form.denominator else 0) for form in forms
    )
    brought = sum(2 * len(each.every_term) for each in planning.gathered)
    return 0 < numbers <= MOST_NUMBERS and brought <= MOST_BROUGHT


def _gathered(made: Field, left: Form, right: Form, columns: _Columns) -> Gathered:
    ratio = left.denominator is not None or right.denominator is not None
    one = Linear(ONE, ())
    below = (left.denominator or one, right.denominator or one)
    return Gathered(
        made,
        columns.add(left.offset, right.offset),
        columns.add(left.numerator.constant, right.numerator.constant),
        _terms(left.numerator, right.numerator, columns),
        columns.add(below[0].constant, below[1].constant) if ratio else None,
        _terms(*below, columns) if ratio else None,
    )


def _terms(left: Linear, right: Linear, columns: _Columns) -> tuple[NoisyTerm, ...]:
    """Bring the noisy numbers of both sides along, each 0 on the other side."""
    known = {each.total: each for each in _derived(columns.planning)}
    positive = columns.positive
    terms = []
    for side, of_left in ((left, True), (right, False)):
        for raw, weight in side.terms:
            value, square = times(weight, Ref(raw)), _square(raw, weight, known)
            base = known[raw].raw if raw in known else raw
            total = columns.add(value if of_left else ZERO, ZERO if of_left else value)
            squares = columns.add(square if of_left else ZERO, ZERO if of_left else square)
            if total is not None and squares is not None:
                least = not Linear(ZERO, ((raw, weight),)).may_be_negative(positive)
                terms.append(NoisyTerm(replace(total, origin=raw.origin), Ref(squares), base, least))
    return tuple(terms)


def _square(raw: Field, weight: Expr, known: Mapping[Field, NoisyTerm]) -> Expr:
    square = times(weight, weight)
    return times(square, known[raw].squares) if raw in known else square


def _derived(planning: Planning) -> list[NoisyTerm]:
    of_sums = [NoisyTerm(*term, False) for made in planning.sums for term in made.terms]
    return of_sums + [term for made in planning.gathered for term in made.every_term]
