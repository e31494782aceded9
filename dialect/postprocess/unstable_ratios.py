"""Unstable ratios: a ratio is NULL if its noisy denominator may be 0 within its noise.

It is NULL where it is computed, so that ORDER BY, HAVING, COALESCE and aggregates see the same value as the analyst.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dialect.algebra.expressions import NULL, Call, Case, Expr, Field, Literal, expand_definitions, fields_of
from dialect.algebra.relations import Public, Relation, Released, map_expressions
from dialect.algebra.traversal import map_children
from dialect.catalog.model import SqlType
from dialect.functions.builders import comparison, double_call
from dialect.postprocess.noise_propagation import (
    FractionalLinearForm,
    Variances,
    all_variances,
    form_of,
    forms_by_field,
    non_negative_fields,
    times,
)
from dialect.postprocess.question import Question


@dataclass(frozen=True)
class _DivisionGuard:
    """Rewrite of divisions, from what is known of the numbers of one query.

    `forms` are the linear forms of fields, `variances` are by id of the raw number, `non_negative` are the raw numbers
    that are never negative, and `quantile` is of the confidence level.
    """

    forms: Mapping[Field, FractionalLinearForm]
    variances: Variances
    non_negative: frozenset[Field]
    quantile: float

    def guard(self, expr: Expr, sources: tuple[Relation, ...]) -> Expr:
        """Guard every division in an expression over the rows of one or two relations, innermost first.

        A division stays as it is if the test would read a field that these rows do not carry.
        """
        inner = map_children(expr, lambda part: self.guard(part, sources))
        if not (isinstance(expr, Call) and isinstance(inner, Call) and expr.name == "/"):
            return inner
        top, bottom = inner.arguments
        is_nonzero = self._nonzero_test(expand_definitions(expr.arguments[1]))
        if is_nonzero is None or not set(fields_of(is_nonzero)) <= {f for source in sources for f in source.fields}:
            return inner
        return replace(inner, arguments=(top, Case(((is_nonzero, bottom),), NULL, bottom.type)))

    def _nonzero_test(self, denominator: Expr) -> Expr | None:
        """Build the test that a denominator is clear of 0; None if it is free of noise or of unknown form.

        None too if it is a ratio itself: its own denominator is guarded instead.
        """
        form = form_of(denominator, self.forms)
        if form is None or form.denominator is not None or not form.numerator.terms:
            return None
        noisy = form.as_linear()
        size, variance = noisy.value_expression(), noisy.variance(self.variances)
        if noisy.may_be_negative(self.non_negative):
            size = double_call("abs", size)
        reach = times(Literal(self.quantile, SqlType.DOUBLE), double_call("sqrt", variance))
        return comparison(">", size, reach)


def guard_ratios(question: Question, variances: Mapping[str, float], quantile: float) -> Question:
    """Replace unstable ratios by NULL; `quantile` is of the confidence level, `variances` are by raw field id.

    Claim: a ratio is NULL exactly where its interval at the level would be unbounded: denominator <= quantile * its
    standard deviation (in magnitude where it may be negative). Post-processing of released numbers. Source: as
    engine/mechanism/proofs.md#ratio_interval.
    """
    if not any(variances.values()):
        return question
    guard = _DivisionGuard(
        forms_by_field(question), all_variances(question, variances), non_negative_fields(question), quantile
    )
    outer = map_expressions(question.outer, guard.guard)
    assert isinstance(outer, Released | Public)  # noqa: S101  guarding keeps the kind
    return replace(question, outer=outer)
