"""Lists of an explanation on the wire: columns, keys, contribution bounds, thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from dialect import Question
from dialect.algebra import Histogram
from engine.pricing.clip_bound_origin import clip_bound_origins
from engine.pricing.compile_release import CompiledRelease, clip_bound_alternatives


def column_shapes(question: Question) -> list[dict[str, Any]]:
    """Names and types of the answer's columns."""
    return [{"name": shown.name, "type": str(shown.field.type)} for shown in question.columns]


def key_shapes(question: Question, prepared: tuple[CompiledRelease, ...]) -> list[dict[str, Any]]:
    """Group keys of each release: public or private, why, and the number of groups where it is public."""
    bins = {release.plan_index: release.histogram for release in question.releases}
    return [fact for place, each in enumerate(prepared) for fact in _key_rows(each, bins.get(place))]


def bound_shapes(compiled: tuple[CompiledRelease, ...]) -> list[dict[str, Any]]:
    """Contribution bound and noise of each query vector, in the unit of its column."""
    return [fact for each in compiled for fact in _bound_rows(each)]


def threshold_shapes(prepared: tuple[CompiledRelease, ...]) -> list[dict[str, Any]]:
    """Partition-selection threshold (in persons) of each release with private keys, and its delta."""
    return [
        {
            "threshold": each.cost.threshold_persons,
            "delta": float(each.cost.loss.delta),
            "max_groups_per_person": each.cost.max_groups,
            "release": each.plan.display_name,
        }
        for each in prepared
        if each.cost.threshold is not None
    ]


def _key_rows(prepared: CompiledRelease, histogram: Histogram | None) -> Iterator[dict[str, Any]]:
    """Group keys of one release. A histogram's bins are counted separately: they are no groups of the answer."""
    bins = 1 if histogram is None else histogram.bin_count
    kind = "private" if prepared.plan.key_set is None else "public"
    release = prepared.plan.display_name
    groups = None if prepared.key_count is None else prepared.key_count // bins
    for place, key in enumerate(prepared.plan.keys):
        is_bin = histogram is not None and place == histogram.key_index
        yield {
            "name": key.canonical_text,
            "kind": "bins" if is_bin else kind,
            "count": bins if is_bin else groups,
            "why": key.reason.removeprefix(f"{kind}: "),
            "release": release,
        }


def _bound_rows(prepared: CompiledRelease) -> Iterator[dict[str, Any]]:
    """Contribution bound of each query vector in JSON form: clip bound, noise, bias, alternatives.

    The keys `norm`, `kept` and `bias_within` hold the clip bound, the share that clipping leaves, and the residual
    bias.
    """
    parts = (prepared.plan.vectors, prepared.bounds.vectors, prepared.cost.vectors, clip_bound_alternatives(prepared))
    for vector, bound, cost, choices, origin in zip(*parts, clip_bound_origins(prepared), strict=True):
        yield {
            "vector": vector.display_name,
            "norm": bound.clip_bound,
            "rule": str(bound.rule),
            "why": bound.reason,
            "norm_from": origin,
            "sensitivity": bound.sensitivity * bound.grain_size,
            "sigma": cost.deviation(bound),
            "predicted_bias": bound.predicted_bias,
            "kept": bound.retained_share,
            "bias_within": bound.residual_bias_bound,
            "choices": [asdict(each) for each in choices],
            "release": prepared.plan.display_name,
        }
