"""question + bounds -> the share of each shown number that bounding is expected to take away: public facts alone.

The run measures nothing for it: the same prediction stands in `explain` before anything is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dialect import Question
from dialect.algebra.private_plan import VectorKind
from dialect.analysis.multiplied import pairs_rows, spreads
from dialect.postprocess.linear import ZERO, Linear
from dialect.postprocess.uncertainty import Form, noisy, uncertainty
from engine.pipeline.doubts import NO_DOUBT, raw_doubts
from engine.pricing.prepare import Prepared

Bias = float | None  # a share of the number, at most 0; None: something may be cut, and how much is not known


def column_biases(question: Question, prepared: Sequence[Prepared]) -> dict[str, Bias]:
    """Predict the relative bias of every noisy column.

    A sum or difference of numbers that are all expected to lose the same share loses that share; a ratio of such
    loses what is left over. Of everything else, an average above all, it is 0 where nothing is cut, else not known; so
    it is of a difference of numbers to which something was given back, of which no doubt is told (doubts.py).
    """
    raw, doubts = _of_raw_numbers(question, prepared), raw_doubts(question, prepared)
    shaky = frozenset(number for number, doubt in doubts.items() if doubt != NO_DOUBT)
    nothing_cut = all(bias == 0 for bias in raw.values()) and not any(
        bound.predicted_bias != 0 or bound.bias_within for each in prepared for bound in each.bounds.vectors
    )
    facts = zip(question.columns, uncertainty(question), noisy(question), strict=True)
    return {
        shown.name: 0.0 if nothing_cut else _of_form(form, raw, shaky)
        for shown, form, made in facts
        if made or form is not None
    }


def of_pairs(question: Question, prepared: Sequence[Prepared]) -> frozenset[str]:
    """Name the columns that rest on pairs of a person's rows, with each other or with several public ones.

    Nobody knows how many of these are cut away: who has k rows makes k^2 pairs of them, and any number with public
    ones, so that the share that a norm leaves may be any.
    """
    paired = [unmeasured_pairs(each) or unmeasured_spread(each) for each in prepared]
    if not any(paired):
        return frozenset()
    unknown = _of_raw_numbers(question, prepared)
    raw = {f.id for columns in question.releases if paired[columns.plan] for f in columns.raw if unknown[f.id] is None}
    raw |= {total.id for made in question.sums for total, _, one in made.terms if one.id in raw}
    raw |= {term.total.id for made in question.gathered for term in made.every_term if term.raw.id in raw}
    facts = zip(question.columns, uncertainty(question), noisy(question), strict=True)
    return frozenset(shown.name for shown, form, made in facts if (made if form is None else _rests_on(form, raw)))


def unmeasured_pairs(made: Prepared) -> bool:
    """Tell whether a release counts pairs of a person's own rows, and no calibration tells what is cut of them."""
    rows = [kind is not VectorKind.PERSONS for kind in _kinds(made)]  # a person counts once, whatever rows meet
    return pairs_rows(made.plan.source) and _is_unmeasured(made, rows)


def unmeasured_spread(made: Prepared) -> bool:
    """Tell whether a release counts a person's row with several public ones, and nothing tells what is cut of them."""
    rows = [kind is not VectorKind.PERSONS or bool(made.plan.keys) for kind in _kinds(made)]  # in one group, once
    return spreads(made.plan.source) and _is_unmeasured(made, rows)


def _kinds(made: Prepared) -> list[VectorKind]:
    return [vector.kind for vector in made.plan.vectors]


def _is_unmeasured(made: Prepared, moved: Sequence[bool]) -> bool:
    """Tell whether an unknown share is cut of a number that further rows of a person move."""
    return any(of and bound.predicted_bias is None for of, bound in zip(moved, made.bounds.vectors, strict=True))


def _rests_on(form: Form, raw: Collection[str]) -> bool:
    parts = (form.numerator,) if form.denominator is None else (form.numerator, form.denominator)
    return any(field.id in raw for part in parts for field, _ in part.terms)


def _of_raw_numbers(question: Question, prepared: Sequence[Prepared]) -> dict[str, Bias]:
    """Give the predicted bias of every raw number, and of sums over released rows, by their ids."""
    found: dict[str, Bias] = {}
    for columns in question.releases:
        bounds = prepared[columns.plan].bounds.vectors
        found |= {field.id: bound.predicted_bias for field, bound in zip(columns.raw, bounds, strict=False)}
    for made in question.sums:
        found |= {total.id: found.get(raw.id) for total, _, raw in made.terms}
    for gathered in question.gathered:
        found |= {term.total.id: found.get(term.raw.id) for term in gathered.every_term}
    return found


def _of_form(form: Form | None, raw: Mapping[str, Bias], shaky: frozenset[str]) -> Bias:
    if form is None:
        return None
    if form.denominator is None:
        return _of_linear(form.whole(), raw, shaky)
    top, below = _of_linear(form.numerator, raw, shaky), _of_linear(form.denominator, raw, shaky)
    if form.offset != ZERO or top is None or below is None or below <= -1:
        return None
    return (1 + top) / (1 + below) - 1


def _of_linear(linear: Linear, raw: Mapping[str, Bias], shaky: frozenset[str]) -> Bias:
    biases = {raw.get(field.id) for field, _ in linear.terms}
    if not biases:
        return 0.0
    untold = not linear.keeps_shares() and any(field.id in shaky for field, _ in linear.terms)
    if len(biases) > 1 or untold:
        return None
    alike = biases.pop()
    return alike if alike == 0 or linear.constant == ZERO else None
