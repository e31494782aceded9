"""Noise propagation: each output column as offset + numerator / denominator, both linear in raw noisy numbers.

A column has such a form if it is computed row by row from released numbers, keys, public columns and constants by sums,
differences, products with factors free of noise, and at most one quotient. The form gives the variance of the column.
Other columns have no interval.

    AVG(x) / 60 + 1   ->   1 + (centred sum / 60) / count

Terms: a raw number is one noisy number of a query vector. A term is the pair (raw number, coefficient); coefficients
are expressions free of noise, as constants, keys and public columns are. A form is constant if it has no terms. Carried
fields are those that the outer query has in its rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, fields_of
from dialect.algebra.formulas import CountOf, MeanOf, MomentsOf, NoisyUnionColumn, QuantileOf, ReleasedSum, SumOf
from dialect.algebra.relations import Group, Public, SetOperation
from dialect.algebra.release_plan import QueryOverReleases, VectorKind
from dialect.algebra.traversal import walk
from dialect.catalog.model import SqlType
from dialect.functions.registry import OVERLOADS, double_call
from dialect.functions.scalar.numbers import is_interval_end
from dialect.functions.signatures import Effect

ZERO = Literal(0.0, SqlType.DOUBLE)
ONE = Literal(1.0, SqlType.DOUBLE)
Variances = Mapping[str, float | Expr]  # by id of the noisy number; an expression if it varies by row


@dataclass(frozen=True)
class Residual:
    """Error that correcting a clipped number leaves: standard deviations, and what the number is at least."""

    share: float = 0.0  # as a share of the number
    amount: float = 0.0  # of the sum below an average: in the unit of the average
    floor: float = 0.0  # added to the share of a number of any size, in its unit
    retained_share: float = 1.0  # of the number; clipped contributions that are not negative were at least so much

    def widened(self, factor: float) -> Residual:
        """Return the residual with its deviations times a factor."""
        return replace(self, share=factor * self.share, amount=factor * self.amount, floor=factor * self.floor)


NO_RESIDUAL = Residual()
Residuals = Mapping[str, Residual]  # by id of the noisy number


@dataclass(frozen=True)
class LinearCombination:
    """Linear combination: a constant plus coefficients times raw noisy numbers, or sums of them.

    Proof: `dialect/algebra/proofs.md#noise-followed`.
    """

    constant: Expr
    terms: tuple[tuple[Field, Expr], ...]

    def value_expression(self) -> Expr:
        """Build the expression of its value."""
        total = self.constant
        for raw, coefficient in self.terms:
            total = plus(total, times(coefficient, Ref(raw)))
        return total

    def may_be_negative(self, non_negative: frozenset[Field]) -> bool:
        """Return whether the value may be negative, given the raw numbers that never are.

        Coefficients that are not constants may be negative.
        """
        weights = [self.constant] + [coefficient for _, coefficient in self.terms]
        has_non_negative_weights = all(
            isinstance(w, Literal) and isinstance(w.value, int | float) and w.value >= 0 for w in weights
        )
        return not has_non_negative_weights or any(raw not in non_negative for raw, _ in self.terms)

    def preserves_relative_error(self) -> bool:
        """Return whether its relative error is at most the largest of its terms' relative errors.

        It is if all terms have one sign, or if it is a single term.
        """
        scaled = len(self.terms) == 1 and self.constant == ZERO
        return scaled or not self.may_be_negative(frozenset(raw for raw, _ in self.terms))

    def variance(self, variances: Variances) -> Expr:
        """Build an upper bound of the variance; exact unless two terms may share noise."""
        total = self.covariance(self, variances)
        for one, other in self._possibly_shared_terms(self):
            total = plus(total, _shared_noise_bound(one, other, variances))
        return total

    def residual_variance(self, residuals: Residuals, denominator: LinearCombination | None = None) -> Expr:
        """Build an upper bound of the squared error that correcting clipped numbers leaves; 0 without correction.

        Such an error is a share of its number and a floor, or an amount of an average, whose sum it moves by the amount
        times the denominator. Those of several groups may have one sign: they add by absolute weight. Proof:
        dialect/algebra/proofs.md#residual
        """
        total: Expr = ZERO
        for raw, coefficient in self.terms:
            residual = residuals.get(raw.id, NO_RESIDUAL)
            if residual.share:
                size = double_call("abs", times(coefficient, Ref(raw)))
                total = plus(total, times(Literal(residual.share, SqlType.DOUBLE), size))
            if residual.floor:
                total = plus(total, times(Literal(residual.floor, SqlType.DOUBLE), double_call("abs", coefficient)))
            if residual.amount and denominator is not None:
                size = double_call("abs", times(coefficient, denominator.value_expression()))
                total = plus(total, times(Literal(residual.amount, SqlType.DOUBLE), size))
        return total if total == ZERO else times(total, total)

    def covariance(self, other: LinearCombination, variances: Variances) -> Expr:
        """Build the covariance with another combination by the raw numbers that both have.

        Different raw numbers count as independent here.
        """
        theirs = dict(other.terms)
        total: Expr = ZERO
        for raw, coefficient in self.terms:
            if raw in theirs:
                total = plus(total, times(times(coefficient, theirs[raw]), _variance_expression(variances[raw.id])))
        return total

    def shares_noise(self, other: LinearCombination) -> bool:
        """Return whether different terms of the two may share noise: of a release that is scanned twice."""
        return any(True for _ in self._possibly_shared_terms(other))

    def _possibly_shared_terms(
        self, other: LinearCombination
    ) -> Iterator[tuple[tuple[Field, Expr], tuple[Field, Expr]]]:
        """Yield pairs of terms of the two whose raw numbers may have the same noise.

        They may if they are different fields with one origin: the same vector of a release that is scanned twice, or
        two releases derived from one stored one. Rows a known number apart have different noise.
        """
        for one in self.terms:
            for two in other.terms:
                mine, theirs = one[0], two[0]
                is_same_origin = mine != theirs and mine.origin is not None and mine.origin == theirs.origin
                if is_same_origin and not _are_of_different_rows(mine, theirs):
                    yield one, two


def _are_of_different_rows(one: Field, other: Field) -> bool:
    """Return whether two numbers of one release provably come from different rows, with independent noise.

    Either one was moved by LAG or LEAD from the row of the other, or both were by different numbers of rows.
    """
    first, second = one.lag_origin, other.lag_origin
    if first is None or second is None:
        moved, still = (second, one) if first is None else (first, other)
        return moved is not None and moved.source_field_id == still.id and moved.row_offset != 0
    return (first.source_field_id, first.window) == (
        second.source_field_id,
        second.window,
    ) and first.row_offset != second.row_offset


def _shared_noise_bound(one: tuple[Field, Expr], other: tuple[Field, Expr], variances: Variances) -> Expr:
    """Bound the covariance of two terms that may share noise; each is a pair (raw number, coefficient).

    Each pair is visited in both orders. Numbers with constant variance have a covariance from 0 to the mean of both
    variances, so only a positive product of coefficients adds to the variance. Others are bounded by Cauchy-Schwarz.
    """
    weights, mine, theirs = times(one[1], other[1]), variances[one[0].id], variances[other[0].id]
    if isinstance(mine, float) and isinstance(theirs, float):
        if isinstance(weights, Literal):
            return times(weights, _variance_expression(mine)) if (_number_of(weights) or 0.0) > 0 else ZERO
        return times(double_call("greatest", weights, ZERO), _variance_expression(mine))
    spread = double_call("sqrt", times(_variance_expression(mine), _variance_expression(theirs)))
    return times(double_call("abs", weights), spread)


def _variance_expression(variance: float | Expr) -> Expr:
    """Return a variance as an expression."""
    return Literal(variance, SqlType.DOUBLE) if isinstance(variance, float) else variance


def plus(one: Expr, other: Expr) -> Expr:
    """Build a sum without zeros."""
    if one == ZERO:
        return other
    return one if other == ZERO else double_call("+", one, other)


def times(one: Expr, other: Expr) -> Expr:
    """Build a product without ones and zeros, with constants folded."""
    if ZERO in (one, other):
        return ZERO
    if one == ONE:
        return other
    if other == ONE:
        return one
    first, second = _number_of(one), _number_of(other)
    if first is not None and second is not None and math.isfinite(first * second):
        return Literal(first * second, SqlType.DOUBLE)
    return double_call("*", one, other)


def _number_of(expr: Expr) -> float | None:
    """Return the value of a numeric constant; None for other expressions and Booleans."""
    value = expr.value if isinstance(expr, Literal) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


# functions that preserve the noise of their first argument, up to rounding
_NOISE_PRESERVING = (Effect.KEEPS, Effect.KEEPS_OR_NULL, Effect.KEEPS_OR_FILLS, Effect.ROUNDS)


@dataclass(frozen=True)
class FractionalLinearForm:
    """Fractional linear form: offset + numerator / denominator. A missing denominator is 1."""

    offset: Expr
    numerator: LinearCombination
    denominator: LinearCombination | None = None

    def as_linear(self) -> LinearCombination:
        """Merge the offset into the numerator, for a form without denominator."""
        return LinearCombination(plus(self.offset, self.numerator.constant), self.numerator.terms)

    def retained_share(self, residuals: Residuals, non_negative: frozenset[Field]) -> float:
        """Share of its numerator that clipped contributions surely were; 1 where correcting them adds nothing to it.

        Known where no term may be negative, and all were corrected by one share. Proof:
        dialect/algebra/proofs.md#residual
        """
        shares = {residuals.get(raw.id, NO_RESIDUAL).retained_share for raw, _ in self.numerator.terms}
        is_known = self.denominator is None and len(shares) == 1 and not self.numerator.may_be_negative(non_negative)
        return shares.pop() if is_known else 1.0

    @cached_property
    def raw_ids(self) -> frozenset[str]:
        """Ids of all raw noisy numbers in numerator and denominator."""
        parts = (self.numerator,) if self.denominator is None else (self.numerator, self.denominator)
        return frozenset(raw.id for part in parts for raw, _ in part.terms)

    @property
    def single_raw_id(self) -> str | None:
        """Id of the only raw noisy number in the form; None if there are several, or a denominator."""
        return self.numerator.terms[0][0].id if len(self.numerator.terms) == 1 and self.denominator is None else None


def column_forms(question: QueryOverReleases, columns: Sequence[Field]) -> tuple[FractionalLinearForm | None, ...]:
    """Return the form of each output column; None for a column without a usable form.

    It has none without noise, if its form is unknown, or if its parts are not carried to the output.
    """
    forms, non_negative = forms_by_field(question), non_negative_fields(question)
    carried = set(question.outer.fields)
    return tuple(usable_form(form_of(column.expression, forms), carried, non_negative) for column in columns)


def forms_by_field(question: QueryOverReleases) -> dict[Field, FractionalLinearForm]:
    """Return the form of each field that the outer query starts from: outputs, keys and public columns."""
    output_forms = {
        output.field: _output_form(output.formula, release.raw_fields)
        for release in question.releases
        for output in release.outputs
        if not isinstance(output.formula, QuantileOf | MomentsOf)
    }
    summed = {each.field: _released_sum_form(each) for each in question.released_sums}
    gathered = {each.field: _union_column_form(each) for each in question.union_columns}
    noise_free = {
        field: FractionalLinearForm(Ref(field), LinearCombination(ZERO, ())) for field in _noise_free_fields(question)
    }
    return noise_free | output_forms | summed | gathered


def _union_column_form(column: NoisyUnionColumn) -> FractionalLinearForm:
    """Return the form of a UNION ALL column over its carried fields, whose weights are already applied."""
    offset, constant, denominator_constant = (
        ZERO if f is None else Ref(f) for f in (column.offset, column.constant, column.denominator_constant)
    )
    numerator = LinearCombination(constant, tuple((term.weighted_value, ONE) for term in column.terms))
    if column.denominator_terms is None:
        return FractionalLinearForm(offset, numerator)
    return FractionalLinearForm(
        offset,
        numerator,
        LinearCombination(denominator_constant, tuple((term.weighted_value, ONE) for term in column.denominator_terms)),
    )


def _released_sum_form(released_sum: ReleasedSum) -> FractionalLinearForm:
    """Return the form of a sum over released rows: its exact part, and each noisy total with weight 1."""
    constant = ZERO if released_sum.exact_part is None else Ref(released_sum.exact_part)
    return FractionalLinearForm(
        constant, LinearCombination(ZERO, tuple((total, ONE) for total, _, _ in released_sum.noise_terms))
    )


def all_variances(question: QueryOverReleases, variances: Mapping[str, float]) -> Variances:
    """Add the variances of noise terms over released rows: the sum of squared weights times the variance per row.

    `variances` are by id of the raw number. A result is an expression where the weights vary by row.
    """
    found: dict[str, float | Expr] = dict(variances)
    for released_sum in question.released_sums:
        found |= {
            total.id: _scale_variance(squares, variances[raw.id]) for total, squares, raw in released_sum.noise_terms
        }
    for term in (term for released_sum in question.union_columns for term in released_sum.all_terms):
        found[term.weighted_value.id] = _scale_variance(term.squared_weight, variances[term.raw.id])
    return found


def all_residuals(question: QueryOverReleases, residuals: Residuals) -> Residuals:
    """Add the residuals of sums over released rows, and of weighted values: those of their raw numbers."""
    found = dict(residuals)
    for released_sum in question.released_sums:
        found |= {total.id: residuals.get(raw.id, NO_RESIDUAL) for total, _, raw in released_sum.noise_terms}
    for term in (term for union in question.union_columns for term in union.all_terms):
        found[term.weighted_value.id] = residuals.get(term.raw.id, NO_RESIDUAL)
    return found


def _scale_variance(squared_weight: Expr, variance: float) -> float | Expr:
    """Multiply a variance by a squared weight; a number if the weight is constant or there is no noise."""
    if isinstance(squared_weight, Literal) or not variance:
        return variance * float(squared_weight.value or 0) if isinstance(squared_weight, Literal) else 0.0
    return times(squared_weight, Literal(variance, SqlType.DOUBLE))


def _noise_free_fields(question: QueryOverReleases) -> Iterator[Field]:
    """Yield the keys of releases and the public columns, which are free of noise.

    Other fields, such as sums of sums, have no known form.
    """
    for release in question.releases:
        yield from release.keys
    outermost = walk(question.outer, lambda each: () if isinstance(each, Public) else each.children)
    yield from (f for each in outermost if isinstance(each, Public) for f in each.fields)


def non_negative_fields(question: QueryOverReleases) -> frozenset[Field]:
    """Return the raw noisy numbers whose exact value is never negative: counts, and sums of non-negative values.

    Totals and weighted values of these, with weights that are not negative, are included. Numbers of histograms are not
    shown.
    """
    found: set[Field] = set()
    for release in question.releases:
        if release.histogram is not None:
            continue
        for raw, vector in zip(release.raw_fields, question.plans[release.plan_index].vectors, strict=True):
            counts = not vector.is_sum
            lower = vector.lower if vector.partial_bounds is None else max(vector.lower, vector.partial_bounds.lower)
            if counts or (vector.kind is VectorKind.SUM and lower >= 0):
                found.add(raw)
    sums = {
        total
        for released_sum in question.released_sums
        if released_sum.has_non_negative_weights
        for total, _, raw in released_sum.noise_terms
        if raw in found
    }
    return frozenset(
        found
        | sums
        | {
            term.weighted_value
            for released_sum in question.union_columns
            for term in released_sum.all_terms
            if term.is_non_negative
        }
    )


def _output_form(formula: CountOf | SumOf | MeanOf, raw: tuple[Field, ...]) -> FractionalLinearForm:
    """Return the form of a count, sum or mean in the raw numbers of its release: a mean is a centre and a ratio."""
    if isinstance(formula, MeanOf):
        centre = Literal(formula.centre, SqlType.DOUBLE)
        return FractionalLinearForm(
            centre,
            LinearCombination(ZERO, ((raw[formula.centred_sum], ONE),)),
            LinearCombination(ZERO, ((raw[formula.count], ONE),)),
        )
    return FractionalLinearForm(ZERO, LinearCombination(ZERO, ((raw[formula.vector], ONE),)))


def usable_form(
    form: FractionalLinearForm | None, carried: set[Field], non_negative: frozenset[Field]
) -> FractionalLinearForm | None:
    """Return the form if its fields are carried and its interval is valid; else None.

    None too for a form without noise. If numerator and denominator may share noise, the denominator may not be
    negative, and the numerator has one sign; (a - b) / b is read as a / b - 1 for that.
    """
    if form is None or not form.numerator.terms:
        return None
    if form.denominator is not None and form.numerator.shares_noise(form.denominator):
        form = _without_whole(form, form.denominator)
        signs = form.numerator, _scale(form, Literal(-1.0, SqlType.DOUBLE)).numerator
        has_one_sign = not all(numerator.may_be_negative(non_negative) for numerator in signs)
        if not has_one_sign or form.denominator is None or form.denominator.may_be_negative(non_negative):
            return None
    parts = [form.numerator] + ([form.denominator] if form.denominator is not None else [])
    read = {f for part in parts for f in fields_of(part.value_expression())} | set(fields_of(form.offset))
    return form if read <= carried else None


def _without_whole(form: FractionalLinearForm, denominator: LinearCombination) -> FractionalLinearForm:
    """Return an equal form whose numerator lacks the only number of the denominator: (a - b) / b is a / b - 1.

    The form itself where the denominator has several terms, or its number is all of the numerator.
    """
    raw, divisor = denominator.terms[0]
    weights = {term: weight for term, weight in form.numerator.terms if term != raw}
    part, whole = _number_of(dict(form.numerator.terms).get(raw, ZERO)), _number_of(divisor)
    if len(denominator.terms) != 1 or denominator.constant != ZERO or not weights or part is None or not whole:
        return form
    offset = plus(form.offset, Literal(part / whole, SqlType.DOUBLE)) if part else form.offset
    return FractionalLinearForm(
        offset, LinearCombination(form.numerator.constant, tuple(weights.items())), form.denominator
    )


def form_of(expr: Expr, known_forms: Mapping[Field, FractionalLinearForm]) -> FractionalLinearForm | None:
    """Derive the form of an expression from the forms of its fields; None if it is not fractional linear.

    An expression over noise-free fields alone is an offset, of any function. Casts and roundings keep the form of their
    argument, and so does COALESCE with constants, but of ratios.
    """
    if isinstance(expr, Ref):
        return known_forms.get(expr.field)
    if all(f in known_forms and _is_constant(known_forms[f]) for f in fields_of(expr)):
        if expr.type in (SqlType.BIGINT, SqlType.DOUBLE):
            return FractionalLinearForm(expr, LinearCombination(ZERO, ()))
        return None
    if not isinstance(expr, Call):
        return None
    effect = OVERLOADS[expr.function].effect
    if effect in _NOISE_PRESERVING and all(isinstance(part, Literal) for part in expr.arguments[1:]):
        form = form_of(expr.arguments[0], known_forms)
        # a number that is NULL has no interval; but an answer leaves out ratios without one, also those that are filled
        is_left_out = effect is Effect.KEEPS_OR_FILLS and form is not None and form.denominator is not None
        return None if is_left_out else form
    parts = [form_of(argument, known_forms) for argument in expr.arguments]
    if any(part is None for part in parts):
        return None
    forms = [part for part in parts if part is not None]
    if effect is Effect.NEGATES:
        return _scale(forms[0], Literal(-1.0, SqlType.DOUBLE))
    return _BINARY_RULES[expr.name](*forms) if expr.name in _BINARY_RULES else None


def _is_constant(form: FractionalLinearForm) -> bool:
    """Return whether a form is free of noise."""
    return not form.numerator.terms


def _scale(form: FractionalLinearForm, by: Expr) -> FractionalLinearForm:
    """Multiply a form by a factor free of noise: the offset and the numerator, and not the denominator."""
    terms = tuple((raw, times(by, coefficient)) for raw, coefficient in form.numerator.terms)
    return FractionalLinearForm(
        times(by, form.offset), LinearCombination(times(by, form.numerator.constant), terms), form.denominator
    )


def _sum(one: FractionalLinearForm, other: FractionalLinearForm) -> FractionalLinearForm | None:
    """Add two forms; None if both have noise and one is a ratio, as two denominators would be needed."""
    if _is_constant(other):
        return FractionalLinearForm(plus(one.offset, other.offset), one.numerator, one.denominator)
    if _is_constant(one):
        return _sum(other, one)
    if one.denominator is not None or other.denominator is not None:
        return None
    terms = dict(one.numerator.terms)
    for raw, coefficient in other.numerator.terms:
        terms[raw] = plus(terms.get(raw, ZERO), coefficient)
    constant = plus(one.numerator.constant, other.numerator.constant)
    return FractionalLinearForm(plus(one.offset, other.offset), LinearCombination(constant, tuple(terms.items())))


def _difference(one: FractionalLinearForm, other: FractionalLinearForm) -> FractionalLinearForm | None:
    """Subtract one form from another."""
    return _sum(one, _scale(other, Literal(-1.0, SqlType.DOUBLE)))


def _product(one: FractionalLinearForm, other: FractionalLinearForm) -> FractionalLinearForm | None:
    """Multiply two forms; None if both have noise, as the product is not linear."""
    if _is_constant(other):
        return _scale(one, other.offset)
    return _scale(other, one.offset) if _is_constant(one) else None


def _quotient(one: FractionalLinearForm, other: FractionalLinearForm) -> FractionalLinearForm | None:
    """Divide two forms; None if the divisor has noise and one of them is a ratio already."""
    if _is_constant(other):
        return _scale(one, double_call("/", ONE, other.offset))
    if one.denominator is not None or other.denominator is not None:
        return None
    return FractionalLinearForm(ZERO, one.as_linear(), other.as_linear())


_BINARY_RULES = {"+": _sum, "-": _difference, "*": _product, "/": _quotient}


def are_noisy(question: QueryOverReleases, columns: Sequence[Field]) -> tuple[bool, ...]:
    """Return, for each output column, whether it depends on released numbers, not only on keys and public columns.

    Definitions are followed through GROUP BY keys, and through both sides of set operations.
    """
    keys = {key for release in question.releases for key in release.keys}
    operators = [each.operator for each in walk(question.outer)]
    sets = (each for each in operators if isinstance(each, SetOperation))
    sides = {output: (left, right) for each in sets for left, right, output in each.columns}
    groups = (each for each in operators if isinstance(each, Group))
    grouped = {key: key for each in groups for key in each.keys}  # keys as they are below the GROUP BY

    def is_noisy(field: Field) -> bool:
        """Return whether a field depends on noise: it reads a field that is neither a release key nor public."""
        read = (
            f for f in _fields_read(grouped.get(field, field).expression) if f not in keys and f.public_values is None
        )
        return any(depends_on_noise(f, field) for f in read)

    def depends_on_noise(read: Field, field: Field) -> bool:
        """Return whether a field that another one reads depends on noise.

        A set operation has noise if a side has; a grouping key if the key below the GROUP BY has. All others are
        released.
        """
        if read in sides:
            return any(map(is_noisy, sides[read]))
        return read == field or read not in grouped or is_noisy(read)

    return tuple(bool(question.releases) and is_noisy(column) for column in columns)


def _fields_read(expr: Expr) -> list[Field]:
    """List the fields that an expression reads, except inside interval functions."""
    if isinstance(expr, Ref):
        return [expr.field]
    return [] if is_interval_end(expr) else [field for part in expr.children for field in _fields_read(part)]
