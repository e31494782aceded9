"""Question -> the same question with every ratio NULL whose noisy denominator may be 0 within its noise.

It is NULL where it arises, so that ORDER BY, HAVING, COALESCE and aggregates see what the analyst sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dialect.catalog import SqlType
from dialect.expressions import NULL, Call, Case, Expr, Field, Literal, expand, fields_of, rebuild
from dialect.functions import forms_of
from dialect.private_plan import Question
from dialect.relations import (
    Distinct,
    Filter,
    Group,
    Join,
    Operator,
    Project,
    Public,
    Relation,
    Released,
    SemiJoin,
    Sort,
)
from dialect.set_operation import SetOperation
from dialect.uncertainty import Form, form_of, forms_by_field, never_negative, times


@dataclass(frozen=True)
class _Guard:
    known: Mapping[Field, Form]
    variances: Mapping[str, float]
    positive: frozenset[Field]
    quantile: float

    def relation(self, relation: Relation) -> Relation:
        """Guard every expression of a released relation; public ones hold no noise."""
        if isinstance(relation, Public):
            return relation
        change = _CHANGES.get(type(relation.operator))
        return relation if change is None else replace(relation, operator=change(self, relation.operator))

    def expr(self, expr: Expr, *sources: Relation) -> Expr:
        """Guard the divisions of an expression over rows of one relation, or of two, the innermost first."""
        inner = rebuild(expr, lambda part: self.expr(part, *sources))
        if not (isinstance(expr, Call) and isinstance(inner, Call) and expr.name == "/"):
            return inner
        top, bottom = inner.arguments
        clear = self._clear(expand(expr.arguments[1]))
        if clear is None or not set(fields_of(clear)) <= {f for source in sources for f in source.fields}:
            return inner
        return replace(inner, arguments=(top, Case(((clear, bottom),), NULL, bottom.type)))

    def _clear(self, denominator: Expr) -> Expr | None:
        """Write the test that a denominator is clear of 0; None where no noise is known to be in it."""
        form = form_of(denominator, self.known)
        if form is None or form.denominator is not None or not form.numerator.terms:
            return None
        noisy = form.whole()
        size, variance = noisy.value(), noisy.covariance(noisy, self.variances)
        if noisy.may_be_negative(self.positive):
            size = Call(_ABS, (size,), SqlType.DOUBLE)
        reach = times(Literal(self.quantile, SqlType.DOUBLE), Call(_ROOT, (variance,), SqlType.DOUBLE))
        return Call(_ABOVE, (size, reach), SqlType.BOOLEAN)


_ABS = next(form.row for form in forms_of("abs") if form.result is SqlType.DOUBLE)
_ROOT = forms_of("sqrt")[0].row
_ABOVE = next(form.row for form in forms_of(">") if form.arguments == ("num", "num"))


def guarded(question: Question, variances: Mapping[str, float], quantile: float) -> Question:
    """Make weak ratios NULL; `quantile` is that of the intervals' level, `variances` are by raw field id.

    Claim: a ratio is NULL exactly where its interval at the level would be unbounded: denominator <= quantile * its
    standard deviation (in magnitude where it may be negative). Post-processing of released numbers. Source: as
    engine/proofs.md#ratio_interval.
    """
    if not any(variances.values()):
        return question
    guard = _Guard(forms_by_field(question), variances, never_negative(question), quantile)
    outer = guard.relation(question.outer)
    assert isinstance(outer, Released | Public)  # noqa: S101  guarding keeps the kind
    return replace(question, outer=outer)


def _filter(guard: _Guard, operator: Filter) -> Filter:
    return Filter(guard.relation(operator.source), guard.expr(operator.condition, operator.source))


def _project(guard: _Guard, operator: Project) -> Project:
    return Project(
        guard.relation(operator.source), tuple((f, guard.expr(e, operator.source)) for f, e in operator.computed)
    )


def _join(guard: _Guard, operator: Join | SemiJoin) -> Join | SemiJoin:
    condition = guard.expr(operator.condition, operator.left, operator.right)
    left, right = guard.relation(operator.left), guard.relation(operator.right)
    return replace(operator, left=left, right=right, condition=condition)


def _set_operation(guard: _Guard, operator: SetOperation) -> SetOperation:
    return replace(operator, left=guard.relation(operator.left), right=guard.relation(operator.right))


def _sort(guard: _Guard, operator: Sort) -> Sort:
    order = tuple(replace(key, expr=guard.expr(key.expr, operator.source)) for key in operator.order)
    return replace(operator, source=guard.relation(operator.source), order=order)


def _distinct(guard: _Guard, operator: Distinct) -> Distinct:
    return replace(operator, source=guard.relation(operator.source))


def _group(guard: _Guard, operator: Group) -> Group:
    measures = tuple(
        replace(
            m,
            arguments=tuple(guard.expr(argument, operator.source) for argument in m.arguments),
            condition=None if m.condition is None else guard.expr(m.condition, operator.source),
        )
        for m in operator.measures
    )
    return replace(operator, source=guard.relation(operator.source), measures=measures)


_CHANGES: Mapping[type, Callable[..., Operator]] = {
    Filter: _filter,
    Project: _project,
    Join: _join,
    SetOperation: _set_operation,
    SemiJoin: _join,
    Sort: _sort,
    Distinct: _distinct,
    Group: _group,
}
