"""Calibration queries: histograms of per-person norms, written in the engine's own dialect.

Each counts one row per person, so that eligibility, windows, contribution bounding, price and noise are those of any
other query, and one person changes one bin by 1 (`proofs.md#calibration`). For example, rows per person and zone:

    SELECT bin, COUNT(*) AS people FROM (
      SELECT person, CAST(floor(log2(SUM(v * v))) AS BIGINT) AS bin FROM (
        SELECT person, zone AS k0, COUNT(*) AS v FROM visit GROUP BY person, k0) AS per_group
      GROUP BY person) AS per_person GROUP BY bin
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from dialect import Catalog, Question, Refusal, compile_query
from dialect.algebra import PrivatePlan
from dialect.catalog import Column, Dataset, SqlType, Table, first_day_of_name, next_window_start
from engine.catalog.columns import DATED_TYPES, ZONED_TYPES
from engine.pricing.clip_bounds.histograms import (
    HIGHEST_DISTANCE_BIN,
    HIGHEST_VALUE_BIN,
    LOWEST_DISTANCE_BIN,
    LOWEST_VALUE_BIN,
    MEAN_STEPS,
    VALUE_BINS,
    HistogramSubject,
    Quantity,
)

_SQUARES = {Quantity.PERSONS: "COUNT(*)"}  # aggregate over one person's groups -> squared norm
NEGATIVE_FRACTION = 16  # a negative value counts from this part of the largest on: -1 for "unknown" is none
SQUARED_NORM = "SUM(v * v)"
MAX_USUAL_KEYS = 12  # keys of a table without clip bounds that are measured unnamed: all share one price
MANY_KEYS = f"a table without norms is measured by {MAX_USUAL_KEYS} keys at most: name it with --keys."


@dataclass(frozen=True)
class CalibrationQuestion:
    """The query of one histogram."""

    measured: HistogramSubject
    sql: str
    question: Question
    count_plan: PrivatePlan  # a count by the same keys, from which the groups are counted


@dataclass(frozen=True)
class Uncalibrated:
    """Group keys that cannot be calibrated, and the reason."""

    table: str
    keys: tuple[str, ...]
    why: str


def calibration_questions(
    catalog: Catalog, dataset: Dataset, window: str, more_keys: Sequence[tuple[str, ...]] = ()
) -> tuple[tuple[CalibrationQuestion, ...], tuple[Uncalibrated, ...]]:
    """List the histograms of one window: rows, groups and column sums, for every table and its usual group keys.

    The second result lists the keys for which no query is accepted, and those that are left out because there are many.
    """
    questions: list[CalibrationQuestion] = []
    uncalibrated: list[Uncalibrated] = []
    for table in catalog.tables:
        if table.dataset != dataset.name or not table.private:
            continue
        is_single = table.has_one_row_per_person  # then only values are measured
        left_out = (keys for keys in _usual_keys(table)[MAX_USUAL_KEYS:] if keys not in more_keys and not is_single)
        uncalibrated += [Uncalibrated(table.name, keys, MANY_KEYS) for keys in left_out]
        for keys in [()] if is_single else _key_sets(table, more_keys):
            try:
                count_plan = _count_plan(table, keys, catalog)
                texts = tuple(key.canonical_text for key in count_plan.keys)
                measured = list(_measurements(table, texts))
                measured_sql = [
                    (each, _histogram_sql(each, table, keys, catalog, dataset, window)) for each in measured
                ]
                questions += [
                    CalibrationQuestion(each, sql, compile_query(sql, catalog), count_plan)
                    for each, sql in measured_sql
                ]
            except Refusal as refused:
                uncalibrated.append(Uncalibrated(table.name, keys, refused.why))
    return tuple(questions), tuple(uncalibrated)


def _key_sets(table: Table, more_keys: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield the sets of group keys to calibrate: none, the usual ones and the requested ones."""
    declared = () if table.clip_bounds is None else table.clip_bounds.by_keys
    yield from dict.fromkeys([(), *(each.keys for each in declared), *_usual_keys(table)[:MAX_USUAL_KEYS], *more_keys])


def _usual_keys(table: Table) -> list[tuple[str, ...]]:
    """List the usual group keys of a table that declares no clip bounds: hour and date, and each column's key set."""
    if table.clip_bounds is not None:
        return []
    times = [c for c in table.columns if c.visible and c.type in DATED_TYPES]
    keys: list[tuple[str, ...]] = []
    # the time column, else the first column that holds a time
    for time in sorted(times, key=lambda column: column.name != table.time_column)[:1]:
        date = time.name if time.type is SqlType.DATE else f"CAST({time.name} AS DATE)"
        keys += [(f"hour({time.name})",)] if time.type is not SqlType.DATE else []
        keys.append((table.date_column or date,))
    listed = (c.name for c in table.columns if c.domain is not None and c.visible and c.type not in ZONED_TYPES)
    return list(dict.fromkeys([*keys, *((name,) for name in listed)]))


def _count_plan(table: Table, keys: tuple[str, ...], catalog: Catalog) -> PrivatePlan:
    """Plan a count by these keys, to get their canonical texts."""
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    (plan,) = compile_query(f"SELECT COUNT(*) AS n FROM {table.name}{by}", catalog).plans
    return plan


def _measurements(table: Table, keys: tuple[str, ...]) -> Iterator[HistogramSubject]:
    """Yield the statistics to measure for one set of keys: rows, persons, and sums and means of bounded columns.

    Without keys also the values of columns whose bounds are to be measured.
    """
    if not keys:
        for column in table.columns:
            if column.measures_bounds and column.visible:
                yield HistogramSubject(table.name, keys, Quantity.VALUES, column.name)
    if table.has_one_row_per_person:
        return
    yield HistogramSubject(table.name, keys, Quantity.ROWS)
    if keys:
        yield HistogramSubject(table.name, keys, Quantity.PERSONS)
    for column in table.columns:
        if column.bounds is None or not column.visible or column.type not in (SqlType.BIGINT, SqlType.DOUBLE):
            continue
        if column.sum_clip_bound is not None or (table.clip_bounds is None and _may_add_up(column)):
            largest = max(abs(column.bounds.lower), abs(column.bounds.upper))
            yield HistogramSubject(table.name, keys, Quantity.SUMS, column.name, largest or 1.0)
        if (column.centred_sum_clip_bound is not None or table.clip_bounds is None) and not keys:
            farthest = max(abs(column.bounds.lower - centre(column)), abs(column.bounds.upper - centre(column)))
            yield HistogramSubject(table.name, keys, Quantity.MEANS_BY_ROWS, column.name, farthest or 1.0)
            if column.bounds.upper > column.bounds.lower:
                yield HistogramSubject(
                    table.name, keys, Quantity.MEANS, column.name, column.bounds.upper - column.bounds.lower
                )


def _may_add_up(column: Column) -> bool:
    """Return whether a column may be a quantity that is summed: one that can be 0, as no year, code or latitude is."""
    return column.bounds is not None and column.bounds.lower <= 0 <= column.bounds.upper


def centre(column: Column) -> float:
    """Return the value about which averages of a column are centred, as in `dialect/planner/query_vectors.py`."""
    assert column.bounds is not None  # noqa: S101  the caller asks
    lower, upper = column.bounds.lower, column.bounds.upper
    found = (lower + upper) / 2 if column.centre is None else min(max(column.centre, lower), upper)
    return found if column.type is SqlType.DOUBLE else float(round(found))


def _histogram_sql(
    measured: HistogramSubject, table: Table, keys: tuple[str, ...], catalog: Catalog, dataset: Dataset, window: str
) -> str:
    """Write the SQL of one histogram: the count of people by the logarithm of their squared norm."""
    person = _person(table, catalog)
    if measured.kind is Quantity.MEANS_BY_ROWS:
        return _mean_offsets_sql(measured, table, person, _window_predicate(table, dataset, window))
    if measured.kind is Quantity.MEANS:
        return _mean_positions_sql(measured, table, person, _window_predicate(table, dataset, window))
    if measured.kind is Quantity.VALUES:
        return _values_sql(measured, table, person, _window_predicate(table, dataset, window))
    columns = "".join(f", {key} AS k{i}" for i, key in enumerate(keys))
    groups = ", ".join(["person", *(f"k{i}" for i in range(len(keys)))])
    rows = f"SELECT {person} AS person{columns}, {_value_sql(measured, table)} AS v FROM {table.name}"
    rows += f"{_window_predicate(table, dataset, window)} GROUP BY {groups}"
    lowest, highest = measured.bins[0], measured.bins[-1]
    bins = (
        f"least(greatest(CAST(floor(log2({_SQUARES.get(measured.kind, SQUARED_NORM)})) AS BIGINT), {lowest}),"
        f" {highest})"
    )
    people = f"SELECT person, {bins} AS bin FROM ({rows}) AS per_group GROUP BY person"
    counted = f"SELECT bin, COUNT(*) AS people FROM ({people}) AS per_person"
    return f"{counted} WHERE bin BETWEEN {lowest} AND {highest} GROUP BY bin ORDER BY bin"


def _mean_offsets_sql(measured: HistogramSubject, table: Table, person: str, within: str) -> str:
    """Write the SQL that sums people's mean offsets from the centre, by their number of rows.

    Offsets are in steps of 1 / MEAN_STEPS of the largest one.
    """
    rows = (
        f"SELECT {person} AS person, COUNT(*) AS n, {_value_sql(measured, table)} AS v FROM {table.name}{within}"
        " GROUP BY 1"
    )
    lowest, highest = measured.bins[0], measured.bins[-1]
    bins = f"least(greatest(CAST(floor(2 * log2(n)) AS BIGINT), {lowest}), {highest})"
    steps = f"CAST(round({MEAN_STEPS} * least(greatest(v / n, -1), 1)) AS BIGINT)"
    people = f"SELECT person, {bins} AS bin, {steps} AS steps FROM ({rows}) AS per_person"
    added = f"SELECT bin, SUM(steps) AS steps FROM ({people}) AS mean_offsets"
    return f"{added} WHERE bin BETWEEN {lowest} AND {highest} GROUP BY bin ORDER BY bin"


def _mean_positions_sql(measured: HistogramSubject, table: Table, person: str, within: str) -> str:
    """Write the SQL that counts people by the distance of their mean from the nearer bound, relative to the range."""
    sums = f"SELECT {person} AS person, COUNT({measured.column}) AS n, {_value_sql(measured, table)} AS v"
    rows = f"{sums} FROM {table.name}{within} GROUP BY 1"
    low, high = (
        f"least(greatest(CAST(floor(2 * log2(greatest({share}, 0.001))) AS BIGINT), {LOWEST_DISTANCE_BIN}),"
        f" {HIGHEST_DISTANCE_BIN})"
        for share in ("share", "1 - share")
    )
    lowest, highest = measured.bins[0], measured.bins[-1]
    bins = f"CASE WHEN share < 0.5 THEN {low} - {LOWEST_DISTANCE_BIN} ELSE {highest + LOWEST_DISTANCE_BIN} - {high} END"
    means = f"SELECT person, least(greatest(v / n, 0), 1) AS share FROM ({rows}) AS per_person"
    people = f"SELECT person, {bins} AS bin FROM ({means}) AS mean_positions"
    counted = f"SELECT bin, COUNT(*) AS people FROM ({people}) AS per_person"
    return f"{counted} WHERE bin BETWEEN {lowest} AND {highest} GROUP BY bin ORDER BY bin"


def _values_sql(measured: HistogramSubject, table: Table, person: str, within: str) -> str:
    """Write the SQL that counts people by their largest absolute value; those with such negative values apart.

    One bin for each person and not for each row: removing a person changes one bin by 1.
    """
    value = f"CAST({measured.column} AS DOUBLE)"
    rows = f"SELECT {person} AS person, MAX(abs({value})) AS largest, MIN({value}) AS least"
    rows += f" FROM {table.name}{within} GROUP BY 1"
    size = f"least(greatest(CAST(floor(2 * log2(greatest(largest, {2.0**-20!r}))) AS BIGINT), {LOWEST_VALUE_BIN})"
    size += f", {HIGHEST_VALUE_BIN}) - {LOWEST_VALUE_BIN}"
    bins = f"{size} + CASE WHEN least < largest / {-NEGATIVE_FRACTION} THEN {VALUE_BINS} ELSE 0 END"
    people = f"SELECT person, {bins} AS bin FROM ({rows}) AS per_person WHERE largest > 0"
    counted = f"SELECT bin, COUNT(*) AS people FROM ({people}) AS largest_values"
    return f"{counted} WHERE bin BETWEEN {measured.bins[0]} AND {measured.bins[-1]} GROUP BY bin ORDER BY bin"


def _person(table: Table, catalog: Catalog) -> str:
    """Return the column with the person key, if need be borrowed through the foreign-key path."""
    assert table.person is not None  # noqa: S101  private tables have one
    borrowed = catalog.inherited_person_column(table)
    return table.person.column if borrowed is None else borrowed.name


def _value_sql(measured: HistogramSubject, table: Table) -> str:
    """Write one person's value in one group: a count, or a clamped sum in units of the largest value."""
    if measured.column is None:
        return "COUNT(*)"
    column = table.columns_by_name.get(measured.column)
    assert column is not None and column.bounds is not None  # noqa: S101  such columns are measured
    clamped = f"least(greatest({column.name}, {column.bounds.lower!r}), {column.bounds.upper!r})"
    offset = {Quantity.SUMS: "", Quantity.MEANS: f" - {column.bounds.lower!r}"}
    shifted = clamped + offset.get(measured.kind, f" - {centre(column)!r}")
    return f"SUM(CAST({shifted} AS DOUBLE) / {measured.unit!r})"


def _window_predicate(table: Table, dataset: Dataset, window: str) -> str:
    """Write the date predicate that restricts a query to one privacy window, so that no other is charged."""
    if dataset.window_range is None or table.time_column is None:
        return ""
    first = first_day_of_name(dataset.window_range.window, window)
    assert first is not None  # noqa: S101  the window is a declared one
    last = next_window_start(dataset.window_range.window, first) - timedelta(days=1)
    return f" WHERE CAST({table.time_column} AS DATE) BETWEEN DATE '{first}' AND DATE '{last}'"
