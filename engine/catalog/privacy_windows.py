"""Declared privacy windows: their length, the first and the last one, and provenance from other windows.

A column computed from other columns when data are opened inherits their source windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from dialect.catalog import MOST_WINDOWS, Catalog, Dataset, SqlType, Stretch, Table, Window, begin_named, example_of
from engine.catalog.columns import TableNames
from engine.catalog.toml_section import Mistakes, Section, meant


def with_inherited_windows(catalog: Catalog) -> Catalog:
    """Propagate source windows to computed columns, and to the measures of stays and trips.

    Claim: a column's stored or computed value is the same without the rows of a window that it does not list, if
    that is so of every column of the source. Raises nothing. Proof: dialect/planner/proofs.md#charged-windows
    """
    return replace(catalog, tables=tuple(map(_with_inherited, catalog.tables)))


def windows_behind(table: Table, columns: Iterable[str | None]) -> tuple[str, ...]:
    """Return the privacy windows from which some columns of a table were computed, directly or transitively."""
    known = _inherited(table)
    return tuple(dict.fromkeys(window for name in columns for window in known.get(name or "", ())))


def _with_inherited(table: Table) -> Table:
    """Return a table with its source windows propagated to all of its columns."""
    known = _inherited(table)
    columns = tuple(replace(column, from_windows=known[column.name]) for column in table.columns)
    movement = table.movement
    if movement is not None:
        behind = windows_behind(table, _of_movement(table))
        numbers = tuple(replace(number, from_windows=behind) for number in movement.columns)
        movement = replace(movement, columns=numbers)
    return replace(table, columns=columns, movement=movement)


def _of_movement(table: Table) -> tuple[str | None, ...]:
    """Return the columns from which stays and trips are computed; of a place lookup, the lookup key alone."""
    movement = table.movement
    if movement is None:
        return ()
    return (movement.through[0],) if movement.through else (movement.zone, movement.lon, movement.lat)


def _inherited(table: Table) -> Mapping[str, tuple[str, ...]]:
    """Return the source windows of each column, by transitive closure over computed columns."""
    known = {column.name: column.from_windows for column in table.columns}
    made = _made_of(table)
    for _ in made:  # longest chain: one round per computed column
        for name, parts in made.items():
            found = (window for part in (name, *parts) for window in known.get(part, ()))
            known[name] = tuple(dict.fromkeys(found))
    return known


def _made_of(table: Table) -> Mapping[str, tuple[str, ...]]:
    """Map each computed column to its input columns in the same row: H3 cells and public lookups."""
    cells = {c.name: (c.cell.lon, c.cell.lat) for c in table.columns if c.cell is not None}
    declared = {column.name for column in table.columns}
    return cells | {join.column: (join.on,) for join in table.source.joins if join.column in declared}


def read_window(section: Section) -> tuple[Window, Stretch | None]:
    """Parse the privacy window of a dataset, and the declared range of windows (None for `forever`)."""
    section.need("window", 'write window = "forever", which protects a person\'s whole history, or "month".')
    window = section.text("window") or ""
    names = [known.value for known in Window]
    if window not in names:
        raise section.error("window", f"the window {window} is not known.", meant(window, names, ""))
    if window == Window.FOREVER:
        for key in ("first_window", "last_window"):
            if key in section.entries:
                raise section.error(key, "a whole history is one window.", f'remove {key}, or write window = "month".')
        return Window.FOREVER, None
    return Window(window), _stretch(section, Window(window))


def _stretch(section: Section, window: Window) -> Stretch:
    """Parse the first and last privacy window, public facts; a query without a time predicate is charged all."""
    first, last = (_begin(section, window, key) for key in ("first_window", "last_window"))
    if last < first:
        raise section.error("last_window", "it lies before first_window.", "write the later one here.")
    if (last - first).days > MOST_WINDOWS * {Window.MONTH: 31, Window.WEEK: 7, Window.DAY: 1}[window]:
        cure = "declare a shorter stretch, or longer windows."
        raise section.error("last_window", f"a dataset has at most {MOST_WINDOWS:,} windows.", cure)
    return Stretch(window, first, last)


def read_delivered(section: Section, stretch: Stretch | None) -> str:
    """Parse the last privacy window with delivered rows; '' if not declared."""
    found = section.text("delivered_until") or ""
    if found and stretch is None:
        why = "it names the last of several windows, and a whole history is one."
        raise section.error("delivered_until", why, 'remove delivered_until, or write window = "month".')
    if found and stretch is not None and found not in stretch.names():
        names = stretch.names()
        cure = f"name a declared window, {names[0]} to {names[-1]}."
        raise section.error("delivered_until", f"{found} is no declared window.", cure)
    return found


def _begin(section: Section, window: Window, key: str) -> date:
    """Parse the first day of a named privacy window."""
    cure = f'write e.g. {key} = "{example_of(window)}".'
    section.need(key, cure)
    begin = begin_named(window, section.text(key) or "")
    if begin is None:
        raise section.error(key, f"this is no {window} between the years 1900 and 2200.", cure)
    return begin


def check_windows(catalog: Catalog, mistakes: Mistakes) -> None:
    """Collect every undeclared privacy window and every invalid date column."""
    for table in catalog.tables:
        mistakes.part(None, _Windows(catalog, table).check)


class _Windows(TableNames):
    """Check the privacy windows and the date column of one table."""

    def check(self) -> None:
        """Check that the date column belongs to a time column, and that source windows are declared."""
        table = self.table
        if table.date_column is not None:
            self._date(table.date_column)
        dataset = next((d for d in self.catalog.datasets if d.name == table.dataset), None)
        if dataset is None:
            return  # collected by check_dataset
        if dataset.stretch is not None and table.consent is not None and table.time_column is not None:
            why = "consent decides of all windows, and rows of this table are each of one."
            raise self.error("consent", why, "remove time_column here, or move consent to a table without.")
        self._derived(table, dataset)
        self._decided(table)

    def _date(self, name: str) -> None:
        """Check that the date column is a DATE next to the time column of a private table."""
        table = self.table
        column = self.declared(table, name, "date_column")
        if table.time_column is None or not table.private:
            why = "it is the date of a private table's time_column, and there is none."
            raise self.error("date_column", why, "declare time_column, or remove date_column.")
        if column.type is not SqlType.DATE or name == table.time_column:
            raise self.error("date_column", f"{name} is no date beside the time.", "name a DATE column.")

    def _derived(self, table: Table, dataset: Dataset) -> None:
        """Check that `from_windows` names declared windows, in private tables of a dataset with windows."""
        said = [("from_windows", table.from_windows)]
        said += [(f"columns.{column.name}.from_windows", column.from_windows) for column in table.columns]
        for key, names in said:
            if names and (dataset.stretch is None or not table.private):
                why = "only private rows of a dataset with windows come from some of them."
                raise self.error(key, why, f"remove from_windows, or give {dataset.name} a window.")
            for name in names:
                if name not in dataset.windows:
                    cure = meant(name, dataset.windows[:50], "name declared windows of the dataset.")
                    raise self.error(key, f"{name} is no declared window.", cure)

    def _decided(self, table: Table) -> None:
        """Reject person, time and consent columns computed from other windows: no charge would cover them."""
        path = table.person
        found = () if path is None else (*(own for own, _ in path.through), path.column)
        roles = [("time_column", table.time_column), ("date_column", table.date_column)]
        roles += [("person", name) for name in found]
        for key, name in roles:
            if windows_behind(table, (name,)):
                why = f"{name} says whose a row is and when, and was computed from some windows."
                raise self.error(key, why, "name a column of the row itself, without from_windows.")
        if table.consent is not None and (table.from_windows or windows_behind(table, (table.consent.column,))):
            why = "consent decides of all windows, and was computed from some."
            raise self.error("consent", why, "keep consent that people gave, in a table without from_windows.")
