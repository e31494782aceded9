"""Declared privacy windows: their length, the first and the last one, and provenance from other windows.

A column computed from other columns when data are opened inherits their source windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from itertools import chain

from dialect.catalog import (
    MAX_WINDOWS,
    Catalog,
    Dataset,
    PrivacyWindow,
    SqlType,
    Table,
    WindowRange,
    example_window_name,
    first_day_of_name,
)
from engine.catalog.columns import TableResolver
from engine.catalog.toml_section import ErrorCollector, Section, suggestion


def propagate_source_windows(catalog: Catalog) -> Catalog:
    """Propagate source windows to computed columns, and to the measures of stays and trips.

    Claim: a column's stored or computed value is the same without the rows of a window that it does not list, if
    that is so of every column of the source. Raises nothing. Proof: dialect/planner/proofs.md#charged-windows
    """
    return replace(catalog, tables=tuple(map(_with_propagated_windows, catalog.tables)))


def source_windows(table: Table, columns: Iterable[str | None]) -> tuple[str, ...]:
    """Return the privacy windows from which some columns of a table were computed, directly or transitively."""
    windows_by_column = _source_windows_by_column(table)
    return tuple(dict.fromkeys(window for name in columns for window in windows_by_column.get(name or "", ())))


def _with_propagated_windows(table: Table) -> Table:
    """Return a table with its source windows propagated to all of its columns."""
    windows_by_column = _source_windows_by_column(table)
    columns = tuple(replace(column, source_windows=windows_by_column[column.name]) for column in table.columns)
    movement = table.movement
    if movement is not None:
        sources = source_windows(table, _movement_columns(table))
        numbers = tuple(replace(number, source_windows=sources) for number in movement.columns)
        movement = replace(movement, columns=numbers)
    return replace(table, columns=columns, movement=movement)


def _movement_columns(table: Table) -> tuple[str | None, ...]:
    """Return the columns from which stays and trips are computed; of a place lookup, the lookup key alone."""
    movement = table.movement
    if movement is None:
        return ()
    return (movement.through[0],) if movement.through else (movement.zone, movement.lon, movement.lat)


def _source_windows_by_column(table: Table) -> Mapping[str, tuple[str, ...]]:
    """Return the source windows of each column, by transitive closure over computed columns."""
    windows_by_column = {column.name: column.source_windows for column in table.columns}
    inputs = _inputs_of_computed_columns(table)
    for _ in inputs:  # longest chain: one round per computed column
        for name, input_columns in inputs.items():
            found = [windows_by_column.get(input_column, ()) for input_column in (name, *input_columns)]
            windows_by_column[name] = tuple(dict.fromkeys(chain.from_iterable(found)))
    return windows_by_column


def _inputs_of_computed_columns(table: Table) -> Mapping[str, tuple[str, ...]]:
    """Map each computed column to its input columns in the same row: H3 cells and public lookups."""
    cells = {c.name: (c.cell.lon, c.cell.lat) for c in table.columns if c.cell is not None}
    declared = {column.name for column in table.columns}
    return cells | {join.column: (join.join_column,) for join in table.source.joins if join.column in declared}


def read_window(section: Section) -> tuple[PrivacyWindow, WindowRange | None]:
    """Parse the privacy window of a dataset, and the declared range of windows (None for `forever`)."""
    cure = 'write window = "forever", which protects a person\'s whole history, or "month".'
    window = section.required_text("window", cure)
    names = [known.value for known in PrivacyWindow]
    if window not in names:
        raise section.error("window", f"the window {window} is not known.", suggestion(window, names, ""))
    if window == PrivacyWindow.FOREVER:
        for key in ("first_window", "last_window"):
            if key in section.entries:
                raise section.error(key, "a whole history is one window.", f'remove {key}, or write window = "month".')
        return PrivacyWindow.FOREVER, None
    return PrivacyWindow(window), _declared_range(section, PrivacyWindow(window))


def _declared_range(section: Section, window: PrivacyWindow) -> WindowRange:
    """Parse the first and last privacy window, public facts; a query without a time predicate is charged all."""
    first, last = (_first_day(section, window, key) for key in ("first_window", "last_window"))
    if last < first:
        raise section.error("last_window", "it lies before first_window.", "write the later one here.")
    days = {PrivacyWindow.MONTH: 31, PrivacyWindow.WEEK: 7, PrivacyWindow.DAY: 1}[window]
    if (last - first).days > MAX_WINDOWS * days:
        cure = "declare a shorter stretch, or longer windows."
        raise section.error("last_window", f"a dataset has at most {MAX_WINDOWS:,} windows.", cure)
    return WindowRange(window, first, last)


def read_delivered_until(section: Section, stretch: WindowRange | None) -> str:
    """Parse the last privacy window with delivered rows; '' if not declared."""
    found = section.text("delivered_until") or ""
    if found and stretch is None:
        why = "it names the last of several windows, and a whole history is one."
        raise section.error("delivered_until", why, 'remove delivered_until, or write window = "month".')
    if found and stretch is not None and found not in stretch.window_names():
        names = stretch.window_names()
        cure = f"name a declared window, {names[0]} to {names[-1]}."
        raise section.error("delivered_until", f"{found} is no declared window.", cure)
    return found


def _first_day(section: Section, window: PrivacyWindow, key: str) -> date:
    """Parse the first day of a named privacy window."""
    cure = f'write e.g. {key} = "{example_window_name(window)}".'
    begin = first_day_of_name(window, section.required_text(key, cure))
    if begin is None:
        raise section.error(key, f"this is no {window} between the years 1900 and 2200.", cure)
    return begin


def check_windows(catalog: Catalog, mistakes: ErrorCollector) -> None:
    """Collect every undeclared privacy window and every invalid date column."""
    for table in catalog.tables:
        mistakes.collect(None, _WindowCheck(catalog, table).check)


class _WindowCheck(TableResolver):
    """Check the privacy windows and the date column of one table."""

    def check(self) -> None:
        """Check that the date column belongs to a time column, and that source windows are declared."""
        table = self.table
        if table.date_column is not None:
            self._check_date_column(table.date_column)
        dataset = next((d for d in self.catalog.datasets if d.name == table.dataset), None)
        if dataset is None:
            return  # collected by check_dataset
        if dataset.window_range is not None and table.consent is not None and table.time_column is not None:
            why = "consent decides of all windows, and rows of this table are each of one."
            raise self.error("consent", why, "remove time_column here, or move consent to a table without.")
        self._check_from_windows(table, dataset)
        self._check_identity_columns(table)

    def _check_date_column(self, name: str) -> None:
        """Check that the date column is a DATE next to the time column of a private table."""
        table = self.table
        column = self.declared_column(table, name, "date_column")
        if table.time_column is None or not table.private:
            why = "it is the date of a private table's time_column, and there is none."
            raise self.error("date_column", why, "declare time_column, or remove date_column.")
        if column.type is not SqlType.DATE or name == table.time_column:
            raise self.error("date_column", f"{name} is no date beside the time.", "name a DATE column.")

    def _check_from_windows(self, table: Table, dataset: Dataset) -> None:
        """Check that `source_windows` names declared windows, in private tables of a dataset with windows."""
        declared = [("from_windows", table.source_windows)]
        declared += [(f"columns.{column.name}.from_windows", column.source_windows) for column in table.columns]
        for key, names in declared:
            if names and (dataset.window_range is None or not table.private):
                why = "only private rows of a dataset with windows come from some of them."
                raise self.error(key, why, f"remove from_windows, or give {dataset.name} a window.")
            for name in names:
                if name not in dataset.window_names:
                    cure = suggestion(name, dataset.window_names[:50], "name declared windows of the dataset.")
                    raise self.error(key, f"{name} is no declared window.", cure)

    def _check_identity_columns(self, table: Table) -> None:
        """Reject person, time and consent columns computed from other windows: no charge would cover them."""
        path = table.person
        found = () if path is None else (*(own for own, _ in path.through), path.column)
        roles = [("time_column", table.time_column), ("date_column", table.date_column)]
        roles += [("person", name) for name in found]
        for key, name in roles:
            if source_windows(table, (name,)):
                why = f"{name} says whose a row is and when, and was computed from some windows."
                raise self.error(key, why, "name a column of the row itself, without from_windows.")
        if table.consent is not None and (table.source_windows or source_windows(table, (table.consent.column,))):
            why = "consent decides of all windows, and was computed from some."
            raise self.error("consent", why, "keep consent that people gave, in a table without from_windows.")
