"""Noise propagation: each output column as offset + numerator / denominator, both linear in raw noisy numbers.

A column has such a form if it is computed row by row from released numbers, keys, public columns and constants by sums,
differences, products with factors free of noise, and at most one quotient. The form gives the variance of the column.
Other columns have no interval.

    AVG(x) / 60 + 1   ->   1 + (centred sum / 60) / count
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, children, expand, fields_of
from dialect.algebra.formulas import CountOf, Gathered, MeanOf, MomentsOf, QuantileOf, ReleasedSum, SumOf
from dialect.algebra.relations import Group, Public, Relation, SetOperation
from dialect.algebra.release_plan import OverReleases, Question, VectorKind
from dialect.algebra.traversal import all_below, sources
from dialect.catalog.model import SqlType
from dialect.functions.builders import double
from dialect.functions.registry import function
from dialect.functions.scalar.noise_intervals import is_interval_end

ZERO = Literal(0.0, SqlType.DOUBLE)
ONE = Literal(1.0, SqlType.DOUBLE)
Variances = Mapping[str, float | Expr]  # by id of the noisy number; an expression if it varies by row


@dataclass(frozen=True)
class Linear:
    """Linear combination: a constant plus coefficients times raw noisy numbers, or sums of them.

    Proof: `dialect/algebra/proofs.md#noise-followed`.
    """

    constant: Expr
    terms: tuple[tuple[Field, Expr], ...]

    def value(self) -> Expr:
        """Build the expression of its value."""
        total = self.constant
        for raw, coefficient in self.terms:
            total = plus(total, times(coefficient, Ref(raw)))
        return total

    def may_be_negative(self, positive: frozenset[Field]) -> bool:
        """Return whether the value may be negative, given the raw numbers that never are."""
        weights = [self.constant] + [coefficient for _, coefficient in self.terms]
        weighed = all(isinstance(w, Literal) and isinstance(w.value, int | float) and w.value >= 0 for w in weights)
        return not weighed or any(raw not in positive for raw, _ in self.terms)

    def keeps_shares(self) -> bool:
        """Return whether its relative error is at most the largest relative error of its terms, none negative."""
        scaled = len(self.terms) == 1 and self.constant == ZERO
        return scaled or not self.may_be_negative(frozenset(raw for raw, _ in self.terms))

    def variance(self, variances: Variances) -> Expr:
        """Build an upper bound of the variance; exact unless two terms may share noise."""
        total = self.covariance(self, variances)
        for one, other in self._twins(self):
            total = plus(total, _together(one, other, variances))
        return total

    def covariance(self, other: Linear, variances: Variances) -> Expr:
        """Build the covariance with another combination; different raw numbers are independent."""
        theirs = dict(other.terms)
        total: Expr = ZERO
        for raw, coefficient in self.terms:
            if raw in theirs:
                total = plus(total, times(times(coefficient, theirs[raw]), _expr(variances[raw.id])))
        return total

    def shares_noise(self, other: Linear) -> bool:
        """Return whether different terms of the two may share noise: of a release that is scanned twice."""
        return any(True for _ in self._twins(other))

    def _twins(self, other: Linear) -> Iterator[tuple[tuple[Field, Expr], tuple[Field, Expr]]]:
        for one in self.terms:
            for two in other.terms:
                mine, theirs = one[0], two[0]
                alike = mine != theirs and mine.origin is not None and mine.origin == theirs.origin
                if alike and not _of_two_rows(mine, theirs):
                    yield one, two


def _of_two_rows(one: Field, other: Field) -> bool:
    """Return whether two numbers of one release provably come from different rows, with independent noise."""
    first, second = one.shifted, other.shifted
    if first is None or second is None:
        moved, still = (second, one) if first is None else (first, other)
        return moved is not None and moved.raw == still.id and moved.rows != 0
    return (first.raw, first.window) == (second.raw, second.window) and first.rows != second.rows


def _together(one: tuple[Field, Expr], other: tuple[Field, Expr], variances: Variances) -> Expr:
    """Bound the covariance contribution of two terms that may share noise. Each pair is visited in both orders."""
    weights, mine, theirs = times(one[1], other[1]), variances[one[0].id], variances[other[0].id]
    if isinstance(mine, float) and isinstance(theirs, float):
        if isinstance(weights, Literal):
            return times(weights, _expr(mine)) if (_number(weights) or 0.0) > 0 else ZERO
        return times(double("greatest", weights, ZERO), _expr(mine))
    spread = double("sqrt", times(_expr(mine), _expr(theirs)))
    return times(double("abs", weights), spread)


def _expr(variance: float | Expr) -> Expr:
    return Literal(variance, SqlType.DOUBLE) if isinstance(variance, float) else variance


def plus(one: Expr, other: Expr) -> Expr:
    """Build a sum without zeros."""
    if one == ZERO:
        return other
    return one if other == ZERO else double("+", one, other)


def times(one: Expr, other: Expr) -> Expr:
    """Build a product without ones and zeros, with constants folded."""
    if ZERO in (one, other):
        return ZERO
    if one == ONE:
        return other
    if other == ONE:
        return one
    known, more = _number(one), _number(other)
    if known is not None and more is not None and math.isfinite(known * more):
        return Literal(known * more, SqlType.DOUBLE)
    return double("*", one, other)


def _number(expr: Expr) -> float | None:
    value = expr.value if isinstance(expr, Literal) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


# functions that preserve the noise of their first argument, up to rounding
_CLEAR = {"to_double", "to_bigint", "round", "to_decimal", "nullif"}


@dataclass(frozen=True)
class Form:
    """Fractional linear form: offset + numerator / denominator. Without a denominator it is 1."""

    offset: Expr
    numerator: Linear
    denominator: Linear | None = None

    def whole(self) -> Linear:
        """Merge the offset into the numerator, for a form without denominator."""
        return Linear(plus(self.offset, self.numerator.constant), self.numerator.terms)

    @property
    def alone(self) -> str | None:
        """Id of the only raw noisy number in the form; None if there are several, or a denominator."""
        return self.numerator.terms[0][0].id if len(self.numerator.terms) == 1 and self.denominator is None else None


def uncertainty(question: Question) -> tuple[Form | None, ...]:
    """Return the form of every output column; None for a column without noise or of unknown form."""
    known, positive = forms_by_field(question), never_negative(question)
    carried = set(question.outer.fields)
    return tuple(usable(form_of(expand(Ref(shown.field)), known), carried, positive) for shown in question.columns)


def forms_by_field(question: OverReleases) -> dict[Field, Form]:
    """Return the form of each field that the outer query starts from: outputs, keys and public columns."""
    known = {
        output.field: _of_output(output.formula, release.raw)
        for release in question.releases
        for output in release.outputs
        if not isinstance(output.formula, QuantileOf | MomentsOf)
    }
    summed = {each.field: _of_sum(each) for each in question.sums}
    gathered = {each.field: _of_gathered(each) for each in question.gathered}
    still = {field: Form(Ref(field), Linear(ZERO, ())) for field in _without_noise(question)}
    return still | known | summed | gathered


def _of_gathered(made: Gathered) -> Form:
    offset, constant, below = (ZERO if f is None else Ref(f) for f in (made.offset, made.constant, made.below))
    top = Linear(constant, tuple((term.total, ONE) for term in made.terms))
    if made.below_terms is None:
        return Form(offset, top)
    return Form(offset, top, Linear(below, tuple((term.total, ONE) for term in made.below_terms)))


def _of_sum(made: ReleasedSum) -> Form:
    constant = ZERO if made.constant is None else Ref(made.constant)
    return Form(constant, Linear(ZERO, tuple((total, ONE) for total, _, _ in made.terms)))


def all_variances(question: OverReleases, variances: Mapping[str, float]) -> Variances:
    """Add the variances of sums over released rows: the sum of squared weights times the variance per row."""
    found: dict[str, float | Expr] = dict(variances)
    for made in question.sums:
        found |= {total.id: _multiple(squares, variances[raw.id]) for total, squares, raw in made.terms}
    for term in (term for made in question.gathered for term in made.every_term):
        found[term.total.id] = _multiple(term.squares, variances[term.raw.id])
    return found


def _multiple(squares: Expr, variance: float) -> float | Expr:
    if isinstance(squares, Literal) or not variance:
        return variance * float(squares.value or 0) if isinstance(squares, Literal) else 0.0
    return times(squares, Literal(variance, SqlType.DOUBLE))


def _without_noise(question: OverReleases) -> Iterator[Field]:
    """Yield keys of releases and public columns, which are free of noise.

    Other fields, such as sums of sums, have no known form.
    """
    for release in question.releases:
        yield from release.keys
    waiting: list[Relation] = [question.outer]
    while waiting:
        relation = waiting.pop()
        if isinstance(relation, Public):
            yield from relation.fields
        else:
            waiting += sources(relation)


def never_negative(question: OverReleases) -> frozenset[Field]:
    """Return the raw noisy numbers whose exact value is never negative: counts, and sums of non-negative values."""
    found: set[Field] = set()
    for release in question.releases:
        if release.histogram is not None:
            continue
        for raw, vector in zip(release.raw, question.plans[release.plan].vectors, strict=True):
            counts = not vector.summed
            least = vector.lower if vector.part is None else max(vector.lower, vector.part.lower)
            if counts or (vector.kind is VectorKind.SUM and least >= 0):
                found.add(raw)
    sums = {total for made in question.sums if made.positive for total, _, raw in made.terms if raw in found}
    return frozenset(
        found | sums | {term.total for made in question.gathered for term in made.every_term if term.positive}
    )


def _of_output(formula: CountOf | SumOf | MeanOf, raw: tuple[Field, ...]) -> Form:
    if isinstance(formula, MeanOf):
        centre = Literal(formula.centre, SqlType.DOUBLE)
        return Form(centre, Linear(ZERO, ((raw[formula.total], ONE),)), Linear(ZERO, ((raw[formula.count], ONE),)))
    return Form(ZERO, Linear(ZERO, ((raw[formula.vector], ONE),)))


def usable(form: Form | None, carried: set[Field], positive: frozenset[Field]) -> Form | None:
    """Return the form if its fields are carried and its interval is valid; else None.

    If numerator and denominator may share noise, neither may be negative.
    """
    if form is None or not form.numerator.terms:
        return None
    if form.denominator is not None and form.numerator.shares_noise(form.denominator):
        top = replace(form.numerator, constant=plus(form.offset, form.numerator.constant))
        if top.may_be_negative(positive) or form.denominator.may_be_negative(positive):
            return None
    parts = [form.numerator] + ([form.denominator] if form.denominator is not None else [])
    read = {f for part in parts for f in fields_of(part.value())} | set(fields_of(form.offset))
    return form if read <= carried else None


def form_of(expr: Expr, known: Mapping[Field, Form]) -> Form | None:
    """Derive the form of an expression from the forms of its fields; None if it is not fractional linear."""
    if isinstance(expr, Ref):
        return known.get(expr.field)
    if all(f in known and _is_constant(known[f]) for f in fields_of(expr)):
        return Form(expr, Linear(ZERO, ())) if expr.type in (SqlType.BIGINT, SqlType.DOUBLE) else None
    if not isinstance(expr, Call):
        return None
    name = function(expr.function).name
    if name in _CLEAR and all(isinstance(part, Literal) for part in expr.arguments[1:]):
        return form_of(expr.arguments[0], known)
    parts = [form_of(argument, known) for argument in expr.arguments]
    if any(part is None for part in parts):
        return None
    forms = [part for part in parts if part is not None]
    if name == "negative":
        return _scaled(forms[0], Literal(-1.0, SqlType.DOUBLE))
    return _BINARY[name](*forms) if name in _BINARY else None


def _is_constant(form: Form) -> bool:
    return not form.numerator.terms


def _scaled(form: Form, by: Expr) -> Form:
    terms = tuple((raw, times(by, coefficient)) for raw, coefficient in form.numerator.terms)
    return Form(times(by, form.offset), Linear(times(by, form.numerator.constant), terms), form.denominator)


def _sum(one: Form, other: Form) -> Form | None:
    if _is_constant(other):
        return Form(plus(one.offset, other.offset), one.numerator, one.denominator)
    if _is_constant(one):
        return _sum(other, one)
    if one.denominator is not None or other.denominator is not None:
        return None
    terms = dict(one.numerator.terms)
    for raw, coefficient in other.numerator.terms:
        terms[raw] = plus(terms.get(raw, ZERO), coefficient)
    constant = plus(one.numerator.constant, other.numerator.constant)
    return Form(plus(one.offset, other.offset), Linear(constant, tuple(terms.items())))


def _difference(one: Form, other: Form) -> Form | None:
    return _sum(one, _scaled(other, Literal(-1.0, SqlType.DOUBLE)))


def _product(one: Form, other: Form) -> Form | None:
    if _is_constant(other):
        return _scaled(one, other.offset)
    return _scaled(other, one.offset) if _is_constant(one) else None


def _quotient(one: Form, other: Form) -> Form | None:
    if _is_constant(other):
        return _scaled(one, double("/", ONE, other.offset))
    if one.denominator is not None or other.denominator is not None:
        return None
    return Form(ZERO, one.whole(), other.whole())


_BINARY = {"+": _sum, "-": _difference, "*": _product, "/": _quotient}


def noisy(question: Question) -> tuple[bool, ...]:
    """Return for each output column whether it depends on released numbers, not only on keys and public columns."""
    keys = {key for release in question.releases for key in release.keys}
    operators = [each.operator for each in all_below(question.outer)]
    sets = (each for each in operators if isinstance(each, SetOperation))
    sides = {made: (left, right) for each in sets for left, right, made in each.columns}
    groups = (each for each in operators if isinstance(each, Group))
    grouped = {key: key for each in groups for key in each.keys}  # keys as they are below the GROUP BY

    def is_noisy(field: Field) -> bool:
        read = (f for f in _read(expand(Ref(grouped.get(field, field)))) if f not in keys and f.public is None)
        return any(of_others(f, field) for f in read)

    def of_others(read: Field, field: Field) -> bool:
        if read in sides:
            return any(map(is_noisy, sides[read]))
        return read == field or read not in grouped or is_noisy(read)

    return tuple(bool(question.releases) and is_noisy(shown.field) for shown in question.columns)


def _read(expr: Expr) -> Iterator[Field]:
    """Yield the fields that an expression reads, except inside interval functions."""
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Ref):
            yield part.field
        waiting += () if is_interval_end(part) else children(part)
