"""Interval functions: DP_INTERVAL_LOW and DP_INTERVAL_HIGH, expanded to expressions over released numbers.

They equal the interval ends shown with the answer: the same operations in the same order, in SQL
(`proofs.md#interval-ends`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from dialect.algebra.expressions import NULL, Call, Case, Expr, Field, Literal, Ref, children, expand, rebuild
from dialect.algebra.relations import Public, Relation, Released
from dialect.algebra.release_plan import Question
from dialect.algebra.traversal import changed_exprs, sources
from dialect.analysis.sql_size import expressions_below
from dialect.catalog.model import SqlType
from dialect.errors import Code, Refusal, Span
from dialect.functions.builders import compared, double, is_null, to_bigint, to_double
from dialect.functions.scalar.noise_intervals import HIGH, LOW, OF_PEOPLE, TRY, is_interval_end
from dialect.postprocess.display_rounding import Rounding, moved, rounded_outputs
from dialect.postprocess.fieller import ratio_ends
from dialect.postprocess.noise_propagation import (
    Form,
    Linear,
    Variances,
    all_variances,
    form_of,
    forms_by_field,
    never_negative,
    usable,
)


@dataclass(frozen=True)
class Reaches:
    """Parameters of interval half-widths at a query's confidence level, by ids of raw noisy numbers."""

    variances: Mapping[str, float]  # in squared units of the number
    quantile: float  # two-sided normal quantile of the confidence level
    least: float  # smallest noise scale, in grains; 0: no noise
    alone: Mapping[str, tuple[float, float]]  # (scale, half-width) of each raw number alone, in grains
    parted: Collection[str]  # numbers with fractional grains


@dataclass(frozen=True)
class _Ends:
    """What is known of a query's numbers: forms, rounding, and interval ends computed by the releases."""

    forms: Mapping[Field, Form]
    rounded: Mapping[Field, Rounding | None]
    said: Mapping[Field, tuple[Field, Field]]  # numbers whose interval ends are computed by the release
    positive: frozenset[Field]

    def known(self, argument: Expr, looked_at: tuple[Relation, ...]) -> bool:
        """Return whether a number has an interval over the rows of these relations."""
        carried = {f for source in looked_at for f in source.fields}
        said = self.said.get(argument.field) if isinstance(argument, Ref) else None
        if said is not None:
            return set(said) <= carried
        return usable(form_of(expand(argument), self.forms), carried, self.positive) is not None


def _ends(question: Question) -> _Ends:
    said = {o.field: o.ends for release in question.releases for o in release.outputs if o.ends is not None}
    return _Ends(forms_by_field(question), rounded_outputs(question), said, never_negative(question))


def _asked(question: Question) -> bool:
    return any(name in question.sql.lower() for name in (LOW, HIGH))


def check_ends(question: Question) -> None:
    """Refuse interval functions of numbers without an interval; raises Refusal with E_AGG."""
    if not _asked(question):
        return
    known = _ends(question)

    def checked(expr: Expr, looked_at: tuple[Relation, ...]) -> Expr:
        for call in _calls(expr):
            if not known.known(call.arguments[0], looked_at):
                why = "No interval is known for this: its noise can't be followed here, or there is none in it."
                raise Refusal(Code.AGG, why, TRY, _caret(call))
        return expr

    changed_exprs(question.outer, checked)
    _refuse_public(question.outer)


def _refuse_public(relation: Relation) -> None:
    if isinstance(relation, Public):
        _refuse(relation, "Public rows have no noise, and no interval: it is of released numbers.")
    for source in sources(relation):
        _refuse_public(source)


def refuse_ends(rows: Relation) -> None:
    """Refuse interval functions below a release point; raises Refusal with E_AGG."""
    _refuse(rows, OF_PEOPLE)


def _refuse(relation: Relation, why: str) -> None:
    for call in (call for expr in expressions_below(relation) for call in _calls(expr)):
        raise Refusal(Code.AGG, why, TRY, _caret(call))


def _calls(expr: Expr) -> Iterator[Call]:
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Call) and is_interval_end(part):
            yield part
        waiting.extend(children(part))


def _caret(call: Call) -> Span | None:
    """Return the span of a call's name in the SQL text."""
    return None if call.span is None else Span(call.span.start, call.span.start + len(call.name))


def with_ends(question: Question, reaches: Reaches) -> Question:
    """Expand every interval function.

    Claim: each equals the end shown with the answer for the same number, at no privacy cost: post-processing of
    released numbers and public scales. Symbols: as in engine/mechanism/proofs.md#half_widths, #whole_half_widths and
    #ratio_interval. Formula: value -+ half-width; for a ratio Fieller's. Source and proof: proofs.md#interval-ends.
    Raises: nothing.
    """
    if not _asked(question):
        return question
    known, variances = _ends(question), all_variances(question, reaches.variances)

    def written(expr: Expr, looked_at: tuple[Relation, ...]) -> Expr:
        inner = rebuild(expr, lambda part: written(part, looked_at))
        if not (isinstance(expr, Call) and is_interval_end(expr) and isinstance(inner, Call)):
            return inner
        return _Written(known, reaches, variances, inner.arguments[0], expr.name == HIGH).end(expand(expr.arguments[0]))

    outer = changed_exprs(question.outer, written)
    assert isinstance(outer, Released | Public)  # noqa: S101  rewriting keeps the kind
    return replace(question, outer=outer)


@dataclass(frozen=True)
class _Written:
    """Expansion of one interval function."""

    known: _Ends
    reaches: Reaches
    variances: Variances
    shown: Expr
    upper: bool

    def end(self, expanded: Expr) -> Expr:
        """Build the interval end of a number; NULL where the number is."""
        said = self.known.said.get(self.shown.field) if isinstance(self.shown, Ref) else None
        whole = self.shown.type is SqlType.BIGINT
        if said is not None:
            found: Expr = Ref(said[self.upper])
        else:
            form = form_of(expanded, self.known.forms)
            assert form is not None  # noqa: S101  check_ends passed
            found = self._ratio(form, whole) if form.denominator is not None else self._linear(form, expanded, whole)
        if whole:
            found = to_bigint(found)
        return Case(((is_null(self.shown), NULL),), found, self.shown.type)

    def _beside(self, middle: Expr, reach: Expr) -> Expr:
        return double("+" if self.upper else "-", middle, reach)

    def _linear(self, form: Form, expanded: Expr, whole: bool) -> Expr:
        value = double("+", form.offset, form.numerator.value())
        reach = self._reach(form)
        if not whole:
            return self._beside(value, reach)
        lower, upper = double("-", value, reach), double("+", value, reach)
        shown, half = to_double(self.shown), double("/", double("-", upper, lower), _TWO)
        limit = moved(expanded, self.known.rounded)
        middle = double("/", double("+", lower, upper), _TWO)
        beside = (
            double("abs", double("-", middle, shown)) if limit is None else _number(limit.most(self.reaches.parted))
        )
        return self._beside(shown, double("ceil", double("+", half, beside)))

    def _reach(self, form: Form) -> Expr:
        own = double("sqrt", form.numerator.variance(self.variances))
        if self.reaches.least == 0:
            return own
        if form.alone in self.reaches.alone:
            assert form.alone is not None  # noqa: S101  a key
            sigma, half = self.reaches.alone[form.alone]
            return double("*", double("/", own, _number(sigma)), _number(half))
        step = double("/", double("/", own, _number(self.reaches.least)), _TWO)
        return double("+", double("*", _number(self.reaches.quantile), own), step)

    def _ratio(self, form: Form, whole: bool) -> Expr:
        top, bottom = form.numerator, form.denominator
        assert bottom is not None  # noqa: S101  the caller checks
        variances, z = self.variances, _number(self.reaches.quantile)
        clear, ends = _fieller(top, bottom, variances, z, bottom.may_be_negative(self.known.positive))
        found = double("+", form.offset, ends[self.upper])
        outward = double("ceil" if self.upper else "floor", found) if whole else found
        return Case(((clear, outward),), NULL, SqlType.DOUBLE)


def _fieller(
    top: Linear, bottom: Linear, variances: Variances, z: Expr, signed: bool
) -> tuple[Expr, tuple[Expr, Expr]]:
    """Build the ends of a ratio's interval, and the test that its denominator is clear of 0."""
    v_bottom, below = bottom.variance(variances), bottom.value()
    clear = compared(">", double("abs", below) if signed else below, double("*", z, double("sqrt", v_bottom)))
    spread, shared = (top.variance(variances), v_bottom), top.covariance(bottom, variances)
    return clear, ratio_ends(double, (top.value(), below), spread, shared, z, (_ZERO, _ONE, _TWO))


def _number(value: float) -> Literal:
    return Literal(float(value), SqlType.DOUBLE)


_ZERO, _ONE, _TWO = _number(0.0), _number(1.0), _number(2.0)
