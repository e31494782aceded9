"""Bind table functions in FROM: the function, the rows it reads, its parameters, and the columns it returns.

Their common input is sightings (who was where, when), which SQL reads from the rows. Columns are found by name (ts,
zone_id, lon, lat), or by origin: the time column and the places of a table with declared movement, also where a
subquery renames them.

Returned columns have the names for which the steward declares clip bounds (`proofs.md#table-functions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sqlglot import exp, parse_one

from dialect.algebra.expressions import Expr, Field, Literal, Origin, Ref, map_fields
from dialect.algebra.relations import BoundQuery, PerPerson, Relation
from dialect.binder.scope import NamedField
from dialect.catalog.model import MOVEMENT_SUFFIX, Catalog, Movement, SqlType, Table, ValueList
from dialect.diagnostics.field_values import Unnamed
from dialect.diagnostics.kinds import Kind
from dialect.diagnostics.names import near_names
from dialect.errors import Code, Suggestion, to_suggestions
from dialect.functions import literals
from dialect.functions.emitter import quote_identifier
from dialect.functions.scalar.geography import COMPASS
from dialect.functions.table_functions import (
    Number,
    Parameter,
    Sightings,
    TableFunction,
    find_table_function,
    table_function_names,
)
from dialect.parser.compile_context import check_parts, refusal

_DOMAINS = {"approach_dir": ValueList(COMPASS)}


def attach_movement_columns(bound: BoundQuery, table: Table | None) -> BoundQuery:
    """Attach a table's declared movement columns to the returned fields: origin, domain, clip bounds.

    Clip bounds are found by the origin `<table>.movement`. Definitions of declared columns are dropped, so that their
    declarations apply. Rows of a table without declared movement are returned unchanged.
    """
    relation = bound.relation
    if table is None or table.movement is None or not isinstance(relation, PerPerson):
        return bound
    without_definition = {*_DOMAINS, *(column.name for column in table.movement.columns)}
    attached: dict[Field, Field] = {}  # earlier field -> field with its origin

    def current(read: Field) -> Expr | None:
        """Return a field of a definition as it is now."""
        return Ref(attached[read]) if read in attached else None

    for name, field in bound.columns:
        if not field.is_person_key:
            definition = None if name in without_definition else field.definition
            attached[field] = replace(
                field, origin=Origin(table.name + MOVEMENT_SUFFIX, name), domain=_DOMAINS.get(name, field.domain),
                domain_is_complete=field.domain_is_complete and name not in _DOMAINS,
                definition=None if definition is None else map_fields(definition, current),
            )  # fmt: skip
    fields = tuple(attached.get(field, field) for field in relation.fields)
    columns = tuple((name, attached.get(field, field)) for name, field in bound.columns)
    return BoundQuery(replace(relation, fields=fields, derived_from=table), columns)


SOURCE_NAME = "input rows"  # name of the input rows in generated SQL
# role of a column -> its types, and the refusal of others
_ROLE_TYPES: dict[str, tuple[tuple[SqlType, ...], Kind]] = {
    "ts": ((SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ), Kind.MOVEMENT_TIME_TYPE),
    "zone_id": ((SqlType.BIGINT, SqlType.VARCHAR), Kind.MOVEMENT_ZONE_TYPE),
    "lon": ((SqlType.BIGINT, SqlType.DOUBLE), Kind.MOVEMENT_PLACE_TYPE),
    "lat": ((SqlType.BIGINT, SqlType.DOUBLE), Kind.MOVEMENT_PLACE_TYPE),
}


@dataclass(frozen=True)
class _InputColumns:
    """Visible columns of the input rows, and the table whose declared movement applies to them.

    A role is what a table function needs of a row: ts, zone_id, lon or lat.
    """

    shown: Sequence[NamedField]
    table: Table | None

    def name_for_role(self, role: str) -> str | None:
        """Name of the column for a role: the column of that name, else the one with the declared origin."""
        if any(name == role for name, _ in self.shown):
            return role
        movement = self.table.movement if self.table is not None else None
        if movement is None or self.table is None:
            return None
        own = {"ts": self.table.time_column, **({} if movement.through else _place_columns(movement))}
        return self.name_by_origin(Origin(self.table.name, own[role] or "")) if role in own else None

    def name_by_origin(self, origin: Origin) -> str | None:
        """Name of the only column with this origin; None for none or several."""
        found = [name for name, field in self.shown if field.origin == origin]
        return found[0] if len(set(found)) == 1 else None

    def field(self, name: str) -> Field:
        """Field of a visible column."""
        return next(field for shown, field in self.shown if shown == name)


def build_sightings(rows: Relation, shown: Sequence[NamedField], catalog: Catalog, node: exp.Expr) -> Sightings:
    """Generate SQL that reads person, time and place from rows of persons; raises Refusal where they are unknown.

    Places may be columns of the rows or, by declaration, of a public table that is joined. Rows with NULL in any of
    them are left out. Where stays and trips are split at privacy windows, `privacy_window` is the start of a row's
    window.
    """
    columns = _InputColumns(shown, _movement_table(shown, catalog))
    person = _person_column(rows, shown, node)
    found = {
        role: f"r.{quote_identifier(name)}"
        for role in _ROLE_TYPES
        if (name := _column_for_role(columns, role, node)) is not None
    }
    join = ""
    if columns.table is not None and columns.table.movement is not None and columns.table.movement.through is not None:
        join = _join_places(columns, columns.table, columns.table.movement, catalog, found)
    missing = [role for role in ("ts", "zone_id") if role not in found]
    if missing:
        raise _undeclared_refusal(missing, shown, node)
    has_coordinates = "lon" in found and "lat" in found
    roles = ("ts", "zone_id", *(("lon", "lat") if has_coordinates else ()))
    select_list = ", ".join(f"{found[role]} AS {role}" for role in roles)
    assert isinstance(rows, PerPerson)  # noqa: S101  checked by _person
    window = _split_window(rows, catalog)
    select_list += f", date_trunc('{window}', {found['ts']}) AS privacy_window" if window is not None else ""
    not_null = " AND ".join(f"{found[role]} IS NOT NULL" for role in roles)
    sql = (
        f"SELECT DISTINCT r.{quote_identifier(person)} AS person, {select_list}"
        f" FROM {quote_identifier(SOURCE_NAME)} AS r{join}"
        f" WHERE {not_null}"
    )
    return Sightings(sql, quote_identifier(person), has_coordinates, columns.table, window)


def _split_window(rows: PerPerson, catalog: Catalog) -> str | None:
    """Privacy window length at whose boundaries movement is split; None where the dataset has a single window."""
    dataset = catalog.datasets_by_name[rows.dataset]
    return str(dataset.window) if len(dataset.window_names) > 1 else None


def _place_columns(movement: Movement) -> dict[str, str | None]:
    """Columns that hold a place: role -> column; coordinates are None where they are not declared."""
    return {"zone_id": movement.zone, "lon": movement.lon, "lat": movement.lat}


def _movement_table(shown: Sequence[NamedField], catalog: Catalog) -> Table | None:
    """Table with declared movement that the columns originate from."""
    origins = {field.origin.table for _, field in shown if field.origin is not None}
    return next((t for t in catalog.tables if t.movement is not None and t.name in origins), None)


def _person_column(rows: Relation, shown: Sequence[NamedField], node: exp.Expr) -> str:
    """Name of the visible person key; raises Refusal where there is none."""
    if not isinstance(rows, PerPerson):
        raise refusal(Kind.MOVEMENT_OF_PUBLIC_ROWS, node)
    for name, field in shown:
        if field == rows.person or (field.is_person_key and not field.nullable):
            return name
    raise refusal(Kind.ROWS_WITHOUT_PERSON, node, name=rows.person.name or Unnamed.PERSON_KEY)


def _column_for_role(columns: _InputColumns, role: str, node: exp.Expr) -> str | None:
    """Name of the column for a role, None if there is none; raises Refusal where its type is wrong."""
    name, (types, kind) = columns.name_for_role(role), _ROLE_TYPES[role]
    if name is not None and columns.field(name).type not in types:
        raise refusal(kind, node, name=name, type=columns.field(name).type, role=role, accepted=" or ".join(types))
    return name


def _join_places(
    columns: _InputColumns, table: Table, movement: Movement, catalog: Catalog, found: dict[str, str]
) -> str:
    """Join the public table that holds places of the rows; adds its columns to `found`.

    `found`: role -> SQL of its column. Returns the text of the join; empty where nothing is missing, or the rows lack
    the foreign key.
    """
    assert movement.through is not None  # noqa: S101  checked by the caller
    own, name = movement.through
    key, target = columns.name_by_origin(Origin(table.name, own)), catalog.tables_by_name.get(name)
    missing = {role: column for role, column in _place_columns(movement).items() if column and role not in found}
    if key is None or target is None or not missing:
        return ""
    found.update({role: f"p.{quote_identifier(column)}" for role, column in missing.items()})
    primary_key = quote_identifier(target.primary_key[0])
    return f" JOIN {quote_identifier(name)} AS p ON p.{primary_key} = r.{quote_identifier(key)}"


def _undeclared_refusal(missing: Sequence[str], shown: Sequence[NamedField], node: exp.Expr) -> Exception:
    """Build the refusal of rows without known time or place; `missing`: those of ts and zone_id without a column."""
    origins = sorted({field.origin.table for _, field in shown if field.origin is not None})
    kind = Kind.NO_MOVEMENT_COLUMNS
    if len(missing) == 1:
        kind = Kind.NO_MOVEMENT_TIME if missing[0] == "ts" else Kind.NO_MOVEMENT_ZONE
    return refusal(kind, node, table=origins[0] if origins else Unnamed.TABLE)


_MINUTES = {"minute": 1, "hour": 60, "day": 1_440, "week": 10_080}


@dataclass(frozen=True)
class TableFunctionCall:
    """Arguments of a table function in FROM: its input rows and its options."""

    node: exp.Table
    function: TableFunction
    rows: exp.Expr  # table or subquery, as in FROM
    parameters: dict[str, Number | None]


def parse_table_function(node: exp.Table) -> TableFunctionCall:
    """Parse a call of a table function: its input rows, which come first, and its parameters.

    Raises Refusal with E_TABLE, or with E_PARAM for its parameters.
    """
    check_parts(node, "this", "alias", code=Code.TABLE)
    call = node.this
    function = find_table_function(str(call.this).lower()) if isinstance(call, exp.Anonymous) else None
    if function is None:
        raise refusal(Kind.UNKNOWN_TABLE_FUNCTION, node, functions=table_function_names())
    arguments = list(call.expressions)
    if not arguments or _argument_name(arguments[0]) is not None:
        raise refusal(Kind.TABLE_FUNCTION_WITHOUT_ROWS, node, name=function.name)
    return TableFunctionCall(
        node, function, _as_from_item(arguments[0], function), _parameter_values(function, arguments[1:])
    )


def expand_table_function(call: TableFunctionCall, sightings: Sightings) -> exp.Query:
    """Query that a call of a table function expands to."""
    if call.parameters.get("radius_m") is not None and not sightings.has_places:
        raise refusal(Kind.RADIUS_WITHOUT_PLACES, call.node)
    return _parse_generated(call.function.expand(sightings, call.parameters))


@lru_cache(maxsize=64)
def _parse_generated(sql: str) -> exp.Query:
    """Parse generated SQL, cached by its text; offsets are removed, since they are not of the analyst's text."""
    tree = parse_one(sql, dialect="duckdb")
    assert isinstance(tree, exp.Query)  # noqa: S101  generated by dialect.functions.table_functions
    for node in tree.walk():
        node.meta.clear()  # offsets are not of the analyst's text
    return tree


def _as_from_item(node: exp.Expr, function: TableFunction) -> exp.Expr:
    """Convert the first argument to the form it would have in FROM: a table or a subquery.

    sqlglot parses the name of a table as a column there. Raises Refusal for anything else.
    """
    from_item: exp.Expr | None = None
    if isinstance(node, exp.Column) and not node.table and isinstance(node.this, exp.Identifier):
        from_item = exp.Table(this=node.this.copy())
    elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Table):
        return node
    elif isinstance(node, exp.Query):
        from_item = exp.Subquery(this=node.copy())
    if from_item is None:
        raise refusal(Kind.TABLE_FUNCTION_ROWS, node, name=function.name)
    from_item.parent = node.parent  # refusals take their span from the parent
    return from_item


def _argument_name(node: exp.Expr) -> str | None:
    """Name of a named argument; None for positional ones."""
    return node.name.lower() if isinstance(node, exp.Kwarg | exp.PropertyEQ) else None


def _parameter_values(function: TableFunction, arguments: Sequence[exp.Expr]) -> dict[str, Number | None]:
    """Values of all parameters by name, with defaults; raises Refusal with E_PARAM for one that is given twice."""
    values = {parameter.name: parameter.default for parameter in function.parameters}
    used_names: set[str] = set()
    for parameter, value in _match_parameters(function, arguments):
        if parameter.name in used_names:
            raise refusal(Kind.PARAMETER_TWICE, value, name=parameter.name)
        used_names.add(parameter.name)
        values[parameter.name] = _checked_number(parameter, value)
    return values


def _match_parameters(function: TableFunction, arguments: Sequence[exp.Expr]) -> Iterator[tuple[Parameter, exp.Expr]]:
    """Match arguments to parameters: (parameter, node of its value), by position and then by name.

    A positional argument behind a named one is refused, with E_PARAM, as is an unknown name.
    """
    parameters, by_name = function.parameters, False
    for position, node in enumerate(arguments):
        name = _argument_name(node)
        if name is None and (by_name or position >= len(parameters)):
            kind = Kind.POSITION_BEHIND_NAME if by_name else Kind.TOO_MANY_VALUES
            raise refusal(kind, node, name=function.name, example=_example_call(function))
        by_name = name is not None
        if name is None:
            yield parameters[position], node
            continue
        found = next((each for each in parameters if name in (each.name, each.alias)), None)
        if found is None:
            near = near_names(name, [each.name for each in parameters])
            example = f"{near[0]} => ..." if near else _example_call(function)
            replacements = to_suggestions(f"{each} => {node.expression.sql('duckdb', comments=False)}" for each in near)
            raise refusal(
                Kind.UNKNOWN_PARAMETER, node, *replacements, function=function.name, name=name[:40], example=example
            )
        yield found, node.expression


def _example_call(function: TableFunction) -> str:
    """Return an example of a call with all parameters."""
    return f"{function.name}(event, {', '.join(f'{each.name} => ...' for each in function.parameters)})"


def _checked_number(parameter: Parameter, node: exp.Expr) -> Number:
    """Check a parameter's constant value; raises Refusal with E_PARAM.

    The suggested replacement is the default, or the smallest value where there is none.
    """
    negative = isinstance(node, exp.Neg)
    literal = literals.parse_constant(node.this if negative else node)
    value = None if literal is None else _parameter_value(parameter, literal)
    if value is None or negative or not parameter.lowest <= value <= parameter.highest:
        shown = parameter.lowest if parameter.default is None else parameter.default
        difference = "the least" if parameter.default is None else "the default"
        raise refusal(
            Kind.INTEGER_PARAMETER_RANGE if parameter.is_integer else Kind.PARAMETER_RANGE,
            node,
            Suggestion(str(shown), f"with {shown}, {difference}"),
            name=parameter.name,
            lowest=parameter.lowest,
            highest=parameter.highest,
            example=shown,
        )
    return value


def _parameter_value(parameter: Parameter, literal: Literal) -> Number | None:
    """Return the number of a constant, with intervals in minutes; None for other types, booleans and months."""
    value = literal.value
    if parameter.is_minutes and literal.type is SqlType.INTERVAL:
        amount, _, unit = str(value).partition(" ")
        return int(amount) * _MINUTES[unit] if unit in _MINUTES else None
    if isinstance(value, bool) or not isinstance(value, int if parameter.is_integer else int | float):
        return None
    return value
