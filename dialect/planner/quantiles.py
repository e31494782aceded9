"""Quantiles at the release point: read from a released histogram with public bins (`proofs.md#histograms`).

The bins cover a value's public range in stretches of bins of equal width. Durations, distances and counts start at 0,
and most values are near it. For these each stretch has bins twice as wide as the one before, so the bin width is
roughly proportional to the value.

Terms: a stretch is a run of bins of equal width. Growing bins are stretches of doubling width. The boundary is the
release point, the operator at which private rows become released numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from dialect.algebra.expressions import AND, Call, Case, Expr, Field, Literal, conjunction, conjuncts
from dialect.algebra.formulas import Histogram, QuantileOf, ReleasedNumber
from dialect.algebra.relations import AggregateCall, Join, Public, ReleasePoint, Series
from dialect.analysis.predicates import narrowed_range
from dialect.catalog.model import Bounds, SqlType, ValueRange
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.emitter import plain_text
from dialect.functions.registry import (
    comparison,
    definition_of,
    double_call,
    integer_call,
    is_function_of_person,
    is_not_null,
    to_bigint,
)
from dialect.notes import Note, NoteCode
from dialect.parser.compile_context import CompileContext
from dialect.planner.query_vectors import is_histogram_aggregate
from dialect.stability.row_operators import project

# The noise of a cumulative count grows with the square root of the number of bins below it, while the bin width shrinks
# with their number: at 128 bins the noise at the median is that of 6 bins. A tree of counts is noisier than that until
# there are thousands of bins.
MAX_BINS = 128
GROWING_STRETCHES = 8  # for non-integer ranges: the finest bin is 1/2,048 of the range
MAX_LOWER_FROM_0 = 16  # largest lower end of an integer range whose bins start at 0
MAX_GROWING_BINS = 192  # growing bins of integers; the finest has width 1
MAX_EXACT_INTEGER = 2.0**52  # integers below this are exact in DOUBLE
_MAX_DOUBLE = 1.7976931348623157e308


@dataclass(frozen=True)
class BinStretch:
    """Adjacent bins of equal width."""

    lower: float  # start of the first bin, in the value's unit
    width: float
    count: int

    @property
    def upper(self) -> float:
        """Upper end of the last bin, exclusive."""
        return self.lower + self.count * self.width


@dataclass(frozen=True)
class Bins:
    """Bins that cover a public range; a bin of whole numbers contains as many values as its width."""

    stretches: tuple[BinStretch, ...]
    is_integer: bool

    @property
    def count(self) -> int:
        """Number of bins."""
        return sum(stretch.count for stretch in self.stretches)

    def histogram(self, key: int) -> Histogram:
        """Describe the bins for a release whose bin number is the key at position `key`.

        Per bin: its start, and its spread, the largest minus the smallest value that it may contain.
        """
        starts = [(s.lower + place * s.width, s.width) for s in self.stretches for place in range(s.count)]
        spreads = (width - 1 if self.is_integer else width for _, width in starts)
        return Histogram(key, tuple(start for start, _ in starts), tuple(spreads))

    def describe(self) -> str:
        """Describe number, widths and range of the bins in words."""
        widths = [stretch.width for stretch in self.stretches]
        last = self.stretches[-1]
        upper = last.upper - (1 if self.is_integer else 0)
        wide = f"{widths[0]:.3g}" if widths[0] == widths[-1] else f"{widths[0]:.3g} to {widths[-1]:.3g}"
        return f"{self.count} bins, {wide} wide, from {self.stretches[0].lower:g} to {upper:g}"


def choose_bins(value: Expr, ends: Bounds) -> Bins:
    """Choose bins for a value's public range: one per integer if these are few.

    Growing bins if the range starts near 0, else bins of equal width. A range of a single value has one bin.
    """
    if value.type is SqlType.BIGINT and max(abs(ends.lower), abs(ends.upper)) < MAX_EXACT_INTEGER:
        return _integer_bins(math.ceil(ends.lower), math.floor(ends.upper))
    width = ends.upper - ends.lower
    if not width > 0:
        return Bins((BinStretch(ends.lower, 1.0, 1),), True)
    if 0 <= ends.lower <= ends.upper / 2.0 ** (GROWING_STRETCHES + 3):
        return Bins(
            _growing_stretches(
                ends.upper / 2.0 ** (GROWING_STRETCHES + 3), MAX_BINS // GROWING_STRETCHES, GROWING_STRETCHES
            ),
            False,
        )
    return Bins((BinStretch(ends.lower, width / MAX_BINS, MAX_BINS),), False)


def _integer_bins(lower: int, upper: int) -> Bins:
    """Choose bins of whole numbers: one per integer if few, growing ones if they start near 0, else equal ones."""
    value_count = max(1, upper - lower + 1)
    if value_count <= MAX_BINS:
        return Bins((BinStretch(float(lower), 1.0, value_count),), True)
    if 0 <= lower <= MAX_LOWER_FROM_0:
        value_count += lower
        *full, last = _growing_integer_bins(value_count)
        remaining = math.ceil((value_count - last.lower) / last.width)
        return Bins((*full, replace(last, count=remaining)), True)
    # rounded up
    step = -(-value_count // MAX_BINS)
    return Bins((BinStretch(float(lower), float(step), -(-value_count // step)),), True)


def _growing_integer_bins(value_count: int) -> tuple[BinStretch, ...]:
    """Choose growing bins that contain the integers from 0, the first ones of width 1 if possible.

    As many bins per stretch as fit MAX_GROWING_BINS; for huge ranges the first bins are wider than 1.
    """
    for bins_per_stretch in (64, 32, 16, 8):
        stretches = max(2, math.ceil(math.log2(value_count / bins_per_stretch)) + 1)
        if bins_per_stretch * stretches <= MAX_GROWING_BINS:
            return _growing_stretches(1.0, bins_per_stretch, stretches)
    bins_per_stretch, stretches = 8, MAX_GROWING_BINS // 8
    return _growing_stretches(
        float(-(-value_count // (bins_per_stretch << stretches - 1))), bins_per_stretch, stretches
    )


def _growing_stretches(width: float, bins_per_stretch: int, stretch_count: int) -> tuple[BinStretch, ...]:
    """Build stretches of doubling width from 0; the first two are equally wide.

    So each stretch after the first is as long as everything below it.
    """
    widths = [width * 2.0 ** max(0, place - 1) for place in range(stretch_count)]
    lowers = accumulate((bins_per_stretch * w for w in widths[:-1]), initial=0.0)
    return tuple(BinStretch(lower, w, bins_per_stretch) for lower, w in zip(lowers, widths, strict=True))


def bin_number(value: Expr, bins: Bins) -> Expr:
    """Build the expression of a value's bin number, clamped to the outer bins; NULL for NULL, NaN and infinities.

    Bins are numbered from 0 over all stretches.
    """
    branches: list[tuple[Expr, Expr]] = []
    before = 0
    for stretch in bins.stretches:
        place = integer_call("least", _bin_within_stretch(value, stretch, bins.is_integer), _number(stretch.count - 1))
        branches.append((_is_between(value, ">=", stretch.lower, "<", stretch.upper), _add(place, before)))
        before += stretch.count
    last = bins.stretches[-1].upper
    branches.append((_is_between(value, ">=", last, "<=", _MAX_DOUBLE), _number(before - 1)))
    branches.append((_is_between(value, ">=", -_MAX_DOUBLE, "<", bins.stretches[0].lower), _number(0)))
    return Case(tuple(branches), Literal(None, SqlType.BIGINT), SqlType.BIGINT)


def has_bin(value: Expr) -> Expr:
    """Build the test that a value is finite and non-NULL: cheaper than testing its bin number for NULL."""
    if value.type is SqlType.BIGINT:
        return is_not_null(value)
    return _is_between(value, ">=", -_MAX_DOUBLE, "<=", _MAX_DOUBLE)


def _bin_within_stretch(value: Expr, stretch: BinStretch, is_integer: bool) -> Expr:
    """Build the position of a value's bin within a stretch; outside the stretch it has no meaning."""
    if is_integer and value.type is SqlType.BIGINT:
        offset = _add(value, -int(stretch.lower))
        return integer_call("//", offset, _number(int(stretch.width)))
    lower, width = Literal(stretch.lower, SqlType.DOUBLE), Literal(stretch.width, SqlType.DOUBLE)
    return to_bigint(double_call("floor", double_call("/", double_call("-", value, lower), width)))


def _add(number: Expr, by: int) -> Expr:
    """Build the sum of an integer expression and a constant."""
    return integer_call("+", number, _number(by))


def _number(value: int) -> Literal:
    """Return an integer constant."""
    return Literal(value, SqlType.BIGINT)


def _is_between(value: Expr, lower_operator: str, lower: float, upper_operator: str, upper: float) -> Expr:
    """Build the test of a value against a lower and an upper end, with the given comparison operators."""
    ends = ((lower_operator, Literal(lower, SqlType.DOUBLE)), (upper_operator, Literal(upper, SqlType.DOUBLE)))
    above, below = (comparison(sign, value, end) for sign, end in ends)
    return Call(AND, (above, below), SqlType.BOOLEAN)


@dataclass(frozen=True)
class HistogramPlan:
    """A release point further grouped by the bins of one value, and the quantiles that are read from it."""

    boundary: ReleasePoint  # the last key is the bin number; the only measure counts rows
    bins: Bins
    measures: tuple[AggregateCall, ...]
    note: Note


def plan_histograms(boundary: ReleasePoint, context: CompileContext) -> tuple[HistogramPlan, ...]:
    """Plan one histogram for each distinct argument and FILTER of a release point's quantile aggregates."""
    by_argument: dict[tuple[Expr, Expr | None], list[AggregateCall]] = {}
    for measure in boundary.aggregates:
        if is_histogram_aggregate(measure):
            by_argument.setdefault((measure.arguments[0], measure.condition), []).append(measure)
    return tuple(
        _plan_histogram(boundary, value, test, aggregates, context) for (value, test), aggregates in by_argument.items()
    )


def _plan_histogram(
    boundary: ReleasePoint, value: Expr, test: Expr | None, measures: Sequence[AggregateCall], context: CompileContext
) -> HistogramPlan:
    """Plan the release point that counts rows by bin, below FILTER and without the values that have no bin.

    Public rows that an outer join preserves get every bin, so that their groups are complete. A note names the bins.
    """
    tested = definition_of(test) if test is not None else None
    facts = (*boundary.source.predicates, *(conjuncts(tested) if tested is not None else ()))
    bins = choose_bins(value, narrowed_range(value, facts))
    number = bin_number(value, bins)
    source, (bin_field,) = project(boundary.source, [number], context)
    has_bin_and_filter = (has_bin(value), *((test,) if test is not None else ()))
    filtered = source.with_filter(conjunction(has_bin_and_filter))
    text = plain_text(value)
    key = replace(
        bin_field, name=f"bin({text})", nullable=False, definition=None, domain=ValueRange(0, bins.count - 1),
        bounds=None, is_constant_per_person=is_function_of_person(value),
    )  # fmt: skip
    if filtered.preserved_side is not None:
        filtered = replace(
            filtered,
            preserved_side=replace(
                filtered.preserved_side, rows=_cross_join_bins(filtered.preserved_side.rows, key, bins)
            ),
        )
    counted = AggregateCall("count_star", (), None, Field(context.new_field_id(), None, SqlType.BIGINT, nullable=False))
    note = Note(
        NoteCode.QUANTILE,
        f"Quantiles of {text} are read from noisy counts in {bins.describe()}: no more exact than a bin.",
    )
    return HistogramPlan(
        ReleasePoint(filtered, (*boundary.keys, key), (counted,), boundary.span), bins, tuple(measures), note
    )


def _cross_join_bins(rows: Public, key: Field, bins: Bins) -> Public:
    """Cross join preserved public rows with all bins."""
    first, last = Literal(0, SqlType.BIGINT), Literal(bins.count - 1, SqlType.BIGINT)
    numbers = Public(Series(first, last, "1", key), (key,))
    return Public(Join(rows, numbers, "cross", conjunction(())), (*rows.fields, key), rows.predicates)


def quantile_output(measure: AggregateCall, context: CompileContext) -> ReleasedNumber:
    """Describe a quantile output: its level, and new fields for its interval ends."""
    ends = (Field(context.new_field_id(), None, SqlType.DOUBLE), Field(context.new_field_id(), None, SqlType.DOUBLE))
    return ReleasedNumber(measure.result, _formula(measure), ends)


def _formula(measure: AggregateCall) -> QuantileOf:
    """Return the level of a quantile aggregate, and how an integer result is rounded: MIN down, MAX up."""
    quantile = AGGREGATES[measure.function].quantile
    assert quantile is not None  # noqa: S101  it is read from a histogram
    level = quantile.level
    if level is None:
        constant = measure.arguments[1]
        assert isinstance(constant, Literal) and isinstance(constant.value, int | float)  # noqa: S101  bound so
        level = float(constant.value)
    is_integer = measure.result.type is SqlType.BIGINT
    return QuantileOf(level, quantile.rounding if is_integer else None, quantile.is_value)


def quantile_notes(binned: HistogramPlan) -> tuple[Note, ...]:
    """Return notes for people: how quantiles are computed, and which levels replace MIN and MAX."""
    text = plain_text(binned.measures[0].arguments[0])
    functions = {measure.function for measure in binned.measures}
    replaced = (
        (f"{each.name}({text})", each.quantile.level)
        for each in AGGREGATES.values()
        if each.name in functions and each.is_extreme and each.quantile is not None
    )
    why = "the true extreme is one person's value, so this is the quantile at"
    return (binned.note, *(Note(NoteCode.EXTREME, f"{name}: {why} {level:.0%}.") for name, level in replaced))
