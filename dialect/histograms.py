"""Quantiles at the boundary -> a histogram with public bins, which is released instead (`proofs.md#histograms`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dialect.canonical import plain_text
from dialect.catalog import SqlType, ValueRange
from dialect.expressions import AND, Call, Case, Expr, Field, Literal, Ref, conjunction
from dialect.formulas import Histogram, Output, QuantileOf
from dialect.functions import forms_of
from dialect.inference import of_person, range_of
from dialect.reading import Reading
from dialect.relations import Boundary, Filter, Join, Measure, PerPerson, Public, Series
from dialect.rules import compute

# Noise of a cumulative count grows with the root of the bins, half a bin shrinks with their number: at 128 bins of a
# range the half bin is 0.4% of it, and the noise at the median that of 6 bins. A tree of counts needs more than that
# until there are thousands of bins.
MOST_BINS = 128
EXACT = 2.0**52  # whole numbers are told apart up to here
LEAST, MEDIAN, MOST = 0.01, 0.5, 0.99  # MIN and MAX: beyond these a few persons would decide
_NAMES = {"median", "quantile_cont", "min", "max"}


@dataclass(frozen=True)
class Bins:
    """Equal bins between public ends."""

    lower: float
    width: float
    spread: float
    count: int


@dataclass(frozen=True)
class Binned:
    """A boundary whose groups are cut further into the bins of one value, and the quantiles that are read from it."""

    boundary: Boundary  # its last key is the bin; its one measure counts rows
    bins: Bins
    measures: tuple[Measure, ...]
    note: str


def is_quantile(measure: Measure) -> bool:
    """Tell whether an aggregate over many people is read from a histogram."""
    return measure.function in _NAMES


def histograms(boundary: Boundary, reading: Reading) -> tuple[Binned, ...]:
    """Cut a boundary into bins, once for each argument and condition that quantiles are asked of."""
    asked: dict[tuple[Expr, Expr | None], list[Measure]] = {}
    for measure in boundary.measures:
        if is_quantile(measure):
            asked.setdefault((measure.arguments[0], measure.condition), []).append(measure)
    return tuple(_binned(boundary, value, test, made, reading) for (value, test), made in asked.items())


def _binned(
    boundary: Boundary, value: Expr, test: Expr | None, measures: Sequence[Measure], reading: Reading
) -> Binned:
    """Keep the rows that have a bin, and count them by it; what FILTER leaves out has none."""
    bins = bins_of(value)
    number = bin_number(value, bins)
    source, (held,) = compute(boundary.source, [number], reading)
    present = Call(_NOT, (Call(_IS_NULL, (Ref(held),), SqlType.BOOLEAN),), SqlType.BOOLEAN)
    kept = replace(source, operator=Filter(source, conjunction((present, *((test,) if test is not None else ())))))
    assert isinstance(kept, PerPerson)  # noqa: S101  computing and filtering keep the kind
    text = plain_text(value)
    key = replace(
        held, name=f"bin({text})", nullable=False, definition=None, domain=ValueRange(0, bins.count - 1),
        of_person=of_person(value),
    )  # fmt: skip
    if kept.kept is not None:
        kept = replace(kept, kept=replace(kept.kept, rows=_with_bins(kept.kept.rows, key, bins)))
    counted = Measure("count_star", (), None, Field(reading.fresh(), None, SqlType.BIGINT, nullable=False))
    within = f"from {bins.lower:g} to {bins.lower + (bins.count - 1) * bins.width + bins.spread:g}"
    note = f"quantiles of {text} are read from a noisy histogram of {bins.count} bins of {bins.width:g} {within}"
    return Binned(Boundary(kept, (*boundary.keys, key), (counted,), boundary.span), bins, tuple(measures), note)


def _with_bins(rows: Public, key: Field, bins: Bins) -> Public:
    """Let every public row that stays have every bin."""
    first, last = Literal(0, SqlType.BIGINT), Literal(bins.count - 1, SqlType.BIGINT)
    numbers = Public(Series(first, last, "1", key), (key,))
    return Public(Join(rows, numbers, "cross", conjunction(())), (*rows.fields, key), rows.facts)


def bins_of(value: Expr) -> Bins:
    """Cut a value's public range: whole numbers into bins of whole numbers, one each where they are few."""
    ends = range_of(value)
    lower, upper = ends.lower, ends.upper
    if value.type is SqlType.BIGINT and max(abs(lower), abs(upper)) < EXACT:
        lower, upper = float(math.ceil(lower)), float(math.floor(upper))
        numbers = max(1, int(upper - lower) + 1)
        step = -(-numbers // MOST_BINS)
        return Bins(lower, float(step), float(step - 1), -(-numbers // step))
    width = (upper - lower) / MOST_BINS
    return Bins(lower, width, width, MOST_BINS) if width > 0 else Bins(lower, 1.0, 0.0, 1)


def bin_number(value: Expr, bins: Bins) -> Expr:
    """Write the number of a value's bin, the outer bins taking what lies beyond; NULL of NULL, NaN and infinities."""
    last = Literal(bins.count - 1, SqlType.BIGINT)
    first = Literal(0, SqlType.BIGINT)
    upper = bins.lower + bins.count * bins.width
    inner = Call(_LEAST, (_place(value, bins), last), SqlType.BIGINT)
    branches = (
        (_between(value, bins.lower, upper), inner),
        (_between(value, upper, _LARGEST), last),
        (_between(value, -_LARGEST, bins.lower), first),
    )
    return Case(branches, Literal(None, SqlType.BIGINT), SqlType.BIGINT)


_LARGEST = 1.7976931348623157e308


def _place(value: Expr, bins: Bins) -> Expr:
    if bins.spread < bins.width and value.type is SqlType.BIGINT:
        lower, width = Literal(int(bins.lower), SqlType.BIGINT), Literal(int(bins.width), SqlType.BIGINT)
        moved = Call(_row("-", SqlType.BIGINT), (value, lower), SqlType.BIGINT)
        return Call(_row("//", SqlType.BIGINT), (moved, width), SqlType.BIGINT)
    lower, width = Literal(bins.lower, SqlType.DOUBLE), Literal(bins.width, SqlType.DOUBLE)
    moved = Call(_row("-", SqlType.DOUBLE), (value, lower), SqlType.DOUBLE)
    parts = Call(_row("/", SqlType.DOUBLE), (moved, width), SqlType.DOUBLE)
    return Call(_TO_BIGINT, (Call(_row("floor", SqlType.DOUBLE), (parts,), SqlType.DOUBLE),), SqlType.BIGINT)


def _between(value: Expr, lower: float, upper: float) -> Expr:
    ends = Literal(lower, SqlType.DOUBLE), Literal(upper, SqlType.DOUBLE)
    above, below = (Call(row, (value, end), SqlType.BOOLEAN) for row, end in zip(_COMPARED, ends, strict=True))
    return Call(AND, (above, below), SqlType.BOOLEAN)


def _row(name: str, result: SqlType) -> str:
    return next(form.row for form in forms_of(name) if form.result is result)


_COMPARED = tuple(next(f.row for f in forms_of(sign) if f.arguments == ("num", "num")) for sign in (">=", "<="))
_IS_NULL, _NOT, _LEAST = (forms_of(name)[0].row for name in ("is null", "not", "least"))
_TO_BIGINT = next(form.row for form in forms_of("to_bigint") if form.arguments == ("num",))


def histogram(bins: Bins, key: int) -> Histogram:
    """Say which of a plan's keys is the bin."""
    return Histogram(key, bins.lower, bins.width, bins.spread, bins.count)


def quantile_output(measure: Measure, reading: Reading) -> Output:
    """Say which quantile an aggregate is, and where its interval is found."""
    ends = (Field(reading.fresh(), None, SqlType.DOUBLE), Field(reading.fresh(), None, SqlType.DOUBLE))
    return Output(measure.field, _formula(measure), ends)


def _formula(measure: Measure) -> QuantileOf:
    if measure.function == "quantile_cont":
        level = measure.arguments[1]
        assert isinstance(level, Literal) and isinstance(level.value, int | float)  # noqa: S101  read as a constant
        return QuantileOf(float(level.value))
    if measure.function == "median":
        return QuantileOf(MEDIAN)
    whole = measure.field.type is SqlType.BIGINT
    if measure.function == "min":
        return QuantileOf(LEAST, "down" if whole else None)
    return QuantileOf(MOST, "up" if whole else None)


def notes_of(binned: Binned) -> tuple[str, ...]:
    """Say how quantiles are made, and what MIN and MAX are instead of one person's value."""
    text = plain_text(binned.measures[0].arguments[0])
    asked = {measure.function for measure in binned.measures}
    instead = ((f"{name}({text})", level) for name, level in (("min", LEAST), ("max", MOST)) if name in asked)
    why = "a true extreme is one person's value, so this is the quantile at"
    return (binned.note, *(f"{name}: {why} {level:.0%}" for name, level in instead))
