"""Metrics of answers: median relative error over groups, bias of the total, missing keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Cell:
    """One cell of the table: one system on one question, under one way to set its bounds."""

    error: float | None = None  # median over runs of the median over true groups of |answer - truth| / truth
    bias: float | None = None  # sum of answers over sum of truths, less 1; of a mean, the median of its groups
    missing: float = 0.0  # share of true groups without an answer: each counts as an error of 1
    setting: str = ""
    failed: str | None = None  # the system's own error
    version: str = ""
    seconds: float = 0.0


def judged(runs: Sequence[Mapping[str, float]], truth: Mapping[str, float], mean: bool) -> Cell:
    """Compare the answers of several runs with the truth."""
    true = {key: value for key, value in truth.items() if value > 0}
    errors = [median(abs(run.get(key, 0.0) - value) / value for key, value in true.items()) for run in runs]
    missing = median(sum(key not in run for key in true) / len(true) for run in runs)
    return Cell(median(errors), median(_bias(run, true, mean) for run in runs), missing)


def _bias(run: Mapping[str, float], true: Mapping[str, float], mean: bool) -> float:
    if mean:
        return median(run.get(key, 0.0) / value - 1 for key, value in true.items())
    return sum(run.get(key, 0.0) for key in true) / sum(true.values()) - 1


@dataclass(frozen=True)
class Coverage:
    """How often our intervals hold the unclipped truth, and how wide they are."""

    noise_alone: float  # share of groups and runs
    with_bias: float  # the end moved by the stated bias
    width: float  # median over groups of the interval over what noise alone asks; 1 where it is the same
    stated: bool  # whether a bias was stated at all
