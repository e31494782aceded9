"""Rows that a table function is asked of -> the SQL that reads who was where, when, out of them.

A column says what its name says: ts, zone_id, lon, lat. Any other is known by where it comes from: the time column and
the places of a table whose movement the steward declares, also where a subquery calls them otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from dialect.algebra.expressions import Field, Origin
from dialect.algebra.relations import PerPerson, Relation
from dialect.binder.names import Column
from dialect.catalog.catalog import Catalog, SqlType, Table
from dialect.catalog.declared_movement import Movement
from dialect.errors import Code
from dialect.functions.movement import Sightings
from dialect.functions.write_expr import name as quoted
from dialect.parser.context import refusal

SOURCE = "the rows"  # what the SQL reads from
_KINDS = {
    "ts": (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ),
    "zone_id": (SqlType.BIGINT, SqlType.VARCHAR),
    "lon": (SqlType.BIGINT, SqlType.DOUBLE),
    "lat": (SqlType.BIGINT, SqlType.DOUBLE),
}

_SAYS = {
    "ts": "does not say at what time",
    "zone_id": "does not name zones",
    "lon": "has no degrees",
    "lat": "has no degrees",
}


@dataclass(frozen=True)
class _Columns:
    """What the rows show, and the table that says what it means."""

    shown: Sequence[Column]
    table: Table | None

    def named(self, role: str) -> str | None:
        """Find the column of a role by its name, else as the one that comes from where the steward says."""
        if any(name == role for name, _ in self.shown):
            return role
        movement = self.table.movement if self.table is not None else None
        if movement is None or self.table is None:
            return None
        own = {"ts": self.table.time_column, **({} if movement.through else _places(movement))}
        return self.coming_from(Origin(self.table.name, own[role] or "")) if role in own else None

    def coming_from(self, origin: Origin) -> str | None:
        """Find the one column that carries a stored one."""
        found = [name for name, field in self.shown if field.origin == origin]
        return found[0] if len(set(found)) == 1 else None

    def field(self, name: str) -> Field:
        """Return a column that is shown."""
        return next(field for shown, field in self.shown if shown == name)


def sightings(rows: Relation, shown: Sequence[Column], catalog: Catalog, node: exp.Expr) -> Sightings:
    """Find time and place in rows of people; raises Refusal where they are not declared."""
    columns = _Columns(shown, _declaring(shown, catalog))
    person = _person(rows, shown, node)
    found = {role: f"r.{quoted(name)}" for role in _KINDS if (name := _checked(columns, role, node)) is not None}
    join = ""
    if columns.table is not None and columns.table.movement is not None and columns.table.movement.through is not None:
        join = _looked_up(columns, columns.table, columns.table.movement, catalog, found)
    missing = [role for role in ("ts", "zone_id") if role not in found]
    if missing:
        raise _undeclared(missing, shown, node)
    placed = "lon" in found and "lat" in found
    roles = ("ts", "zone_id", *(("lon", "lat") if placed else ()))
    selected = ", ".join(f"{found[role]} AS {role}" for role in roles)
    assert isinstance(rows, PerPerson)  # noqa: S101  or there were no person
    window = _cut_at(rows, catalog)
    selected += f", date_trunc('{window}', {found['ts']}) AS stretch" if window is not None else ""
    known = " AND ".join(f"{found[role]} IS NOT NULL" for role in roles)
    sql = f"SELECT DISTINCT r.{quoted(person)} AS person, {selected} FROM {quoted(SOURCE)} AS r{join} WHERE {known}"
    return Sightings(sql, quoted(person), placed, columns.table, window)


def _cut_at(rows: PerPerson, catalog: Catalog) -> str | None:
    """Find the windows at whose ends movement is cut: what is protected each for itself is found each for itself."""
    dataset = catalog.dataset(rows.dataset)
    return str(dataset.window) if len(dataset.windows) > 1 else None


def _places(movement: Movement) -> dict[str, str | None]:
    return {"zone_id": movement.zone, "lon": movement.lon, "lat": movement.lat}


def _declaring(shown: Sequence[Column], catalog: Catalog) -> Table | None:
    """Find the table with declared movement whose columns the rows carry."""
    origins = {field.origin.table for _, field in shown if field.origin is not None}
    return next((t for t in catalog.tables if t.movement is not None and t.name in origins), None)


def _person(rows: Relation, shown: Sequence[Column], node: exp.Expr) -> str:
    if not isinstance(rows, PerPerson):
        raise refusal(Code.TABLE, "Movements are found in rows of people, and these are none.", "a private table", node)
    for name, field in shown:
        if field == rows.person or (field.is_person and not field.nullable):
            return name
    why = "These rows do not show whose they are."
    raise refusal(Code.PERSON_KEY, why, f"SELECT {rows.person.name or 'the person key'}, ... in the subquery", node)


def _checked(columns: _Columns, role: str, node: exp.Expr) -> str | None:
    name = columns.named(role)
    if name is not None and columns.field(name).type not in _KINDS[role]:
        kind = " or ".join(_KINDS[role])
        raise refusal(
            Code.TABLE, f"{name} is {columns.field(name).type}, and {_SAYS[role]}.", f"{role} of type {kind}", node
        )
    return name


def _looked_up(columns: _Columns, table: Table, movement: Movement, catalog: Catalog, found: dict[str, str]) -> str:
    """Look up what the rows do not say themselves in the public table that knows it."""
    assert movement.through is not None  # noqa: S101  the caller asks
    own, name = movement.through
    key, target = columns.coming_from(Origin(table.name, own)), catalog.table(name)
    wanted = {role: column for role, column in _places(movement).items() if column and role not in found}
    if key is None or target is None or not wanted:
        return ""
    found.update({role: f"p.{quoted(column)}" for role, column in wanted.items()})
    return f" JOIN {quoted(name)} AS p ON p.{quoted(target.primary_key[0])} = r.{quoted(key)}"


def _undeclared(missing: Sequence[str], shown: Sequence[Column], node: exp.Expr) -> Exception:
    origins = sorted({field.origin.table for _, field in shown if field.origin is not None})
    what = {"ts": "when", "zone_id": "where"}
    table = origins[0] if origins else "this table"
    why = f"It is not known {' and '.join(what[role] for role in missing)} these rows saw somebody."
    hint = f"a subquery with columns ts and zone_id, or let the steward declare movement of {table} in the catalog"
    return refusal(Code.TABLE, why, hint, node)
