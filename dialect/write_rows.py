"""Relation -> SELECT for DuckDB, with only the columns that are needed, named by field ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dialect.aggregates import AGGREGATES, fixed_point_grain, inside_sql, public_sql
from dialect.catalog import Column, SqlType
from dialect.expressions import TRUE, Expr, Field, Literal, fields_of
from dialect.private_plan import Target
from dialect.relations import (
    Cut,
    Distinct,
    Filter,
    Group,
    Join,
    Measure,
    Padded,
    PerPerson,
    Project,
    Public,
    Relation,
    ReleaseScan,
    Scan,
    Series,
    Sort,
    Values,
)
from dialect.write_expr import name, quote, write_expr

Needed = frozenset[Field]
_YEARS = {
    SqlType.DATE: "DATE '0001-01-01' AND DATE '9999-12-31'",
    SqlType.TIMESTAMP: "TIMESTAMP '0001-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'",
    SqlType.TIMESTAMPTZ: "CAST('0001-01-03 00:00:00+00' AS TIMESTAMPTZ)"
    " AND CAST('9999-12-29 00:00:00+00' AS TIMESTAMPTZ)",
}


def write_rows(relation: Relation, needed: Iterable[Field], target: Target) -> str:
    """Write a relation as one SELECT."""
    wanted = frozenset(needed)
    return _WRITERS[type(relation.operator)](relation.operator, wanted, target)  # type: ignore[index]


def _kept(fields: Sequence[Field], needed: Needed) -> list[Field]:
    return [f for f in fields if f in needed]


def _columns(written: Sequence[str]) -> str:
    return ", ".join(written) or "1 AS nothing"


def _read(*exprs: Expr) -> Needed:
    return frozenset(f for expr in exprs for f in fields_of(expr))


def _scan(scan: Scan, needed: Needed, target: Target) -> str:
    kept = _kept(scan.fields, needed)
    columns = _columns([f"{_stored(scan, f)} AS {f.id}" for f in kept])
    # rows of nobody are not admitted, whatever the catalog says of NULLs
    where = "".join(f" WHERE {name(f.origin.column)} IS NOT NULL" for f in kept if f.is_person and f.origin)
    return f"SELECT {columns} FROM {target.addresses[scan.table.name]}{where}"


def _stored(scan: Scan, field: Field) -> str:
    column = scan.table.column(field.origin.column) if field.origin else None
    assert column is not None  # noqa: S101  scan fields stand for declared columns
    return stored_column(column)


def stored_column(column: Column) -> str:
    """Write a stored column as its dialect type: decimals as doubles, UTC as wall-clock time.

    Times of years that no arithmetic of ours is safe in are NULL, so that no row can make the engine raise.
    """
    written = name(column.name)
    if column.type is SqlType.TIMESTAMP and "_" in column.stored_type:  # other precisions have other ranges
        written = f"TRY_CAST({written} AS TIMESTAMP)"
    if column.type in _YEARS:
        written = f"CASE WHEN {written} BETWEEN {_YEARS[column.type]} THEN {written} END"
    if column.type is SqlType.DOUBLE and column.stored_type.upper().startswith("DECIMAL"):
        return f"CAST({written} AS DOUBLE)"
    if column.stored_utc and column.time_zone:
        zone = quote(Literal(column.time_zone, SqlType.VARCHAR))
        return f"timezone({zone}, timezone('UTC', {written}))"
    return written


def _values(values: Values, needed: Needed, target: Target) -> str:
    del target
    if not values.fields:
        return "SELECT 1 AS nothing"
    rows = ", ".join(
        "(" + ", ".join(quote(Literal(c.value, f.type)) for c, f in zip(row, values.fields, strict=True)) + ")"
        for row in values.rows
    )
    names = ", ".join(f.id for f in values.fields)
    return f"SELECT {_columns([f.id for f in _kept(values.fields, needed)])} FROM (VALUES {rows}) AS v({names})"


def _series(series: Series, needed: Needed, target: Target) -> str:
    del needed, target
    lower, upper, kind = write_expr(series.lower), write_expr(series.upper), series.field.type
    if kind is SqlType.BIGINT:
        return f"SELECT CAST(x AS BIGINT) AS {series.field.id} FROM generate_series({lower}, {upper}) AS s(x)"
    step = "1 day" if series.step == "1" else series.step
    ends = f"CAST({lower} AS {'DATE' if kind is SqlType.DATE else kind}), CAST({upper} AS {'DATE' if kind is SqlType.DATE else kind})"
    return f"SELECT CAST(x AS {kind}) AS {series.field.id} FROM generate_series({ends}, INTERVAL '{step}') AS s(x)"


def _filter(operator: Filter, needed: Needed, target: Target) -> str:
    source = write_rows(operator.source, needed | _read(operator.condition), target)
    columns = _columns([f.id for f in _kept(operator.source.fields, needed)])
    return f"SELECT {columns} FROM ({source}) AS f WHERE {write_expr(operator.condition)}"


def _project(operator: Project, needed: Needed, target: Target) -> str:
    computed = [(f, expr) for f, expr in operator.computed if f in needed]
    below = (needed - {f for f, _ in operator.computed}) | _read(*(expr for _, expr in computed))
    source = write_rows(operator.source, below, target)
    columns = [f.id for f in _kept(operator.source.fields, needed)]
    columns += [f"{write_expr(expr)} AS {f.id}" for f, expr in computed]
    return f"SELECT {_columns(columns)} FROM ({source}) AS p"


def _join(operator: Join, needed: Needed, target: Target) -> str:
    below = needed | _read(operator.condition)
    left = write_rows(operator.left, below & set(operator.left.fields), target)
    right = write_rows(operator.right, below & set(operator.right.fields), target)
    columns = _columns([f.id for f in (*operator.left.fields, *operator.right.fields) if f in needed])
    if operator.condition == TRUE and operator.how != "left":
        return f"SELECT {columns} FROM ({left}) AS l CROSS JOIN ({right}) AS r"
    return f"SELECT {columns} FROM ({left}) AS l {operator.how.upper()} JOIN ({right}) AS r ON {write_expr(operator.condition)}"


def _group(operator: Group, needed: Needed, target: Target) -> str:
    measures = [m for m in operator.measures if m.field in needed]
    read = [expr for m in measures for expr in (*m.arguments, *((m.condition,) if m.condition is not None else ()))]
    source = write_rows(operator.source, frozenset(operator.keys) | _read(*read), target)
    columns = [f.id for f in _kept(operator.keys, needed)] + [
        f"{_measure(m, operator.source)} AS {m.field.id}" for m in measures
    ]
    by = f" GROUP BY {', '.join(f.id for f in operator.keys)}" if operator.keys else ""
    return f"SELECT {_columns(columns) if columns else '1 AS nothing'} FROM ({source}) AS g{by}"


def _measure(measure: Measure, source: Relation) -> str:
    aggregate = AGGREGATES[measure.function]
    arguments = [write_expr(argument) for argument in measure.arguments]
    condition = None if measure.condition is None else write_expr(measure.condition)
    if isinstance(source, PerPerson):
        types = [argument.type for argument in measure.arguments]
        grain = fixed_point_grain(measure.arguments[0]) if arguments else 1
        return inside_sql(aggregate, arguments, types, condition, grain)
    if isinstance(source, Public):
        return public_sql(aggregate, arguments, condition)
    return aggregate.over.format(*arguments) + (f" FILTER (WHERE {condition})" if condition else "")


def _distinct(operator: Distinct, needed: Needed, target: Target) -> str:
    source = write_rows(operator.source, frozenset(operator.keys), target)
    del needed
    return f"SELECT DISTINCT {_columns([f.id for f in operator.keys])} FROM ({source}) AS d"


def _cut(operator: Cut, needed: Needed, target: Target) -> str:
    """Keep R rows of each person by a hash of all columns, the columns themselves breaking ties."""
    every = frozenset(operator.source.fields)
    source = write_rows(operator.source, every, target)
    row = ", ".join(f.id for f in operator.source.fields)
    place = f"row_number() OVER (PARTITION BY {operator.person.id} ORDER BY hash({row}), {row})"
    columns = _columns([f.id for f in _kept(operator.source.fields, needed)])
    return f"SELECT {columns} FROM (SELECT *, {place} AS place FROM ({source}) AS c) AS c WHERE place BETWEEN 1 AND {operator.max_rows}"


def _padded(operator: Padded, needed: Needed, target: Target) -> str:
    kept = _kept(operator.source.fields, needed)
    source = write_rows(operator.source, needed, target)
    nulls = _columns([quote(Literal(None, f.type)) for f in kept])
    return f"SELECT {_columns([f.id for f in kept])} FROM ({source}) AS n UNION ALL SELECT {nulls}"


def _sort(operator: Sort, needed: Needed, target: Target) -> str:
    exprs = [key.expr for key in operator.order]
    source = write_rows(operator.source, needed | _read(*exprs), target)
    columns = _columns([f.id for f in _kept(operator.source.fields, needed)])
    terms = [
        f"{write_expr(key.expr)} {'DESC' if key.descending else 'ASC'} NULLS {'FIRST' if key.nulls_first else 'LAST'}"
        for key in operator.order
    ]
    order = f" ORDER BY {', '.join(terms)}" if terms else ""
    limit = f" LIMIT {operator.limit}" if operator.limit is not None else ""
    offset = f" OFFSET {operator.offset}" if operator.offset else ""
    return f"SELECT {columns} FROM ({source}) AS o{order}{limit}{offset}"


def _release(operator: ReleaseScan, needed: Needed, target: Target) -> str:
    columns = _columns([f.id for f in _kept(operator.fields, needed)])
    return f"SELECT {columns} FROM {target.addresses[release_name(operator.index)]}"


def release_name(index: int) -> str:
    """Name the table that holds a release in the outer database; no declared table can have this name."""
    return f"release {index}"


_WRITERS = {
    Scan: _scan,
    Values: _values,
    Series: _series,
    Filter: _filter,
    Project: _project,
    Join: _join,
    Group: _group,
    Distinct: _distinct,
    Cut: _cut,
    Padded: _padded,
    Sort: _sort,
    ReleaseScan: _release,
}
