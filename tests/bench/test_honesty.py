"""The yardstick of honest numbers: the hindsight bound against a search by hand, figures on records with known answers."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.bench.honesty import figures, page
from tests.bench.honesty.catalogs import GUESSES, SUBJECTS, catalog_document, to_toml
from tests.bench.honesty.cells import Record, Shown, read_records, write_records
from tests.bench.honesty.figures import Measured
from tests.bench.honesty.heavy import shop_catalog
from tests.bench.honesty.hindsight import Contributions, hindsights
from tests.bench.honesty.questions import Aggregate, Kind

LEAST_QUESTIONS = 160
GROUPS, UNITS = 6, 400


def _contributions(draw: np.random.Generator) -> Contributions:
    """Units with counts and centred sums in groups, some of them heavy."""
    counts = draw.poisson(draw.pareto(1.3, UNITS)[:, None] * np.ones(GROUPS))
    sums = counts * draw.normal(3, 1, (UNITS, GROUPS))
    unit, group = np.nonzero(counts)
    values = tuple(of[unit, group].astype(float) for of in (counts, sums))
    norms = tuple(np.linalg.norm(of, axis=1)[unit] for of in (counts, sums))
    return Contributions(group.astype(np.int64), values, norms)


def test_the_hindsight_bound_is_that_of_a_search_by_hand() -> None:
    of = _contributions(np.random.default_rng(3))
    of = Contributions(of.group, of.values[:1], of.norms[:1])
    exact, rho = np.bincount(of.group, of.values[0]), 0.005
    found, _ = hindsights(of, exact, Aggregate.ROWS, 0.0, rho, 1.0)

    def error(bound: float) -> np.ndarray:
        clipped = np.bincount(of.group, of.values[0] * np.minimum(1, bound / of.norms[0]))
        return np.hypot(clipped - exact, bound / math.sqrt(2 * rho)) / exact

    assert found.error == pytest.approx(error(found.clip_bound))
    searched = min(np.median(error(bound)) for bound in np.geomspace(0.1, of.norms[0].max(), 500))
    assert searched * 0.999 <= np.median(found.error) <= searched * 1.02


def test_the_hindsight_bound_of_means_is_noise_alone_at_a_large_price() -> None:
    of = _contributions(np.random.default_rng(4))
    count, total = (np.bincount(of.group, value) for value in of.values)
    found, _ = hindsights(of, 10 + total / count, Aggregate.AVERAGE, 10.0, 1e9, 1.0)
    assert np.abs(found.bias).max() < 1e-4
    assert np.median(found.error) < 1e-4


def test_the_bound_of_the_largest_groups_is_not_worse_for_them() -> None:
    draw = np.random.default_rng(5)
    group = draw.integers(0, 40, 3000) ** 2 // 40
    value = draw.pareto(1.3, 3000) + 1
    of = Contributions(group.astype(np.int64), (value,), (value,))
    exact = np.bincount(group, value)
    every, largest = hindsights(of, exact, Aggregate.ROWS, 0.0, 0.001, 1.0)
    top = np.argsort(-exact)[:10]
    assert np.median(largest.error[top]) <= np.median(every.error[top])


def _records(scale: float, draws: int = 40, groups: int = 30) -> Iterator[Record]:
    """Records of unbiased normal noise, whose intervals are `scale` times as wide as they should be."""
    draw = np.random.default_rng(6)
    for place in range(20):
        truth, sigma = draw.uniform(100, 200, groups), 5.0
        record = Record("operator", f"q{place}", Kind.ROWS, Aggregate.ROWS, [], 0.005, 0, True, groups, groups)
        record.truth, record.bias = truth.tolist(), [0.0] * groups
        record.deviation = (sigma / truth).tolist()
        record.largest = [int(i) for i in np.argsort(-truth)[:10]]
        record.bias_of_largest, record.deviation_of_largest = [0.0] * 10, (sigma / truth[record.largest]).tolist()
        for _ in range(draws):
            value = truth + sigma * draw.standard_normal(groups)
            wide, half = 1.96 * sigma * scale, 0.6745 * sigma * scale
            low, high, low_half, high_half = ((value + reach).tolist() for reach in (-wide, wide, -half, half))
            ends = (low, high, low_half, high_half)
            record.draws.append(Shown(list(range(groups)), value.tolist(), *ends, [False] * groups))
        yield record


def test_right_intervals_cover_and_narrow_ones_are_found() -> None:
    right, narrow = ([Measured(each) for each in _records(scale)] for scale in (1.0, 0.7))
    assert figures.coverage(right).value == pytest.approx(0.95, abs=0.01)
    assert figures.coverage(right, half=True).value == pytest.approx(0.5, abs=0.02)
    assert figures.coverage(right, clear=True).count == 20
    assert figures.coverage(narrow).high < 0.92
    covered = figures.coverage(right)
    assert covered.low <= covered.value <= covered.high


def test_noise_of_the_hindsight_bound_has_a_ratio_of_one() -> None:
    measured = [Measured(each) for each in _records(1.0, draws=3)]
    assert figures.geometric(measured, lambda each: each.ratio).value == pytest.approx(1, abs=0.04)
    assert figures.geometric(measured, lambda each: each.ratio_of_largest).value == pytest.approx(1, abs=0.06)
    assert figures.median(measured, lambda each: each.width).value == pytest.approx(1, abs=0.01)


def test_missing_numbers_are_errors_of_one() -> None:
    record = next(_records(1.0))
    for draw in record.draws:
        draw.value = [math.nan] * len(draw.value)
    assert Measured(record).error == 1


def test_zero_rows_that_are_not_marked_are_counted() -> None:
    record = next(_records(1.0, draws=2))
    record.truth[3] = 0.0
    assert figures.unmarked_zeros([Measured(record)]) == (2, 2)
    for draw in record.draws:
        draw.is_marked[3] = True
    assert figures.unmarked_zeros([Measured(record)]) == (2, 0)


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    record = next(_records(1.0, draws=1, groups=12))
    record.draws[0].low[2] = math.nan
    write_records([record], {"commit": "abc"}, tmp_path / "cells.json")
    (read,), about = read_records(tmp_path / "cells.json")
    assert about["commit"] == "abc"
    assert math.isnan(read.draws[0].low[2])
    assert read.truth == pytest.approx(record.truth, rel=1e-5)
    assert "operator" in page.text([read], about, [read])


def test_catalogs_have_a_form_without_guesses() -> None:
    document = shop_catalog("rare", "shop.duckdb")
    bare = catalog_document(document, declares_norms=False)
    assert tomllib.loads(to_toml(document)) == document
    assert not any(f'"{name}"' in to_toml(bare) for name in GUESSES)
    assert bare["tables"]["purchase"]["columns"]["amount"]["bounds"] == [0, 1000]


def test_there_are_enough_questions_of_every_class() -> None:
    questions = [(name, each) for name, subject in SUBJECTS.items() for each in subject.questions()]
    assert len({(name, each.name) for name, each in questions}) == len(questions) >= LEAST_QUESTIONS
    assert {each.kind for _, each in questions} == set(Kind)


def test_a_chance_zero_of_the_bias_is_no_merit_of_a_clip_bound() -> None:
    """Heavy people with means above and below that of all: clipping some of both moves the mean by chance by nothing."""
    count = np.array([1.0] * 900 + [100.0] * 10 + [400.0] * 2)
    total = np.array([0.0] * 900 + [100.0] * 10 + [-400.0] * 2)
    of = Contributions(np.zeros(len(count), dtype=np.int64), (count, total), (count, count))
    exact = np.array([1.0 + total.sum() / count.sum()])
    found, _ = hindsights(of, exact, Aggregate.AVERAGE, 1.0, 1.0, 1.0)

    def bias(bound: float) -> float:
        kept = np.minimum(1, bound / count)
        return float((1.0 + (kept * total).sum() / (kept * count).sum() - exact[0]) / exact[0])

    beyond = np.array([bias(bound) for bound in np.geomspace(found.clip_bound, 400, 200)])
    assert np.abs(beyond).max() * 0.98 <= abs(found.bias[0])
    searched = np.array([bias(bound) for bound in np.geomspace(1, 400, 200)])
    assert searched.min() < 0 < searched.max(), "the bias has a chance zero"
