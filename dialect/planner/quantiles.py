"""Quantiles at the release point: read from a released histogram with public bins (`proofs.md#histograms`).

The bins cover a value's public range in stretches of bins of equal width. Durations, distances and counts start at 0,
and most values are near it. For these each stretch has bins twice as wide as the one before, so the bin width is
roughly proportional to the value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from dialect.algebra.expressions import AND, Call, Case, Expr, Field, Literal, conjunction, conjuncts
from dialect.algebra.formulas import Histogram, Output, QuantileOf
from dialect.algebra.relations import Boundary, Filter, Join, Measure, PerPerson, Public, Series
from dialect.analysis.predicates import known_range
from dialect.catalog.model import Bounds, SqlType, ValueRange
from dialect.functions.builders import compared, double, integer, is_there, to_bigint
from dialect.functions.emitter import plain_text
from dialect.functions.inference import definition, of_person
from dialect.notes import Note, NoteCode
from dialect.parser.context import Reading
from dialect.stability.row_operators import compute

# The noise of a cumulative count grows with the square root of the number of bins below it, while the bin width shrinks
# with their number: at 128 bins the noise at the median is that of 6 bins. A tree of counts is noisier than that until
# there are thousands of bins.
MOST_BINS = 128
STRETCHES = 8  # for non-integer ranges: the finest bin is 1/2,048 of the range
MOST_FROM_0 = 16  # largest lower end of an integer range whose bins start at 0
MOST_GROWING = 192  # growing bins of integers; the finest has width 1
EXACT = 2.0**52  # integers below this are exact in DOUBLE
_LARGEST = 1.7976931348623157e308


@dataclass(frozen=True)
class Stretch:
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
    """Bins that cover a public range; a bin of whole numbers holds as many values as its width."""

    stretches: tuple[Stretch, ...]
    whole: bool

    @property
    def count(self) -> int:
        """Number of bins."""
        return sum(stretch.count for stretch in self.stretches)

    def histogram(self, key: int) -> Histogram:
        """Describe the bins, start and spread of each, for a release whose bin number is the key at position `key`."""
        starts = [(s.lower + place * s.width, s.width) for s in self.stretches for place in range(s.count)]
        spreads = (width - 1 if self.whole else width for _, width in starts)
        return Histogram(key, tuple(start for start, _ in starts), tuple(spreads))

    def in_words(self) -> str:
        """Describe number, widths and range of the bins in words."""
        widths = [stretch.width for stretch in self.stretches]
        last = self.stretches[-1]
        upper = last.upper - (1 if self.whole else 0)
        wide = f"{widths[0]:g}" if widths[0] == widths[-1] else f"{widths[0]:g} to {widths[-1]:g}"
        return f"{self.count} bins of {wide} from {self.stretches[0].lower:g} to {upper:g}"


def bins_of(value: Expr, ends: Bounds) -> Bins:
    """Choose bins for a value's public range: one per integer if these are few."""
    if value.type is SqlType.BIGINT and max(abs(ends.lower), abs(ends.upper)) < EXACT:
        return _of_whole_numbers(math.ceil(ends.lower), math.floor(ends.upper))
    width = ends.upper - ends.lower
    if not width > 0:
        return Bins((Stretch(ends.lower, 1.0, 1),), True)
    if 0 <= ends.lower <= ends.upper / 2.0 ** (STRETCHES + 3):
        return Bins(_growing(ends.upper / 2.0 ** (STRETCHES + 3), MOST_BINS // STRETCHES, STRETCHES), False)
    return Bins((Stretch(ends.lower, width / MOST_BINS, MOST_BINS),), False)


def _of_whole_numbers(lower: int, upper: int) -> Bins:
    numbers = max(1, upper - lower + 1)
    if numbers <= MOST_BINS:
        return Bins((Stretch(float(lower), 1.0, numbers),), True)
    if 0 <= lower <= MOST_FROM_0:
        numbers += lower
        *full, last = _of_counts(numbers)
        left = math.ceil((numbers - last.lower) / last.width)
        return Bins((*full, replace(last, count=left)), True)
    step = -(-numbers // MOST_BINS)
    return Bins((Stretch(float(lower), float(step), -(-numbers // step)),), True)


def _of_counts(numbers: int) -> tuple[Stretch, ...]:
    """Choose growing bins for integers from 0: the first ones of width 1, within the limit on bins."""
    for each in (64, 32, 16, 8):
        stretches = max(2, math.ceil(math.log2(numbers / each)) + 1)
        if each * stretches <= MOST_GROWING:
            return _growing(1.0, each, stretches)
    each, stretches = 8, MOST_GROWING // 8
    return _growing(float(-(-numbers // (each << stretches - 1))), each, stretches)


def _growing(width: float, each: int, stretches: int) -> tuple[Stretch, ...]:
    """Build stretches of doubling width; the first two are equally wide."""
    widths = [width * 2.0 ** max(0, place - 1) for place in range(stretches)]
    lowers = accumulate((each * w for w in widths[:-1]), initial=0.0)
    return tuple(Stretch(lower, w, each) for lower, w in zip(lowers, widths, strict=True))


def bin_number(value: Expr, bins: Bins) -> Expr:
    """Build the expression of a value's bin number, clamped to the outer bins; NULL for NULL, NaN and infinities."""
    branches: list[tuple[Expr, Expr]] = []
    before = 0
    for stretch in bins.stretches:
        place = integer("least", _place(value, stretch, bins.whole), _number(stretch.count - 1))
        branches.append((_within(value, stretch.lower, stretch.upper), _moved(place, before)))
        before += stretch.count
    last = bins.stretches[-1].upper
    branches.append((_compared(value, ">=", last, "<=", _LARGEST), _number(before - 1)))
    branches.append((_compared(value, ">=", -_LARGEST, "<", bins.stretches[0].lower), _number(0)))
    return Case(tuple(branches), Literal(None, SqlType.BIGINT), SqlType.BIGINT)


def has_bin(value: Expr) -> Expr:
    """Build the test that a value is finite and non-NULL: cheaper than testing its bin number for NULL."""
    return is_there(value) if value.type is SqlType.BIGINT else _compared(value, ">=", -_LARGEST, "<=", _LARGEST)


def _place(value: Expr, stretch: Stretch, whole: bool) -> Expr:
    if whole and value.type is SqlType.BIGINT:
        moved = _moved(value, -int(stretch.lower))
        return integer("//", moved, _number(int(stretch.width)))
    lower, width = Literal(stretch.lower, SqlType.DOUBLE), Literal(stretch.width, SqlType.DOUBLE)
    return to_bigint(double("floor", double("/", double("-", value, lower), width)))


def _moved(number: Expr, by: int) -> Expr:
    return integer("+", number, _number(by))


def _number(value: int) -> Literal:
    return Literal(value, SqlType.BIGINT)


def _within(value: Expr, lower: float, upper: float) -> Expr:
    return _compared(value, ">=", lower, "<", upper)


def _compared(value: Expr, one: str, lower: float, other: str, upper: float) -> Expr:
    ends = ((one, Literal(lower, SqlType.DOUBLE)), (other, Literal(upper, SqlType.DOUBLE)))
    above, below = (compared(sign, value, end) for sign, end in ends)
    return Call(AND, (above, below), SqlType.BOOLEAN)


LEAST, MEDIAN, MOST = 0.01, 0.5, 0.99  # levels for MIN and MAX; more extreme ones would depend on a few persons
_NAMES = {"median", "quantile_cont", "quantile_disc", "min", "max"}


@dataclass(frozen=True)
class Binned:
    """A release point further grouped by the bins of one value, and the quantiles that are read from it."""

    boundary: Boundary  # the last key is the bin number; the only measure counts rows
    bins: Bins
    measures: tuple[Measure, ...]
    note: Note


def is_quantile(measure: Measure) -> bool:
    """Return whether an aggregate over many people is read from a histogram: quantiles, MEDIAN, MIN and MAX."""
    return measure.function in _NAMES


def histograms(boundary: Boundary, reading: Reading) -> tuple[Binned, ...]:
    """Group a release point by bins, once for each distinct argument and FILTER of its quantiles."""
    asked: dict[tuple[Expr, Expr | None], list[Measure]] = {}
    for measure in boundary.measures:
        if is_quantile(measure):
            asked.setdefault((measure.arguments[0], measure.condition), []).append(measure)
    return tuple(_binned(boundary, value, test, made, reading) for (value, test), made in asked.items())


def _binned(
    boundary: Boundary, value: Expr, test: Expr | None, measures: Sequence[Measure], reading: Reading
) -> Binned:
    """Count the rows that have a bin and satisfy FILTER, by bin."""
    tested = definition(test) if test is not None else None
    facts = (*boundary.source.facts, *(conjuncts(tested) if tested is not None else ()))
    bins = bins_of(value, known_range(value, facts))
    number = bin_number(value, bins)
    source, (held,) = compute(boundary.source, [number], reading)
    told = (has_bin(value), *((test,) if test is not None else ()))
    kept = replace(source, operator=Filter(source, conjunction(told)))
    assert isinstance(kept, PerPerson)  # noqa: S101  computing and filtering keep the kind
    text = plain_text(value)
    key = replace(
        held, name=f"bin({text})", nullable=False, definition=None, domain=ValueRange(0, bins.count - 1),
        of_person=of_person(value),
    )  # fmt: skip
    if kept.kept is not None:
        kept = replace(kept, kept=replace(kept.kept, rows=_with_bins(kept.kept.rows, key, bins)))
    counted = Measure("count_star", (), None, Field(reading.fresh(), None, SqlType.BIGINT, nullable=False))
    note = Note(NoteCode.QUANTILE, f"Quantiles of {text} are read from a noisy histogram of {bins.in_words()}.")
    return Binned(Boundary(kept, (*boundary.keys, key), (counted,), boundary.span), bins, tuple(measures), note)


def _with_bins(rows: Public, key: Field, bins: Bins) -> Public:
    """Cross join preserved public rows with all bins."""
    first, last = Literal(0, SqlType.BIGINT), Literal(bins.count - 1, SqlType.BIGINT)
    numbers = Public(Series(first, last, "1", key), (key,))
    return Public(Join(rows, numbers, "cross", conjunction(())), (*rows.fields, key), rows.facts)


def quantile_output(measure: Measure, reading: Reading) -> Output:
    """Describe a quantile output: its level, and the fields of its interval ends."""
    ends = (Field(reading.fresh(), None, SqlType.DOUBLE), Field(reading.fresh(), None, SqlType.DOUBLE))
    return Output(measure.field, _formula(measure), ends)


def _formula(measure: Measure) -> QuantileOf:
    if measure.function == "quantile_cont":
        level = measure.arguments[1]
        assert isinstance(level, Literal) and isinstance(level.value, int | float)  # noqa: S101  read as a constant
        return QuantileOf(float(level.value))
    if measure.function == "quantile_disc":
        level = measure.arguments[1]
        assert isinstance(level, Literal) and isinstance(level.value, int | float)  # noqa: S101  read as a constant
        return QuantileOf(float(level.value), "near" if measure.field.type is SqlType.BIGINT else None, True)
    if measure.function == "median":
        return QuantileOf(MEDIAN)
    whole = measure.field.type is SqlType.BIGINT
    if measure.function == "min":
        return QuantileOf(LEAST, "down" if whole else None)
    return QuantileOf(MOST, "up" if whole else None)


def notes_of(binned: Binned) -> tuple[Note, ...]:
    """Return notes on how quantiles are computed, and which levels replace MIN and MAX."""
    text = plain_text(binned.measures[0].arguments[0])
    asked = {measure.function for measure in binned.measures}
    instead = ((f"{name}({text})", level) for name, level in (("min", LEAST), ("max", MOST)) if name in asked)
    why = "the true extreme is one person's value, so this is the quantile at"
    return (binned.note, *(Note(NoteCode.EXTREME, f"{name}: {why} {level:.0%}.") for name, level in instead))
