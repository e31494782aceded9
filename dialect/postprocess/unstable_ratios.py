"""Unstable ratios: a ratio is NULL if its noisy denominator may be 0 within its noise.

It is NULL where it is computed, so that ORDER BY, HAVING, COALESCE and aggregates see the same value as the analyst.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dialect.algebra.expressions import NULL, Call, Case, Expr, Field, Literal, expand, fields_of, rebuild
from dialect.algebra.relations import Public, Relation, Released
from dialect.algebra.release_plan import Question
from dialect.algebra.traversal import changed_exprs
from dialect.catalog.model import SqlType
from dialect.functions.builders import compared, double
from dialect.postprocess.noise_propagation import (
    Form,
    Variances,
    all_variances,
    form_of,
    forms_by_field,
    never_negative,
    times,
)


@dataclass(frozen=True)
class _Guard:
    known: Mapping[Field, Form]
    variances: Variances
    positive: frozenset[Field]
    quantile: float

    def expr(self, expr: Expr, sources: tuple[Relation, ...]) -> Expr:
        """Guard every division in an expression over the rows of one or two relations, innermost first."""
        inner = rebuild(expr, lambda part: self.expr(part, sources))
        if not (isinstance(expr, Call) and isinstance(inner, Call) and expr.name == "/"):
            return inner
        top, bottom = inner.arguments
        clear = self._clear(expand(expr.arguments[1]))
        if clear is None or not set(fields_of(clear)) <= {f for source in sources for f in source.fields}:
            return inner
        return replace(inner, arguments=(top, Case(((clear, bottom),), NULL, bottom.type)))

    def _clear(self, denominator: Expr) -> Expr | None:
        """Build the test that a denominator is clear of 0; None if it is free of noise or of unknown form."""
        form = form_of(denominator, self.known)
        if form is None or form.denominator is not None or not form.numerator.terms:
            return None
        noisy = form.whole()
        size, variance = noisy.value(), noisy.variance(self.variances)
        if noisy.may_be_negative(self.positive):
            size = double("abs", size)
        reach = times(Literal(self.quantile, SqlType.DOUBLE), double("sqrt", variance))
        return compared(">", size, reach)


def guarded(question: Question, variances: Mapping[str, float], quantile: float) -> Question:
    """Replace unstable ratios by NULL; `quantile` is of the confidence level, `variances` are by raw field id.

    Claim: a ratio is NULL exactly where its interval at the level would be unbounded: denominator <= quantile * its
    standard deviation (in magnitude where it may be negative). Post-processing of released numbers. Source: as
    engine/mechanism/proofs.md#ratio_interval.
    """
    if not any(variances.values()):
        return question
    guard = _Guard(forms_by_field(question), all_variances(question, variances), never_negative(question), quantile)
    outer = changed_exprs(question.outer, guard.expr)
    assert isinstance(outer, Released | Public)  # noqa: S101  guarding keeps the kind
    return replace(question, outer=outer)
