"""Natural limits: the range in which the exact number of a column lies for every content of the tables.

A count is not negative, a share lies in [0, 1], an average within its column's declared bounds, a deviation is at
most half of their width, the number of different values is at most that of a complete declared list, or of the dates
that conditions and a declared range leave, and a group with private keys has a row. Shown intervals are projected onto
these limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, expand_definitions, fields_of
from dialect.algebra.formulas import CountOf, MeanOf, MomentsOf, SumOf
from dialect.algebra.release_plan import PrivatePlan, QueryVector, VectorKind
from dialect.analysis.predicates import narrowed_range
from dialect.analysis.value_counts import count_values
from dialect.catalog.model import SqlType, ValueList
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.registry import OVERLOADS
from dialect.functions.signatures import Effect
from dialect.postprocess.noise_propagation import FractionalLinearForm, non_negative_fields
from dialect.postprocess.question import Question

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
            _expression_limits(expand_definitions(Ref(shown.field)), released),
            UNLIMITED if shown.form is None else _form_limits(shown.form, question),
        )
        for shown in question.columns
    )


def _intersect(one: Limits, other: Limits) -> Limits:
    """Intersect two ranges that both hold the exact number."""
    return max(one[0], other[0]), min(one[1], other[1])


def _released_limits(question: Question) -> dict[Field, Limits]:
    """Limits of released counts, sums, means and second moments."""
    limits, non_negative = {}, non_negative_fields(question)
    for release in question.releases:
        plan = question.plans[release.plan_index]
        for output in release.outputs:
            formula = output.formula
            if isinstance(formula, CountOf):
                limits[output.field] = _count_limits(plan.vectors[formula.vector], plan)
            elif isinstance(formula, SumOf) and release.raw_fields[formula.vector] in non_negative:
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
    non_negative = non_negative_fields(question)
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
