"""Totals are paired with L2 norms so that people with differing numbers of groups have the measured totals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engine.pricing.clip_bounds import distribution
from engine.pricing.clip_bounds.distribution import paired_totals, totals_by_rank

GROUPS = 60
Drawn = Callable[[np.random.Generator], np.ndarray]
LAWS: dict[str, Drawn] = {
    "log-normal": lambda draw: np.exp(draw.normal(2.0, 1.1, 40_000)),
    "few beyond an end": lambda draw: np.exp(4 * draw.beta(2.5, 1.5, 40_000)),
}


def people(differing: float, law: Drawn = LAWS["log-normal"]) -> tuple[np.ndarray, np.ndarray]:
    """Norms and totals of 40,000 people: at one norm, totals are log-normal about twice it."""
    draw = np.random.default_rng(7)
    norms = law(draw)
    totals = norms * np.clip(2 * np.exp(draw.normal(0, differing, 40_000)), 1, np.sqrt(GROUPS))
    order = np.argsort(norms)
    return norms[order], totals[order]


def misread(norms: np.ndarray, totals: np.ndarray, norm: float, *, groups: int = GROUPS, rows: bool = False) -> float:
    """Error of the estimated unclipped share under a clip bound."""
    ones, kept = np.ones(len(norms)), np.minimum(1, norm / norms)
    read = paired_totals(ones, norms, ones, np.sort(totals), groups, counts_rows=rows)
    return float(read @ kept / read.sum() - totals @ kept / totals.sum())


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("norm", [5.0, 10.0, 25.0])
def test_the_unclipped_share_is_estimated_correctly(law: str, norm: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted reading by ranks alone, as if nobody differed, takes heavy people for heavier than they are."""
    norms, totals = people(0.22, LAWS[law])
    assert abs(misread(norms, totals, norm)) < 0.0025
    monkeypatch.setattr(distribution, "TOTAL_DISPERSION", 0.0)
    assert misread(norms, totals, norm) < -0.005


def test_ranks_determine_everything_if_people_behave_the_same_everywhere() -> None:
    norms, _ = people(0.0)
    everywhere = norms * np.sqrt(GROUPS)
    assert misread(norms, everywhere, 10.0) == pytest.approx(0, abs=1e-9)


def test_random_rows_give_nobody_a_preferred_group() -> None:
    """A planted reading that takes people of few rows for people of few groups finds heavy ones lighter than they are."""
    draw = np.random.default_rng(3)
    rows = np.ceil(draw.lognormal(3.9, 1.2, 20_000))
    squared = rows + rows * (rows - 1) / 200  # as expected where each row is in any of 200 groups
    norms = np.sqrt(np.sort(squared))
    assert abs(misread(norms, np.sort(rows), 16.0, groups=200, rows=True)) < 0.0003
    assert misread(norms, np.sort(rows), 16.0, groups=200, rows=False) > 0.001


def test_totals_add_up_and_are_possible() -> None:
    norms, totals = people(0.22)
    ones = np.ones(len(norms))
    for read in (
        paired_totals(ones, norms, ones, np.sort(totals), GROUPS, counts_rows=False),
        totals_by_rank(ones, norms, ones, np.sort(totals), GROUPS),
    ):
        assert read.sum() == pytest.approx(totals.sum(), rel=1e-3)
        assert (read >= norms).all() and (read <= norms * np.sqrt(GROUPS) * (1 + 1e-12)).all()
    alone = paired_totals(np.array([5.0]), np.array([3.0]), np.array([5.0]), np.array([9.0]), None, counts_rows=True)
    assert alone == pytest.approx([9.0])
