"""A group key -> keys with fewer and larger groups, by what the catalog and the functions of the dialect know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from dialect.catalog.catalog import Catalog, Column, ColumnOf, SqlType, Table

_LONGER = {"MINUTE": "HOUR", "HOUR": "DAY", "DAY": "WEEK", "WEEK": "MONTH", "MONTH": "YEAR"}
_BINS = 4  # so many become one


@dataclass(frozen=True)
class Coarser:
    """One coarser key."""

    key: exp.Expr
    told: str
    table: str | None = None  # a public table that must be joined for it
    on: str | None = None  # by this column


def coarser_keys(key: exp.Expr, private: tuple[Table, ...], catalog: Catalog) -> Iterator[Coarser]:
    """Propose coarser keys: the next unit of time, larger cells, the place that a place lies in."""
    if isinstance(key, exp.Column):
        yield from _of_column(key, private, catalog)
    elif isinstance(key, exp.Anonymous):
        made = _CALLS.get(key.name.lower(), _nothing)(key)
        if made is not None:
            yield made
    else:
        yield from _of_time(key)


def _of_time(key: exp.Expr) -> Iterator[Coarser]:
    if isinstance(key, exp.TimestampTrunc | exp.DateTrunc) and key.text("unit").upper() in _LONGER:
        unit = _LONGER[key.text("unit").upper()]
        yield Coarser(exp.TimestampTrunc(this=key.this.copy(), unit=exp.var(unit)), f"by {unit.lower()}")
    elif isinstance(key, exp.DateBin) and isinstance(key.this, exp.Interval):
        length, unit = key.this.this.name, key.this.text("unit")
        if length.isdigit():
            wider = key.copy()
            wider.this.set("this", exp.Literal.string(str(_BINS * int(length))))
            yield Coarser(wider, f"in bins of {_BINS * int(length)} {unit.lower()}")
    elif isinstance(key, exp.Hour) or (isinstance(key, exp.Extract) and key.name.upper() == "HOUR"):
        time = key.expression if isinstance(key, exp.Extract) else key.this
        yield Coarser(exp.func("part_of_day", time.copy()), "by part of the day")
    elif isinstance(key, exp.Cast) and key.to.is_type("date"):
        yield _by_week(key)


def _by_week(day: exp.Expr) -> Coarser:
    return Coarser(exp.TimestampTrunc(this=day.copy(), unit=exp.var("WEEK")), "by week")


def _of_column(key: exp.Column, private: tuple[Table, ...], catalog: Catalog) -> Iterator[Coarser]:
    name = key.name.lower()
    for table in private:
        column = table.column(name)
        if column is None:
            continue
        if column.type is SqlType.DATE:
            yield _by_week(key)
        for made in table.source.joins:
            if made.on == name and table.column(made.column) is not None:
                yield Coarser(exp.column(made.column, table=key.table or None), f"by {made.column}")
        yield from _looked_up(key, column, catalog)


def _looked_up(key: exp.Column, column: Column, catalog: Catalog) -> Iterator[Coarser]:
    """Find what a public table says of each value, itself one of a public list: the zone of a cell."""
    domain = column.domain
    table = catalog.table(domain.table) if isinstance(domain, ColumnOf) else None
    if table is None or not isinstance(domain, ColumnOf) or table.primary_key != (domain.column,):
        return
    for other in table.columns:
        if isinstance(other.domain, ColumnOf) and other.name != domain.column and domain.column == key.name.lower():
            taken = exp.column(other.name, table=table.name)
            yield Coarser(taken, f"by {other.name} of {table.name}", table.name, domain.column)


def joined(tree: exp.Select, coarser: Coarser) -> exp.Select:
    """Join the public table that a coarser key needs, where it is not there yet."""
    there = {table.name.lower() for table in tree.find_all(exp.Table)}
    if coarser.table is None or coarser.on is None or coarser.table in there:
        return tree
    return tree.join(coarser.table, using=[coarser.on], copy=False)


def _nothing(call: exp.Anonymous) -> Coarser | None:
    del call
    return None


def _number(call: exp.Anonymous, change: Callable[[int], int], least: int, told: str) -> Coarser | None:
    """Change the last argument, a whole number."""
    last = call.expressions[-1] if call.expressions else None
    if not isinstance(last, exp.Literal) or not last.name.isdigit() or change(int(last.name)) < least:
        return None
    made = call.copy()
    made.expressions[-1].replace(exp.Literal.number(change(int(last.name))))
    return Coarser(made, told.format(change(int(last.name))))


_CALLS: Mapping[str, Callable[[exp.Anonymous], Coarser | None]] = {
    "h3_cell": lambda call: _number(call, lambda n: n - 1, 0, "in cells seven times as large: H3 resolution {}"),
    "grid_cell": lambda call: _number(call, lambda n: 2 * n, 1, "in squares of {} metres"),
    "geohash": lambda call: _number(call, lambda n: n - 1, 1, "in cells of {} letters"),
    "hour_of_week": lambda call: Coarser(exp.func("hour", *(e.copy() for e in call.expressions)), "by hour of day"),
}
