"""Expected clipping bias: the share of each shown number that clipping is expected to remove, and a bound on it.

It is decided by the query and its contribution bounds, which are public: `explain` shows the same prediction before
anything is read. Where the bias is corrected, the bound is the remaining error of a number, as a share of it; of
averages, in their unit. Also the origin of each clip bound: the calibration that it was tuned on, or why it is declared
or a fallback.

Terms:
    raw number  released number of one query vector, by the id of its field
    form        a column as a linear combination of raw numbers, or a ratio of two (plus an offset)
    corrected   divided by the share that clipping is expected to leave
    pairs       joined rows of one person, or of a person and public rows, whose number no calibration measured
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from dialect import Question
from dialect.algebra import Literal, QueryVector, VectorBound, VectorKind
from dialect.analysis import (
    has_many_to_many_join,
    has_unkeyed_many_to_many_join,
    is_full_scan,
    may_match_several_public_rows,
    reduced_truncations,
)
from dialect.postprocess import ZERO, FractionalLinearForm, LinearCombination
from dialect.sensitivity import counted_table, declares_clip_bounds, grouping_attributes
from engine.pricing.clip_bounds.tuning import ClipErrorModel
from engine.pricing.compile_release import CompiledRelease, UnpricedRelease

T = TypeVar("T")


@dataclass(frozen=True)
class BiasBound:
    """Clipping-bias bound: error without noise in 19 of 20 groups, as a share of the number and as an amount."""

    share: float
    amount: float


NO_BIAS_BOUND = BiasBound(0.0, 0.0)


def column_bias_bounds(question: Question, compiled: Sequence[CompiledRelease]) -> dict[str, dict[str, float]]:
    """Compute the clipping-bias bound of each column for which one is known.

    A sum takes the largest share of its terms, a ratio the sum of both parts' shares. A difference has no bound: its
    error may be any share of it (`proofs.md#clipping-bias-bounds`).
    """
    raw = raw_bias_bounds(question, compiled)
    forms = {column.name: column.form for column in question.columns}
    bounds = {name: _bias_bound_of_form(form, raw) for name, form in forms.items() if form is not None}
    return {name: asdict(bound) for name, bound in bounds.items() if bound not in (None, NO_BIAS_BOUND)}


def raw_bias_bounds(question: Question, compiled: Sequence[CompiledRelease]) -> dict[str, BiasBound]:
    """Compute the clipping-bias bound of every raw number, and of sums over released rows, by field id.

    That of an average's centred sum is an amount in its unit, that of other numbers a share.
    """
    return {
        raw: BiasBound(0.0, bound.residual_bias_bound or 0.0)
        if vector.kind is VectorKind.CENTRED
        else BiasBound(bound.residual_bias_bound or 0.0, 0.0)
        for raw, (vector, bound) in _bounded_vectors(question, compiled).items()
    }


def _bounded_vectors(
    question: Question, compiled: Sequence[CompiledRelease]
) -> dict[str, tuple[QueryVector, VectorBound]]:
    """Map every raw number, by field id, to its vector and bound.

    Sums over released rows, and weighted values of a UNION ALL, have those of their raw number.
    """
    found: dict[str, tuple[QueryVector, VectorBound]] = {}
    for columns in question.releases:
        release = compiled[columns.plan_index]
        rows = zip(columns.raw_fields, release.plan.vectors, release.bounds.vectors, strict=False)
        found |= {field.id: (vector, bound) for field, vector, bound in rows}
    for released_sum in question.released_sums:
        found |= {total.id: found[raw.id] for total, _, raw in released_sum.noise_terms}
    for gathered in question.union_columns:
        found |= {term.weighted_value.id: found[term.raw.id] for term in gathered.all_terms}
    return found


def _bias_bound_of_form(form: FractionalLinearForm, raw: Mapping[str, BiasBound]) -> BiasBound | None:
    """Clipping-bias bound of a column; None if its error is neither a share of it nor an amount."""
    weighted_amounts = [
        (abs(float(factor.value)), raw[field.id].amount)
        for field, factor in form.numerator.terms
        if field.id in raw and isinstance(factor, Literal) and isinstance(factor.value, int | float)
    ]
    amount = max((factor * residual for factor, residual in weighted_amounts), default=0.0)
    if any(raw[field.id].amount for field, _ in form.numerator.terms if field.id in raw):
        return BiasBound(0.0, amount) if amount else None  # multiplied by an expression that differs between rows
    parts = (form.as_linear(),) if form.denominator is None else (form.numerator, form.denominator)
    shares = [max((raw[field.id].share for field, _ in each.terms if field.id in raw), default=0.0) for each in parts]
    is_known = form.denominator is None or form.offset == ZERO
    is_known &= all(part.preserves_relative_error() for part, share in zip(parts, shares, strict=True) if share)
    return BiasBound(sum(shares), 0.0) if is_known or not any(shares) else None


RelativeBias = float | None  # share of the number, at most 0; None: unknown


def column_biases(question: Question, compiled: Sequence[CompiledRelease]) -> dict[str, RelativeBias]:
    """Predict the relative clipping bias of every noisy column; None if unknown.

    A sum or difference of numbers of equal bias has that bias; a ratio has the ratio of both. Everything else,
    averages above all, has 0 where nothing is clipped, else None; likewise a difference of bias-corrected numbers, for
    which no bound is known (`raw_bias_bounds`).
    """
    raw, bias_bounds = _raw_biases(question, compiled), raw_bias_bounds(question, compiled)
    corrected = frozenset(number for number, bias_bound in bias_bounds.items() if bias_bound != NO_BIAS_BOUND)
    is_unclipped = all(bias == 0 for bias in raw.values()) and not any(
        bound.predicted_bias != 0 or bound.residual_bias_bound for each in compiled for bound in each.bounds.vectors
    )
    return {
        column.name: 0.0 if is_unclipped else _bias_of_form(column.form, raw, corrected)
        for column in question.columns
        if column.is_noisy
    }


def column_clip_bounds(question: Question, prepared: Sequence[CompiledRelease]) -> dict[str, float | None]:
    """Find the clip bound (L2, per person) of every column whose numbers are clipped.

    None where a column is made from numbers with different bounds, as an average is. Columns that no clip bound
    limits are absent: each person's contribution is provably within it.
    """
    clip_bounds = {
        raw: bound.clip_bound
        for raw, (_, bound) in _bounded_vectors(question, prepared).items()
        if bound.rule.clips and (bound.predicted_bias != 0 or bound.residual_bias_bound)
    }
    found: dict[str, float | None] = {}
    for shown in question.columns:
        raw_ids = () if shown.form is None else shown.form.raw_ids
        if bounds := {clip_bounds[raw] for raw in raw_ids if raw in clip_bounds}:
            found[shown.name] = bounds.pop() if len(bounds) == 1 else None
    return found


def unmeasured_pair_columns(question: Question, compiled: Sequence[CompiledRelease]) -> frozenset[str]:
    """Names of columns that count joined pairs of a person's rows without a measured clipping bias.

    Pairs are formed with each other or with several public rows. A person with k rows has k^2 pairs of them, and any
    number with public rows, so the share that clipping leaves is unknown. Nor is it known what is left out where fewer
    rows of a person are joined than are kept.
    """
    makes_pairs = [has_unkeyed_many_to_many_join(each.plan.source) for each in compiled]
    is_paired = [
        (pairs and _is_unmeasured(each, counts_persons=False)) or has_unmeasured_fan_out(each)
        for pairs, each in zip(makes_pairs, compiled, strict=True)
    ]
    is_reduced = [
        pairs and any(reduced_truncations(each.plan.source)) for pairs, each in zip(makes_pairs, compiled, strict=True)
    ]
    if not any(is_paired) and not any(is_reduced):
        return frozenset()
    biases = _raw_biases(question, compiled)
    paired = {
        field.id
        for columns in question.releases
        for field, vector in zip(columns.raw_fields, question.plans[columns.plan_index].vectors, strict=False)
        if (is_paired[columns.plan_index] and biases[field.id] is None)
        or (is_reduced[columns.plan_index] and vector.kind is not VectorKind.PERSONS)
    }
    raw = _with_sums(question, paired)
    return frozenset(
        column.name
        for column in question.columns
        if (column.is_noisy if column.form is None else not raw.isdisjoint(column.form.raw_ids))
    )


def unmeasured_bias_columns(question: Question, compiled: Sequence[CompiledRelease]) -> frozenset[str]:
    """Names of columns whose predicted clipping bias rests on declared or stated limits that nothing measured."""
    guessed: set[str] = set()
    for columns in question.releases:
        release = compiled[columns.plan_index]
        models = release.unpriced_release.clip_error_models
        rows = zip(columns.raw_fields, release.bounds.vectors, models, strict=False)
        guessed |= {raw.id for raw, bound, model in rows if bound.predicted_bias and model is None}
    raw = _with_sums(question, guessed)
    return frozenset(
        column.name
        for column in question.columns
        if column.form is not None and not raw.isdisjoint(column.form.raw_ids)
    )


def _with_sums(question: Question, raw: Collection[str]) -> frozenset[str]:
    """Ids of raw numbers, and of the sums over released rows and weighted values of a UNION ALL that hold them."""
    released = (term for each in question.released_sums for term in each.noise_terms)
    gathered = (term for each in question.union_columns for term in each.all_terms)
    sums = frozenset(raw) | {total.id for total, _, one in released if one.id in raw}
    return sums | {term.weighted_value.id for term in gathered if term.raw.id in sums}


def has_unmeasured_pairs(compiled: CompiledRelease) -> bool:
    """Check whether a release counts pairs of a person's own rows with unknown clipping bias."""
    # a person counts once, however many rows match
    return has_unkeyed_many_to_many_join(compiled.plan.source) and _is_unmeasured(compiled, counts_persons=False)


def has_unmeasured_fan_out(compiled: CompiledRelease) -> bool:
    """Check whether a release counts private rows joined to several public ones with unknown clipping bias."""
    plan, known = compiled.plan, compiled.unpriced_release.properties
    # a person counts once in each group
    several = known.of(may_match_several_public_rows, plan.source)
    return several and _is_unmeasured(compiled, counts_persons=bool(plan.keys))


def _is_unmeasured(compiled: CompiledRelease, *, counts_persons: bool) -> bool:
    """Check whether a number that grows with further rows of a person has an unknown clipping bias.

    Numbers of rows and sums grow; `counts_persons`: so do numbers of persons.
    """
    pairs = zip(compiled.plan.vectors, compiled.bounds.vectors, strict=True)
    return any(
        bound.predicted_bias is None and (counts_persons or vector.kind is not VectorKind.PERSONS)
        for vector, bound in pairs
    )


def _raw_biases(question: Question, compiled: Sequence[CompiledRelease]) -> dict[str, RelativeBias]:
    """Predicted bias of every raw number, and of sums over released rows, by field id."""
    return {raw: bound.predicted_bias for raw, (_, bound) in _bounded_vectors(question, compiled).items()}


def _bias_of_form(
    form: FractionalLinearForm | None, raw: Mapping[str, RelativeBias], corrected: frozenset[str]
) -> RelativeBias:
    """Relative bias of a column; None if unknown.

    Of a ratio, numerator and denominator are each scaled by 1 + bias. That is only its bias if nothing is added to the
    ratio; and a denominator of which nothing is left has no ratio.
    """
    if form is None:
        return None
    if form.denominator is None:
        return _bias_of_linear(form.as_linear(), raw, corrected)
    top, below = _bias_of_linear(form.numerator, raw, corrected), _bias_of_linear(form.denominator, raw, corrected)
    if form.offset != ZERO or top is None or below is None or below <= -1:
        return None
    return (1 + top) / (1 + below) - 1


def _bias_of_linear(
    linear: LinearCombination, raw: Mapping[str, RelativeBias], corrected: frozenset[str]
) -> RelativeBias:
    """Relative bias of a linear combination: the common bias of its terms; None if they differ or it is unknown.

    A constant is not biased, so adding one changes the relative bias, unless it is 0. A difference of corrected numbers
    has an error that may be any share of it.
    """
    biases = {raw.get(field.id) for field, _ in linear.terms}
    if not biases:
        return 0.0
    is_unknown = not linear.preserves_relative_error() and any(field.id in corrected for field, _ in linear.terms)
    if len(biases) > 1 or is_unknown:
        return None
    common = biases.pop()
    return common if common == 0 or linear.constant == ZERO else None


def clip_bound_origins(compiled: CompiledRelease) -> tuple[str, ...]:
    """Origin of the clip bound of each query vector; an empty text if the vector is not clipped to an L2 bound."""
    unpriced = compiled.unpriced_release
    rows = zip(unpriced.measured_plan.vectors, unpriced.clip_error_models, compiled.bounds.vectors, strict=True)
    profiled = unpriced.profiled_vectors
    return tuple(
        # the reason of the bound names its profile
        "" if i in profiled and bound.predicted_bias == 0 else _origin(unpriced, vector, model, bound)
        for i, (vector, model, bound) in enumerate(rows)
    )


def has_fallback_clip_bounds(compiled: CompiledRelease) -> tuple[bool, ...]:
    """Return for each query vector whether its clip bound is a fallback: not declared, tuned or stated."""
    unpriced = compiled.unpriced_release
    plan = unpriced.measured_plan
    is_fallback = not plan.limits.is_stated and not declares_clip_bounds(plan, unpriced.catalog)
    rows = zip(plan.vectors, unpriced.clip_error_models, compiled.bounds.vectors, strict=True)
    return tuple(
        is_fallback and model is None and bound.rule.clips and vector.partial_bounds is None
        for vector, model, bound in rows
    )


def _origin(unpriced: UnpricedRelease, vector: QueryVector, model: ClipErrorModel | None, bound: VectorBound) -> str:
    """Origin of one vector's clip bound; empty if it has none to explain: its rule does not clip, or clips per part."""
    if unpriced.measured_plan.limits.is_stated:
        return "the question names its own limits"
    if not bound.rule.clips or vector.partial_bounds is not None:
        return ""
    if model is None or model.subject is None:
        origin = "declared" if declares_clip_bounds(unpriced.measured_plan, unpriced.catalog) else "not declared"
        return f"{origin}: {_why_not_tuned(unpriced)}"
    return "; ".join([f"{model.distribution.source}, {model.subject}", *_differences(unpriced, vector, model)])


def _differences(unpriced: UnpricedRelease, vector: QueryVector, model: ClipErrorModel) -> Iterator[str]:
    """Differences between what the calibration measured and what this query counts, one clause each.

    Which way a difference moves contributions decides its words: fewer rows or finer groups leave a person at most as
    much per group; coarser groups may gather several measured ones.
    """
    plan, measured = unpriced.measured_plan, model.subject
    assert measured is not None  # noqa: S101  checked by the caller
    if vector.condition is not None or not is_full_scan(plan.source):
        yield "it was measured of all rows: of those that are left here people have as much or less"
    attributes = unpriced.properties.of(grouping_attributes, plan, measured.table)
    # persons fall through to the next branch: they count once in a group, whatever its finer groups hold
    if not attributes.issuperset(measured.keys) and vector.kind is not VectorKind.PERSONS:
        yield "several of its groups lie in one of these, which holds at most the root of their number times as much"
    elif model.is_coarser_measured:
        yield "by more keys people are in more groups, and nobody measured how many: what is cut away is not known"
    elif attributes != set(measured.keys):
        yield "by more keys people have as much or less"
    if vector.is_sum and measured.column is None:
        yield "each row is reckoned to have the largest value"


def _why_not_tuned(unpriced: UnpricedRelease) -> str:
    """Why no calibration applies to a query vector, so that its declared clip bound, or a fallback, is used."""
    plan = unpriced.measured_plan
    table = counted_table(plan, unpriced.catalog)
    if table is None:
        return "no calibration tells of rows that are made in the question, or gathered from several tables"
    if has_many_to_many_join(plan.source):
        return "a person's rows are joined with each other, and no calibration tells how many that makes"
    if unpriced.properties.of(may_match_several_public_rows, plan.source):
        return "a row may be joined with several public ones, and no calibration tells how many that makes"
    if not any(each.subject.table == table.name for each in unpriced.calibration.histograms):
        return f"no calibration of {table.name} holds today"
    return f"in the calibration of {table.name} nothing of this is clear of the noise"
