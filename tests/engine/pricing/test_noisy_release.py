"""Releases with correlated noise: people per group as plain counting has them, in two measurements."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest

from dialect import compile_query
from engine.backends.exact import Exact
from engine.mechanism.gaussian import gaussian_scale
from engine.mechanism.release import Release
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import CompiledRelease, noise_scales
from engine.pricing.noisy_release import noisy_release
from engine.pricing.query_terms import Request
from engine.pricing.target_error import noise_scales_at
from tests.engine.complete_town import anew, ask, held_town, price

PEOPLE = "SELECT zone, COUNT(DISTINCT person_id) AS p FROM visit GROUP BY zone"
TOTAL = f"SELECT SUM(p) AS s FROM ({PEOPLE})"
Z = 1.959964


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("correlated") / "town") as engine:
        yield engine


def compiled(engine: Engine, sql: str = PEOPLE) -> CompiledRelease:
    (made,) = engine.compile(compile_query(sql, engine.catalog), Request("ann", Fraction("0.005"))).releases
    return made


def people_by_zone(answered: Answered) -> dict[str, int]:
    table = answered.answer.table
    return dict(zip(table.column("zone").to_pylist(), table.column("p").to_pylist(), strict=True))


def test_numbers_are_those_of_independent_noise_where_there_is_none(complete: Engine) -> None:
    own = anew(complete, exact=True)
    both = f"SELECT *, 1 AS one FROM ({PEOPLE}) ORDER BY p LIMIT 99"  # the limit makes its noise independent
    assert compiled(own).bounds.centred_vectors and not compiled(own, both).bounds.centred_vectors
    first, other = (people_by_zone(ask(anew(complete, exact=True), sql)) for sql in (PEOPLE, both))
    assert first == other and max(first.values()) > 0


def test_the_price_of_both_measurements_is_the_price_of_the_vector(complete: Engine) -> None:
    made = compiled(complete)
    (sensitivity, centred), (one, units) = made.measurements
    assert (one, centred.pico_rho + units.pico_rho) == (1, made.cost.vectors[0].pico_rho)
    assert sensitivity == made.bounds.vectors[0].sensitivity and made.privacy_loss <= Fraction("0.005")


def test_predicted_noise_is_that_of_both_measurements(complete: Engine) -> None:
    made = compiled(complete)
    (scale,) = noise_scales_at(made.unpriced_release, made.cost.loss.pico_rho, gaussian_scale)
    assert scale == (made.bounds.vectors[0].grain_size, made.cost.vectors[0].sigma)
    assert scale == noise_scales((made,))[0][0]


def test_more_groups_than_were_counted_get_no_noise(complete: Engine) -> None:
    made = compiled(complete)
    exact = complete.backend.run(made.sql)
    more = Exact(exact.keys, tuple(np.append(vector, 0) for vector in exact.vectors))
    with pytest.raises(ValueError, match="more groups"):
        noisy_release(more, made.bounds, made.cost, complete.add_noise)


def test_a_repeat_and_a_part_are_free(complete: Engine) -> None:
    own = anew(complete)
    first = ask(own, PEOPLE)
    assert (price(first), price(ask(own, PEOPLE))) == (pytest.approx(0.005), 0)
    part = ask(own, PEOPLE.replace("GROUP", "WHERE zone IN ('z1', 'z2') GROUP"), "0.001")
    assert price(part) == 0 and part.releases[0].is_correlated
    assert people_by_zone(part).items() <= people_by_zone(first).items()


def total_deviation(release: Release) -> float:
    """Standard deviation of the sum over all groups, from the covariance of the two measurements."""
    (sigma,), (shared,), (grain,) = release.sigmas, release.shared_sigmas, release.grains
    groups = release.keys.num_rows
    return float(grain * np.sqrt(groups * (sigma**2 - shared**2) + groups**2 * shared**2))


def test_a_total_of_stored_numbers_has_the_interval_of_their_covariance(complete: Engine) -> None:
    own = anew(complete)
    held = ask(own, PEOPLE, "0.005")
    answered = ask(own, TOTAL, "0.001")
    assert price(answered) == 0
    lower, upper = answered.answer.intervals["s"]
    assert (upper - lower)[0] / 2 >= Z * total_deviation(held.releases[0])


def test_a_sum_taken_for_single_groups_is_found(complete: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: the covariance is left out of the interval of a sum."""
    pricing = import_module("engine.pricing.compile_release")
    monkeypatch.setattr(pricing, "is_by_group", lambda _: True)
    answered = ask(anew(complete), TOTAL, "0.005")
    lower, upper = answered.answer.intervals["s"]
    assert (upper - lower)[0] / 2 < Z * total_deviation(answered.releases[0])
