"""question + bounds -> how far what bounding cut may leave each shown number off: public facts alone.

Where what was cut is given back, as a share of the number; of averages, in their unit. The run measures nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from dialect import Question
from dialect.expressions import Literal
from dialect.linear import Linear
from dialect.private_plan import VectorKind
from dialect.uncertainty import Form, uncertainty
from engine.prepare import Prepared


@dataclass(frozen=True)
class Doubt:
    """In nineteen of twenty groups a number is off by no more, noise apart: share of the number, and amount beside."""

    share: float
    amount: float


NO_DOUBT = Doubt(0.0, 0.0)


def column_doubts(question: Question, prepared: Sequence[Prepared]) -> dict[str, dict[str, float]]:
    """Tell how far columns may be off by what was cut, of those of which that is told.

    Of a number that rests on several the largest share counts, and of a ratio both parts' together.
    """
    raw = dict(_of_raw_numbers(question, prepared))
    forms = zip(question.columns, uncertainty(question), strict=True)
    found = {shown.name: _of_form(form, raw) for shown, form in forms if form is not None}
    return {name: asdict(doubt) for name, doubt in found.items() if doubt not in (None, NO_DOUBT)}


def _of_raw_numbers(question: Question, prepared: Sequence[Prepared]) -> Iterator[tuple[str, Doubt]]:
    """Give the doubt of every raw number, and of sums over released rows, by their ids."""
    found: dict[str, Doubt] = {}
    for columns in question.releases:
        made = prepared[columns.plan]
        for field, vector, bound in zip(columns.raw, made.plan.vectors, made.bounds.vectors, strict=False):
            within, centred = bound.bias_within or 0.0, vector.kind is VectorKind.CENTRED
            found[field.id] = Doubt(0.0, within) if centred else Doubt(within, 0.0)
    yield from found.items()
    for made_sum in question.sums:
        yield from ((total.id, found.get(raw.id, NO_DOUBT)) for total, _, raw in made_sum.terms)
    for gathered in question.gathered:
        yield from ((term.total.id, found.get(term.raw.id, NO_DOUBT)) for term in gathered.every_term)


def _of_form(form: Form, raw: Mapping[str, Doubt]) -> Doubt:
    shares = [_largest_share(part, raw) for part in (form.numerator, form.denominator) if part is not None]
    times = [
        (abs(float(by.value)), raw[field.id].amount)
        for field, by in form.numerator.terms
        if field.id in raw and isinstance(by, Literal) and isinstance(by.value, int | float)
    ]
    amount = max((by * within for by, within in times), default=0.0)
    return Doubt(0.0, amount) if amount else Doubt(sum(shares), 0.0)


def _largest_share(part: Linear, raw: Mapping[str, Doubt]) -> float:
    return max((raw[field.id].share for field, _ in part.terms if field.id in raw), default=0.0)
