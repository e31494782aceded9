"""Origin of each clip bound, as text: the calibration that it was tuned on, or why it is declared or a fallback."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra import QueryVector, VectorBound, VectorKind
from dialect.analysis import has_many_to_many_join, is_full_scan, may_match_several_public_rows
from dialect.sensitivity import counted_table, declares_clip_bounds, grouping_attributes
from engine.pricing.clip_bounds.tuning import ClipErrorModel
from engine.pricing.compile_release import CompiledRelease, UnpricedRelease


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
