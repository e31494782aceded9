"""The lists of an explanation: columns, keys, bounds and thresholds, in the units of what is shown."""

from __future__ import annotations

import pytest

from dialect import Question
from engine.api.wire.answer import bound_shapes, column_shapes, key_shapes, threshold_shapes
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from tests.engine.pipeline.test_explain import explained


def asked(engine: Engine, title: str) -> tuple[Question, tuple[CompiledRelease, ...]]:
    found = explained(engine, title)
    return found.question, found.prepared


def test_the_bins_of_a_median_are_no_groups_of_the_answer(engine: Engine) -> None:
    found = explain(engine, "SELECT zone, MEDIAN(minutes) AS m FROM visit GROUP BY zone", Request("ann"))
    zone, of_bins = sorted(key_shapes(found.question, found.prepared), key=lambda key: key["name"] != "zone")
    assert zone["count"] == 7 and of_bins["name"].startswith("bin(") and of_bins["count"] > 7
    assert found.prepared[0].key_count == zone["count"] * of_bins["count"]
    assert not any(f" {found.prepared[0].key_count:,} groups" in each for each in found.advice.reasons)
    assert all(each.groups is None or each.groups <= 7 * 4 for each in found.advice.proposals)


def test_public_keys_are_counted_and_private_ones_are_not(engine: Engine) -> None:
    (public,) = key_shapes(*asked(engine, "by zone"))
    assert (public["kind"], public["count"]) == ("public", 7)
    (private,) = key_shapes(*asked(engine, "private"))
    assert (private["kind"], private["count"]) == ("private", None)
    assert public["why"] and private["why"]


def test_thresholds_report_their_delta(engine: Engine) -> None:
    assert threshold_shapes(explained(engine, "by zone").prepared) == []
    (limit,) = threshold_shapes(explained(engine, "private").prepared)
    assert (limit["delta"], limit["max_groups_per_person"]) == (1e-12, 4)
    assert limit["threshold"] > 4


def test_clip_bounds_are_reported_in_the_units_of_the_columns(engine: Engine) -> None:
    found = {bound["vector"]: bound for bound in bound_shapes(explained(engine, "by zone").reported)}
    assert {name: bound["norm"] for name, bound in found.items()} == {"rows": 20.0, "sum(minutes)": 600.0}
    for bound in found.values():
        assert bound["sensitivity"] == pytest.approx(bound["norm"], rel=1e-5)
        assert bound["sensitivity"] <= bound["norm"]
        assert bound["sigma"] == pytest.approx(bound["sensitivity"] / (2 * 0.0025) ** 0.5)
        assert (bound["rule"], bool(bound["why"])) == ("scale", True)


def test_columns_are_those_of_the_answer(engine: Engine) -> None:
    assert column_shapes(explained(engine, "by zone").question) == [
        {"name": "zone", "type": "VARCHAR"},
        {"name": "n", "type": "BIGINT"},
        {"name": "total", "type": "DOUBLE"},
    ]
