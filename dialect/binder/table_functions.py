"""Bind table functions in FROM: the function, the rows it reads, its parameters, and the columns it returns.

Their common input is sightings (who was where, when), which SQL reads from the rows. Columns are found by name (ts,
zone_id, lon, lat), or by origin: the time column and the places of a table with declared movement, also where a
subquery renames them.

Returned columns have the names for which the steward declares clip bounds (`proofs.md#table-functions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache

from sqlglot import exp, parse_one

from dialect.algebra.expressions import Expr, Field, Literal, Origin, Ref, rebuild
from dialect.algebra.relations import PerPerson, Relation
from dialect.binder.scope import Column
from dialect.catalog.model import MOVEMENT, Catalog, Movement, SqlType, Table, ValueList
from dialect.errors import Code, Suggestion, suggested
from dialect.functions import literals
from dialect.functions.emitter import name as quoted
from dialect.functions.scalar.places import COMPASS
from dialect.functions.table_functions import (
    Number,
    Parameter,
    Sightings,
    TableFunction,
    table_function,
    table_function_names,
)
from dialect.parser.context import only, refusal

_LISTED = {"approach_dir": ValueList(COMPASS)}


def derived_columns(
    relation: Relation, shown: Sequence[Column], table: Table | None
) -> tuple[Relation, tuple[Column, ...]]:
    """Attach a table's declared movement columns to the returned fields: origin, domain, clip bounds.

    Rows of a table without declared movement are returned unchanged.
    """
    if table is None or table.movement is None or not isinstance(relation, PerPerson):
        return relation, tuple(shown)
    opaque = {*_LISTED, *(column.name for column in table.movement.columns)}
    known: dict[Field, Field] = {}
    for name, made in shown:
        if not made.is_person:
            written = None if name in opaque else made.definition
            known[made] = replace(
                made, origin=Origin(table.name + MOVEMENT, name), domain=_LISTED.get(name, made.domain),
                complete=made.complete and name not in _LISTED,
                definition=None if written is None else _over(written, known),
            )  # fmt: skip
    fields = tuple(known.get(made, made) for made in relation.fields)
    return replace(relation, fields=fields, derived=table), tuple((name, known.get(made, made)) for name, made in shown)


def _over(expr: Expr, known: Mapping[Field, Field]) -> Expr:
    """Rewrite a definition over the fields as they are now; `known` has all fields that it reads."""
    if isinstance(expr, Ref):
        return Ref(known.get(expr.field, expr.field))
    return rebuild(expr, lambda part: _over(part, known))


SOURCE = "the rows"  # name of the input rows in generated SQL
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
    """Visible columns of the input rows, and the table whose declared movement applies to them."""

    shown: Sequence[Column]
    table: Table | None

    def named(self, role: str) -> str | None:
        """Name of the column for a role: the column of that name, else the one with the declared origin."""
        if any(name == role for name, _ in self.shown):
            return role
        movement = self.table.movement if self.table is not None else None
        if movement is None or self.table is None:
            return None
        own = {"ts": self.table.time_column, **({} if movement.through else _places(movement))}
        return self.coming_from(Origin(self.table.name, own[role] or "")) if role in own else None

    def coming_from(self, origin: Origin) -> str | None:
        """Name of the only column with this origin; None for none or several."""
        found = [name for name, field in self.shown if field.origin == origin]
        return found[0] if len(set(found)) == 1 else None

    def field(self, name: str) -> Field:
        """Field of a visible column."""
        return next(field for shown, field in self.shown if shown == name)


def sightings(rows: Relation, shown: Sequence[Column], catalog: Catalog, node: exp.Expr) -> Sightings:
    """Generate SQL that reads person, time and place from rows of persons; raises Refusal where they are unknown."""
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
    assert isinstance(rows, PerPerson)  # noqa: S101  checked by _person
    window = _cut_at(rows, catalog)
    selected += f", date_trunc('{window}', {found['ts']}) AS stretch" if window is not None else ""
    known = " AND ".join(f"{found[role]} IS NOT NULL" for role in roles)
    sql = f"SELECT DISTINCT r.{quoted(person)} AS person, {selected} FROM {quoted(SOURCE)} AS r{join} WHERE {known}"
    return Sightings(sql, quoted(person), placed, columns.table, window)


def _cut_at(rows: PerPerson, catalog: Catalog) -> str | None:
    """Privacy window length at whose boundaries movement is split; None where the dataset has a single window."""
    dataset = catalog.dataset(rows.dataset)
    return str(dataset.window) if len(dataset.windows) > 1 else None


def _places(movement: Movement) -> dict[str, str | None]:
    """Columns that hold a place, by role."""
    return {"zone_id": movement.zone, "lon": movement.lon, "lat": movement.lat}


def _declaring(shown: Sequence[Column], catalog: Catalog) -> Table | None:
    """Table with declared movement that the columns originate from."""
    origins = {field.origin.table for _, field in shown if field.origin is not None}
    return next((t for t in catalog.tables if t.movement is not None and t.name in origins), None)


def _person(rows: Relation, shown: Sequence[Column], node: exp.Expr) -> str:
    """Name of the visible person key; raises Refusal where there is none."""
    if not isinstance(rows, PerPerson):
        raise refusal(Code.TABLE, "Movements are found in rows of people, and these are none.", "a private table", node)
    for name, field in shown:
        if field == rows.person or (field.is_person and not field.nullable):
            return name
    why = "These rows do not show whose they are."
    raise refusal(Code.PERSON_KEY, why, f"SELECT {rows.person.name or 'the person key'}, ... in the subquery", node)


def _checked(columns: _Columns, role: str, node: exp.Expr) -> str | None:
    """Name of the column for a role, None if there is none; raises Refusal where its type is wrong."""
    name = columns.named(role)
    if name is not None and columns.field(name).type not in _KINDS[role]:
        kind = " or ".join(_KINDS[role])
        raise refusal(
            Code.TABLE, f"{name} is {columns.field(name).type}, and {_SAYS[role]}.", f"{role} of type {kind}", node
        )
    return name


def _looked_up(columns: _Columns, table: Table, movement: Movement, catalog: Catalog, found: dict[str, str]) -> str:
    """Join the public table that holds places of the rows; adds its columns to `found`."""
    assert movement.through is not None  # noqa: S101  checked by the caller
    own, name = movement.through
    key, target = columns.coming_from(Origin(table.name, own)), catalog.table(name)
    wanted = {role: column for role, column in _places(movement).items() if column and role not in found}
    if key is None or target is None or not wanted:
        return ""
    found.update({role: f"p.{quoted(column)}" for role, column in wanted.items()})
    return f" JOIN {quoted(name)} AS p ON p.{quoted(target.primary_key[0])} = r.{quoted(key)}"


def _undeclared(missing: Sequence[str], shown: Sequence[Column], node: exp.Expr) -> Exception:
    """Refusal of rows without known time or place."""
    origins = sorted({field.origin.table for _, field in shown if field.origin is not None})
    what = {"ts": "when", "zone_id": "where"}
    table = origins[0] if origins else "this table"
    why = f"It is not known {' and '.join(what[role] for role in missing)} these rows saw somebody."
    hint = f"a subquery with columns ts and zone_id, or let the steward declare movement of {table} in the catalog"
    return refusal(Code.TABLE, why, hint, node)


_MINUTES = {"minute": 1, "hour": 60, "day": 1_440, "week": 10_080}


@dataclass(frozen=True)
class TableCall:
    """A call of a table function."""

    node: exp.Table
    function: TableFunction
    rows: exp.Expr  # table or subquery, as in FROM
    settings: dict[str, Number | None]


def table_call(node: exp.Table) -> TableCall:
    """Parse a call of a table function; raises Refusal with E_TABLE, or with E_PARAM for its arguments."""
    only(node, "this", "alias", code=Code.TABLE)
    called = node.this
    function = table_function(str(called.this).lower()) if isinstance(called, exp.Anonymous) else None
    if function is None:
        hint = f"FROM a declared table, or {table_function_names()}"
        raise refusal(Code.TABLE, "This table function is not in the dialect.", hint, node)
    arguments = list(called.expressions)
    if not arguments or _named(arguments[0]) is not None:
        raise refusal(Code.TABLE, f"{function.name} needs the rows it is asked of.", f"{function.name}(event)", node)
    return TableCall(node, function, _rows(arguments[0], function), _settings(function, arguments[1:]))


def derived_query(call: TableCall, seen: Sightings) -> exp.Query:
    """Query that a call of a table function expands to."""
    if call.settings.get("radius_m") is not None and not seen.placed:
        why = "radius_m needs places, and of these rows no lon and lat are known."
        raise refusal(Code.PARAM, why, "leave radius_m out: stays are in one zone then", call.node)
    return _parsed(call.function.write(seen, call.settings))


@lru_cache(maxsize=64)
def _parsed(sql: str) -> exp.Query:
    """Parse generated SQL; offsets are removed, since they are not offsets of the analyst's text."""
    tree = parse_one(sql, dialect="duckdb")
    assert isinstance(tree, exp.Query)  # noqa: S101  generated by dialect.functions.table_functions
    for node in tree.walk():
        node.meta.clear()  # offsets are not of the analyst's text
    return tree


def _rows(node: exp.Expr, function: TableFunction) -> exp.Expr:
    """Convert the first argument to the form it would have in FROM: a table or a subquery."""
    made: exp.Expr | None = None
    if isinstance(node, exp.Column) and not node.table and isinstance(node.this, exp.Identifier):
        made = exp.Table(this=node.this.copy())
    elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Table):
        return node
    elif isinstance(node, exp.Query):
        made = exp.Subquery(this=node.copy())
    if made is None:
        why = f"{function.name} is asked of one table, CTE or subquery."
        raise refusal(Code.TABLE, why, f"{function.name}(event) or {function.name}((SELECT ...))", node)
    made.parent = node.parent  # refusals take their span from the parent
    return made


def _named(node: exp.Expr) -> str | None:
    """Name of a named argument; None for positional ones."""
    return node.name.lower() if isinstance(node, exp.Kwarg | exp.PropertyEQ) else None


def _settings(function: TableFunction, given: Sequence[exp.Expr]) -> dict[str, Number | None]:
    """Values of all parameters, with defaults; raises Refusal with E_PARAM."""
    settings = {parameter.name: parameter.default for parameter in function.parameters}
    seen: set[str] = set()
    for parameter, value in _pairs(function, given):
        if parameter.name in seen:
            raise refusal(Code.PARAM, f"{parameter.name} is given twice.", "give it once", value)
        seen.add(parameter.name)
        settings[parameter.name] = _number(parameter, value)
    return settings


def _pairs(function: TableFunction, given: Sequence[exp.Expr]) -> Iterator[tuple[Parameter, exp.Expr]]:
    """Match arguments to parameters, by position and then by name."""
    parameters, by_name = function.parameters, False
    for place, node in enumerate(given):
        name = _named(node)
        if name is None and (by_name or place >= len(parameters)):
            why = "Behind a named parameter all are named." if by_name else f"{function.name} takes fewer values."
            raise refusal(Code.PARAM, why, _written(function), node)
        by_name = name is not None
        if name is None:
            yield parameters[place], node
            continue
        found = next((each for each in parameters if name in (each.name, each.alias)), None)
        if found is None:
            near = get_close_matches(name, [each.name for each in parameters], n=1)
            hint = f"{near[0]} => ..." if near else _written(function)
            instead = suggested(f"{each} => {node.expression.sql('duckdb', comments=False)}" for each in near)
            raise refusal(Code.PARAM, f"{function.name} has no parameter {name[:40]}.", hint, node, *instead)
        yield found, node.expression


def _written(function: TableFunction) -> str:
    """Return an example of a call with all parameters."""
    return f"{function.name}(event, {', '.join(f'{each.name} => ...' for each in function.parameters)})"


def _number(parameter: Parameter, node: exp.Expr) -> Number:
    """Check a parameter's constant value; raises Refusal with E_PARAM."""
    negative = isinstance(node, exp.Neg)
    literal = literals.constant(node.this if negative else node)
    value = None if literal is None else _value(parameter, literal)
    if value is None or negative or not parameter.lowest <= value <= parameter.largest:
        kind = "a whole number" if parameter.whole else "a number"
        ends = f"{parameter.lowest:,} to {parameter.largest:,}"
        shown, meaning = (
            (parameter.lowest, "the least") if parameter.default is None else (parameter.default, "the default")
        )
        why, hint = f"{parameter.name} is {kind} from {ends}.", f"{parameter.name} => {shown}"
        raise refusal(Code.PARAM, why, hint, node, Suggestion(str(shown), f"with {shown}, {meaning}"))
    return value


def _value(parameter: Parameter, literal: Literal) -> Number | None:
    """Return the number of a constant, with intervals in minutes; None for other types."""
    value = literal.value
    if parameter.minutes and literal.type is SqlType.INTERVAL:
        amount, _, unit = str(value).partition(" ")
        return int(amount) * _MINUTES[unit] if unit in _MINUTES else None
    if isinstance(value, bool) or not isinstance(value, int if parameter.whole else int | float):
        return None
    return value
