"""Expected clipping bias: the share of each shown number that clipping is expected to remove, and a bound on it.

Only the question and its bounds, public facts, decide it. The run measures nothing for it: the same prediction stands
in `explain` before anything is read. Where the bias is corrected, the bound is how far a number may still be off, as a
share of it; of averages, in their unit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from dialect import Question
from dialect.algebra import Literal, VectorKind
from dialect.analysis import pairs_rows, spreads
from dialect.postprocess import ZERO, Form, Linear, noisy, uncertainty
from engine.pricing.prepare import Prepared


@dataclass(frozen=True)
class Doubt:
    """In nineteen of twenty groups a number is off by no more, noise apart: share of the number, and amount beside."""

    share: float
    amount: float


NO_DOUBT = Doubt(0.0, 0.0)


def column_doubts(question: Question, prepared: Sequence[Prepared]) -> dict[str, dict[str, float]]:
    """Tell how far columns may be off by what was cut, of those of which that is told.

    Of a sum of several the largest share counts, and of a ratio both parts' together. Of a difference nothing is told:
    it may be off by any share of itself (`proofs.md#column_doubts`).
    """
    raw = raw_doubts(question, prepared)
    forms = zip(question.columns, uncertainty(question), strict=True)
    found = {shown.name: _doubt_of_form(form, raw) for shown, form in forms if form is not None}
    return {name: asdict(doubt) for name, doubt in found.items() if doubt not in (None, NO_DOUBT)}


def raw_doubts(question: Question, prepared: Sequence[Prepared]) -> dict[str, Doubt]:
    """Give the doubt of every raw number, and of sums over released rows, by their ids."""
    found: dict[str, Doubt] = {}
    for columns in question.releases:
        made = prepared[columns.plan]
        for field, vector, bound in zip(columns.raw, made.plan.vectors, made.bounds.vectors, strict=False):
            within, centred = bound.bias_within or 0.0, vector.kind is VectorKind.CENTRED
            found[field.id] = Doubt(0.0, within) if centred else Doubt(within, 0.0)
    for made_sum in question.sums:
        found |= {total.id: found.get(raw.id, NO_DOUBT) for total, _, raw in made_sum.terms}
    for gathered in question.gathered:
        found |= {term.total.id: found.get(term.raw.id, NO_DOUBT) for term in gathered.every_term}
    return found


def _doubt_of_form(form: Form, raw: Mapping[str, Doubt]) -> Doubt | None:
    """Give the doubt of a column; None where it is no share of the number and no amount."""
    times = [
        (abs(float(by.value)), raw[field.id].amount)
        for field, by in form.numerator.terms
        if field.id in raw and isinstance(by, Literal) and isinstance(by.value, int | float)
    ]
    amount = max((by * within for by, within in times), default=0.0)
    if any(raw[field.id].amount for field, _ in form.numerator.terms if field.id in raw):
        return Doubt(0.0, amount) if amount else None  # multiplied by what differs from row to row
    parts = (form.whole(),) if form.denominator is None else (form.numerator, form.denominator)
    shares = [_largest_share(part, raw) for part in parts]
    told = form.denominator is None or form.offset == ZERO
    told &= all(part.keeps_shares() for part, share in zip(parts, shares, strict=True) if share)
    return Doubt(sum(shares), 0.0) if told or not any(shares) else None


def _largest_share(part: Linear, raw: Mapping[str, Doubt]) -> float:
    return max((raw[field.id].share for field, _ in part.terms if field.id in raw), default=0.0)


Bias = float | None  # a share of the number, at most 0; None: something may be cut, and how much is not known


def column_biases(question: Question, prepared: Sequence[Prepared]) -> dict[str, Bias]:
    """Predict the relative bias of every noisy column.

    A sum or difference of numbers that are all expected to lose the same share loses that share; a ratio of such
    loses what is left over. Of everything else, an average above all, it is 0 where nothing is cut, else not known; so
    it is of a difference of numbers to which something was given back, of which no doubt is told (`raw_doubts`).
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
