"""Suggestions for UNPIVOT: the rows of each column, gathered by UNION ALL, without those that are NULL.

FROM visit UNPIVOT (zone FOR role IN (prev_zone, next_zone))
->  FROM (SELECT * EXCLUDE (prev_zone, next_zone), 'prev_zone' AS role, prev_zone AS zone FROM visit
          WHERE prev_zone IS NOT NULL UNION ALL SELECT ... 'next_zone' ...)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from dialect.catalog.model import Catalog
from dialect.errors import Suggestion
from dialect.parser.suggestions.beginners import tree_text

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
