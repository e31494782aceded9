"""The black-box audit: from released numbers alone, how well two neighbouring worlds can be distinguished.

A release of rho-zCDP by Gaussian noise lets nobody do better than telling N(0, 1) from N(mu, 1), mu = sqrt(2 rho). The
best test there is guesses D above the middle. From how often it is right in each world follows a lower end of mu that is
too high once in ten million times (Clopper and Pearson, both worlds); it must not exceed what was charged. The victim has more
rows than count, so that mu is reached: an audit that sees nothing would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from math import sqrt

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from dialect import compile_query
from engine.backends.exact import Exact
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.statistics.noised import ReadOnce, engine_over
from tests.support.statistics.statistics import ALPHA

RHO = Fraction("0.08")
CHARGED = sqrt(2 * RHO)  # mu: 0.4
GUESSES = 40_000  # in each world: the lower end lies about 0.06 below mu
QUESTIONS = (
    "SELECT COUNT(*) FROM events",
    "SELECT SUM(dwell_s) FROM events",
    "SELECT COUNT(DISTINCT subscriber_id) FROM events",
)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Engine]]:
    folder = tmp_path_factory.mktemp("audit")
    with ExitStack() as opened:
        engines = [opened.enter_context(engine_over(attack_catalog(folder, world), folder)) for world in ("D", "D'")]
        yield engines[0], engines[1]


def released(engine: Engine, sql: str) -> np.ndarray:
    """Release one number many times: as many groups that hold the same exact number."""
    question = compile_query(sql, engine.catalog)
    (prepared,) = engine.compile(question, Request("auditor", RHO)).releases
    (number,) = engine.backend.run(prepared.sql).vectors[0]
    many = Exact(pa.table({"k0": range(GUESSES)}), (np.full(GUESSES, number, dtype=np.int64),))
    repeated = replace(engine, backend=ReadOnce(engine.backend, many))  # type: ignore[arg-type]
    return repeated.measure_release(prepared).noisy[0]


def least_mu(worlds: tuple[Engine, Engine], sql: str) -> float:
    """Lower end of mu that the released numbers prove."""
    more, less = (released(engine, sql) for engine in worlds)
    middle = (np.median(more) + np.median(less)) / 2
    right = stats.binomtest(int((more > middle).sum()), GUESSES).proportion_ci(1 - ALPHA)
    wrong = stats.binomtest(int((less > middle).sum()), GUESSES).proportion_ci(1 - ALPHA)
    return float(stats.norm.ppf(right.low) - stats.norm.ppf(wrong.high))


@pytest.mark.parametrize("sql", QUESTIONS)
def test_released_numbers_prove_no_more_loss_than_was_charged(sql: str, worlds: tuple[Engine, Engine]) -> None:
    proved = least_mu(worlds, sql)
    assert CHARGED * 0.7 < proved <= CHARGED


def test_a_clamp_that_is_no_clamp_is_found(worlds: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("dialect.codegen.contribution.clipping"), "clamped", lambda own, *_: own)
    assert least_mu(worlds, QUESTIONS[0]) > CHARGED


def test_noise_for_half_the_sensitivity_is_found(
    worlds: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert least_mu(worlds, QUESTIONS[0]) <= CHARGED  # and the scale is known: with the planted bug it is found never
    price = import_module("engine.pricing.price")
    priced, scale = price.vector_price, price.gaussian_scale

    def half(sensitivity: int, share: int) -> float:
        return scale(sensitivity, share) / 2

    monkeypatch.setattr(price, "vector_price", lambda bound, share: priced(bound, share, half))
    monkeypatch.setattr(import_module("engine.mechanism.gaussian"), "_exceeds", lambda *_: False)
    assert least_mu(worlds, QUESTIONS[0]) > CHARGED
