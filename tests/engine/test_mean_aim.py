"""The norm below an average: narrow where people's means are alike, wide where they change with activity."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from dialect import read
from engine.aimed import shown_alone
from engine.calibration import LEAN_STEPS, Calibration, Histogram, Kind, Measured
from engine.mean_aim import UNKNOWN_LEAN, MeanAim, lean_of, least_norm
from engine.norm_spread import norm_spread
from engine.pipeline import Engine
from engine.prepare import Prepared, priced, sized
from engine.split import split
from tests.engine.test_norm_spread import MADE, UNTIL
from tests.engine.test_norm_spread import histogram as counted
from tests.engine.town import make_town, opened
from tests.support.calibrated import made_up

GROUPS, PEOPLE, PRICE = 24, 20_000, 7 * 10**9
NOISE = 20.0
NORMS = [2.0 ** (j / 4) for j in range(40)]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("town")
    with opened(make_town(folder), folder) as engine:
        yield engine


def leans(rows: np.ndarray, means: np.ndarray, noise: int) -> Histogram:
    """Add up people's means, in magnitudes from -1 to 1, by their rows, with noise."""
    measured = Measured("visit", (), Kind.LEANS, "minutes", 30.0)
    bins = np.floor(2 * np.log2(rows)).astype(int)
    steps = np.bincount(bins, np.rint(LEAN_STEPS * means), len(measured.bins))
    steps = steps + np.random.default_rng(noise).normal(0, NOISE * LEAN_STEPS, len(steps))
    return Histogram(measured, tuple(int(n) for n in steps), NOISE * LEAN_STEPS, "forever", MADE, UNTIL)


def world(lean: float) -> tuple[np.ndarray, np.ndarray]:
    """Give everybody's rows in each group, and each one's mean, which changes with the logarithm of rows."""
    draw = np.random.default_rng(9)
    rows = np.ceil(draw.lognormal(3, 1.2, PEOPLE)).astype(int)
    means = np.clip(-0.5 + lean * (np.log(rows) - 3) + draw.normal(0, 0.1, PEOPLE), -1, 1)
    return np.array([draw.multinomial(n, np.full(GROUPS, 1 / GROUPS)) for n in rows]), means


@pytest.mark.parametrize("lean", [0.0, -0.05, 0.1])
def test_the_slope_is_read(lean: float) -> None:
    rows, means = world(lean)
    totals = rows.sum(axis=1)
    found = [
        lean_of(leans(totals, means, seed), counted(totals.astype(float) ** 2, noise=seed)) for seed in range(1, 6)
    ]
    assert np.median(found) == pytest.approx(abs(lean), abs=0.02)
    assert lean_of(None, None) == UNKNOWN_LEAN


@pytest.mark.parametrize("lean", [0.0, 0.1])
def test_the_norm_has_near_the_least_true_error(lean: float) -> None:
    rows, means = world(lean)
    totals, norms = rows.sum(axis=1), np.sqrt((rows.astype(float) ** 2).sum(axis=1))
    spread = norm_spread(
        counted(norms**2, keys=("zone",), noise=3), counted(totals.astype(float) ** 2, noise=4), GROUPS
    )
    assert spread is not None
    found = lean_of(leans(totals, means, 5), counted(totals.astype(float) ** 2, noise=4))
    aim = MeanAim(spread, GROUPS, 1.0, 1.0, found)

    def true_error(norm: float) -> float:
        kept = np.minimum(1, norm / norms)
        count = rows.T @ kept
        bias = (rows.T @ (kept * means)) / count - (rows.T @ means) / rows.sum(axis=0)
        return float(np.hypot(np.sqrt(np.mean(bias**2)), noise(norm, count)))

    def noise(norm: float, count: np.ndarray) -> float:
        both = 1 / (2 * 2 * PRICE * 1e-12) + 0.25 / (2 * PRICE * 1e-12)
        return float(norm * np.sqrt(both) / np.mean(count))

    chosen = least_norm(aim, NORMS, PRICE, 2 * PRICE)
    best = min(map(true_error, NORMS))
    assert true_error(chosen) < 2.5 * best  # what cannot be known of people is reckoned with
    of_a_total = 150.0  # what few people reach, as for the total beside it
    assert lean or true_error(chosen) < true_error(of_a_total) / 3


def test_people_who_differ_with_activity_are_cut_less() -> None:
    rows, _ = world(0.0)
    totals, norms = rows.sum(axis=1), np.sqrt((rows.astype(float) ** 2).sum(axis=1))
    spread = norm_spread(counted(norms**2, keys=("zone",)), counted(totals.astype(float) ** 2), GROUPS)
    assert spread is not None
    chosen = [least_norm(MeanAim(spread, GROUPS, 1.0, 1.0, lean), NORMS, PRICE, 2 * PRICE) for lean in (0.0, 0.05, 0.2)]
    assert chosen[0] < chosen[1] < chosen[2]
    biases = [MeanAim(spread, GROUPS, 1.0, 1.0, 0.05).bias(norm) for norm in (2, 8, 32, 1e6)]
    assert biases[0] > biases[1] > biases[2] > biases[3] == 0


def prepared(town: Engine, sql: str, calibration: Calibration) -> Prepared:
    question = read(sql, town.catalog)
    ((parts,), (alone,)) = split(question), shown_alone(question)
    made = sized(question.plans[0], town.catalog, town.backend, calibration, parts, alone)
    return priced(made, town.backend, Fraction(5, 1000))


def test_sum_and_count_of_an_average_have_norms_that_belong_together(town: Engine) -> None:
    rows = (0, 40, 80, 200, 300, 200, 60, 30, 10, 5)
    known = made_up(town.catalog, rows)
    made = prepared(town, "SELECT zone, AVG(minutes) AS m FROM visit GROUP BY zone", known)
    norms = {
        vector.kind.value: bound.norm for vector, bound in zip(made.plan.vectors, made.bounds.vectors, strict=True)
    }
    assert norms["centred"] == 30 * norms["valid"]
    assert all(bound.kept == 1 for bound in made.bounds.vectors)
    beside = prepared(town, "SELECT zone, AVG(minutes) AS m, COUNT(minutes) AS n FROM visit GROUP BY zone", known)
    wider = {
        vector.kind.value: bound.norm for vector, bound in zip(beside.plan.vectors, beside.bounds.vectors, strict=True)
    }
    assert wider["valid"] > norms["valid"]  # a count that is shown needs more
    assert wider["centred"] == 30 * wider["valid"]
    assert len({bound.kept for bound in beside.bounds.vectors}) == 1  # or the average would be moved
