"""Rewrite suggestions: the same question with coarser or fewer keys or longer time, so that its numbers stand out.

Only the text and the catalog are looked at. A suggestion is a proposal: whoever takes it reads it as a question of its
own first. A question that is more than one plain SELECT with GROUP BY is left as it is. A group key gives way to keys
with fewer and larger groups, by what the catalog and the functions of the dialect know. The result is written as SQL
in one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from sqlglot import exp

from dialect.catalog.model import Catalog, Column, ColumnOf, SqlType, Table
from dialect.parser.options import Options
from dialect.parser.parser import bounds_of, options_of, parse

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


def spelled(tree: exp.Expr) -> str:
    """Write a tree in DuckDB's SQL, without comments, functions in lower case as analysts write them."""
    return tree.sql(dialect="duckdb", comments=False, normalize_functions="lower")


_NOT_FOLLOWED = ("dp_interval_low", "dp_interval_high")  # ends of numbers that would be others
_NOT_OFFERED = (exp.With, exp.SetOperation, exp.Window, exp.Distinct, exp.Qualify)


class Change(StrEnum):
    """What a rewrite does to a question."""

    COARSER = "coarser"  # larger cells, longer bins
    FEWER_KEYS = "fewer keys"
    LONGER = "longer"  # all of the declared time
    PEOPLE = "people"  # counted instead of rows
    MORE = "more"  # paid


@dataclass(frozen=True)
class Rewrite:
    """One way to ask otherwise."""

    change: Change
    told: str  # what changes, in words
    sql: str
    renamed: Mapping[str, str] = field(default_factory=dict)  # shown columns that count something else now


@dataclass(frozen=True)
class _Asked:
    """A plain SELECT with GROUP BY, taken apart."""

    tree: exp.Select
    options: Options
    sql: str
    catalog: Catalog
    keys: tuple[int, ...]  # places of the group keys in the select list
    private: tuple[Table, ...]

    def written(self, tree: exp.Select, rho: Fraction | None = None) -> str:
        """Write a changed tree with the clause of the question, at another price where one is given."""
        return _with_clause(spelled(tree), _options(self.options, self.sql, rho))


def rewrites(sql: str, catalog: Catalog, rho: Fraction) -> Iterator[Rewrite]:
    """Propose other questions; `rho` is four times what this one costs. Raises nothing for a question that was read."""
    asked = _taken_apart(sql, catalog)
    if asked is None:
        return
    yield from _coarser(asked)
    yield from _fewer_keys(asked)
    yield from _people(asked)
    yield from _longer(asked)
    yield Rewrite(Change.MORE, "pay four times as much", asked.written(asked.tree, rho))


def _taken_apart(sql: str, catalog: Catalog) -> _Asked | None:
    tree = parse(sql)
    if not isinstance(tree, exp.Select) or bounds_of(tree) or any(word in sql.lower() for word in _NOT_FOLLOWED):
        return None
    plain = all(_is_counted(node) for node in tree.find_all(*_NOT_OFFERED)) and len([*tree.find_all(exp.Select)]) == 1
    group = tree.args.get("group")
    keys = (() if group is None else _key_places(tree, group)) if plain else None
    tables = (catalog.table(table.name.lower()) for table in tree.find_all(exp.Table))
    private = tuple(table for table in tables if table is not None and table.private)
    return _Asked(tree, options_of(tree), sql, catalog, keys, private) if keys is not None and private else None


def _is_counted(node: exp.Expr) -> bool:
    """Tell whether DISTINCT stands in a count, and not at a SELECT."""
    return isinstance(node, exp.Distinct) and isinstance(node.parent, exp.Count)


def _key_places(tree: exp.Select, group: exp.Group) -> tuple[int, ...] | None:
    """Find where group keys stand in the select list; None where one stands elsewhere, or sets of them are asked."""
    if any(group.args.get(name) for name in ("grouping_sets", "rollup", "cube")):
        return None
    shown = [column.unalias() for column in tree.selects]
    if group.args.get("all"):
        return tuple(place for place, column in enumerate(shown) if column.find(exp.AggFunc) is None)
    names = [column.alias_or_name.lower() for column in tree.selects]
    places = [_place(term, shown, names) for term in group.expressions]
    return None if None in places else tuple(place for place in places if place is not None)


def _place(term: exp.Expr, shown: list[exp.Expr], names: list[str]) -> int | None:
    if isinstance(term, exp.Literal) and not term.is_string:
        return int(term.name) - 1
    if term in shown:
        return shown.index(term)
    named = isinstance(term, exp.Column) and not term.table and term.name.lower() in names
    return names.index(term.name.lower()) if named else None


def _coarser(asked: _Asked) -> Iterator[Rewrite]:
    for place in asked.keys:
        for coarser in coarser_keys(asked.tree.selects[place].unalias(), asked.private, asked.catalog):
            tree = asked.tree.copy()
            key = tree.selects[place].unalias()
            _put_into_order(tree, key, coarser.key)
            key.replace(coarser.key)
            _by_what_stands(tree)
            yield Rewrite(Change.COARSER, f"group {coarser.told}", asked.written(joined(tree, coarser)))


def _fewer_keys(asked: _Asked) -> Iterator[Rewrite]:
    if len(asked.keys) < 2:
        return
    for place in asked.keys:
        tree = asked.tree.copy()
        dropped = tree.selects[place]
        tree.set("expressions", [column for i, column in enumerate(tree.expressions) if i != place])
        _renumber_order(tree, place)
        _by_what_stands(tree)
        yield Rewrite(Change.FEWER_KEYS, f"leave out {dropped.alias_or_name or spelled(dropped)}", asked.written(tree))


def _people(asked: _Asked) -> Iterator[Rewrite]:
    person = asked.private[0].person
    if person is None or person.through:
        return
    tree = asked.tree.copy()
    counts = [count for count in tree.find_all(exp.Count) if isinstance(count.this, exp.Star)]
    named = next((t.alias_or_name for t in tree.find_all(exp.Table) if t.name.lower() == asked.private[0].name), None)
    several = len([*tree.find_all(exp.Table)]) > 1
    for count in counts:
        column = exp.column(person.column, table=named if several else None)
        count.set("this", exp.Distinct(expressions=[column]))
    renamed = _renamed(tree, counts)
    if counts:
        yield Rewrite(Change.PEOPLE, "count people instead of rows", asked.written(tree), renamed)


def _renamed(tree: exp.Select, counts: list[exp.Count]) -> Mapping[str, str]:
    """Give columns that count people a name that says so, wherever their aliases stand: people, people_2."""
    taken = {column.name.lower() for column in tree.find_all(exp.Column)}
    taken |= {item.alias_or_name.lower() for item in tree.selects}
    names: dict[str, str] = {}
    for item in tree.selects:
        if isinstance(item, exp.Alias) and any(item.this is count for count in counts):
            free = ("people", *(f"people_{number}" for number in range(2, len(tree.selects) + 2)))
            name = next(each for each in free if each not in taken)
            taken.add(name)
            names[item.alias] = name
            item.set("alias", exp.to_identifier(name))
    lower = {alias.lower(): name for alias, name in names.items()}
    for column in tree.find_all(exp.Column):
        if not column.table and column.name.lower() in lower:
            column.set("this", exp.to_identifier(lower[column.name.lower()]))
    return names


def _longer(asked: _Asked) -> Iterator[Rewrite]:
    times = {table.time_column for table in asked.private} | {table.date_column for table in asked.private}
    where = asked.tree.args.get("where")
    if where is None:
        return
    conjuncts = [*where.this.flatten()] if isinstance(where.this, exp.And) else [where.this]
    kept = [conjunct for conjunct in conjuncts if not _is_about(conjunct, times)]
    if len(kept) == len(conjuncts):
        return
    tree = asked.tree.copy()
    tree.set("where", exp.Where(this=exp.and_(*kept)) if kept else None)
    yield Rewrite(Change.LONGER, "take all of the declared time", asked.written(tree))


def _is_about(conjunct: exp.Expr, columns: set[str | None]) -> bool:
    """Tell whether a condition reads nothing but these columns."""
    read = {column.name.lower() for column in conjunct.find_all(exp.Column)}
    return bool(read) and read <= columns


def _by_what_stands(tree: exp.Select) -> None:
    """Group by whatever is no aggregate, and order by what is still shown; without an order the first are any rows."""
    tree.set("group", exp.Group(all=True))
    order = tree.args.get("order")
    if order is None:
        return
    order.set("expressions", [term for term in order.expressions if _stands(term.this, tree)])
    if not order.expressions:
        for clause in ("order", "limit", "offset"):
            tree.set(clause, None)


def _stands(term: exp.Expr, tree: exp.Select) -> bool:
    """Tell whether a term of ORDER BY reads nothing but shown columns and aggregates."""
    if term in [column.unalias() for column in tree.selects] or isinstance(term, exp.AggFunc):
        return True
    if isinstance(term, exp.Column):
        return not term.table and term.name.lower() in {"all", *(c.alias_or_name.lower() for c in tree.selects)}
    return all(_stands(part, tree) for part in term.iter_expressions())


def _renumber_order(tree: exp.Select, dropped: int) -> None:
    """Let the places in ORDER BY name the same columns without one of them."""
    order = tree.args.get("order")
    for term in () if order is None else tuple(order.expressions):
        if isinstance(term.this, exp.Literal) and term.this.is_int:
            at = int(term.this.name) - 1
            if at == dropped:
                term.pop()
            elif at > dropped:
                term.set("this", exp.Literal.number(at))


def _put_into_order(tree: exp.Select, key: exp.Expr, coarser: exp.Expr) -> None:
    """Order by the coarser key where the key itself stands in ORDER BY."""
    order = tree.args.get("order")
    for term in () if order is None else order.expressions:
        if term.this == key:
            term.set("this", coarser.copy())


def _options(options: Options, sql: str, rho: Fraction | None) -> list[str]:
    """Write what the clause of a question says, at another price where one is given."""
    spans: Mapping[str, str] = {name: sql[span.start : span.end] for name, span in options.spans.items()}
    if rho is None:
        return list(spans.values())
    price, written = ("rho", "epsilon", "target_error"), f"{float(rho):.12f}".rstrip("0").rstrip(".")
    return [text for name, text in spans.items() if name not in price] + [f"rho = {written}"]


def _with_clause(text: str, options: list[str]) -> str:
    if not options:
        return text
    return text.replace("SELECT ", f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({', '.join(options)}) ", 1)
