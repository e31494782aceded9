"""Figures of records: coverage, error against the hindsight bound, interval width, each with its 99% confidence.

Confidence comes from resampling questions, and of coverage also draws. Every question counts alike, whatever the number
of its cells. Our error and that of the hindsight bound are taken alike: the median over groups of the root-mean-square
relative error over as many draws, of the bound's over simulated draws of its bias and noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tests.bench.honesty.cells import Floats, Record, Shown
from tests.bench.honesty.questions import SIGNED, Aggregate, Kind

RESAMPLES = 1000
CONFIDENCE = 0.99
CLEAR = 0.5  # half-width over the exact value, below which a cell is clear: by the shown one, luck would choose them
NORMAL = 1.959964
SIMULATED = 2000  # groups times draws of the hindsight bound, at least


@dataclass(frozen=True)
class Figure:
    """One number, the ends of its confidence interval, and of how many questions it is."""

    value: float
    low: float
    high: float
    count: int

    def text(self, form: str = ".1%") -> str:
        """Write it as `value [low, high]`; a dash where it is of nothing."""
        if not self.count or math.isnan(self.value):
            return "-"
        return f"{self.value:{form}} [{self.low:{form}}, {self.high:{form}}]"


@dataclass(frozen=True)
class Measured:
    """What figures are made of, for one record."""

    record: Record

    @cached_property
    def truth(self) -> Floats:
        """Exact value by group."""
        return np.array(self.record.truth)

    def covered(self, *, half: bool = False, clear: bool = False, sided: bool = True) -> list[float]:
        """Share of shown intervals that cover the exact value, by draw; NaN where no interval is shown.

        Of distinct values it is enough that the lower end is not above the exact value, if `sided`.
        """
        is_one_sided = sided and self.record.aggregate == Aggregate.DISTINCT
        return [self._covered(draw, half, clear, is_one_sided) for draw in self.record.draws]

    def _covered(self, draw: Shown, half: bool, clear: bool, is_one_sided: bool) -> float:
        exact = self.truth[draw.group] if draw.group else np.zeros(0)
        low, high = (np.array(ends) for ends in ((draw.low_half, draw.high_half) if half else (draw.low, draw.high)))
        slack = 1e-9 * np.abs(exact)
        is_told = np.isfinite(exact) & np.isfinite(low) & np.isfinite(high)
        if clear:
            is_told &= self._half_widths(draw) < CLEAR * np.abs(exact)
        inside = (low <= exact + slack) & ((exact - slack <= high) | is_one_sided)
        return float(inside[is_told].mean()) if is_told.any() else math.nan

    @staticmethod
    def _half_widths(draw: Shown) -> Floats:
        return (np.array(draw.high) - np.array(draw.low)) / 2

    @cached_property
    def errors(self) -> Floats:
        """Relative errors by draw and group that exists; a missing number is an error of 1."""
        groups = self.truth
        errors = np.ones((len(self.record.draws), len(groups)))
        for row, draw in zip(errors, self.record.draws, strict=True):
            if draw.group:
                exact, value = groups[draw.group], np.array(draw.value)
                with np.errstate(invalid="ignore", divide="ignore"):
                    found = np.abs(value - exact) / np.abs(exact)
                row[draw.group] = np.where(np.isfinite(found), found, 1.0)
        return errors

    @property
    def has_bound(self) -> bool:
        """Is there a hindsight bound to compare with? Chosen rows and private keys have none."""
        is_whole = not self.record.top and self.record.kind != Kind.PRIVATE_KEYS
        return is_whole and bool(self.record.bias) and bool(self.record.draws) and bool(self._asked.any())

    @cached_property
    def _asked(self) -> np.ndarray:
        bound = np.full(len(self.truth), np.nan)
        bound[: len(self.record.bias)] = np.array(self.record.bias)
        return np.isfinite(bound) & np.isfinite(self.truth) & (self.truth != 0)

    @cached_property
    def error(self) -> float:
        """Median over groups of the root-mean-square relative error."""
        exists = np.isfinite(self.truth) & (self.truth != 0)
        return _median_rms(self.errors[:, exists]) if exists.any() and len(self.errors) else math.nan

    @cached_property
    def bound(self) -> float:
        """The same of the hindsight bound."""
        groups = np.flatnonzero(self._asked)
        bias, deviation = (np.array(of)[groups] for of in (self.record.bias, self.record.deviation))
        return _simulated(bias, deviation, len(self.record.draws))

    @property
    def ratio(self) -> float:
        """Error against the hindsight bound."""
        return _median_rms(self.errors[:, self._asked]) / self.bound

    @property
    def ratio_of_largest(self) -> float:
        """Error of the ten largest groups against the bound that is best for these."""
        ours = _median_rms(self.errors[:, self.record.largest])
        bias, deviation = np.array(self.record.bias_of_largest), np.array(self.record.deviation_of_largest)
        is_known = np.isfinite(bias) & np.isfinite(deviation)
        return ours / _simulated(bias[is_known], deviation[is_known], len(self.record.draws))

    @property
    def width(self) -> float:
        """Median over cells of the half-width over 1.96 times the error of the hindsight bound."""
        bound = np.full(len(self.truth), np.nan)
        rms = np.hypot(np.array(self.record.bias), np.array(self.record.deviation))
        bound[: len(rms)] = rms * np.abs(self.truth[: len(rms)])
        found = [self._half_widths(draw) / (NORMAL * bound[draw.group]) for draw in self.record.draws if draw.group]
        cells = np.concatenate(found) if found else np.zeros(0)
        cells = cells[np.isfinite(cells)]
        return float(np.median(cells)) if len(cells) else math.nan

    @property
    def unclipped(self) -> float:
        """Error against unclipped independent noise, of numbers of people by listed keys."""
        sigma = math.sqrt(self.record.listed / (2 * self.record.rho))
        groups = self.truth > 0
        zeros = np.zeros(int(groups.sum()))
        return _median_rms(self.errors[:, groups]) / _simulated(
            zeros, sigma / self.truth[groups], len(self.record.draws)
        )

    @property
    def is_mostly_dense(self) -> bool:
        """Do at least half of the groups that exist have 20 people or more?"""
        return 2 * self.record.dense >= int((np.isfinite(self.truth) & (self.truth != 0)).sum())


def _median_rms(errors: Floats) -> float:
    return float(np.median(np.sqrt((errors**2).mean(axis=0)))) if errors.size else math.nan


def _simulated(bias: Floats, deviation: Floats, draws: int) -> float:
    """Geometric mean of the median error over as many simulated draws of a bias and independent noise."""
    if not len(bias) or not draws:
        return math.nan
    noise = np.random.default_rng(0)
    repeats = max(8, SIMULATED // (len(bias) * draws))
    errors = bias + deviation * noise.standard_normal((repeats, draws, len(bias)))
    medians = np.median(np.sqrt((errors**2).mean(axis=1)), axis=1)
    return float(np.exp(np.log(np.maximum(medians, 1e-12)).mean()))


def coverage(measured: Collection[Measured], *, half: bool = False, clear: bool = False, sided: bool = True) -> Figure:
    """Share of intervals that cover the exact value, a mean over questions, resampled by question and draw."""
    by_question: dict[tuple[str, str], list[Floats]] = {}
    for each in measured:
        row = np.array(each.covered(half=half, clear=clear, sided=sided))
        if len(row) and not np.isnan(row).all():
            by_question.setdefault(each.record.question, []).append(row)
    if not by_question:
        return Figure(math.nan, math.nan, math.nan, 0)
    resample = np.random.default_rng(0)
    rows = [np.concatenate(of) for of in by_question.values()]
    means = np.array([_resampled_means(row[~np.isnan(row)], resample) for row in rows])
    chosen = resample.integers(0, len(rows), (RESAMPLES, len(rows)))
    found = means[chosen, np.arange(RESAMPLES)[:, None]].mean(axis=1)
    low, high = _ends(found)
    return Figure(float(np.mean([np.nanmean(row) for row in rows])), low, high, len(rows))


def _resampled_means(row: Floats, resample: np.random.Generator) -> Floats:
    means: Floats = row[resample.integers(0, len(row), (RESAMPLES, len(row)))].mean(axis=1)
    return means


def geometric(measured: Collection[Measured], ratio: Callable[[Measured], float]) -> Figure:
    """Geometric mean of a ratio over questions, resampled by question."""
    by_question: dict[tuple[str, str], list[float]] = {}
    for each in measured:
        found = ratio(each)
        if math.isfinite(found) and found > 0:
            by_question.setdefault(each.record.question, []).append(math.log(found))
    return _of_questions([float(np.mean(of)) for of in by_question.values()], lambda rows: np.exp(rows.mean(axis=-1)))


def median(measured: Collection[Measured], number: Callable[[Measured], float], level: float = 0.5) -> Figure:
    """Median, or another quantile, of a number over records, resampled by record."""
    rows = [found for each in measured if math.isfinite(found := number(each))]
    return _of_questions(rows, lambda of: np.quantile(of, level, axis=-1))


def _of_questions(rows: Sequence[float], summary: Callable[[Floats], Floats]) -> Figure:
    if not rows:
        return Figure(math.nan, math.nan, math.nan, 0)
    values = np.array(rows)
    chosen = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = _ends(summary(values[chosen]))
    return Figure(float(summary(values)), low, high, len(values))


def _ends(found: Floats) -> tuple[float, float]:
    low, high = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def pooled_cells(measured: Collection[Measured]) -> tuple[float, int]:
    """Share of all shown intervals that cover the exact value, every cell counted alike, and the number of cells."""
    inside = cells = 0.0
    for each in measured:
        for draw, share in zip(each.record.draws, each.covered(), strict=True):
            count = int(np.isfinite(np.array(draw.low)).sum())
            if not math.isnan(share):
                inside, cells = inside + share * count, cells + count
    return (inside / cells if cells else math.nan), int(cells)


def unmarked_zeros(measured: Collection[Measured]) -> tuple[int, int]:
    """Number of shown rows that are nothing, and of those that are not marked."""
    zeros = unmarked = 0
    for each in measured:
        for draw in each.record.draws:
            is_zero = [each.truth[group] == 0 for group in draw.group]
            zeros += sum(map(bool, is_zero))
            unmarked += sum(bool(zero) and not mark for zero, mark in zip(is_zero, draw.is_marked, strict=True))
    return zeros, unmarked


def named_keys(each: Measured) -> tuple[float, float]:
    """Mean number of true private keys that are shown, and the share of the total that they hold."""
    whole = float(each.truth[np.isfinite(each.truth)].sum())
    found = [each.truth[[g for g in draw.group if each.truth[g] > 0]] for draw in each.record.draws]
    return float(np.mean([len(of) for of in found])), float(np.mean([of.sum() for of in found])) / whole


def is_non_negative(each: Measured) -> bool:
    """Are all contributions of a unit non-negative?"""
    return SIGNED not in each.record.marks and each.record.aggregate in (
        Aggregate.ROWS,
        Aggregate.PEOPLE,
        Aggregate.SUM,
    )
