"""Expected clipping bias: the share of each shown number that clipping is expected to remove, and a bound on it.

It is decided by the query and its contribution bounds, which are public: `explain` shows the same prediction before
anything is read. Where the bias is corrected, the bound is the remaining error of a number, as a share of it; of
averages, in their unit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from dialect import Question
from dialect.algebra import Literal, Rule, VectorKind
from dialect.analysis import pairs_rows, spreads
from dialect.postprocess import ZERO, Form, Linear, noisy, uncertainty
from engine.pricing.prepare import Prepared


@dataclass(frozen=True)
class Doubt:
    """Clipping-bias bound: error without noise in 19 of 20 groups, as a share of the number and as an amount."""

    share: float
    amount: float


NO_DOUBT = Doubt(0.0, 0.0)


def column_doubts(question: Question, prepared: Sequence[Prepared]) -> dict[str, dict[str, float]]:
    """Compute the clipping-bias bound of each column for which one is known.

    A sum takes the largest share of its terms, a ratio the sum of both parts' shares. A difference has no bound: its
    error may be any share of it (`proofs.md#clipping-bias-bounds`).
    """
    raw = raw_doubts(question, prepared)
    forms = zip(question.columns, uncertainty(question), strict=True)
    found = {shown.name: _doubt_of_form(form, raw) for shown, form in forms if form is not None}
    return {name: asdict(doubt) for name, doubt in found.items() if doubt not in (None, NO_DOUBT)}


def raw_doubts(question: Question, prepared: Sequence[Prepared]) -> dict[str, Doubt]:
    """Compute the clipping-bias bound of every raw number, and of sums over released rows, by field id."""
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
    """Clipping-bias bound of a column; None if its error is neither a share of it nor an amount."""
    times = [
        (abs(float(by.value)), raw[field.id].amount)
        for field, by in form.numerator.terms
        if field.id in raw and isinstance(by, Literal) and isinstance(by.value, int | float)
    ]
    amount = max((by * within for by, within in times), default=0.0)
    if any(raw[field.id].amount for field, _ in form.numerator.terms if field.id in raw):
        return Doubt(0.0, amount) if amount else None  # multiplied by an expression that differs between rows
    parts = (form.whole(),) if form.denominator is None else (form.numerator, form.denominator)
    shares = [_largest_share(part, raw) for part in parts]
    told = form.denominator is None or form.offset == ZERO
    told &= all(part.keeps_shares() for part, share in zip(parts, shares, strict=True) if share)
    return Doubt(sum(shares), 0.0) if told or not any(shares) else None


def _largest_share(part: Linear, raw: Mapping[str, Doubt]) -> float:
    return max((raw[field.id].share for field, _ in part.terms if field.id in raw), default=0.0)


Bias = float | None  # share of the number, at most 0; None: unknown


def column_biases(question: Question, prepared: Sequence[Prepared]) -> dict[str, Bias]:
    """Predict the relative clipping bias of every noisy column; None if unknown.

    A sum or difference of numbers of equal bias has that bias; a ratio has the ratio of both. Everything else,
    averages above all, has 0 where nothing is clipped, else None; likewise a difference of bias-corrected numbers, for
    which no bound is known (`raw_bias_bounds`).
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


def column_clip_bounds(question: Question, prepared: Sequence[Prepared]) -> dict[str, float | None]:
    """Find the clip bound (L2, per person) of every column whose numbers are clipped.

    None where a column is made from numbers with different bounds, as an average is. Columns that no clip bound
    limits are absent: each person's contribution is provably within it.
    """
    raw = _raw_clip_bounds(question, prepared)
    found: dict[str, float | None] = {}
    for shown, form in zip(question.columns, uncertainty(question), strict=True):
        parts = (
            ()
            if form is None
            else (form.numerator,)
            if form.denominator is None
            else (form.numerator, form.denominator)
        )
        bounds = set().union(*(raw.get(field.id, frozenset()) for part in parts for field, _ in part.terms))
        if bounds:
            found[shown.name] = bounds.pop() if len(bounds) == 1 else None
    return found


def _raw_clip_bounds(question: Question, prepared: Sequence[Prepared]) -> dict[str, frozenset[float]]:
    """Map every raw number, and every sum over released rows, by id to the clip bounds of its vectors."""
    found: dict[str, frozenset[float]] = {}
    for columns in question.releases:
        bounds = prepared[columns.plan].bounds.vectors
        for field, bound in zip(columns.raw, bounds, strict=False):
            clipped = bound.rule in (Rule.SCALE, Rule.CLAMP) and (bound.predicted_bias != 0 or bound.bias_within)
            found[field.id] = frozenset({bound.norm}) if clipped else frozenset()
    for made in question.sums:
        for total, _, raw in made.terms:
            found[total.id] = found.get(total.id, frozenset()) | found.get(raw.id, frozenset())
    for gathered in question.gathered:
        for term in gathered.every_term:
            found[term.total.id] = found.get(term.total.id, frozenset()) | found.get(term.raw.id, frozenset())
    return found


def of_pairs(question: Question, prepared: Sequence[Prepared]) -> frozenset[str]:
    """Names of columns that count joined pairs of a person's rows without a measured clipping bias.

    Pairs are formed with each other or with several public rows. A person with k rows has k^2 pairs of them, and any
    number with public rows, so the share that clipping leaves is unknown.
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
    """Check whether a release counts pairs of a person's own rows with unknown clipping bias."""
    rows = [kind is not VectorKind.PERSONS for kind in _kinds(made)]  # a person counts once, however many rows match
    return pairs_rows(made.plan.source) and _is_unmeasured(made, rows)


def unmeasured_spread(made: Prepared) -> bool:
    """Check whether a release counts private rows joined to several public ones with unknown clipping bias."""
    rows = [kind is not VectorKind.PERSONS or bool(made.plan.keys) for kind in _kinds(made)]  # once per group
    return spreads(made.plan.source) and _is_unmeasured(made, rows)


def _kinds(made: Prepared) -> list[VectorKind]:
    return [vector.kind for vector in made.plan.vectors]


def _is_unmeasured(made: Prepared, moved: Sequence[bool]) -> bool:
    """Check whether a number that grows with further rows of a person has an unknown clipping bias."""
    return any(of and bound.predicted_bias is None for of, bound in zip(moved, made.bounds.vectors, strict=True))


def _rests_on(form: Form, raw: Collection[str]) -> bool:
    parts = (form.numerator,) if form.denominator is None else (form.numerator, form.denominator)
    return any(field.id in raw for part in parts for field, _ in part.terms)


def _of_raw_numbers(question: Question, prepared: Sequence[Prepared]) -> dict[str, Bias]:
    """Predicted bias of every raw number, and of sums over released rows, by field id."""
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
