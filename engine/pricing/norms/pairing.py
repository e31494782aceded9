"""Histograms of norms by keys and of totals -> the mean total of the people with each norm; post-processing alone.

Who is heavy by norm is heavy in all, but for how people differ in the number of groups that they are in
(`proofs.md#pairing`).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from engine.pricing.norms.tails import Floats

DISPERSED = 0.24  # standard deviation of ln(total / norm) of people with one norm, where all of it is what they prefer
KINDS = 7  # of people with one norm, as many of each: how many times their mean total they have
TIMES = 2  # that mean totals are held against those that were measured; a third time moves them by hardly anything


def by_rank(people: Floats, norms: Floats, others: Floats, totals: Floats, groups: int | None) -> Floats:
    """Give each norm the mean total of those who are as rare, of `others` who have `totals`; both rise.

    `groups` is how many there are at most: nobody's total is above the norm times their root, nor below the norm.
    """
    return np.clip(_as_heavy(people, others, totals), norms, norms * _most(groups))


def paired(people: Floats, norms: Floats, others: Floats, totals: Floats, groups: int | None, *, rows: bool) -> Floats:
    """Give each norm the mean total of its people: such that they, who differ about it, have the totals measured.

    What is given is as `by_rank` takes it; `rows`: rows are counted, which fall into groups by chance as well.
    """
    ranked, most = by_rank(people, norms, others, totals, groups), _most(groups)
    factors = np.exp(np.outer(_differing(norms, ranked, groups, rows=rows), _standard()))
    factors /= factors.mean(axis=1, keepdims=True)
    means = ranked
    for _ in range(TIMES):
        each = np.clip(means[:, None] * factors, norms[:, None], (norms * most)[:, None])
        measured = _measured(each, people, others, totals)
        means = np.clip(means * measured / each.mean(axis=1), norms, norms * most)
    return np.clip(means * float(people @ ranked) / float(people @ means), norms, norms * most)


def _most(groups: int | None) -> float:
    return math.inf if groups is None else math.sqrt(groups)


def _standard() -> Floats:
    """Stand for a normal law by as many of each kind."""
    places = np.array([NormalDist().inv_cdf((kind + 0.5) / KINDS) for kind in range(KINDS)])
    standard: Floats = places / places.std()
    return standard


def _as_heavy(people: Floats, others: Floats, totals: Floats) -> Floats:
    """Give each point the mean total of the people who are as heavy in all."""
    places = np.concatenate([[0.0], np.cumsum(others) / others.sum()])
    amounts = np.concatenate([[0.0], np.cumsum(totals * others) / others.sum()])
    ends = np.concatenate([[0.0], np.cumsum(people) / people.sum()])
    up_to = np.interp(ends, places, amounts)
    means: Floats = np.diff(up_to) / np.maximum(np.diff(ends), math.ulp(1.0))
    return means


def _differing(norms: Floats, totals: Floats, groups: int | None, *, rows: bool) -> Floats:
    """Say how far ln(total) varies of people with one norm: by how concentrated they are beyond being everywhere.

    Of rows that fall by chance t add t to the squared norm, and people who are in every group alike t^2 over groups.
    Nor does it vary by more than total and norm differ by: of people who are in one group each there is no difference.
    """
    concentrated = norms**2 - (totals if rows else 0.0)
    everywhere = 0.0 if groups is None else totals**2 / groups
    alike = np.minimum(1.0, everywhere / np.maximum(concentrated, 1e-300))
    differing: Floats = np.minimum(DISPERSED * (1 - alike), np.log(totals / norms))
    return differing


def _measured(each: Floats, people: Floats, others: Floats, totals: Floats) -> Floats:
    """Give each point the mean of what those have who are as rare as its people, of `each` kind, are reckoned to be."""
    order = np.argsort(each, axis=None, kind="stable")
    found = np.empty(each.size)
    found[order] = _as_heavy(np.repeat(people / KINDS, KINDS)[order], others, totals)
    means: Floats = found.reshape(each.shape).mean(axis=1)
    return means
