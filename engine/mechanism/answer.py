"""Answer from the outer SQL's rows: shown columns, their intervals, unstable ratios.

The outer SQL returns shown column i as `s<i>`, and the parts of its interval as `s<i>_<part>`: numerator, offset,
variances and so on. A part that is equal in all rows is a constant of the SQL instead.

Intervals are projected onto natural limits: a count is not negative, a share is at most 1. So are averages. Counts and
sums stay as they were released, since sums of them are unbiased; only their display is moved into the interval. Of many
numbers below the noise, what each is expected to be is shown (`shrinkage`), which has the same sum.

Terms:
    half-width  distance of the interval ends from the number
    unstable    of a ratio: its denominator may be 0 within its noise, so its value is NULL
    grain       unit of the integers in which a number was released; noise scales (sigmas) are in grains
    raw number  released noisy number, from which columns are computed
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dialect import Question
from dialect.codegen import OuterSql
from dialect.postprocess import IntervalParameters, averaged_columns, column_limits
from engine.mechanism.intervals import (
    Floats,
    IntervalLevels,
    half_width,
    linear_interval,
    normal_quantile,
    ratio_interval,
)
from engine.mechanism.release import RawNoise

Ends = tuple[Floats, Floats]
# the years 1 to 9999, counted from 1970
DAYS = (-719_162, 2_932_896)
MICROSECONDS = (DAYS[0] * 86_400_000_000, (DAYS[1] + 1) * 86_400_000_000 - 1)


@dataclass(frozen=True)
class Answer:
    """Table that the client sees, with intervals of its noisy columns."""

    table: pa.Table
    intervals: dict[str, Ends]  # column -> lower and upper ends, NaN where there is none
    unstable: dict[str, int]  # column -> number of its ratios whose denominator may be 0
    without_interval: tuple[str, ...] = ()  # noisy columns without an interval
    # column -> number of quantiles NULL for lack of rows
    null_quantiles: Mapping[str, int] = field(default_factory=dict)
    # column -> share of each number's variance that correcting clipped contributions leaves; only where there is some
    clipping_shares: Mapping[str, Floats] = field(default_factory=dict)
    candidates: int | None = None  # rows from which noise selected those of the answer; None: it selected none
    hidden_count: Ends | None = None  # interval of a count of each row, where the query shows none
    # column -> lower ends that hold for all candidates together, where noise selected the rows by the column
    strict_lower: Mapping[str, Floats] = field(default_factory=dict)
    # column -> deviation of the noise; of columns with one noisy number in each row, where noise selects no rows
    noise: Mapping[str, float] = field(default_factory=dict)
    shrunk: Mapping[str, int] = field(default_factory=dict)  # column -> numbers that were shrunk (`shrinkage`)


def interval_parts(answer: Answer) -> dict[str, dict[str, float]]:
    """Median half-widths that noise alone, and clipping alone, would give each column; their squares add up.

    Only of columns whose intervals hold what correcting clipped contributions leaves.
    """
    found = {}
    for name, shares in answer.clipping_shares.items():
        lower, upper = answer.intervals[name]
        half = (upper - lower) / 2
        known = np.isfinite(half)
        if known.any():
            parts = {"noise": half * np.sqrt(1 - shares), "clipping": half * np.sqrt(shares)}
            found[name] = {part: float(np.median(widths[known])) for part, widths in parts.items()}
    return found


def build_answer(rows: pa.Table, outer_sql: OuterSql, levels: IntervalLevels, raw: RawNoise) -> Answer:
    """Convert the outer SQL's rows to shown columns with intervals; `raw` is the noise of the numbers below them."""
    shown = {
        name: _dialect_types(_without_invalid_dates(rows.column(f"s{i}"))) for i, name in enumerate(outer_sql.names)
    }
    intervals: dict[str, Ends] = {}
    unstable: dict[str, int] = {}
    clipping_shares: dict[str, Floats] = {}
    for i in outer_sql.uncertain_columns:
        name = outer_sql.names[i]
        parts = _IntervalParts(rows, i, outer_sql.constants, levels.variance_factor(i))
        if (share := _clipping_share(_IntervalParts(rows, i, outer_sql.constants))) is not None:
            clipping_shares[name] = share
        least: Floats = np.full(rows.num_rows, -np.inf)
        if i in outer_sql.ratio_columns:
            lower, upper, is_unstable = _ratio_ends(parts, levels, i, i in outer_sql.signed_ratios)
        else:
            level = levels.of_column(i, rows.num_rows - shown[name].null_count, rows.num_rows)
            lower, upper, is_unstable = _linear_ends(parts, level, raw, outer_sql.single_noise_columns.get(i))
            least = _surely_counted(parts, level, raw, outer_sql.single_noise_columns.get(i))
        if pa.types.is_integer(shown[name].type):
            max_rounding = (
                outer_sql.rounding[i].bound(raw.fractional)
                if i in outer_sql.rounding and not raw.has_consistent_counts
                else None
            )
            lower, upper = (
                _rounded_outward(lower, upper)
                if i in outer_sql.ratio_columns
                else _integer_ends(shown[name], lower, upper, max_rounding)
            )
            least = np.floor(least - (max_rounding or 0.0))  # the exact number is rounded as the shown one is
        elif raw.has_consistent_counts:
            lower, upper = _widened_to(shown[name], lower, upper)
        lower = np.maximum(lower, least)
        has_no_interval = np.asarray(shown[name].is_null()) | is_unstable
        if is_unstable.any():
            shown[name] = pc.if_else(pa.array(is_unstable), pa.scalar(None, shown[name].type), shown[name])
            # others, as a first lag, have no denominator
            has_unstable_denominator = is_unstable & ~np.isnan(parts["denominator"])
            if has_unstable_denominator.any():
                unstable[name] = int(has_unstable_denominator.sum())
        intervals[name] = (np.where(has_no_interval, np.nan, lower), np.where(has_no_interval, np.nan, upper))
    for i in outer_sql.stored_interval_columns:
        parts = _IntervalParts(rows, i, outer_sql.constants)
        intervals[outer_sql.names[i]] = (parts["lower"], parts["upper"])
    missing = {outer_sql.names[i]: shown[outer_sql.names[i]].null_count for i in outer_sql.stored_interval_columns}
    sparse = {name: count for name, count in missing.items() if count}
    return Answer(
        pa.table(shown),
        intervals,
        unstable,
        tuple(outer_sql.names[i] for i in outer_sql.unknown_interval_columns),
        sparse,
        clipping_shares,
        None if levels.selection is None else levels.candidates,
        strict_lower=_strict_lower_ends(rows, outer_sql, levels, raw),
        noise={} if levels.selection is not None or raw.has_consistent_counts else _single_noise(outer_sql),
    )


def _strict_lower_ends(rows: pa.Table, outer_sql: OuterSql, levels: IntervalLevels, raw: RawNoise) -> dict[str, Floats]:
    """Lower ends that hold for all candidates together, of the linear columns by which noise selected the rows."""
    found = {}
    for i in outer_sql.uncertain_columns:
        if levels.is_affected(i) and i not in outer_sql.ratio_columns:
            parts = _IntervalParts(rows, i, outer_sql.constants, levels.variance_factor(i))
            number = outer_sql.single_noise_columns.get(i)
            lower, _, _ = _linear_ends(parts, levels.strict, raw, number)
            found[outer_sql.names[i]] = np.maximum(lower, _surely_counted(parts, levels.strict, raw, number))
    return found


def _single_noise(outer_sql: OuterSql) -> dict[str, float]:
    """Deviation of the noise of each column that is one noisy number times a constant, by name."""
    found = {}
    for i in outer_sql.single_noise_columns.keys() - set(outer_sql.ratio_columns):
        variance = outer_sql.constants.get(f"s{i}_noise_variance", 0.0)
        if variance > 0 and outer_sql.constants.get(f"s{i}_offset") == 0:
            found[outer_sql.names[i]] = math.sqrt(variance)
    return found


def _dialect_types(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cast numbers to the dialect's types: BIGINT for integers, DOUBLE for FLOAT and DECIMAL."""
    wide = _dialect_type(column.type)
    try:
        return column if wide == column.type else column.cast(wide)
    except pa.ArrowInvalid:  # a UBIGINT beyond BIGINT keeps its type
        return column


def _dialect_type(kind: pa.DataType) -> pa.DataType:
    """Type of the dialect for an Arrow type; others than numbers and lists stay."""
    if pa.types.is_list(kind):
        return pa.list_(_dialect_type(kind.value_type))
    if pa.types.is_integer(kind):
        return pa.int64()
    return pa.float64() if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else kind


def _without_invalid_dates(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Replace infinite dates and times, and those outside the years 1 to 9999, by NULL: Python can't represent them."""
    if pa.types.is_date32(column.type):
        counted, (first, last) = column.cast(pa.int32()), DAYS
    elif pa.types.is_timestamp(column.type):
        counted, (first, last) = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()), MICROSECONDS
    else:
        return column
    within = pc.and_(pc.greater_equal(counted, first), pc.less_equal(counted, last))
    return pc.if_else(within, column, pa.scalar(None, column.type))


@dataclass(frozen=True)
class _IntervalParts:
    """Columns from which the interval of one shown column is computed."""

    rows: pa.Table
    position: int
    constants: Mapping[str, float]  # parts that are constant over all rows
    variance_factor: float = 1.0  # factor of variances and covariances

    def __getitem__(self, part: str) -> Floats:
        """Part of the interval as floats, one per row; NaN for NULL."""
        name = f"s{self.position}_{part}"
        factor = self.variance_factor if part.endswith("variance") else 1.0
        if name in self.constants:
            return np.full(self.rows.num_rows, factor * self.constants[name])
        column = self.rows.column(name)
        values: Floats = column.cast(pa.float64()).fill_null(float("nan")).to_numpy()
        return values if factor == 1.0 else factor * values


def _clipping_share(parts: _IntervalParts) -> Floats | None:
    """Share of each number's variance that correcting clipped contributions leaves; None if there is no such part.

    Of a ratio to first order: both variances, that of the denominator times the squared ratio, without their offset.
    """
    residual, variance = parts["numerator_residual"], parts["numerator_variance"]
    below = parts["denominator_residual"]
    if not (residual.any() or below.any()):
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = parts["numerator"] / parts["denominator"]
        is_ratio = np.isfinite(ratio)
        residual = residual + np.where(is_ratio, ratio**2 * below, 0.0)
        more = ratio**2 * parts["denominator_variance"] - 2 * ratio * parts["covariance"]
        shares = residual / (variance + np.where(is_ratio, more, 0.0))
    return np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=1.0).clip(0.0, 1.0)


def _widened_to(shown: pa.ChunkedArray, lower: Floats, upper: Floats) -> Ends:
    """Widen intervals to include the shown numbers, which were adjusted for consistency."""
    value: Floats = shown.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy()
    return np.fmin(lower, value), np.fmax(upper, value)


def _linear_ends(
    parts: _IntervalParts, confidence: float, raw: RawNoise, single_number: str | None
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Interval ends of a linear combination, and flags of unstable rows: none.

    `single_number` = the only raw number it depends on, if there is one: its interval is then exact. Consistency may
    have reduced that number's noise, by a factor below 1.
    """
    value = parts["offset"] + parts["numerator"]
    factor, sigmas = raw.consistency_factors.get(single_number or "", 1.0), raw.sigmas
    if single_number is not None and factor < 1:
        sigmas = {**sigmas, single_number: sigmas[single_number] * factor}
    reach = half_widths(np.sqrt(parts["numerator_variance"]) * factor, confidence, sigmas, single_number)
    with np.errstate(invalid="ignore"):  # inf - inf is NaN: no ends
        return value - reach, value + reach, np.zeros(len(value), dtype=bool)


def _surely_counted(parts: _IntervalParts, confidence: float, raw: RawNoise, single_number: str | None) -> Floats:
    """Lower ends of corrected numbers by the noise alone: clipped contributions are no larger than whole ones.

    Claim: an exact number is below such an end with at most the probability that noise passes the half-width. Symbols:
    x, the corrected number; k, the share that clipping left. Formula: k (x - half-width of x by noise alone), at most
    x; minus infinity where nothing was corrected. Proof: proofs.md#surely-counted
    """
    share, value = parts["retained_share"], parts["offset"] + parts["numerator"]
    reach = half_widths(np.sqrt(parts["noise_variance"]), confidence, raw.sigmas, single_number)
    with np.errstate(invalid="ignore"):
        ends = np.minimum(parts["offset"] + share * (parts["numerator"] - reach), value)
    return np.where(share < 1, ends, -np.inf)


def _rounded_outward(lower: Floats, upper: Floats) -> Ends:
    """Round interval ends to integers away from each other."""
    return np.floor(lower), np.ceil(upper)


def _integer_ends(shown: pa.ChunkedArray, lower: Floats, upper: Floats, max_rounding: float | None) -> Ends:
    """Integer ends around shown integers, which lie at most `max_rounding` from the noisy numbers.

    `max_rounding` = None: not known from the query, so the distance of each number from the middle of its interval
    counts.
    """
    value: Floats = shown.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy()
    with np.errstate(invalid="ignore"):
        rounding = np.abs((lower + upper) / 2 - value) if max_rounding is None else max_rounding
        reach = integer_half_widths((upper - lower) / 2, rounding)
        return value - reach, value + reach


def integer_half_widths(widths: npt.ArrayLike, max_rounding: npt.ArrayLike) -> Floats:
    """Compute integer half-widths around shown integers that lie at most `max_rounding` from the noisy numbers.

    Claim: they are integers, and each interval contains the one around the noisy number. Symbols: `widths` =
    half-widths around the noisy numbers; `max_rounding`, one number or one per row, decided by the query alone wherever
    constants decide it. Formula: ceil(width + max_rounding). Proof: proofs.md#integer_half_widths
    """
    return np.ceil(np.asarray(widths, dtype=np.float64) + np.asarray(max_rounding, dtype=np.float64))


def _ratio_ends(
    parts: _IntervalParts, levels: IntervalLevels, column: int, signed: bool
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Interval ends of a ratio by Fieller, and flags of unstable rows.

    `signed` = the denominator may also be clearly negative, as a sum can and a count can't. Which rows are unstable
    does not depend on how many are shown.
    """
    variances = (parts["numerator_variance"], parts["denominator_variance"], parts["covariance"])
    fraction = (parts["numerator"], parts["denominator"])
    null_level = levels.null_level if levels.is_affected(column) else levels.confidence
    lower, upper, is_unstable = ratio_interval(*fraction, *variances, null_level, signed_denominator=signed)
    level = levels.of_column(column, int((~is_unstable).sum()), len(is_unstable))
    if level < null_level:
        lower, upper, _ = ratio_interval(*fraction, *variances, level, signed_denominator=signed)
    return parts["offset"] + lower, parts["offset"] + upper, is_unstable


def interval_constants(
    variances: Mapping[str, float],
    sigmas: Mapping[str, float],
    fractional: Collection[str],
    confidence: float,
    *,
    variance_factor: float = 1.0,
) -> IntervalParameters:
    """Constants of interval ends, for queries that request these as columns.

    `variance_factor` = factor by which variances are wider than those of the noise.
    """
    wider = {number: variance_factor * variance for number, variance in variances.items()}
    least = min(sigmas.values(), default=0.0)
    alone = {raw: (sigma, half_width(sigma, confidence)) for raw, sigma in sigmas.items() if least}
    quantile, factor = normal_quantile(confidence), math.sqrt(variance_factor)
    return IntervalParameters(wider, factor, quantile, least, alone, fractional)


def half_widths(
    sigma: npt.ArrayLike, confidence: float, sigmas: Mapping[str, float], single_number: str | None
) -> Floats:
    """Half-widths for combinations of noisy numbers, in the unit of `sigma`, their own noise.

    Claim: value -+ half-width encloses the exact combination with probability `confidence`, provided its noise is
    normal; of a single number, exactly so. Symbols: `sigmas` = noise of each number in its own grains; `single_number`
    = the one number that a combination rests on. Formula: sigma / sigma_alone * half_width; z sigma + sigma / (2 min
    sigmas). Source and proof: proofs.md#half_widths. Raises: ValueError unless 0 < confidence < 1.
    """
    deviations = np.asarray(sigma, dtype=np.float64)
    least = min(sigmas.values(), default=0.0)
    if least == 0:  # without noise, which happens in tests only
        return deviations
    if single_number is not None:
        return deviations / sigmas[single_number] * half_width(sigmas[single_number], confidence)
    # the upper end around 0 is the half-width
    return linear_interval(0.0, deviations, confidence, deviations / least)[1]


def project_intervals(answer: Answer, question: Question) -> Answer:
    """Intersect the intervals of an answer with the natural limits of their columns, and move averages into them."""
    limits = {column.name: limits for column, limits in zip(question.columns, column_limits(question), strict=True)}
    intervals: Mapping[str, Ends] = {
        name: projected(*ends, *limits[name]) if name in limits else ends for name, ends in answer.intervals.items()
    }
    table = answer.table
    for name in averaged_columns(question) & intervals.keys():
        place, column = table.column_names.index(name), table.column(name)
        if pa.types.is_floating(column.type):
            least, most = (pa.scalar(end, column.type) for end in limits[name])
            cut = pc.min_element_wise(pc.max_element_wise(column, least, skip_nulls=False), most, skip_nulls=False)
            table = table.set_column(place, name, cut)
    return replace(answer, table=table, intervals=dict(intervals))


def projected(lower: Floats, upper: Floats, least: float, most: float) -> Ends:
    """Intersect intervals with the range of the exact number.

    Claim: an interval covers the exact number after projection if it did before. Symbols: `least`, `most` = the range.
    Formula: [max(lower, least), min(upper, most)]; one beyond the range becomes half its width from the nearer end.
    Raises: nothing. Proof: proofs.md#projected
    """
    with np.errstate(invalid="ignore"):  # missing ends stay NaN
        half = (upper - lower) / 2
        below, above = upper < least, lower > most
        low = np.where(above, np.maximum(most - half, least), np.maximum(lower, least))
        high = np.where(below, np.minimum(least + half, most), np.minimum(upper, most))
        return np.where(below, least, low), np.where(above, most, high)
