"""Sums of stored numbers: exact integers, and intervals with their stated coverage."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dialect.algebra.expressions import TRUE, Field, Ref
from dialect.catalog.model import SqlType
from dialect.planner.reuse.view_matching import Derivation
from engine.mechanism.answer import half_widths
from engine.mechanism.gaussian import add_noise, gaussian_scale
from engine.mechanism.release import Release
from engine.reuse.sources import derive_release

LEVEL, GROUPS, CELLS = 0.95, 3_000, 4
BY_K0 = Derivation((Ref(Field("k0", None, SqlType.BIGINT)),), TRUE, (0,), (), False, False)
# of 3,000 independent intervals at a level of 0.95, fewer hold than this in 2 of 10^9 runs of an honest one
LEAST_HELD = 0.925


def noised(sensitivity: int, pico_rho: int, cells: int) -> Release:
    """Noise around 0 in so many cells of every group."""
    sigma = gaussian_scale(sensitivity, pico_rho)
    groups = np.repeat(np.arange(GROUPS), cells)
    exact = np.zeros(len(groups), dtype=np.int64)
    noisy = add_noise(exact, sensitivity, sigma, pico_rho)
    keys = pa.table({"k0": groups, "k1": np.tile(np.arange(cells), GROUPS)})
    return Release(keys, (noisy,), (1.0,), (sigma,))


def wanted() -> pa.Table:
    return pa.table({"k0": np.arange(GROUPS)})


def coverage(release: Release) -> float:
    """Share of intervals that cover the exact 0."""
    reach = half_widths(np.array(release.deviations()[0]), LEVEL, {"n": release.sigmas[0]}, "n")
    return float((np.abs(release.noisy[0] * release.grains[0]) <= reach).mean())


@pytest.mark.parametrize("sensitivity", [1, 40])
def test_sums_are_exact_and_their_intervals_hold(sensitivity: int) -> None:
    fine = noised(sensitivity, 10**10, CELLS)
    found = derive_release(fine, BY_K0, wanted())
    assert found is not None
    coarse, most = found
    assert most == CELLS
    assert coarse.noisy[0].tolist() == fine.noisy[0].reshape(GROUPS, CELLS).sum(axis=1).tolist()
    assert coarse.sigmas[0] == pytest.approx(fine.sigmas[0] * 2)
    assert coverage(coarse) >= LEAST_HELD
    told_less = Release(coarse.keys, coarse.noisy, coarse.grains, fine.sigmas)  # as if one cell's noise were all
    assert coverage(told_less) < LEAST_HELD


def test_a_group_without_stored_groups_is_not_derived() -> None:
    more = pa.table({"k0": np.arange(GROUPS + 1)})
    assert derive_release(noised(40, 10**10, CELLS), BY_K0, more) is None


def test_releases_of_narrow_noise_are_not_summed() -> None:
    assert derive_release(noised(1, 10**12, CELLS), BY_K0, wanted()) is None  # sigma 0.7 grains
    assert derive_release(noised(1, 10**12, 1), BY_K0, wanted()) is not None


CORRELATED = Release(
    pa.table({"k0": np.repeat(np.arange(6), 2), "k1": np.tile([0, 1], 6)}), (np.zeros(12, np.int64),), (1.0,), (50.0,),
    shared_sigmas=(30.0,),
)  # fmt: skip
SUMMED = np.kron(np.eye(6), np.ones((1, 2)))  # which of the stored groups each derived one adds up


def least_slack(sigma: float) -> float:
    """How far independent noise of one scale is above the covariance of the derived numbers, at its least."""
    stored = np.eye(12) * (50.0**2 - 30.0**2) + 30.0**2
    return float(np.linalg.eigvalsh(np.eye(6) * sigma**2 - SUMMED @ stored @ SUMMED.T).min())


def test_correlated_noise_is_never_reported_too_small() -> None:
    keys = pa.table({"k0": np.arange(6)})
    for reads_single_groups in (True, False):
        found = derive_release(CORRELATED, BY_K0, keys, reads_single_groups=reads_single_groups)
        assert found is not None
        (sigma,), (shared,) = found[0].sigmas, found[0].shared_sigmas
        assert sigma**2 >= 2 * (50.0**2 - 30.0**2) + 4 * 30.0**2  # of a single number
        assert (shared == 60.0) if reads_single_groups else (shared == 0 and least_slack(sigma) > -1e-6)


def test_correlated_noise_taken_for_independent_is_found() -> None:
    found = derive_release(
        Release(CORRELATED.keys, CORRELATED.noisy, (1.0,), (50.0,)), BY_K0, pa.table({"k0": np.arange(6)})
    )
    assert found is not None and least_slack(found[0].sigmas[0]) < -1000
