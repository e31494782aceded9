"""Suggestions for what the dialect lacks: PIVOT as FILTER, UNPIVOT as UNION ALL, NATURAL JOIN as USING, no sample.

Each is a function of the refused text and the catalog, and yields whole queries; only those that compile are shown.
Clocks and schemas are left out. UNPIVOT drops the rows that are NULL:

    FROM visit UNPIVOT (zone FOR role IN (prev_zone, next_zone))
->  FROM (SELECT * EXCLUDE (prev_zone, next_zone), 'prev_zone' AS role, prev_zone AS zone FROM visit
          WHERE prev_zone IS NOT NULL UNION ALL SELECT ... 'next_zone' ...)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from dialect.catalog.model import Catalog, Column, Table, ValueList, ValueRange
from dialect.catalog.privacy_windows import next_window_start
from dialect.errors import Suggestion
from dialect.parser.suggestions.beginners import parsed_select, tree_text

_TODAY = re.compile(r"\b(?:today\s*\(\s*\)|current_date\b(?:\s*\(\s*\))?)", re.IGNORECASE)
_NOW = re.compile(
    r"\b(?:now|getdate|get_current_timestamp|transaction_timestamp)\s*\(\s*\)"
    r"|\b(?:current_timestamp|localtimestamp|sysdate)\b(?:\s*\(\s*\))?",
    re.IGNORECASE,
)
_MAX_PIVOTED = 12  # most values that become columns
_AFTER_PIVOT = re.compile(r"\s+(?:order\s+by|limit)\b[^()]*$", re.IGNORECASE)  # sqlglot reads none behind PIVOT


def pivoted(sql: str, catalog: Catalog) -> Iterator[Suggestion]:
    """Write PIVOT as an aggregate with FILTER for each value, or as a group of rows for each."""
    later = _AFTER_PIVOT.search(sql.rstrip("; \n"))
    tail = "" if later is None else later[0]
    pivot, source = _pivot_of(sql.rstrip("; \n").removesuffix(tail))
    named: list[exp.Expr] = [] if pivot is None else pivot.args.get("fields") or pivot.expressions
    if pivot is None or source is None or len(named) != 1:
        return
    column = named[0].this if isinstance(named[0], exp.In) else named[0]
    aggregates = pivot.args.get("using") or (pivot.expressions if pivot.args.get("fields") else [])
    keys = _keys_of(pivot, source, [column, *aggregates])
    if not isinstance(column, exp.Column) or keys is None or not aggregates:
        return
    values = named[0].expressions if isinstance(named[0], exp.In) else _declared_values(column, source, catalog)
    if 0 < len(values) <= _MAX_PIVOTED and all(isinstance(value, exp.Literal) for value in values):
        columns = [
            _filtered(aggregate, column, value, len(aggregates) > 1) for value in values for aggregate in aggregates
        ]
        yield Suggestion(
            tree_text(_grouped([*keys, *columns], source)) + tail, f"a column for each declared or named {column.name}"
        )
    rows = [*keys, column.copy(), *(aggregate.copy() for aggregate in aggregates)]
    yield Suggestion(tree_text(_grouped(rows, source)) + tail, f"a row for each {column.name}, in place of a column")


def _keys_of(pivot: exp.Pivot, source: exp.Expr, read: list[exp.Expr]) -> list[exp.Expr] | None:
    """Keys of a PIVOT: its GROUP BY, else the columns of a subquery that `read` does not read; None if unknown."""
    group = pivot.args.get("group")
    if group is not None:
        return [key.copy() for key in group.expressions]
    inner = source.this if isinstance(source, exp.Subquery) else None
    if not isinstance(inner, exp.Select) or any(item.is_star for item in inner.selects):
        return None
    names = {column.name for each in read for column in each.find_all(exp.Column)}
    return [exp.column(item.alias_or_name) for item in inner.selects if item.alias_or_name not in names]


def _pivot_of(sql: str) -> tuple[exp.Pivot | None, exp.Expr | None]:
    """Parse PIVOT as a statement, or as the clause of a table behind SELECT * FROM: (pivot, what it reads)."""
    try:
        tree = parse_one(sql, dialect="duckdb")
    except SqlglotError:
        return None, None
    if isinstance(tree, exp.Pivot):
        return (None, None) if tree.args.get("unpivot") else (tree, tree.this.copy())
    read = tree.args["from_"].this if isinstance(tree, exp.Select) and tree.args.get("from_") else None
    pivots = [] if read is None else read.args.get("pivots") or []
    plain = tree.is_star and {key for key, value in tree.args.items() if value} == {"expressions", "from_"}
    if read is None or len(pivots) != 1 or not plain or pivots[0].args.get("unpivot"):
        return None, None
    source = read.copy()
    source.set("pivots", None)
    return pivots[0], source


def _declared_values(column: exp.Column, source: exp.Expr, catalog: Catalog) -> list[exp.Expr]:
    """List the declared values of a column of a table that is read; empty if none are declared."""
    for each in source.find_all(exp.Table):
        table = catalog.tables_by_name.get(each.name.lower())
        declared = None if table is None else table.columns_by_name.get(column.name.lower())
        if declared is not None and isinstance(declared.domain, ValueList):
            return [exp.convert(value) for value in declared.domain.values if value is not None]
    return []


def _filtered(aggregate: exp.Expr, column: exp.Column, value: exp.Expr, with_name: bool) -> exp.Expr:
    """Write an aggregate of the rows with one value, named as DuckDB names the column."""
    call = exp.Filter(this=aggregate.unalias().copy(), expression=exp.Where(this=column.copy().eq(value.copy())))
    suffix = f"_{aggregate.alias or tree_text(aggregate)}" if with_name or aggregate.alias else ""
    return exp.alias_(call, f"{value.name}{suffix}", quoted=True)


def _grouped(items: list[exp.Expr], source: exp.Expr) -> exp.Select:
    """Write a SELECT of keys and aggregates, grouped by the keys."""
    return exp.Select(expressions=items, from_=exp.From(this=source.copy()), group=exp.Group(all=True))


def with_using(sql: str, catalog: Catalog) -> Iterator[Suggestion]:
    """Write NATURAL JOIN with USING and the columns that both tables have; with the key alone where those fail."""
    query = parsed_select(sql)
    joins = [] if query is None else query.args.get("joins") or []
    if query is None or (read := query.args.get("from_")) is None or all(join.method != "NATURAL" for join in joins):
        return
    tables = [catalog.tables_by_name.get(each.name.lower()) for each in (read.this, *(join.this for join in joins))]
    if None in tables:
        return
    for key_alone in (False, True):
        changed, names = query.copy(), set[str]()
        for i, join in enumerate(changed.args["joins"]):
            names |= {column.name for column in _visible(tables[i])}
            joined = tables[i + 1]
            shared = [column.name for column in _visible(joined) if column.name in names]
            key = () if joined is None else joined.primary_key
            if join.method == "NATURAL":
                join.set("method", None)
                join.set("using", [exp.to_identifier(name) for name in shared if not key_alone or name in key])
        yield Suggestion(tree_text(changed), "by the key alone" if key_alone else "by all columns that both have")


def _visible(table: Table | None) -> list[Column]:
    """Columns of a table that analysts see."""
    return [] if table is None else [column for column in table.columns if column.visible]


def without_schemas(sql: str, _: Catalog) -> Iterator[Suggestion]:
    """Write tables and columns without the schema and database in front, as tools of other engines write them."""
    query = parsed_select(sql)
    if query is None:
        return
    changed = query.copy()
    for node in changed.find_all(exp.Table, exp.Column):
        node.set("db", None)
        node.set("catalog", None)
    yield Suggestion(tree_text(changed), "without a schema")


def without_sketches(sql: str, _: Catalog) -> Iterator[Suggestion]:
    """Write COUNT(DISTINCT x) and QUANTILE_CONT for several sketches at once; each refusal names one of them."""
    query = parsed_select(sql)
    sketches = [] if query is None else list(query.find_all(exp.ApproxDistinct, exp.ApproxQuantile))
    if query is None or len(sketches) < 2:
        return
    for call in sketches:
        if isinstance(call, exp.ApproxDistinct):
            call.replace(exp.Count(this=exp.Distinct(expressions=[call.this])))
        else:
            level = call.args.get("quantile") or exp.Literal.number(0.5)
            call.replace(exp.func("quantile_cont", call.this, level))
    yield Suggestion(tree_text(query), "distinct values and quantiles in place of their estimates by a sketch")


def without_samples(sql: str, _: Catalog) -> Iterator[Suggestion]:
    """Leave TABLESAMPLE and USING SAMPLE out."""
    query = parsed_select(sql)
    if query is None:
        return
    changed = query.copy()
    for node in changed.find_all(exp.Select, exp.Table, exp.Subquery):
        node.set("sample", None)
    yield Suggestion(tree_text(changed), "of all rows")


def at_the_end(sql: str, catalog: Catalog) -> Iterator[Suggestion]:
    """Write the last declared day of a table that is read in place of today, and its last second in place of now."""
    read = {word.lower() for word in re.findall(r"\w+", sql)}
    days = [day for table in catalog.tables if table.name in read and (day := _last_day(table, catalog)) is not None]
    if days:
        last = max(days)
        dated = _NOW.sub(f"TIMESTAMP '{last} 23:59:59'", _TODAY.sub(f"DATE '{last}'", sql))
        yield Suggestion(dated, f"{last} is the last declared day")


def _last_day(table: Table, catalog: Catalog) -> date | None:
    """Last day of a table's declared dates, or else of its privacy windows; None without any."""
    times = [column for column in table.columns if column.name in (table.time_column, table.date_column)]
    listed = [each.domain.upper for each in times if isinstance(each.domain, ValueRange)]
    days = [date.fromisoformat(day[:10]) for day in listed if isinstance(day, str)]
    dataset = catalog.datasets_by_name.get(table.dataset or "")
    if not days and dataset is not None and dataset.window_range is not None and table.time_column is not None:
        days = [next_window_start(dataset.window, dataset.window_range.first_days()[-1]) - timedelta(days=1)]
    return max(days, default=None)


_MAX_COLUMNS = 12


@dataclass(frozen=True)
class _Unpivot:
    """An UNPIVOT: what it reads, the columns with the labels of their rows, and the names of label and value."""

    source: str
    columns: tuple[tuple[str, str], ...]
    label: str
    value: str

    def rows(self, *, alone: bool) -> str:
        """Write it as UNION ALL of a SELECT for each column; `alone`: of label and value, without other columns."""
        others = f"* EXCLUDE ({', '.join(column for column, _ in self.columns)}), "
        kept = "" if alone else others
        return " UNION ALL ".join(
            f"SELECT {kept}{label} AS {self.label}, {column} AS {self.value} FROM {self.source}"
            f" WHERE {column} IS NOT NULL"
            for column, label in self.columns
        )


def unpivoted(sql: str, _: Catalog) -> Iterator[Suggestion]:
    """Write the one UNPIVOT of a text as UNION ALL; count the values of one that is a whole statement."""
    try:
        tree = parse_one(sql, dialect="duckdb")
    except SqlglotError:
        return
    nodes = [pivot for pivot in tree.find_all(exp.Pivot) if pivot.args.get("unpivot")]
    found = _read(nodes[0]) if len(nodes) == 1 else None
    if found is None:
        return
    if tree is nodes[0]:
        counted = f"SELECT {found.label}, {found.value}, COUNT(*) AS n FROM ({found.rows(alone=True)}) GROUP BY ALL"
        yield Suggestion(counted, "counts rows in place of listing them")
        return
    place = nodes[0].parent
    alias = nodes[0].args.get("alias") or (None if place is None else place.args.get("alias"))
    if place is not None:
        rows = found.rows(alone=_has_no_other_columns(place, found))
        place.replace(exp.Subquery(this=parse_one(rows, dialect="duckdb"), alias=alias))
        yield Suggestion(tree_text(tree))


def _has_no_other_columns(place: exp.Expr, found: _Unpivot) -> bool:
    """Return whether a subquery that is unpivoted has no column besides those that become rows."""
    names = {item.alias_or_name for item in place.this.selects} if isinstance(place.this, exp.Select) else set()
    return bool(names) and names == {column for column, _ in found.columns}


def _read(pivot: exp.Pivot) -> _Unpivot | None:
    """Read UNPIVOT ... ON, or UNPIVOT (value FOR label IN (...)) behind a table; None for several values, and NULLs."""
    into, fields = pivot.args.get("into"), pivot.args.get("fields") or []
    if pivot.args.get("include_nulls"):
        return None
    if into is not None:
        source, written, label, values = pivot.this, pivot.expressions, into.this, into.expressions
    elif len(fields) == 1 and isinstance(fields[0], exp.In) and isinstance(pivot.parent, exp.Table | exp.Subquery):
        source, written, label, values = pivot.parent.copy(), fields[0].expressions, fields[0].this, pivot.expressions
        source.set("pivots", None)
    else:
        return None
    columns = [_column_and_label(each) for each in written]
    named = [each for each in columns if each is not None]
    if len(values) != 1 or not 0 < len(named) == len(columns) <= _MAX_COLUMNS:
        return None
    return _Unpivot(tree_text(source), tuple(named), tree_text(label), tree_text(values[0]))


def _column_and_label(node: exp.Expr) -> tuple[str, str] | None:
    """Column of an UNPIVOT, and the text that labels its rows; None for anything else."""
    label = node.args.get("alias") if isinstance(node, exp.PivotAlias) else None
    column = node.this if label is not None else node
    if not isinstance(column, exp.Column):
        return None
    return tree_text(column), exp.Literal.string(column.name if label is None else label.name).sql("duckdb")
