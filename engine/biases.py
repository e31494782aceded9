"""question + bounds -> the share of each shown number that bounding is expected to take away: public facts alone.

The run measures nothing for it: the same prediction stands in `explain` before anything is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dialect import Question
from dialect.linear import ZERO, Linear
from dialect.uncertainty import Form, noisy, uncertainty
from engine.prepare import Prepared

Bias = float | None  # a share of the number, at most 0; None: something may be cut, and how much is not known


def column_biases(question: Question, prepared: Sequence[Prepared]) -> dict[str, Bias]:
    """Predict the relative bias of every noisy column.

    A sum or difference of numbers that are all expected to lose the same share loses that share; a ratio of such
    loses what is left over. Of everything else, an average above all, it is 0 where nothing is cut, else not known.
    """
    raw = _of_raw_numbers(question, prepared)
    nothing_cut = all(bias == 0 for bias in raw.values()) and not any(
        bound.predicted_bias != 0 for each in prepared for bound in each.bounds.vectors
    )
    facts = zip(question.columns, uncertainty(question), noisy(question), strict=True)
    return {
        shown.name: 0.0 if nothing_cut else _of_form(form, raw)
        for shown, form, made in facts
        if made or form is not None
    }


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


def _of_form(form: Form | None, raw: Mapping[str, Bias]) -> Bias:
    if form is None or form.offset != ZERO:
        return None
    top = _of_linear(form.numerator, raw)
    if form.denominator is None or top is None:
        return top
    below = _of_linear(form.denominator, raw)
    return None if below is None or below <= -1 else (1 + top) / (1 + below) - 1


def _of_linear(linear: Linear, raw: Mapping[str, Bias]) -> Bias:
    biases = {raw.get(field.id) for field, _ in linear.terms}
    if not biases:
        return 0.0
    if len(biases) > 1:
        return None
    alike = biases.pop()
    return alike if alike == 0 or linear.constant == ZERO else None
