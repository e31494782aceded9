"""Intervals of columns: the functions that return their ends, and the natural limits that they are projected onto.

DP_INTERVAL_LOW and DP_INTERVAL_HIGH are expanded to expressions over released numbers. They equal the interval ends
shown with the answer: the same operations in the same order, in SQL (`proofs.md#interval-ends`). The interval of a
ratio is Fieller's, written once for arrays and SQL expressions.

Terms: a form is offset + numerator / denominator, both linear in raw noisy numbers. A carried field is a hidden field
of a relation. The denominator of a ratio is clear of 0 if it exceeds z standard deviations of its noise.

Natural limits are the range in which the exact number of a column lies for every content of the tables. A count is not
negative, a share lies in [0, 1], an average within its column's declared bounds, a deviation is at most half of their
width, the number of different values is at most that of a complete declared list, or of the dates that conditions and
a declared range leave, and a group with private keys has a row.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from dialect.algebra.expressions import NULL, Call, Case, Expr, Field, Literal, Ref, expand_definitions, fields_of
from dialect.algebra.formulas import CountOf, MeanOf, MomentsOf, SumOf
from dialect.algebra.relations import Public, Relation, Released, map_expressions
from dialect.algebra.release_plan import PrivatePlan, QueryVector, VectorKind
from dialect.algebra.traversal import map_children, walk
from dialect.analysis.predicates import narrowed_range
from dialect.analysis.value_counts import count_values
from dialect.analysis.work_bounds import expressions_below
from dialect.catalog.model import SqlType, ValueList
from dialect.diagnostics.kinds import Kind
from dialect.errors import Span
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.registry import OVERLOADS, comparison, double_call, is_null, to_bigint, to_double
from dialect.functions.scalar.numbers import HIGH, LOW, is_interval_end
from dialect.functions.signatures import Effect
from dialect.postprocess.display_rounding import RoundingDistance, output_rounding, rounding_distance
from dialect.postprocess.noise_propagation import (
    FractionalLinearForm,
    LinearCombination,
    Residuals,
    Variances,
    all_residuals,
    all_variances,
    form_of,
    plus,
    usable_form,
)
from dialect.postprocess.question import Question

Number = TypeVar("Number")


class Arithmetic(Protocol[Number]):
    """Operations + - * / abs sqrt greatest by name, over arrays or expressions."""

    def __call__(self, name: str, /, *arguments: Number) -> Number:
        """Compute one operation."""


def ratio_ends(
    compute: Arithmetic[Number],
    ratio_terms: tuple[Number, Number],
    variances: tuple[Number, Number],
    covariance: Number,
    z: Number,
    constants: tuple[Number, Number, Number],
) -> tuple[Number, Number]:
    """Return the lower and the upper end of numerator / denominator.

    Claim: they enclose the exact ratio as often as the normal law is within +- z, where the denominator is clear of 0.
    Symbols: `ratio_terms` = numerator and denominator; `variances`, `covariance` of their noise; `constants` = 0, 1, 2.
    Formula: all r with (num - r den)^2 <= z^2 (var_num - 2 r cov + r^2 var_den).
    Source: Fieller, J. R. Stat. Soc. B 16 (1954) 175-185.
    Proof: `engine/mechanism/proofs.md#ratio_interval`.

    Variables: `shrink` = 1 - g with g = z^2 var_den / den^2; `spread` = the variance under the root; `reach` = half the
    distance of both ends.
    """
    (top, bottom), (v_top, v_bottom), (zero, one, two) = ratio_terms, variances, constants
    ratio, step = compute("/", top, bottom), compute("/", z, bottom)
    square = compute("*", step, step)
    shrink = compute("-", one, compute("*", square, v_bottom))
    spread = compute("-", v_top, compute("*", compute("*", two, ratio), covariance))
    spread = compute("+", spread, compute("*", compute("*", ratio, ratio), v_bottom))
    less = compute("-", compute("*", v_top, v_bottom), compute("*", covariance, covariance))
    # non-negative up to rounding: the ratio itself always solves the inequality
    spread = compute("greatest", compute("-", spread, compute("*", square, less)), zero)
    middle = compute("/", compute("-", ratio, compute("*", square, covariance)), shrink)
    reach = compute("/", compute("*", compute("/", z, compute("abs", bottom)), compute("sqrt", spread)), shrink)
    return compute("-", middle, reach), compute("+", middle, reach)


@dataclass(frozen=True)
class IntervalParameters:
    """Parameters of interval half-widths at a query's confidence level, by ids of raw noisy numbers."""

    variances: Mapping[str, float]  # in squared units of the number
    residual_factor: float  # by which deviations that correction leaves are widened, as those of the noise are
    quantile: float  # two-sided normal quantile of the confidence level
    min_noise_scale: float  # smallest noise scale, in grains; 0: no noise
    single_number_widths: Mapping[str, tuple[float, float]]  # (scale, half-width) of each raw number alone, in grains
    fractional: Collection[str]  # numbers with fractional grains


@dataclass(frozen=True)
class _IntervalSources:
    """What is known of a query's numbers: forms, rounding, and interval ends computed by the releases."""

    forms: Mapping[Field, FractionalLinearForm]
    rounded: Mapping[Field, RoundingDistance | None]
    released_ends: Mapping[Field, tuple[Field, Field]]  # numbers whose interval ends are computed by the release
    non_negative: frozenset[Field]

    def has_interval(self, argument: Expr, relations: tuple[Relation, ...]) -> bool:
        """Return whether a number has an interval over the rows of these relations.

        Its interval ends, or all fields of its form, must be fields of these rows.
        """
        carried = {f for source in relations for f in source.fields}
        ends = self.released_ends.get(argument.field) if isinstance(argument, Ref) else None
        if ends is not None:
            return set(ends) <= carried
        return usable_form(form_of(expand_definitions(argument), self.forms), carried, self.non_negative) is not None


def _interval_sources(question: Question) -> _IntervalSources:
    """Collect what is known of all numbers of a query: forms, rounding, released interval ends, signs."""
    released_ends = {
        o.field: o.interval_fields
        for release in question.releases
        for o in release.outputs
        if o.interval_fields is not None
    }
    return _IntervalSources(question.forms, output_rounding(question), released_ends, question.non_negative)


def uses_interval_functions(question: Question) -> bool:
    """Return whether the SQL text contains the name of an interval function."""
    return any(name in question.sql.lower() for name in (LOW, HIGH))


def check_interval_functions(question: Question) -> None:
    """Refuse interval functions of numbers without an interval; raises Refusal with E_AGG."""
    if not uses_interval_functions(question):
        return
    interval_sources = _interval_sources(question)

    def check_expression(expr: Expr, relations: tuple[Relation, ...]) -> Expr:
        """Refuse an expression with an interval of a number without one; else return it unchanged."""
        for call in _interval_calls(expr):
            if not interval_sources.has_interval(call.arguments[0], relations):
                raise Kind.NO_KNOWN_INTERVAL.at(_name_span(call))
        return expr

    map_expressions(question.outer, check_expression)
    _refuse_in_public_rows(question.outer)


def _refuse_in_public_rows(relation: Relation) -> None:
    """Refuse interval functions over public rows, which have no noise; raises Refusal."""
    for public in (each for each in walk(relation) if isinstance(each, Public)):
        _refuse(public, Kind.PUBLIC_ROWS_WITHOUT_INTERVAL)


def refuse_interval_functions(rows: Relation) -> None:
    """Refuse interval functions below a release point; raises Refusal with E_AGG."""
    _refuse(rows, Kind.ROWS_WITHOUT_INTERVAL)


def _refuse(relation: Relation, kind: Kind) -> None:
    """Refuse the first interval function in a relation or below it; raises Refusal with E_AGG if there is one."""
    for call in (call for expr in expressions_below(relation) for call in _interval_calls(expr)):
        raise kind.at(_name_span(call))


def _interval_calls(expr: Expr) -> Iterator[Call]:
    """Yield the interval functions in an expression."""
    return (part for part in walk(expr) if isinstance(part, Call) and is_interval_end(part))


def _name_span(call: Call) -> Span | None:
    """Return the span of a call's name in the SQL text."""
    return None if call.span is None else Span(call.span.start, call.span.start + len(call.name))


def expand_interval_functions(question: Question, parameters: IntervalParameters, residuals: Residuals) -> Question:
    """Expand every interval function; `residuals` = the errors that correcting clipped numbers leaves.

    Claim: each equals the end shown with the answer for the same number, at no privacy cost: post-processing of
    released numbers and public scales. Symbols: as in engine/mechanism/proofs.md#half_widths, #integer_half_widths and
    #ratio_interval. Formula: value -+ half-width; for a ratio Fieller's. Source and proof: proofs.md#interval-ends.
    Raises: nothing.
    """
    if not uses_interval_functions(question):
        return question
    interval_sources, variances = _interval_sources(question), all_variances(question, parameters.variances)
    left = {raw: each.widened(parameters.residual_factor) for raw, each in all_residuals(question, residuals).items()}

    def expand_expression(expr: Expr, relations: tuple[Relation, ...]) -> Expr:
        """Expand the interval functions of an expression, innermost first.

        The form is derived from the argument before expansion, and the value from the argument after it.
        """
        inner = map_children(expr, lambda part: expand_expression(part, relations))
        if not (isinstance(expr, Call) and is_interval_end(expr) and isinstance(inner, Call)):
            return inner
        return _IntervalExpansion(
            interval_sources, parameters, variances, left, inner.arguments[0], expr.name == HIGH
        ).end_expression(expand_definitions(expr.arguments[0]))

    outer = map_expressions(question.outer, expand_expression)
    assert isinstance(outer, Released | Public)  # noqa: S101  rewriting keeps the kind
    return replace(question, outer=outer)


@dataclass(frozen=True)
class _IntervalExpansion:
    """Expansion of one interval function to an expression.

    `shown` is its argument, a released number; `is_upper` chooses the end.
    """

    sources: _IntervalSources
    parameters: IntervalParameters
    variances: Variances
    residuals: Residuals
    shown: Expr
    is_upper: bool

    def end_expression(self, expanded: Expr) -> Expr:
        """Build the interval end of a number; NULL where the number is.

        `expanded` is the argument over released numbers. Variances and the like have ends from the release itself;
        other numbers have those of their form.
        """
        released_ends = self.sources.released_ends.get(self.shown.field) if isinstance(self.shown, Ref) else None
        is_integer = self.shown.type is SqlType.BIGINT
        if released_ends is not None:
            found: Expr = Ref(released_ends[self.is_upper])
        else:
            form = form_of(expanded, self.sources.forms)
            assert form is not None  # noqa: S101  check_interval_functions refuses others
            found = (
                self._ratio_end(form, is_integer)
                if form.denominator is not None
                else self._linear_end(form, expanded, is_integer)
            )
        if is_integer:
            found = to_bigint(found)
        return Case(((is_null(self.shown), NULL),), found, self.shown.type)

    def _offset(self, middle: Expr, reach: Expr) -> Expr:
        """Add the half-width for the upper end, subtract it for the lower one."""
        return double_call("+" if self.is_upper else "-", middle, reach)

    def _linear_end(self, form: FractionalLinearForm, expanded: Expr, is_integer: bool) -> Expr:
        """Build the end of a number without denominator: value -+ half-width.

        A whole number is shown rounded. Its interval is centred on the shown number, and widened by the distance from
        the unrounded value: an upper bound on it, or the distance itself if no bound is known. Both ends are rounded
        outwards. A corrected number is at least what clipped contributions surely were.
        """
        residual = form.numerator.residual_variance(self.residuals)
        value = double_call("+", form.offset, form.numerator.value_expression())
        reach = self._half_width(form, residual)
        share = form.retained_share(self.residuals, self.sources.non_negative)
        if share == 1 or self.is_upper:
            return self._plain_end(value, reach, expanded, is_integer)
        surely = double_call("-", form.numerator.value_expression(), self._half_width(form, _ZERO))
        least = double_call("least", double_call("+", form.offset, double_call("*", _number(share), surely)), value)
        if is_integer:  # the exact number is rounded as the shown one is
            max_rounding = rounding_distance(expanded, self.sources.rounded)
            most = 0.0 if max_rounding is None else max_rounding.bound(self.parameters.fractional)
            least = double_call("floor", double_call("-", least, _number(most)))
        return double_call("greatest", self._plain_end(value, reach, expanded, is_integer), least)

    def _plain_end(self, value: Expr, reach: Expr, expanded: Expr, is_integer: bool) -> Expr:
        """Build the end of a number, value -+ half-width, by its rounding."""
        if not is_integer:
            return self._offset(value, reach)
        lower, upper = double_call("-", value, reach), double_call("+", value, reach)
        shown, half = to_double(self.shown), double_call("/", double_call("-", upper, lower), _TWO)
        max_rounding = rounding_distance(expanded, self.sources.rounded)
        middle = double_call("/", double_call("+", lower, upper), _TWO)
        distance = (
            double_call("abs", double_call("-", middle, shown))
            if max_rounding is None
            else _number(max_rounding.bound(self.parameters.fractional))
        )
        return self._offset(shown, double_call("ceil", double_call("+", half, distance)))

    def _half_width(self, form: FractionalLinearForm, residual: Expr) -> Expr:
        """Build the half-width of a linear form, with a residual variance.

        Without noise it is the standard deviation, 0. A single raw number has an exact width for its discrete noise,
        scaled by its weight. Sums use the normal quantile, and half a grain for discreteness: no grain exceeds the
        standard deviation divided by the smallest noise scale.
        """
        own = double_call("sqrt", plus(form.numerator.variance(self.variances), residual))
        if self.parameters.min_noise_scale == 0:
            return own
        if form.single_raw_id in self.parameters.single_number_widths:
            assert form.single_raw_id is not None  # noqa: S101  a key
            sigma, half = self.parameters.single_number_widths[form.single_raw_id]
            return double_call("*", double_call("/", own, _number(sigma)), _number(half))
        step = double_call("/", double_call("/", own, _number(self.parameters.min_noise_scale)), _TWO)
        return double_call("+", double_call("*", _number(self.parameters.quantile), own), step)

    def _ratio_end(self, form: FractionalLinearForm, is_integer: bool) -> Expr:
        """Build the end of a ratio by Fieller's formula, rounded outwards; NULL if the denominator may be 0."""
        top, bottom = form.numerator, form.denominator
        assert bottom is not None  # noqa: S101  the caller checks
        variances, z = self.variances, _number(self.parameters.quantile)
        residuals = top.residual_variance(self.residuals, bottom), bottom.residual_variance(self.residuals)
        is_signed = bottom.may_be_negative(self.sources.non_negative)
        clear, ends = _fieller_ends(top, bottom, variances, residuals, z, is_signed)
        found = double_call("+", form.offset, ends[self.is_upper])
        outward = double_call("ceil" if self.is_upper else "floor", found) if is_integer else found
        return Case(((clear, outward),), NULL, SqlType.DOUBLE)


def _fieller_ends(
    top: LinearCombination,
    bottom: LinearCombination,
    variances: Variances,
    residuals: tuple[Expr, Expr],
    z: Expr,
    is_signed: bool,
) -> tuple[Expr, tuple[Expr, Expr]]:
    """Build the test that a ratio's denominator is clear of 0, and both ends of its interval: (test, (lower, upper)).

    `residuals` = residual variances of numerator and denominator. `is_signed`: the denominator may be negative, so its
    magnitude is tested.
    """
    v_bottom, below = plus(bottom.variance(variances), residuals[1]), bottom.value_expression()
    clear = comparison(
        ">", double_call("abs", below) if is_signed else below, double_call("*", z, double_call("sqrt", v_bottom))
    )
    spread, shared = (plus(top.variance(variances), residuals[0]), v_bottom), top.covariance(bottom, variances)
    return clear, ratio_ends(double_call, (top.value_expression(), below), spread, shared, z, (_ZERO, _ONE, _TWO))


def _number(value: float) -> Literal:
    """Return a DOUBLE constant."""
    return Literal(float(value), SqlType.DOUBLE)


_ZERO, _ONE, _TWO = _number(0.0), _number(1.0), _number(2.0)


Limits = tuple[float, float]
UNLIMITED: Limits = (-math.inf, math.inf)
_TIMES = (SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)
_KEEPING = (Effect.KEEPS, Effect.KEEPS_OR_NULL)
_ROWS_OF_A_UNIT = (VectorKind.PERSONS, VectorKind.ROWS)


def column_limits(question: Question) -> tuple[Limits, ...]:
    """Find the natural limits of every output column, in order; infinite where there are none.

    Claim: the exact number lies within them. Proof: proofs.md#natural-limits. Raises: nothing.
    """
    return question.properties.once(column_limits, question, lambda: _find_limits(question))


def _find_limits(question: Question) -> tuple[Limits, ...]:
    """Find the natural limits of every output column, from those of the released numbers that it is computed from."""
    released = _released_limits(question)
    return tuple(
        _intersect(
            _expression_limits(shown.field.expression, released),
            UNLIMITED if shown.form is None else _form_limits(shown.form, question),
        )
        for shown in question.columns
    )


def averaged_columns(question: Question) -> frozenset[str]:
    """Return the names of the columns that are computed from averages and moments alone, which nobody adds up."""
    outputs = {output.field: output.formula for release in question.releases for output in release.outputs}
    averages = {field for field, formula in outputs.items() if isinstance(formula, MeanOf | MomentsOf)}
    found = set()
    for shown in question.columns:
        released = outputs.keys() & fields_of(shown.field.expression)
        if released and released <= averages:
            found.add(shown.name)
    return frozenset(found)


def _intersect(one: Limits, other: Limits) -> Limits:
    """Intersect two ranges that both hold the exact number."""
    return max(one[0], other[0]), min(one[1], other[1])


def _released_limits(question: Question) -> dict[Field, Limits]:
    """Limits of released counts, sums, means and second moments."""
    limits = {}
    for release in question.releases:
        plan = question.plans[release.plan_index]
        for output in release.outputs:
            formula = output.formula
            if isinstance(formula, CountOf):
                limits[output.field] = _count_limits(plan.vectors[formula.vector], plan)
            elif isinstance(formula, SumOf) and release.raw_fields[formula.vector] in question.non_negative:
                limits[output.field] = (0.0, math.inf)
            elif isinstance(formula, MeanOf) and (value := plan.vectors[formula.centred_sum].value) is not None:
                declared = narrowed_range(Ref(value), plan.source.predicates)
                limits[output.field] = (declared.lower, declared.upper)
            elif isinstance(formula, MomentsOf):
                limits[output.field] = _moment_limits(formula, plan)
    return limits


def _moment_limits(formula: MomentsOf, plan: PrivatePlan) -> Limits:
    """Limits of a variance, deviation, covariance or correlation, by the ranges of its columns."""
    values = [value for i in formula.sums if (value := plan.vectors[i].value) is not None]
    ranges = [narrowed_range(Ref(value), plan.source.predicates) for value in values]
    found = AGGREGATES[formula.function].range_rule(ranges, 1)
    return UNLIMITED if found is None else (found.lower, found.upper)


def _count_limits(vector: QueryVector, plan: PrivatePlan) -> Limits:
    """Limits of a count: private keys are those of at least one row, and a complete list bounds different values."""
    exists = plan.key_set is None and plan.others is None
    has_row = exists and vector.kind in _ROWS_OF_A_UNIT and vector.condition is None
    most, value = math.inf, vector.value
    if vector.kind is VectorKind.DISTINCT and value is not None and not vector.other_values:
        if value.type is SqlType.BOOLEAN:
            most = 2.0
        elif isinstance(value.domain, ValueList) and value.domain_is_complete:
            most = float(len(value.domain.values))
        elif (dates := _count_dates(value, plan)) is not None:
            most = float(dates)
    return float(has_row), most


def _count_dates(value: Field, plan: PrivatePlan) -> int | None:
    """Bound the different values of an expression of stored times alone, by their declared dates; None for others.

    Stored times may lie outside a list that is not complete.
    """
    read = fields_of(value.expression)
    is_timed = bool(read) and all(field.type in _TIMES and not field.is_constant_per_person for field in read)
    is_ranged = all(field.domain_is_complete or not isinstance(field.domain, ValueList) for field in read)
    return count_values(value.expression, plan.source.predicates) if is_timed and is_ranged else None


def _expression_limits(expr: Expr, released: Mapping[Field, Limits]) -> Limits:
    """Limits of an expression over released numbers, by interval arithmetic."""
    if isinstance(expr, Ref):
        return released.get(expr.field, UNLIMITED)
    if isinstance(expr, Literal):
        is_number = isinstance(expr.value, int | float) and not isinstance(expr.value, bool)
        return (float(expr.value), float(expr.value)) if is_number and expr.value is not None else UNLIMITED
    if not isinstance(expr, Call) or not expr.arguments:
        return UNLIMITED
    name, effect = expr.name, OVERLOADS[expr.function].effect
    parts = [_expression_limits(part, released) for part in expr.arguments]
    if effect in _KEEPING:
        return parts[0]
    if effect is Effect.ROUNDS:
        return _rounded_outward(parts[0], expr)
    if effect is Effect.NEGATES:
        return -parts[0][1], -parts[0][0]
    if name == "+":
        return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]
    if name == "-":
        return parts[0][0] - parts[1][1], parts[0][1] - parts[1][0]
    return _scaled(name, parts) if name in ("*", "/") else UNLIMITED


def _rounded_outward(limits: Limits, call: Call) -> Limits:
    """Round limits to the step of a rounding function, away from each other; unlimited for a variable step."""
    digits = call.arguments[-1] if len(call.arguments) > 1 else Literal(0, SqlType.BIGINT)
    if not isinstance(digits, Literal) or not isinstance(digits.value, int) or not -300 <= digits.value <= 15:
        return UNLIMITED
    step = 10.0**-digits.value
    lower, upper = limits
    return (
        math.floor(lower / step) * step if math.isfinite(lower) else lower,
        math.ceil(upper / step) * step if math.isfinite(upper) else upper,
    )


def _scaled(name: str, parts: list[Limits]) -> Limits:
    """Limits of a product with a constant, or a quotient by one; unlimited for others, and for a factor of 0."""
    (one, other) = parts
    if name == "*" and one[0] == one[1]:
        one, other = other, one
    factor = other[0]
    if other[1] != factor or not factor or not math.isfinite(factor):
        return UNLIMITED
    ends = sorted(end * factor if name == "*" else end / factor for end in one)
    return ends[0], ends[1]


def _form_limits(form: FractionalLinearForm, question: Question) -> Limits:
    """Limits of a linear form: not negative if no part is; a share of the same rows is at most its factor."""
    non_negative = question.non_negative
    if form.denominator is None:
        return UNLIMITED if form.as_linear().may_be_negative(non_negative) else (0.0, math.inf)
    is_signed = form.numerator.may_be_negative(non_negative) or form.denominator.may_be_negative(non_negative)
    if is_signed or not isinstance(form.offset, Literal) or form.offset.value:
        return UNLIMITED
    return 0.0, _largest_share(form, question)


def _largest_share(form: FractionalLinearForm, question: Question) -> float:
    """Largest ratio of a count to a count of the same or more rows; infinite for other ratios."""
    top, bottom = form.numerator, form.denominator
    if bottom is None or len(top.terms) != 1 or len(bottom.terms) != 1:
        return math.inf
    (part, weight), (whole, divisor) = top.terms[0], bottom.terms[0]
    weights = [each.value for each in (weight, divisor, top.constant) if isinstance(each, Literal)]
    numbers = [float(each) for each in weights if isinstance(each, int | float)]
    if len(numbers) < 3 or numbers[2] or numbers[1] <= 0:
        return math.inf
    for release in question.releases:
        if part in release.raw_fields and whole in release.raw_fields:
            vectors = question.plans[release.plan_index].vectors
            pair = vectors[release.raw_fields.index(part)], vectors[release.raw_fields.index(whole)]
            return numbers[0] / numbers[1] if _counts_part_of(*pair) else math.inf
    return math.inf


def _counts_part_of(part: QueryVector, whole: QueryVector) -> bool:
    """Return whether one count is at most another: of some of the same rows, or of their persons or values."""
    if part.is_sum or whole.is_sum or whole.condition not in (None, part.condition):
        return False
    if part.kind is whole.kind:
        return part.value == whole.value and part.other_values == whole.other_values
    return whole.kind is VectorKind.ROWS
