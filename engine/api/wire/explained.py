"""Lists of an explanation on the wire: columns, keys, contribution bounds, thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from dialect import Question
from dialect.algebra import Histogram
from engine.pricing.display_names import release_spoken, vector_spoken, why_key
from engine.pricing.norm_origin import norm_origins
from engine.pricing.prepare import Prepared, choices_of


def columns_told(question: Question) -> list[dict[str, Any]]:
    """Names and types of the answer's columns."""
    return [{"name": shown.name, "type": str(shown.field.type)} for shown in question.columns]


def keys_told(question: Question, prepared: tuple[Prepared, ...]) -> list[dict[str, Any]]:
    """Group keys of each release: public or private, why, and the number of groups where it is public."""
    bins = {release.plan: release.histogram for release in question.releases}
    return [fact for place, each in enumerate(prepared) for fact in _keys(each, bins.get(place))]


def bounds_told(told: tuple[Prepared, ...]) -> list[dict[str, Any]]:
    """Contribution bound and noise of each query vector, in the unit of its column."""
    return [fact for each in told for fact in _bounds(each)]


def thresholds_told(prepared: tuple[Prepared, ...]) -> list[dict[str, Any]]:
    """Partition-selection threshold (in persons) of each release with private keys, and its delta."""
    return [
        {
            "threshold": each.cost.threshold_persons,
            "delta": float(each.cost.loss.delta),
            "max_groups_per_person": each.cost.max_groups,
            "release": release_spoken(each.plan),
        }
        for each in prepared
        if each.cost.threshold is not None
    ]


def _keys(prepared: Prepared, histogram: Histogram | None) -> Iterator[dict[str, Any]]:
    """Group keys of one release. A histogram's bins are counted separately: they are no groups of the answer."""
    bins = 1 if histogram is None else histogram.bins
    kind = "private" if prepared.plan.key_set is None else "public"
    release = release_spoken(prepared.plan)
    groups = None if prepared.key_count is None else prepared.key_count // bins
    for place, key in enumerate(prepared.plan.keys):
        count = bins if histogram is not None and place == histogram.key else groups
        yield {"name": key.text, "kind": kind, "count": count, "why": why_key(key, kind), "release": release}


def _bounds(prepared: Prepared) -> Iterator[dict[str, Any]]:
    parts = (prepared.plan.vectors, prepared.bounds.vectors, prepared.cost.vectors, choices_of(prepared))
    for vector, bound, cost, choices, origin in zip(*parts, norm_origins(prepared), strict=True):
        yield {
            "vector": vector_spoken(vector),
            "norm": bound.norm,
            "rule": str(bound.rule),
            "why": bound.reason,
            "norm_from": origin,
            "sensitivity": bound.sensitivity * bound.grain,
            "sigma": cost.deviation(bound),
            "predicted_bias": bound.predicted_bias,
            "kept": bound.kept,
            "bias_within": bound.bias_within,
            "choices": [asdict(each) for each in choices],
            "release": release_spoken(prepared.plan),
        }
