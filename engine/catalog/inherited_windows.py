"""Columns that are made of others when data are opened were computed from the same windows as these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dialect.catalog.catalog import Catalog, Table


def with_inherited_windows(catalog: Catalog) -> Catalog:
    """Let columns that are made, and the numbers of movement, name the windows of what they are made of.

    Claim: a column's stored or made value is the same without the rows of a window that it does not name, if that is
    so of every column of the source. Raises nothing. Proof: dialect/proofs.md#charged-windows
    """
    return replace(catalog, tables=tuple(map(_with_inherited, catalog.tables)))


def windows_behind(table: Table, columns: Iterable[str | None]) -> tuple[str, ...]:
    """List the windows from which some columns of a table were computed, with what they are made of."""
    known = _inherited(table)
    return tuple(dict.fromkeys(window for name in columns for window in known.get(name or "", ())))


def _with_inherited(table: Table) -> Table:
    known = _inherited(table)
    columns = tuple(replace(column, from_windows=known[column.name]) for column in table.columns)
    movement = table.movement
    if movement is not None:
        behind = windows_behind(table, _of_movement(table))
        numbers = tuple(replace(number, from_windows=behind) for number in movement.columns)
        movement = replace(movement, columns=numbers)
    return replace(table, columns=columns, movement=movement)


def _of_movement(table: Table) -> tuple[str | None, ...]:
    """List the columns that stays and trips are made of; behind a step they are a public table's."""
    movement = table.movement
    if movement is None:
        return ()
    return (movement.through[0],) if movement.through else (movement.zone, movement.lon, movement.lat)


def _inherited(table: Table) -> Mapping[str, tuple[str, ...]]:
    """Hand windows on until no column gets another one: a cell may be made of what was looked up."""
    known = {column.name: column.from_windows for column in table.columns}
    made = _made_of(table)
    for _ in made:  # each hands on once at least in every round, so that no chain is longer
        for name, parts in made.items():
            found = (window for part in (name, *parts) for window in known.get(part, ()))
            known[name] = tuple(dict.fromkeys(found))
    return known


def _made_of(table: Table) -> Mapping[str, tuple[str, ...]]:
    """List the columns that the engine makes, and of which columns of the same row."""
    cells = {c.name: (c.cell.lon, c.cell.lat) for c in table.columns if c.cell is not None}
    declared = {column.name for column in table.columns}
    return cells | {join.column: (join.on,) for join in table.source.joins if join.column in declared}
