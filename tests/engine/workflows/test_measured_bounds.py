"""Columns that declare `bounds = "measure"`: a calibration measures them, and they clamp values and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dialect import Code, Refusal, compile_query
from dialect.binder import aggregates
from dialect.catalog.model import Bounds, Catalog
from engine.api.session import Session
from engine.catalog.file import load_catalog
from engine.errors import CatalogError
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.column_means import with_measured_columns
from engine.pricing.clip_bounds.histograms import (
    LOWEST_VALUE_BIN,
    VALUE_BINS,
    ContributionHistogram,
    HistogramSubject,
    Quantity,
    load_calibrations,
)
from engine.pricing.clip_bounds.value_bounds import bounds_of_values
from engine.pricing.query_terms import Request
from engine.workflows.calibrate import calibrate, plan_calibration
from passersby.text.numbers import declared_text
from tests.engine.pricing.clip_bounds.profiles.test_profiles import MANY_ROWS
from tests.engine.town import CATALOG, make_town, opened
from tests.support.statistics.repeatable_noise import repeatable_noise
from tests.support.without_norms import without_norms

DECLARED = '"minutes" = { "type" = "DOUBLE", "bounds" = [0, 60] }'
MEASURED = without_norms(CATALOG).replace(DECLARED, DECLARED.replace("[0, 60]", '"measure"'))
RHO = Fraction("0.02")
SUM = "SELECT SUM(minutes) AS s FROM visit"
ASKED = [
    SUM,
    "SELECT zone, AVG(minutes) AS m, COUNT(minutes) AS n FROM visit GROUP BY zone",
    "SELECT SUM(minutes * 60) AS s, SUM(minutes * minutes) AS q FROM visit",
    "SELECT SUM(minutes * minutes * minutes) AS s FROM visit",
    "SELECT VAR_SAMP(minutes) AS v FROM visit",
    "SELECT MEDIAN(minutes) AS m FROM visit",
    "SELECT SUM(1 / minutes) AS s FROM visit",
    "SELECT SUM(minutes) AS s FROM visit WHERE minutes BETWEEN 5 AND 7",
    "SELECT COUNT(*) AS n FROM visit WHERE minutes > 1000000",
    "SELECT CAST(floor(minutes / 10) AS BIGINT) AS ten, COUNT(*) AS n FROM visit GROUP BY ten",
    "SELECT AVG(t) AS m FROM (SELECT person_id, SUM(minutes) AS t FROM visit GROUP BY person_id) AS per_person",
]
OUTCOMES = [Bounds(0.0, 2.0**-19), Bounds(-1.0, 1.0), Bounds(0.0, 64.0), Bounds(-(2.0**40), 2.0**40)]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_town(tmp_path_factory.mktemp("town"), declared=MEASURED)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Engine]:
    with opened(make_town(tmp_path, MANY_ROWS, MEASURED), tmp_path, repeatable_noise()) as engine:
        yield engine


def calibrated(engine: Engine) -> Engine:
    planned = plan_calibration(engine, engine.catalog.datasets[0], rho=Fraction(2, 100))
    assert "visit: values(minutes) in all" in {str(each.measured) for each in planned.questions}
    calibrate(engine, planned, lambda *_: None, "steward")
    return replace(engine, calibrations=load_calibrations(engine.ledger, ["town"]))


def bounded(catalog: Catalog, bounds: Bounds) -> Catalog:
    """Copy a catalog with the measured bounds of its columns."""
    tables = (
        replace(t, columns=tuple(replace(c, measured_bounds=bounds if c.measures_bounds else None) for c in t.columns))
        for t in catalog.tables
    )
    return replace(catalog, tables=tuple(tables))


def outcome(sql: str, catalog: Catalog) -> tuple[Any, ...]:
    """What is accepted of a question: its keys and lints, or why it is refused."""
    try:
        question = compile_query(sql, catalog)
    except Refusal as refused:
        return refused.code, str(refused)
    keys = [plan.key_set and [str(key.canonical_text) for key in plan.keys] for plan in question.plans]
    return keys, [(note.code, note.text) for note in question.notes if "bins" not in note.text]


def test_sums_are_refused_until_bounds_are_measured(town: Engine) -> None:
    with pytest.raises(Refusal) as refused:
        town.answer(SUM, Request("ann", rho=RHO))
    assert refused.value.code is Code.BOUNDS and "passersby catalog calibrate" in str(refused.value)
    assert not town.ledger.paid_releases("ann")
    town.answer("SELECT COUNT(*) AS n FROM visit", Request("ann", rho=RHO))
    town.answer("SELECT SUM(LEAST(GREATEST(minutes, 0), 60)) AS s FROM visit", Request("ann", rho=RHO))


def test_a_calibration_measures_bounds_once_for_everybody(town: Engine) -> None:
    engine = calibrated(town)
    (visit,) = (t for t in with_measured_columns(engine.catalog, engine.calibrations).tables if t.name == "visit")
    (minutes,) = (column for column in visit.columns if column.name == "minutes")
    assert minutes.measured_bounds == Bounds(0.0, 64.0) and minutes.bounds is None  # values are up to 49
    answered = engine.answer(SUM, Request("ann", rho=RHO))
    exact = engine.backend.values("SELECT CAST(sum(i % 50) AS BIGINT) AS s FROM range(1, 60001) AS t(i)")[0]
    lower, upper = answered.answer.intervals["s"]
    assert isinstance(exact, int) and abs((lower[0] + upper[0]) / 2 - exact) < 3 * (upper[0] - lower[0])


def test_bounds_can_be_measured_alone(town: Engine) -> None:
    planned = plan_calibration(town, town.catalog.datasets[0], rho=Fraction(1, 100), only_values=True)
    assert [str(each.measured) for each in planned.questions] == ["visit: values(minutes) in all"]
    assert Fraction(99, 10_000) < planned.loss.rho <= Fraction(1, 100)


def test_measured_bounds_are_shown_and_rehearsed(town: Engine) -> None:
    (column,) = (each for each in Session(town).tables("visit")[0]["columns"] if each["name"] == "minutes")
    assert declared_text(column) == "bounds to be measured by passersby catalog calibrate"
    session = Session(calibrated(town))
    (column,) = (each for each in session.tables("visit")[0]["columns"] if each["name"] == "minutes")
    assert declared_text(column) == "clamped to 0 to 64, as measured"
    assert session.rehearse(SUM, client="ann").num_rows == 1


@pytest.mark.parametrize("sql", ASKED)
def test_no_measured_bounds_change_what_is_accepted(catalog: Catalog, sql: str) -> None:
    assert len({str(outcome(sql, bounded(catalog, bounds))) for bounds in OUTCOMES}) == 1


def test_a_planted_acceptance_by_measured_bounds_is_found(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of a column whose bounds are small would be accepted, and of one whose bounds are large refused."""
    found = set()
    for bounds in OUTCOMES:
        monkeypatch.setattr(aggregates, "MEASURABLE_BOUNDS", bounds)
        found.add(str(outcome(ASKED[3], bounded(catalog, bounds))))
    assert len(found) > 1


def test_measured_bounds_clamp_sums_and_nothing_else(catalog: Catalog) -> None:
    """A query vector clamps to them and has them in its text; the field that predicates and keys read has none."""
    (small,), (large,) = (compile_query(SUM, bounded(catalog, Bounds(0.0, end))).plans for end in (8.0, 64.0))
    assert (small.vectors[0].lower, small.vectors[0].upper, large.vectors[0].upper) == (0.0, 8.0, 64.0)
    assert small.canonical_text != large.canonical_text
    counted = ["SELECT COUNT(*) AS n FROM visit WHERE minutes > 20", "SELECT COUNT(minutes) AS n FROM visit"]
    for sql in counted:
        texts = {compile_query(sql, bounded(catalog, each)).plans[0].canonical_text for each in OUTCOMES}
        assert len(texts) == 1


def values(people: dict[int, int], negative: dict[int, int], sigma: float, seed: int) -> ContributionHistogram:
    """Histogram of people by bin of their largest value, with noise."""
    counts = np.zeros((2, VALUE_BINS))
    for row, of_sign in enumerate((people, negative)):
        for bin_number, count in of_sign.items():
            counts[row, bin_number - LOWEST_VALUE_BIN] = count
    noisy = np.rint(counts.ravel() + sigma * np.random.default_rng(seed).standard_normal(counts.size)).astype(int)
    subject = HistogramSubject("visit", (), Quantity.VALUES, "minutes")
    day = date(2026, 11, 30)
    return ContributionHistogram(subject, tuple(noisy.tolist()), sigma, "forever", day, day)


def test_bounds_hold_nearly_all_values() -> None:
    people = {bin_number: 20_000 // 2 ** (bin_number - 8) for bin_number in range(8, 20)}  # from 16 on, with a tail
    sigma = 40.0
    for seed in range(20):
        bounds = bounds_of_values(values(people, {}, sigma, seed), is_integer=False)
        beyond = sum(count for bin_number, count in people.items() if 2 ** (bin_number / 2) >= bounds.upper)
        assert bounds.lower == 0 and beyond < 12 * sigma and bounds.upper <= 2**11
        signed = bounds_of_values(values(people, {10: 5_000}, sigma, seed), is_integer=False)
        assert signed.lower == -signed.upper


@pytest.mark.parametrize("seed", range(5))
def test_bounds_without_a_clear_bin_are_the_widest(seed: int) -> None:
    assert bounds_of_values(values({3: 5}, {}, 40.0, seed), is_integer=False) == Bounds(-(2.0**40), 2.0**40)


def test_bounds_of_public_and_hidden_columns_are_not_measured(tmp_path: Path) -> None:
    public = MEASURED.replace(
        '"inhabitants" = { "type" = "BIGINT" }', '"inhabitants" = { "type" = "BIGINT", "bounds" = "measure" }'
    )
    with pytest.raises(CatalogError) as refused:
        make_town(tmp_path, declared=public)
    assert refused.value.key == "tables.zone.columns.inhabitants.bounds"
    (tmp_path / "catalog.toml").write_text(MEASURED.replace('"measure"', '"measured"'), encoding="utf-8")
    with pytest.raises(CatalogError) as refused:
        load_catalog(tmp_path / "catalog.toml")
    assert refused.value.key == "tables.visit.columns.minutes.bounds"
