"""Histograms of norms by keys and of totals -> the mean total of the people with each norm; post-processing alone.

Who is heavy by norm is heavy in all, but for how people differ in the number of groups that they are in
(`proofs.md#pairing`).
"""

from __future__ import annotations

import math

import numpy as np

from engine.tails import Floats

DISPERSED = 0.24  # standard deviation of ln(total / norm) of people with one norm, who are far from being everywhere
NEARLY = 2.0  # by which power it falls as they come to be in every group alike


def paired(people: Floats, norms: Floats, others: Floats, totals: Floats, groups: int | None) -> Floats:
    """Give each norm the mean total of its people, of `others` who have `totals`; both rise.

    `groups` is how many there are at most: nobody's total is above the norm times their root, nor below the norm.
    """
    most = math.inf if groups is None else math.sqrt(groups)
    as_heavy = np.clip(_as_heavy(people, others, totals), norms, norms * most)
    regressed = np.clip(as_heavy * _regression(people, norms, as_heavy, most), norms, norms * most)
    return np.clip(regressed * float(people @ as_heavy) / float(people @ regressed), norms, norms * most)


def _as_heavy(people: Floats, others: Floats, totals: Floats) -> Floats:
    """Give each point the mean total of the people who are as heavy in all."""
    places = np.concatenate([[0.0], np.cumsum(others) / others.sum()])
    amounts = np.concatenate([[0.0], np.cumsum(totals * others) / others.sum()])
    ends = np.concatenate([[0.0], np.cumsum(people) / people.sum()])
    up_to = np.interp(ends, places, amounts)
    means: Floats = np.diff(up_to) / np.maximum(np.diff(ends), math.ulp(1.0))
    return means


def _regression(people: Floats, norms: Floats, totals: Floats, most: float) -> Floats:
    """Say how many times as much the people of a norm have on average as those who are as heavy in all.

    Of totals that vary by s about what goes with a norm, and norms that vary by v, all as logarithms, ranks make the
    root of 1 + (s/v)^2 out of a slope of 1: what they add is taken off.
    """
    logs = np.log(norms)
    mean = float(people @ logs) / float(people.sum())
    variance = float(people @ (logs - mean) ** 2) / float(people.sum())
    if variance <= 0:
        return np.ones_like(norms)
    alike = (totals / (norms * most)) ** 2  # 1 where people are in every group alike
    differing = np.where(totals > norms, DISPERSED * np.maximum(0.0, 1 - alike) ** NEARLY, 0.0)
    added = differing**2 / variance / 2
    factors: Floats = np.exp(-np.concatenate([[0.0], np.cumsum((added[1:] + added[:-1]) / 2 * np.diff(logs))]))
    return factors
