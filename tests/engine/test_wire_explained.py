"""The lists of an explanation: columns, keys, bounds and thresholds, in the units of what is shown."""

from __future__ import annotations

import pytest

from engine.pipeline import Engine
from engine.wire_explained import bounds_told, columns_told, keys_told, thresholds_told
from tests.engine.test_explain import explained


def test_public_keys_are_counted_and_private_ones_are_not(engine: Engine) -> None:
    (public,) = keys_told(explained(engine, "by zone").prepared)
    assert (public["kind"], public["count"]) == ("public", 7)
    (private,) = keys_told(explained(engine, "private").prepared)
    assert (private["kind"], private["count"]) == ("private", None)
    assert public["why"] and private["why"]


def test_thresholds_say_what_they_cost(engine: Engine) -> None:
    assert thresholds_told(explained(engine, "by zone").prepared) == []
    (limit,) = thresholds_told(explained(engine, "private").prepared)
    assert (limit["delta"], limit["max_groups_per_person"]) == (1e-12, 4)
    assert limit["threshold"] > 4


def test_bounds_are_told_in_the_units_of_the_columns(engine: Engine) -> None:
    found = {bound["vector"]: bound for bound in bounds_told(explained(engine, "by zone").told)}
    assert {name: bound["norm"] for name, bound in found.items()} == {"rows": 20.0, "sum(minutes)": 600.0}
    for bound in found.values():
        assert bound["sensitivity"] == pytest.approx(bound["norm"], rel=1e-5)
        assert bound["sensitivity"] <= bound["norm"]
        assert bound["sigma"] == pytest.approx(bound["sensitivity"] / (2 * 0.0025) ** 0.5)
        assert (bound["rule"], bool(bound["why"])) == ("scale", True)


def test_columns_are_those_of_the_answer(engine: Engine) -> None:
    assert columns_told(explained(engine, "by zone").question) == [
        {"name": "zone", "type": "VARCHAR"},
        {"name": "n", "type": "BIGINT"},
        {"name": "total", "type": "DOUBLE"},
    ]
