"""Totals are paired with norms by rank, less what ranks make of people who differ in how many groups they are in."""

from __future__ import annotations

import numpy as np
import pytest

from engine import pairing
from engine.pairing import paired

GROUPS = 60


def people(differing: float) -> tuple[np.ndarray, np.ndarray]:
    """Give 40,000 people's norms and totals: with one norm, totals are log-normal about twice it."""
    draw = np.random.default_rng(7)
    norms = np.exp(draw.normal(2.0, 1.1, 40_000))
    totals = norms * np.clip(2 * np.exp(draw.normal(0, differing, 40_000)), 1, np.sqrt(GROUPS))
    order = np.argsort(norms)
    return norms[order], totals[order]


def misread(norms: np.ndarray, totals: np.ndarray, norm: float) -> float:
    """Say how far the share that is kept under a norm is read wrongly."""
    ones, kept = np.ones(len(norms)), np.minimum(1, norm / norms)
    read = paired(ones, norms, ones, np.sort(totals), GROUPS)
    return float(read @ kept / read.sum() - totals @ kept / totals.sum())


@pytest.mark.parametrize("norm", [5.0, 10.0, 25.0])
def test_what_is_kept_is_read_as_it_is(norm: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted reading by ranks alone, as if nobody differed, takes heavy people for heavier than they are."""
    norms, totals = people(0.22)
    assert abs(misread(norms, totals, norm)) < 0.003
    monkeypatch.setattr(pairing, "DISPERSED", 0.0)
    assert misread(norms, totals, norm) < -0.005


def test_of_people_who_are_everywhere_alike_ranks_tell_all() -> None:
    norms, _ = people(0.0)
    everywhere = norms * np.sqrt(GROUPS)
    assert misread(norms, everywhere, 10.0) == pytest.approx(0, abs=1e-9)


def test_totals_add_up_and_are_possible() -> None:
    norms, totals = people(0.22)
    ones = np.ones(len(norms))
    read = paired(ones, norms, ones, np.sort(totals), GROUPS)
    assert read.sum() == pytest.approx(totals.sum(), rel=1e-3)
    assert (read >= norms).all() and (read <= norms * np.sqrt(GROUPS) * (1 + 1e-12)).all()
    alone = paired(np.array([5.0]), np.array([3.0]), np.array([5.0]), np.array([9.0]), None)
    assert alone == pytest.approx([9.0])
