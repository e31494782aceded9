"""question + bounds -> how far what bounding cut may leave each shown number off: public facts alone.

Where what was cut is given back, as a share of the number; of averages, in their unit. The run measures nothing for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from dialect import Question
from dialect.algebra.expressions import Literal
from dialect.algebra.private_plan import VectorKind
from dialect.postprocess.linear import ZERO, Linear
from dialect.postprocess.uncertainty import Form, uncertainty
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
    found = {shown.name: _of_form(form, raw) for shown, form in forms if form is not None}
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


def _of_form(form: Form, raw: Mapping[str, Doubt]) -> Doubt | None:
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
