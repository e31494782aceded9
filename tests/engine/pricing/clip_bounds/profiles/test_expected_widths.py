"""Expected half-widths of questions with a profile: a range before it is bought, then by what the client has stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from budgets import Ledger
from dialect import Refusal
from dialect.catalog.model import Catalog
from dialect.parser.privacy_clause import parse_target_error
from engine.api.wire.answer import explanation_shape
from engine.mechanism.answer import interval_parts, project_intervals
from engine.mechanism.release import Release
from engine.pipeline import target_budget
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pipeline.explain import WidthSource, explain
from engine.pricing.clip_bounds.histograms import load_calibrations
from engine.pricing.query_terms import Request
from engine.pricing.target_error import with_noise_at_price
from engine.workflows.calibrate import calibrate, plan_calibration
from tests.engine.pricing.clip_bounds.profiles.test_profiles import IN_ALL, MANY_ROWS, RHO
from tests.engine.town import CATALOG, make_town
from tests.support.statistics.repeatable_noise import repeatable_noise
from tests.support.without_norms import without_norms

BY_ZONE = "SELECT zone, COUNT(*) AS n, SUM(minutes) AS s, AVG(minutes) AS m FROM visit GROUP BY zone"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_town(tmp_path_factory.mktemp("town"), MANY_ROWS, without_norms(CATALOG).replace('"1e3"', '"1e5"'))


@pytest.fixture
def engine(catalog: Catalog, backend: Any) -> Iterator[Engine]:
    """Make an engine whose noise is the same in every run.

    What a profile leaves of a tail open differs by its noise: where the tail may hold a person of half a group's rows,
    that person widens averages by group several times.
    """
    with Ledger.open(":memory:") as ledger:
        yield Engine(catalog, backend, ledger, repeatable_noise(2))


def half_widths(answered: Answered) -> dict[str, float]:
    shown = project_intervals(answered.answer, answered.question)
    return {name: float(np.median((high - low) / 2)) for name, (low, high) in shown.intervals.items()}


def target(engine: Engine, sql: str, text: str, client: str = "ann") -> Answered:
    return engine.answer(sql, Request(client, target_error=parse_target_error(text)))


@pytest.mark.parametrize("sql", [BY_ZONE, IN_ALL], ids=["by zone", "in all"])
def test_before_a_profile_is_bought_a_range_from_public_sizes_is_expected(engine: Engine, sql: str) -> None:
    before = explain(engine, sql, Request("ann", rho=RHO)).expected
    assert before.source is WidthSource.MAGNITUDES and set(before.half_widths.values()) == {None} and not before.parts
    answered = half_widths(engine.answer(sql, Request("ann", rho=RHO)))
    assert answered.keys() == before.ranges.keys()
    for name, (low, high) in before.ranges.items():
        assert low <= answered[name] <= high, name


def test_the_range_is_narrow_without_conditions_and_allows_for_the_largest_groups(engine: Engine) -> None:
    def expected(sql: str) -> tuple[float, float]:
        return explain(engine, sql, Request("ann", rho=RHO)).expected.ranges["n"]

    counts = "SELECT zone, COUNT(*) AS n FROM visit"
    low, high = expected(f"{counts} GROUP BY zone")
    assert high / low < 50
    few_low, few_high = expected(f"{counts} WHERE minutes < 3 GROUP BY zone")
    assert few_low < low and few_high == high  # a condition may leave few rows
    largest = expected(f"{counts} GROUP BY zone ORDER BY n DESC LIMIT 1")
    assert largest[1] > 2 * high  # seven zones: a usual one has a seventh of the rows, the largest 40% by Zipf's law


@pytest.mark.parametrize("sql", [BY_ZONE, IN_ALL], ids=["by zone", "in all"])
def test_of_a_repeat_the_total_half_widths_are_expected(engine: Engine, sql: str) -> None:
    """Noise and clipping together, as the stored answer shows them; not the noise alone."""
    answered = engine.answer(sql, Request("ann", rho=RHO))
    again = explain(engine, sql, Request("ann", rho=RHO))
    assert again.is_free and again.expected.source is WidthSource.ANSWER
    assert again.expected_error == half_widths(answered)
    shown = project_intervals(answered.answer, answered.question).intervals
    for name, (lower, upper) in shown.items():
        half = (upper - lower) / 2
        expected = (half.min(), half.max()) if half.min() < half.max() else None
        assert again.expected.ranges.get(name) == expected
    parts = interval_parts(project_intervals(answered.answer, answered.question))
    assert again.expected.parts == parts and parts.keys() == answered.answer.intervals.keys()
    for name, each in parts.items():
        assert np.hypot(each["noise"], each["clipping"]) == pytest.approx(half_widths(answered)[name], rel=0.05)
        assert each["clipping"] > 0


@pytest.mark.parametrize("sql", [BY_ZONE, IN_ALL], ids=["by zone", "in all"])
def test_a_held_profile_predicts_the_half_widths_of_another_price(engine: Engine, sql: str) -> None:
    engine.answer(sql, Request("ann", rho=RHO / 4))
    before = explain(engine, sql, Request("ann", rho=RHO))
    assert not before.is_free and before.expected.source is WidthSource.PROFILE
    answered = half_widths(engine.answer(sql, Request("ann", rho=RHO)))
    for name, width in before.expected_error.items():  # what each profile leaves of a tail open differs by its noise
        assert width is not None and 0.15 < width / answered[name] < 6, name
    assert explain(engine, sql, Request("bob", rho=RHO)).expected.source is WidthSource.MAGNITUDES  # ann's is ann's


@pytest.mark.parametrize("sql", [BY_ZONE, IN_ALL], ids=["by zone", "in all"])
def test_a_dearer_question_is_not_answered_by_a_cheaper_one(engine: Engine, sql: str) -> None:
    """Fallback bounds have more noise than a cheap release with chosen ones: they are no measure of what is bought."""
    engine.answer(sql, Request("ann", rho=RHO / 4))
    assert engine.answer(sql, Request("ann", rho=RHO)).charged_loss.rho == RHO
    again = engine.answer(sql, Request("ann", rho=RHO / 2))  # the dear one is precise enough
    assert again.charged_loss.pico_rho == 0


def test_explaining_charges_nothing_and_writes_nothing(engine: Engine) -> None:
    engine.answer(BY_ZONE, Request("ann", rho=RHO / 4))
    entries = len(engine.ledger.entries())
    for rho in (RHO / 4, RHO):
        explain(engine, BY_ZONE, Request("ann", rho=rho))
    assert len(engine.ledger.entries()) == entries


def test_a_target_error_needs_a_held_profile(engine: Engine) -> None:
    with pytest.raises(Refusal) as refused:
        target(engine, IN_ALL, "2000")
    assert "nobody has measured" in str(refused.value)
    assert not engine.ledger.paid_releases("ann")
    before = half_widths(engine.answer(IN_ALL, Request("ann", rho=Fraction("0.0005"))))["n"]
    less = str(round(0.8 * before))
    answered = target(engine, IN_ALL, less)
    assert 0.05 < half_widths(answered)["n"] / before < 2.5  # noise of the new profile decides within this range
    again = target(engine, IN_ALL, less)
    assert again.charged_loss.pico_rho == 0 and again.answer.table.equals(answered.answer.table)
    with pytest.raises(Refusal):
        target(engine, IN_ALL, "2000", "bob")


def test_a_calibration_shows_half_widths_to_everybody(engine: Engine) -> None:
    """Of what it measured exactly; under a condition nobody has measured how much people contribute."""
    by_zone = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
    planned = plan_calibration(engine, engine.catalog.datasets[0], rho=Fraction(5, 100))
    calibrate(engine, planned, lambda *_: None, "steward")
    known = replace(engine, calibrations=load_calibrations(engine.ledger, ["town"]))
    before = explain(known, by_zone, Request("ann", rho=RHO))
    assert before.expected.source is WidthSource.CALIBRATION and not before.expected.ranges
    width = half_widths(known.answer(by_zone, Request("ann", rho=RHO)))["n"]
    # what each profile leaves of a tail open differs by its noise
    assert 0.2 < (before.expected_error["n"] or 0) / width < 5
    assert 20 < half_widths(target(known, by_zone, "900", "bob"))["n"] < 4_000
    filtered = by_zone.replace(" GROUP", " WHERE coins > 2 GROUP")
    assert explain(known, filtered, Request("ann", rho=RHO)).expected.source is WidthSource.MAGNITUDES


def test_people_who_are_not_clipped_need_no_profile_for_a_target_error(engine: Engine) -> None:
    answered = target(engine, "SELECT COUNT(DISTINCT person_id) AS n FROM visit", "60")
    assert half_widths(answered)["n"] <= 60


def test_no_half_width_by_fallback_bounds_is_shown(engine: Engine) -> None:
    """Neither what fits the budget nor what advice proposes has one before the profile is bought."""
    shape = explanation_shape(explain(engine, BY_ZONE, Request("ann", rho=RHO)), {})
    assert shape["outlook"]["would_fit_error"] == {}
    for each in shape["advice"]["instead"]:
        assert each["expected_error"].get("n") is None and each["expected_error"].get("s") is None


def test_clipping_that_the_interval_holds_is_no_bias(engine: Engine) -> None:
    """Reliability words then follow the interval alone: what is left of clipping counts once."""
    answered = engine.answer(BY_ZONE, Request("ann", rho=RHO))
    bounds = [bound for release in answered.reported for bound in release.bounds.vectors]
    assert all(bound.predicted_bias == 0 and not bound.residual_bias_bound for bound in bounds)


def test_a_planted_prediction_with_fallback_bounds_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the profile the noise of another price is that of the fallback bounds."""

    def planted(release: Release, unpriced: Any, price: int, profile: object = None) -> Release:
        return with_noise_at_price(release, unpriced, price)

    monkeypatch.setattr(target_budget, "with_noise_at_price", planted)
    with pytest.raises(AssertionError):
        test_a_held_profile_predicts_the_half_widths_of_another_price(engine, BY_ZONE)


def test_rows_selected_by_a_profiled_count_that_is_not_shown_are_answered(engine: Engine) -> None:
    answered = engine.answer(
        "SELECT zone FROM visit GROUP BY zone ORDER BY COUNT(*) DESC LIMIT 3", Request("ann", rho=RHO)
    )
    assert answered.answer.hidden_count is not None and answered.answer.intervals == {}
    assert interval_parts(answered.answer) == {}
