"""Quantiles at the boundary -> a histogram with public bins, which is released instead (`proofs.md#histograms`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dialect.algebra.expressions import Expr, Field, Literal, conjunction, conjuncts
from dialect.algebra.formulas import Output, QuantileOf
from dialect.algebra.relations import Boundary, Filter, Join, Measure, PerPerson, Public, Series
from dialect.analysis.known_ranges import known_range
from dialect.catalog.catalog import SqlType, ValueRange
from dialect.functions.inference import definition, of_person
from dialect.functions.plain_text import plain_text
from dialect.parser.context import Reading
from dialect.planner.bins import Bins, bin_number, bins_of, has_bin
from dialect.stability.rules import compute

LEAST, MEDIAN, MOST = 0.01, 0.5, 0.99  # MIN and MAX: beyond these a few persons would decide
_NAMES = {"median", "quantile_cont", "quantile_disc", "min", "max"}


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
    note = f"quantiles of {text} are read from a noisy histogram of {bins.in_words()}"
    return Binned(Boundary(kept, (*boundary.keys, key), (counted,), boundary.span), bins, tuple(measures), note)


def _with_bins(rows: Public, key: Field, bins: Bins) -> Public:
    """Let every public row that stays have every bin."""
    first, last = Literal(0, SqlType.BIGINT), Literal(bins.count - 1, SqlType.BIGINT)
    numbers = Public(Series(first, last, "1", key), (key,))
    return Public(Join(rows, numbers, "cross", conjunction(())), (*rows.fields, key), rows.facts)


def quantile_output(measure: Measure, reading: Reading) -> Output:
    """Say which quantile an aggregate is, and where its interval is found."""
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


def notes_of(binned: Binned) -> tuple[str, ...]:
    """Say how quantiles are made, and what MIN and MAX are instead of one person's value."""
    text = plain_text(binned.measures[0].arguments[0])
    asked = {measure.function for measure in binned.measures}
    instead = ((f"{name}({text})", level) for name, level in (("min", LEAST), ("max", MOST)) if name in asked)
    why = "a true extreme is one person's value, so this is the quantile at"
    return (binned.note, *(f"{name}: {why} {level:.0%}" for name, level in instead))
