"""The released numbers of whole questions follow the law that was priced; a scale that is 10% off is found.

Every noise here is a released number, as the ledger stored it, less the exact one behind it. A vector gives about 15,000
values: a scale 10% off then moves the chi-square of 40 bins to about 300, six deviations above the threshold of 103,
which stands for a false alarm of 1e-7; the planted bugs show it at the same size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dialect import compile_query
from dialect.codegen.partition_selection import max_weight
from engine.mechanism import release as release_module
from engine.mechanism.gaussian import add_noise
from engine.mechanism.release import release_from_bytes, release_to_bytes
from engine.pipeline.engine import Engine
from engine.pricing import noisy_release as noisy_release_module
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from tests.support.ledger.forked import DRAWN, drawn_in_forks
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.statistics.noised import Noise, answers, engine_over, noises, with_private_keys
from tests.support.statistics.statistics import ALPHA, binomial_at_most, discrete_gaussian_fits, gaussian_tail

ANSWERS, KEYS = 40, 400
RHOS = ("0.005", "0.08")
PUBLIC = (
    "SELECT cell_id, hour(ts), COUNT(*) AS n, COUNT(DISTINCT subscriber_id), SUM(dwell_s), AVG(lat)"
    " FROM events GROUP BY 1, 2"
)
PRIVATE = "SELECT home_zone, COUNT(*) AS n FROM subscribers GROUP BY 1"
STANDARD_ERRORS = 6.2  # of a correlation: a false alarm of 6e-10, and of all pairs of a test rarer than 1e-8


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("law")
    with engine_over(attack_catalog(folder), folder) as opened:
        yield opened


def asked(engine: Engine, sql: str) -> Engine:
    """A query with many private keys, each far above the threshold; public ones are read."""
    return with_private_keys(engine, KEYS, 10_000, vectors=2) if sql == PRIVATE else engine


def most_correlated(columns: list[Noise]) -> float:
    """Largest correlation between different columns, in standard errors of zero."""
    flat = [column.ravel() for column in columns]
    return float(np.abs(np.corrcoef(flat) - np.eye(len(flat))).max() * np.sqrt(len(flat[0])))


@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("sql", [PUBLIC, PRIVATE], ids=["public keys", "private keys"])
def test_released_numbers_follow_the_priced_law_independently(sql: str, rho: str, engine: Engine) -> None:
    drawn, scales = noises(asked(engine, sql), sql, rho, ANSWERS)
    for noise, scale in zip(drawn, scales, strict=True):
        assert noise.size >= 15_000
        assert discrete_gaussian_fits(noise.ravel(), scale)
    assert most_correlated(drawn) < STANDARD_ERRORS  # of one vector with another
    assert (
        most_correlated([noise[:, :-1] for noise in drawn[:1]] + [drawn[0][:, 1:]]) < STANDARD_ERRORS
    )  # of neighbours
    assert most_correlated([drawn[0][:-1], drawn[0][1:]]) < STANDARD_ERRORS  # of one answer with the next


def off_by(factor: float) -> Callable[..., Any]:
    """Draw noise of a wrong scale; the charge is raised with it, so that the map has nothing to say."""
    return lambda exact, sensitivity, scale, charged: add_noise(exact, sensitivity, scale * factor, charged * 2)


@pytest.mark.parametrize(
    ("sql", "factor"), [(PUBLIC, 0.9), (PUBLIC, 1.1), (PRIVATE, 0.9)], ids=["too narrow", "too wide", "private keys"]
)
def test_a_scale_ten_percent_off_is_found(sql: str, factor: float, engine: Engine) -> None:
    drawn, scales = noises(replace(asked(engine, sql), add_noise=off_by(factor)), sql, RHOS[0], ANSWERS)
    for noise, scale in zip(drawn, scales, strict=True):
        assert not discrete_gaussian_fits(noise.ravel(), scale)


def test_noise_that_two_vectors_share_is_found(engine: Engine) -> None:
    last: list[Noise] = []

    def every_other_time(exact: Noise, *priced: Any) -> Noise:
        if last:
            return exact + last.pop()
        last.append(add_noise(np.zeros_like(exact), *priced))
        return exact + last[0]

    drawn, _ = noises(replace(asked(engine, PRIVATE), add_noise=every_other_time), PRIVATE, RHOS[0], 5)
    assert most_correlated(drawn) > STANDARD_ERRORS


def test_shown_numbers_are_the_released_ones(engine: Engine) -> None:
    (answered,) = answers(engine, PUBLIC, RHOS[0], 1)
    release, plan = answered.releases[0], answered.prepared[0].plan
    rows = next(i for i, vector in enumerate(plan.vectors) if vector.kind == "rows")
    shown = answered.answer.table.column("n").to_numpy()
    assert sorted(shown) == sorted(np.rint(release.noisy[rows] * release.grains[rows]).astype(np.int64))


def test_the_same_question_has_the_same_noise(engine: Engine) -> None:
    law = Request("law", Fraction(1, 1000))
    first, again = engine.answer(PUBLIC, law), engine.answer(PUBLIC, law)
    other = engine.answer(PUBLIC, Request("another", Fraction(1, 1000)))
    assert first.answer.table.equals(again.answer.table) and first.answer.table.equals(other.answer.table)
    fresh = next(answers(engine, PUBLIC, "0.001", 1))
    assert not fresh.answer.table.equals(first.answer.table)


def test_two_forks_of_one_process_draw_different_noise() -> None:
    """Children share no random state of their parent."""
    first, second = drawn_in_forks()
    assert len(first) == len(second) == 8 * DRAWN and first != second
    blocks = [set(map(bytes, np.frombuffer(drawn, np.int64).reshape(-1, 20))) for drawn in (first, second)]
    assert not blocks[0] & blocks[1]


# ---------------------------------------------------------------- correlated noise

PEOPLE = "SELECT hour(ts), COUNT(DISTINCT subscriber_id) AS n FROM events GROUP BY 1"
DRAWS = 1_500
OFF = 6.0  # standard errors of a variance over draws: a false alarm of 2e-9


def people_by_hour(engine: Engine) -> tuple[Engine, CompiledRelease]:
    """People by 25 hours under a clip bound that clips nobody, so that their noise is correlated."""
    tables = tuple(
        replace(t, clip_bounds=replace(t.clip_bounds, persons=9.0)) if t.name == "events" else t
        for t in engine.catalog.tables
    )
    wide = replace(engine, catalog=replace(engine.catalog, tables=tables))
    (made,) = wide.compile(compile_query(PEOPLE, wide.catalog), Request("law", Fraction(RHOS[0]))).releases
    assert made.cost.vectors[0].correlated is not None
    return wide, made


def law_of_correlated_numbers(engine: Engine) -> tuple[Noise, Noise, dict[str, float]]:
    """Noise of the stored centred vectors and numbers of units, and how far the covariance of what is shown is off.

    In standard errors: of a number's variance, and of the variance of the sum over all groups.
    """
    wide, made = people_by_hour(engine)
    exact = wide.backend.run(made.sql)
    shown, units = [], []
    for _ in range(DRAWS):
        release = release_from_bytes(release_to_bytes(wide.measure_release(made)))
        shown.append(release.noisy[0] - exact.vectors[0] - exact.vectors[1])  # half a person is one grain here
        units.append(release.unit_counts[0][0] - exact.vectors[1][0])
    noise, of_units, groups = np.stack(shown), np.array(units), len(exact.vectors[0])
    sigma, shared = release.sigmas[0], release.shared_sigmas[0]
    of_sum = groups * (sigma**2 - shared**2) + groups**2 * shared**2
    relative = {"number": noise.var(axis=0).mean() / sigma**2, "sum": noise.sum(axis=1).var() / of_sum}
    return noise - of_units[:, None], of_units, {k: (v - 1) / np.sqrt(2 / DRAWS) for k, v in relative.items()}


def test_correlated_numbers_follow_the_priced_law(engine: Engine) -> None:
    centred, units, off = law_of_correlated_numbers(engine)
    price = people_by_hour(engine)[1].cost.vectors[0].correlated
    assert discrete_gaussian_fits(centred.ravel(), price.centred.sigma)
    assert discrete_gaussian_fits(units, price.units.sigma)
    assert most_correlated([centred[:, 0], centred[:, 1], units]) < STANDARD_ERRORS
    assert max(map(abs, off.values())) < OFF


@pytest.mark.parametrize("bug", ["another one for each group", "added twice", "left out"])
def test_a_wrong_covariance_is_found(bug: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made, add_up = people_by_hour(engine)[1], release_module.centred_sum
    sigma = made.cost.vectors[0].correlated.units.sigma
    exact_units = engine.backend.run(made.sql).vectors[1][0]

    def wrong(centred: Noise, units: Noise | None, grain: float) -> Noise:
        if units is None:
            return add_up(centred, units, grain)
        shared = units - exact_units
        of_each = add_noise(np.zeros(len(centred), np.int64), 1, sigma, 10**12)
        noise = {"another one for each group": of_each, "added twice": 2 * shared, "left out": 0 * shared}[bug]
        return add_up(centred, exact_units + noise, grain)

    monkeypatch.setattr(noisy_release_module, "centred_sum", wrong)
    _, _, off = law_of_correlated_numbers(engine)
    assert max(map(abs, off.values())) > OFF


# ---------------------------------------------------------------- thresholds

LONELY = 20_000  # keys of one person each
LIKELY_DELTA = Fraction(1, 50)  # so large that it can be counted


def shown_single_person_keys(engine: Engine, lower_by: int = 0) -> tuple[int, float, int]:
    """Count the keys of one person that reach the threshold; give also the noise's scale and the threshold."""
    catalog = engine.catalog
    dataset = replace(catalog.datasets[0], defaults=replace(catalog.datasets[0].defaults, delta=LIKELY_DELTA))
    likely = replace(with_private_keys(engine, LONELY, 1, vectors=2), catalog=replace(catalog, datasets=(dataset,)))
    (prepared,) = likely.compile(compile_query(PRIVATE, likely.catalog), Request("law", Fraction("0.08"))).releases
    cost = replace(prepared.cost, threshold=prepared.cost.threshold - lower_by)
    release = likely.measure_release(replace(prepared, cost=cost))
    return release.keys.num_rows, cost.keys.sigma, prepared.cost.threshold


def test_a_key_of_one_person_is_shown_with_probability_at_most_delta(engine: Engine) -> None:
    shown, sigma, threshold = shown_single_person_keys(engine)
    assert gaussian_tail(sigma, threshold - 1) <= LIKELY_DELTA
    assert binomial_at_most(shown, LONELY, float(LIKELY_DELTA), ALPHA)
    assert shown > 0


@pytest.mark.parametrize("lower_by", [1, 2])
def test_a_threshold_that_is_too_low_is_found(lower_by: int, engine: Engine) -> None:
    shown, _, _ = shown_single_person_keys(engine, lower_by)
    assert not binomial_at_most(shown, LONELY, float(LIKELY_DELTA), ALPHA)


WEIGHED = (
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private', max_groups_contributed = 4) cell_id, COUNT(*) AS n"
    " FROM events GROUP BY 1"
)


def people_shown(engine: Engine, alone: int, lower_by: int = 0) -> int:
    """Count who is shown in any of their keys, of people who are alone in so many keys each.

    In the second round each key has a whole person, as if the first one had left open this one alone.
    """
    catalog = engine.catalog
    dataset = replace(catalog.datasets[0], defaults=replace(catalog.datasets[0].defaults, delta=LIKELY_DELTA))
    likely = replace(engine, catalog=replace(catalog, datasets=(dataset,)))
    (prepared,) = likely.compile(compile_query(WEIGHED, likely.catalog), Request("law", Fraction("0.08"))).releases
    assert prepared.selection is not None and prepared.cost.max_groups == 4
    weight = max_weight(alone, prepared.selection.bounds)
    second = replace(prepared.cost.second, threshold=prepared.cost.second.threshold - 5 * lower_by)
    cost = replace(prepared.cost, threshold=prepared.cost.threshold - lower_by, second=second)
    lonely = with_private_keys(likely, LONELY * alone, weight, vectors=2, later=2**20)
    release = lonely.measure_release(replace(prepared, cost=cost))
    return len({int(key[4:]) // alone for key in release.keys.column("k0").to_pylist()})


@pytest.mark.parametrize("alone", [1, 2, 4])
def test_people_alone_in_their_keys_are_shown_with_probability_at_most_delta(engine: Engine, alone: int) -> None:
    assert binomial_at_most(people_shown(engine, alone), LONELY, float(LIKELY_DELTA), ALPHA)


def test_a_threshold_for_one_key_alone_is_found_to_be_too_low_for_several(engine: Engine) -> None:
    """The planted bug: a threshold that is lower by the weight of a whole person."""
    assert not binomial_at_most(people_shown(engine, 4, lower_by=2**20), LONELY, float(LIKELY_DELTA), ALPHA)
