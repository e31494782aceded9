"""Wire shapes of declared tables, as analysts see them. Nothing here is read from data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from dialect.catalog import (
    Catalog,
    ClipBounds,
    Column,
    ColumnValues,
    Domain,
    Movement,
    Table,
    ValueList,
    ValueRange,
    next_window_start,
)
from engine.catalog.eligibility import excluded_consent_notes

COLUMN_ATTRIBUTES = {  # key on the wire -> field of Column
    "time_zone": "time_zone",
    "sum_norm": "sum_clip_bound",
    "centred_norm": "centred_sum_clip_bound",
    "centre": "centre",
}
WHOLE_HISTORY_TEXT = "A person's whole history is one window."
CHARGED_TEXT = "A question is charged to each window that it touches; without a condition on the time, to all."
TIMELESS_TEXT = (
    "Its rows have no time: joined to rows with a time, they are charged with their windows; read alone, to the account"
    " of tables without time, static."
)


def table_shape(declared: Table, catalog: Catalog) -> dict[str, Any]:
    """Describe a declared table: columns, windows, and how much one person counts in it."""
    borrowed = catalog.inherited_person_column(declared)
    windows = _declared_windows(declared, catalog)
    more = () if borrowed is None else (replace(borrowed, nullable=False),)  # rows without a person are not read
    return {
        "name": declared.name,
        "kind": "private" if declared.private else "public",
        "dataset": declared.dataset,
        "person": declared.person.column if declared.person is not None else None,
        "size_class": declared.size_class,
        "primary_key": list(declared.primary_key),
        "time_column": declared.time_column,
        **windows,
        "windows_told": list(_window_sentences(windows, declared.time_column)),
        "not_counted": list(excluded_consent_notes(catalog, catalog.datasets_by_name[declared.dataset]))
        if declared.private
        else [],
        "norms": None if declared.clip_bounds is None else _clip_bound_shape(declared.clip_bounds),
        "max_rows_per_person": declared.max_rows_per_person,
        "max_groups_per_person": declared.max_groups_per_person,
        "movement": None if declared.movement is None else _movement_shape(declared.movement),
        "columns": [_column_shape(column) for column in (*declared.columns, *more) if column.visible],
    }


def _declared_windows(declared: Table, catalog: Catalog) -> dict[str, str | None]:
    """Return the privacy windows of a private table's dataset and their days. A whole-history window has no ends."""
    found = dict.fromkeys(("window", "first_window", "last_window", "first_day", "last_day"), None)
    if not declared.private:
        return found
    dataset = catalog.datasets_by_name[declared.dataset]
    if (stretch := dataset.window_range) is None:
        return {**found, "window": str(dataset.window)}
    last_day = next_window_start(stretch.window, stretch.last) - timedelta(days=1)
    days = (stretch.first.isoformat(), last_day.isoformat())
    return dict(
        zip(found, (str(dataset.window), dataset.window_names[0], dataset.window_names[-1], *days), strict=True)
    )


def _window_sentences(windows: Mapping[str, str | None], time_column: str | None) -> Iterator[str]:
    """Describe the declared time range, and which windows a query is charged to."""
    window, *names, first_day, last_day = windows.values()
    if first_day is not None:
        first, last = names
        yield f"Declared are the days {first_day} to {last_day}, in windows of one {window}: {first} to {last}."
        yield CHARGED_TEXT if time_column else TIMELESS_TEXT
    elif window is not None:
        yield WHOLE_HISTORY_TEXT


def _column_shape(column: Column) -> dict[str, Any]:
    """Describe a declared column in JSON form; attributes that are not declared are left out."""
    bounds: dict[str, Any] = {} if column.bounds is None else {"bounds": [column.bounds.lower, column.bounds.upper]}
    if column.measures_bounds:
        measured = column.measured_bounds
        bounds = {"measured_bounds": None if measured is None else [measured.lower, measured.upper]}
    more = {key: value for key, field in COLUMN_ATTRIBUTES.items() if (value := getattr(column, field)) is not None}
    return {
        "name": column.name,
        "type": column.stored_type,
        "nullable": column.nullable,
        **_domain_shape(column.domain),
        **({"complete": True} if column.complete else {}),
        **bounds,
        **({} if column.cell is None else {"h3": asdict(column.cell)}),
        **more,
    }


def _movement_shape(movement: Movement) -> dict[str, Any]:
    """Columns with the places of stays and trips in JSON form: zone, lon, lat; of a lookup as table.column."""
    through = "" if movement.through is None else f"{movement.through[1]}."
    places = {"zone": movement.zone, "lon": movement.lon, "lat": movement.lat}
    return {role: f"{through}{name}" for role, name in places.items() if name is not None}


def _clip_bound_shape(norms: ClipBounds) -> dict[str, Any]:
    """Describe declared clip bounds in JSON form; `covers` = share of people expected within them."""
    by_keys = [
        {
            "keys": list(usual.keys),
            "rows": usual.rows,
            "persons": usual.persons,
            "sums": usual.sums,
            "covers": usual.expected_coverage,
        }
        for usual in norms.by_keys
    ]
    return {"rows": norms.rows, "persons": norms.persons, "covers": norms.expected_coverage, "by_keys": by_keys}


def _domain_shape(domain: Domain | None) -> dict[str, Any]:
    """Describe the values of a column in JSON form: a list, a range, or another table's column; else empty."""
    if isinstance(domain, ValueList):
        return {"values": list(domain.values)}
    if isinstance(domain, ValueRange):
        return {"range": [domain.lower, domain.upper]}
    return {"values_of": f"{domain.table}.{domain.column}"} if isinstance(domain, ColumnValues) else {}
