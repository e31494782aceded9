"""Suggest cheaper or more accurate queries: coarser or fewer keys, a longer time range, persons instead of rows.

Only text and catalog are read. Each suggestion is compiled as a query of its own before it is used. Only a single
SELECT, with GROUP BY or without, is rewritten. A group key is replaced by one with fewer and larger groups, which the
catalog and the functions of the dialect determine. Results are SQL on one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from sqlglot import exp

from dialect.catalog.model import Catalog, Column, ColumnValues, SqlType, Table
from dialect.parser.parser import bounds_of, options_of, parse
from dialect.parser.privacy_clause import Options

_NEXT_UNIT = {"MINUTE": "HOUR", "HOUR": "DAY", "DAY": "WEEK", "WEEK": "MONTH", "MONTH": "YEAR"}
_MERGED_BINS = 4  # bins that are merged into one


@dataclass(frozen=True)
class CoarserKey:
    """A coarser group key that may replace one of the query's."""

    key: exp.Expr
    description: str
    table: str | None = None  # public table that must be joined
    join_column: str | None = None  # join column


def coarser_keys(key: exp.Expr, private: tuple[Table, ...], catalog: Catalog) -> Iterator[CoarserKey]:
    """Coarser replacements of a group key: the next time unit, larger cells, the zone that contains a place."""
    if isinstance(key, exp.Column):
        yield from _coarser_columns(key, private, catalog)
    elif isinstance(key, exp.Anonymous):
        rule = _COARSER_CALLS.get(key.name.lower())
        if rule is not None and (coarser := rule(key)) is not None:
            yield coarser
    else:
        yield from _coarser_times(key)


def _coarser_times(key: exp.Expr) -> Iterator[CoarserKey]:
    """Coarser replacements of a time expression: the next unit, bins four times as long, or the part of the day."""
    if isinstance(key, exp.TimestampTrunc | exp.DateTrunc) and key.text("unit").upper() in _NEXT_UNIT:
        unit = _NEXT_UNIT[key.text("unit").upper()]
        yield CoarserKey(exp.TimestampTrunc(this=key.this.copy(), unit=exp.var(unit)), f"by {unit.lower()}")
    elif isinstance(key, exp.DateBin) and isinstance(key.this, exp.Interval):
        length, unit = key.this.this.name, key.this.text("unit")
        if length.isdigit():
            wider = key.copy()
            wider.this.set("this", exp.Literal.string(str(_MERGED_BINS * int(length))))
            yield CoarserKey(wider, f"in bins of {_MERGED_BINS * int(length)} {unit.lower()}")
    elif isinstance(key, exp.Hour) or (isinstance(key, exp.Extract) and key.name.upper() == "HOUR"):
        time = key.expression if isinstance(key, exp.Extract) else key.this
        yield CoarserKey(exp.func("part_of_day", time.copy()), "by part of the day")
    elif isinstance(key, exp.Cast) and key.to.is_type("date"):
        yield _by_week(key)


def _by_week(day: exp.Expr) -> CoarserKey:
    """Replace a day by its week."""
    return CoarserKey(exp.TimestampTrunc(this=day.copy(), unit=exp.var("WEEK")), "by week")


def _coarser_columns(key: exp.Column, private: tuple[Table, ...], catalog: Catalog) -> Iterator[CoarserKey]:
    """Coarser replacements of a column: the week of a date, or a column looked up by it.

    That is a column joined by this one when the snapshot was built, or one of the public table that lists its values.
    """
    name = key.name.lower()
    for table in private:
        column = table.columns_by_name.get(name)
        if column is None:
            continue
        if column.type is SqlType.DATE:
            yield _by_week(key)
        for source_join in table.source.joins:
            if source_join.join_column == name and table.columns_by_name.get(source_join.column) is not None:
                yield CoarserKey(exp.column(source_join.column, table=key.table or None), f"by {source_join.column}")
        yield from _lookup_columns(key, column, catalog)


def _lookup_columns(key: exp.Column, column: Column, catalog: Catalog) -> Iterator[CoarserKey]:
    """Columns of the public table that lists a key's values, where they have a public domain: the zone of a cell.

    The key's domain must be the table's primary key, and have the key's name, since the suggestion joins by USING.
    """
    domain = column.domain
    table = catalog.tables_by_name.get(domain.table) if isinstance(domain, ColumnValues) else None
    if table is None or not isinstance(domain, ColumnValues) or table.primary_key != (domain.column,):
        return
    for other in table.columns:
        if isinstance(other.domain, ColumnValues) and other.name != domain.column and domain.column == key.name.lower():
            lookup_column = exp.column(other.name, table=table.name)
            yield CoarserKey(lookup_column, f"by {other.name} of {table.name}", table.name, domain.column)


def with_lookup_join(tree: exp.Select, coarser: CoarserKey) -> exp.Select:
    """Join the public table that a coarser key is looked up in, unless the query reads it already."""
    tables = {table.name.lower() for table in tree.find_all(exp.Table)}
    if coarser.table is None or coarser.join_column is None or coarser.table in tables:
        return tree
    return tree.join(coarser.table, using=[coarser.join_column], copy=False)


def _scale_last_argument(
    call: exp.Anonymous, change: Callable[[int], int], minimum: int, description: str
) -> CoarserKey | None:
    """Replace a call's last argument, an integer that sets the size of its cells, by `change` of it.

    None where the result is below `minimum`. `description` has {} for the new number.
    """
    last = call.expressions[-1] if call.expressions else None
    if not isinstance(last, exp.Literal) or not last.name.isdigit() or change(int(last.name)) < minimum:
        return None
    scaled = call.copy()
    scaled.expressions[-1].replace(exp.Literal.number(change(int(last.name))))
    return CoarserKey(scaled, description.format(change(int(last.name))))


_COARSER_CALLS: Mapping[str, Callable[[exp.Anonymous], CoarserKey | None]] = {
    "h3_cell": lambda call: _scale_last_argument(
        call, lambda n: n - 1, 0, "in cells seven times as large: H3 resolution {}"
    ),
    "grid_cell": lambda call: _scale_last_argument(call, lambda n: 2 * n, 1, "in squares of {} metres"),
    "geohash": lambda call: _scale_last_argument(call, lambda n: n - 1, 1, "in cells of {} letters"),
    "hour_of_week": lambda call: CoarserKey(exp.func("hour", *(e.copy() for e in call.expressions)), "by hour of day"),
}


def to_sql(tree: exp.Expr) -> str:
    """Generate DuckDB SQL from a tree: without comments, function names in lower case."""
    return tree.sql(dialect="duckdb", comments=False, normalize_functions="lower")


_UNSUPPORTED_FUNCTIONS = ("dp_interval_low", "dp_interval_high")  # interval functions, whose columns would change
_UNSUPPORTED_NODES = (exp.With, exp.SetOperation, exp.Window, exp.Distinct, exp.Qualify)


class ChangeKind(StrEnum):
    """Kind of change that a rewrite makes to a query."""

    COARSER = "coarser"  # larger cells, longer bins
    FEWER_KEYS = "fewer keys"
    LONGER_TIME = "longer"  # all declared privacy windows
    COUNT_PERSONS = "people"  # count persons instead of rows
    HIGHER_PRICE = "more"  # higher price


@dataclass(frozen=True)
class Rewrite:
    """A suggested query."""

    change: ChangeKind
    description: str  # the change, in words
    sql: str
    # old -> new name of columns that count persons now
    renamed_columns: Mapping[str, str] = field(default_factory=dict)
    is_same_question: bool = False  # whose price alone is another one


@dataclass(frozen=True)
class _PlainQuery:
    """A single SELECT, analysed for rewriting."""

    tree: exp.Select
    options: Options
    sql: str
    catalog: Catalog
    keys: tuple[int, ...]  # positions of the group keys in the select list
    private: tuple[Table, ...]

    def generate(self, tree: exp.Select, rho: Fraction | None = None) -> str:
        """Generate a changed query with the original privacy clause, at another price if one is given."""
        return _with_clause(to_sql(tree), _option_texts(self.options, self.sql, rho))


def suggest_rewrites(sql: str, catalog: Catalog, rho: Fraction) -> Iterator[Rewrite]:
    """Suggest other queries with fewer groups, more rows in each or less noise; none for an unsupported query.

    `rho` is the price of the last one, four times that of this query: half the error. Raises nothing for a query that
    compiles.
    """
    query = _analyse_query(sql, catalog)
    if query is None:
        return
    yield from _suggest_coarser_keys(query)
    yield from _suggest_fewer_keys(query)
    yield from _suggest_counting_persons(query)
    yield from _suggest_longer_time(query)
    is_same_question = parse(to_sql(query.tree)) == query.tree
    text = query.generate(query.tree, rho)
    yield Rewrite(ChangeKind.HIGHER_PRICE, "pay four times as much", text, is_same_question=is_same_question)


def _analyse_query(sql: str, catalog: Catalog) -> _PlainQuery | None:
    """Analyse a query for rewriting; None where it is not a single SELECT, or has clauses that are not followed.

    None too without private tables. DISTINCT is followed in COUNT(DISTINCT x) only.
    """
    tree = parse(sql)
    if (
        not isinstance(tree, exp.Select)
        or bounds_of(tree)
        or any(function in sql.lower() for function in _UNSUPPORTED_FUNCTIONS)
    ):
        return None
    plain = (
        all(_is_count_distinct(node) for node in tree.find_all(*_UNSUPPORTED_NODES))
        and len([*tree.find_all(exp.Select)]) == 1
    )
    group = tree.args.get("group")
    keys = (() if group is None else _key_positions(tree, group)) if plain else None
    tables = (catalog.tables_by_name.get(table.name.lower()) for table in tree.find_all(exp.Table))
    private = tuple(table for table in tables if table is not None and table.private)
    return _PlainQuery(tree, options_of(tree), sql, catalog, keys, private) if keys is not None and private else None


def _is_count_distinct(node: exp.Expr) -> bool:
    """Return whether a node is the DISTINCT of a COUNT(DISTINCT x)."""
    return isinstance(node, exp.Distinct) and isinstance(node.parent, exp.Count)


def _key_positions(tree: exp.Select, group: exp.Group) -> tuple[int, ...] | None:
    """Positions of the group keys in the select list; None where a key is not in it, or for grouping sets."""
    if any(group.args.get(name) for name in ("grouping_sets", "rollup", "cube")):
        return None
    shown = [column.unalias() for column in tree.selects]
    if group.args.get("all"):
        return tuple(position for position, column in enumerate(shown) if column.find(exp.AggFunc) is None)
    names = [column.alias_or_name.lower() for column in tree.selects]
    positions = [_key_position(term, shown, names) for term in group.expressions]
    return None if None in positions else tuple(position for position in positions if position is not None)


def _key_position(term: exp.Expr, shown: list[exp.Expr], names: list[str]) -> int | None:
    """Position in the select list of one term of GROUP BY: by number, by expression or by alias; None if not in it."""
    if isinstance(term, exp.Literal) and not term.is_string:
        return int(term.name) - 1
    if term in shown:
        return shown.index(term)
    named = isinstance(term, exp.Column) and not term.table and term.name.lower() in names
    return names.index(term.name.lower()) if named else None


def _suggest_coarser_keys(query: _PlainQuery) -> Iterator[Rewrite]:
    """Suggest the query with one key replaced by a coarser one."""
    for position in query.keys:
        for coarser in coarser_keys(query.tree.selects[position].unalias(), query.private, query.catalog):
            tree = query.tree.copy()
            key = tree.selects[position].unalias()
            _replace_in_order_by(tree, key, coarser.key)
            key.replace(coarser.key)
            _group_by_all(tree)
            yield Rewrite(
                ChangeKind.COARSER, f"group {coarser.description}", query.generate(with_lookup_join(tree, coarser))
            )


def _suggest_fewer_keys(query: _PlainQuery) -> Iterator[Rewrite]:
    """Suggest the query without one of its keys; one key alone stays."""
    if len(query.keys) < 2:
        return
    for position in query.keys:
        tree = query.tree.copy()
        dropped = tree.selects[position]
        tree.set("expressions", [column for i, column in enumerate(tree.expressions) if i != position])
        _renumber_order(tree, position)
        _group_by_all(tree)
        yield Rewrite(
            ChangeKind.FEWER_KEYS, f"leave out {dropped.alias_or_name or to_sql(dropped)}", query.generate(tree)
        )


def _suggest_counting_persons(query: _PlainQuery) -> Iterator[Rewrite]:
    """Suggest COUNT(DISTINCT person) for COUNT(*): one person then adds 1 to a group, not several rows.

    None where the person column is in another table than the query's first private one.
    """
    person = query.private[0].person
    if person is None or person.through:
        return
    tree = query.tree.copy()
    counts = [count for count in tree.find_all(exp.Count) if isinstance(count.this, exp.Star)]
    table_name = next(
        (t.alias_or_name for t in tree.find_all(exp.Table) if t.name.lower() == query.private[0].name), None
    )
    has_joins = len([*tree.find_all(exp.Table)]) > 1
    for count in counts:
        column = exp.column(person.column, table=table_name if has_joins else None)
        count.set("this", exp.Distinct(expressions=[column]))
    renamed = _rename_person_counts(tree, counts)
    if counts:
        yield Rewrite(ChangeKind.COUNT_PERSONS, "count people instead of rows", query.generate(tree), renamed)


def _rename_person_counts(tree: exp.Select, counts: list[exp.Count]) -> Mapping[str, str]:
    """Rename columns that now count persons to people, people_2, ...: alias before -> new name.

    The tree is changed in place, also where it uses their aliases.
    """
    used_names = {column.name.lower() for column in tree.find_all(exp.Column)}
    used_names |= {item.alias_or_name.lower() for item in tree.selects}
    names: dict[str, str] = {}
    for item in tree.selects:
        if isinstance(item, exp.Alias) and any(item.this is count for count in counts):
            free = ("people", *(f"people_{number}" for number in range(2, len(tree.selects) + 2)))
            name = next(each for each in free if each not in used_names)
            used_names.add(name)
            names[item.alias] = name
            item.set("alias", exp.to_identifier(name))
    lower = {alias.lower(): name for alias, name in names.items()}
    for column in tree.find_all(exp.Column):
        if not column.table and column.name.lower() in lower:
            column.set("this", exp.to_identifier(lower[column.name.lower()]))
    return names


def _suggest_longer_time(query: _PlainQuery) -> Iterator[Rewrite]:
    """Suggest the query without those conditions of WHERE that read time and date columns of its tables only."""
    times = {table.time_column for table in query.private} | {table.date_column for table in query.private}
    where = query.tree.args.get("where")
    if where is None:
        return
    conjuncts = [*where.this.flatten()] if isinstance(where.this, exp.And) else [where.this]
    remaining = [conjunct for conjunct in conjuncts if not _reads_only(conjunct, times)]
    if len(remaining) == len(conjuncts):
        return
    tree = query.tree.copy()
    tree.set("where", exp.Where(this=exp.and_(*remaining)) if remaining else None)
    yield Rewrite(ChangeKind.LONGER_TIME, "take all of the declared time", query.generate(tree))


def _reads_only(conjunct: exp.Expr, columns: set[str | None]) -> bool:
    """Return whether a condition reads only these columns."""
    read = {column.name.lower() for column in conjunct.find_all(exp.Column)}
    return bool(read) and read <= columns


def _group_by_all(tree: exp.Select) -> None:
    """Set GROUP BY ALL in place, and drop ORDER BY terms that are no longer shown.

    Without any order left LIMIT is dropped too, as it would choose arbitrary groups.
    """
    tree.set("group", exp.Group(all=True))
    order = tree.args.get("order")
    if order is None:
        return
    order.set("expressions", [term for term in order.expressions if _is_still_shown(term.this, tree)])
    if not order.expressions:
        for clause in ("order", "limit", "offset"):
            tree.set(clause, None)


def _is_still_shown(term: exp.Expr, tree: exp.Select) -> bool:
    """Return whether an ORDER BY term reads only shown columns and aggregates."""
    if term in [column.unalias() for column in tree.selects] or isinstance(term, exp.AggFunc):
        return True
    if isinstance(term, exp.Column):
        return not term.table and term.name.lower() in {"all", *(c.alias_or_name.lower() for c in tree.selects)}
    return all(_is_still_shown(part, tree) for part in term.iter_expressions())


def _renumber_order(tree: exp.Select, dropped: int) -> None:
    """Renumber positions in ORDER BY after the item at index `dropped` has been removed from the select list."""
    order = tree.args.get("order")
    for term in () if order is None else tuple(order.expressions):
        if isinstance(term.this, exp.Literal) and term.this.is_int:
            at = int(term.this.name) - 1
            if at == dropped:
                term.pop()
            elif at > dropped:
                term.set("this", exp.Literal.number(at))


def _replace_in_order_by(tree: exp.Select, key: exp.Expr, coarser: exp.Expr) -> None:
    """Replace a key in ORDER BY by its coarser replacement."""
    order = tree.args.get("order")
    for term in () if order is None else order.expressions:
        if term.this == key:
            term.set("this", coarser.copy())


def _option_texts(options: Options, sql: str, rho: Fraction | None) -> list[str]:
    """Options of a query's privacy clause as text, with another price if one is given."""
    spans: Mapping[str, str] = {name: sql[span.start : span.end] for name, span in options.spans.items()}
    if rho is None:
        return list(spans.values())
    # options that set a price are replaced; 12 decimals without trailing zeros
    price, rho_text = ("rho", "epsilon", "target_error"), f"{float(rho):.12f}".rstrip("0").rstrip(".")
    return [text for name, text in spans.items() if name not in price] + [f"rho = {rho_text}"]


def _with_clause(text: str, options: list[str]) -> str:
    """Insert a privacy clause into a SELECT."""
    if not options:
        return text
    return text.replace("SELECT ", f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({', '.join(options)}) ", 1)
