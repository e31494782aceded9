"""Suggestions for slips that SQL's beginners make: the text is changed where its meaning is plain.

Each slip is a function of the refused text, and yields candidates; only those that compile are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp
from sqlglot.errors import ErrorLevel

from dialect.catalog.model import Catalog
from dialect.errors import Refusal, Span, Suggestion
from dialect.parser.parser import options_of, parse
from dialect.parser.privacy_clause import NO_OPTIONS

_OUTSIDE_TEXT = r"(?=(?:[^']*'[^']*')*[^']*$)"  # an even number of quotes follows
_BARE_DATE = re.compile(rf"(?<![\w'-])(\d{{4}})-(\d\d?)-(\d\d?)(?![\w'-]){_OUTSIDE_TEXT}")
_LOOSE_END = re.compile(r"\s*(?:,|\b(?:and|or|where|on|having|order\s+by|group\s+by))\s*;?\s*$", re.IGNORECASE)
_IN_SELECT = re.compile(r"\bin\s+(select\b[^()]*(?:\([^()]*\)[^()]*)*)$", re.IGNORECASE)
_ALIAS_OF_WORDS = re.compile(r"\bas\s+(\w+(?:\s+\w+)+)(?=\s*,|\s+from\b)", re.IGNORECASE)
_ORDERED_BY = r"(\border\s+by\s+)"
_PARTS_OF_TIME = {
    "hour": "hour({})", "minute": "minute({})", "month": "month({})", "year": "year({})", "week": "week({})",
    "weekday": "isodow({})", "dow": "isodow({})", "day_of_week": "isodow({})", "date": "CAST({} AS DATE)",
    "day": "CAST({} AS DATE)",
}  # fmt: skip


def slips(sql: str) -> Iterator[Suggestion]:
    """Correct a text that cannot be read: a loose end, IN SELECT, an alias of several words."""
    for changed, difference in (
        (_LOOSE_END.sub("", sql), "without its loose end"),
        (_IN_SELECT.sub(r"IN (\1)", sql), ""),
        (_ALIAS_OF_WORDS.sub(r'AS "\1"', sql), ""),
    ):
        if changed != sql:
            yield Suggestion(changed, difference)


def quoted_dates(sql: str) -> Iterator[Suggestion]:
    """Quote dates that stand as numbers, 2026-10-14, which is a subtraction."""

    def quoted(found: re.Match[str]) -> str:
        """Write one date in quotes, month and day with two digits."""
        return f"DATE '{found[1]}-{int(found[2]):02}-{int(found[3]):02}'"

    changed = _BARE_DATE.sub(quoted, sql)
    if changed != sql:
        yield Suggestion(changed, "2026-10-14 without quotes is a subtraction")


# a time of ISO 8601, as Grafana and JSON write it
_ISO_TIME = re.compile(
    r"'(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\d*(?:Z|[+-]\d\d:?\d\d)?'", re.IGNORECASE
)
_TRUNC = re.compile(r"\btrunc\(\s*([\w.\"]+)\s*\)", re.IGNORECASE)
_ROWNUM = re.compile(r"\s+where\s+rownum\s*<(=?)\s*(\d+)[\s;]*$", re.IGNORECASE)


def iso_times(sql: str) -> Iterator[Suggestion]:
    """Write times of ISO 8601 without T and zone."""
    changed = _ISO_TIME.sub(r"'\1 \2'", sql)
    if changed != sql:
        yield Suggestion(changed, "without a zone: the clock of the column")


def truncated_days(sql: str) -> Iterator[Suggestion]:
    """Write Oracle's TRUNC(time) as its date."""
    changed = _TRUNC.sub(r"CAST(\1 AS DATE)", sql)
    if changed != sql:
        yield Suggestion(changed)


def limited_rows(sql: str) -> Iterator[Suggestion]:
    """Write Oracle's condition on ROWNUM at the end of a query as LIMIT."""
    found = _ROWNUM.search(sql)
    if found is not None:
        yield Suggestion(f"{sql[: found.start()]} LIMIT {int(found[2]) - (not found[1])}")


def other_columns(refusal: Refusal, span: Span, sql: str, catalog: Catalog) -> Iterator[Suggestion]:
    """Replace an unknown column wherever it stands: by a near name, a part of the table's time, or an aggregate."""
    written = sql[span.start : span.end].rpartition(".")[2].strip()
    if not re.fullmatch(r"\w+", written):
        return
    word = re.compile(rf"(?<![\w.'\"]){re.escape(written)}\b(?!\s*\(){_OUTSIDE_TEXT}", re.IGNORECASE)
    if written.lower() == "rownum":
        yield from limited_rows(sql)
    if near := refusal.fields.get("near"):
        yield Suggestion(word.sub(str(near), sql), f"{near} is a near name")
        yield from _counted_by(written, str(near), sql)
    yield from _grouped_by_call(written, word, sql)
    times = [table.time_column for table in catalog.tables if table.time_column and _names_table(sql, table.name)]
    if (part := _PARTS_OF_TIME.get(written.lower())) and times:
        yield Suggestion(word.sub(part.format(times[0]), sql), f"of {times[0]}")
    yield from _ordered_by_aggregate(written, sql)


def _grouped_by_call(written: str, word: re.Pattern[str], sql: str) -> Iterator[Suggestion]:
    """Group by the item of the select list whose function has the name: SELECT month(day) AS m ... GROUP BY month."""
    query = parsed_select(sql)
    for place, item in enumerate(query.selects if query is not None else (), 1):
        if tree_text(item.unalias()).lower().startswith(f"{written.lower()}("):
            yield Suggestion(word.sub(item.alias or str(place), sql), f"by {tree_text(item.unalias())}")


def _names_table(sql: str, name: str) -> bool:
    """Return whether a text names a table."""
    return re.search(rf"\b{re.escape(name)}\b", sql, re.IGNORECASE) is not None


def _counted_by(written: str, near: str, sql: str) -> Iterator[Suggestion]:
    """Count rows by a column that is selected alone: SELECT place FROM visit."""
    alone = re.fullmatch(rf"\s*select\s+{re.escape(written)}(\s+from\s+\w+)\s*;?\s*", sql, re.IGNORECASE)
    if alone:
        counted = f"SELECT {near}, COUNT(*){alone[1]} GROUP BY {near}"
        yield Suggestion(counted, f"{near} is a near name; counts rows in place of listing them")


def _ordered_by_aggregate(written: str, sql: str) -> Iterator[Suggestion]:
    """Order by the one aggregate of the select list, where ORDER BY has a name that nothing has."""
    query = parsed_select(sql)
    if query is None or not re.search(rf"{_ORDERED_BY}{re.escape(written)}\b", sql, re.IGNORECASE):
        return
    numbers = [item for item in query.selects if item.find(exp.AggFunc) is not None]
    if len(numbers) == 1:
        target = numbers[0].alias or tree_text(numbers[0])
        changed = re.sub(
            rf"{_ORDERED_BY}{re.escape(written)}\b", lambda found: found[1] + target, sql, flags=re.IGNORECASE
        )
        yield Suggestion(changed, f"by {target}")


def moved_aggregates(sql: str) -> Iterator[Suggestion]:
    """Move aggregates to where they can stand: out of WHERE into HAVING, inside another one into a subquery."""
    query = parsed_select(sql)
    if query is None:
        return
    if (where := query.args.get("where")) is not None and where.find(exp.AggFunc) is not None:
        tests = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
        late = [test for test in tests if test.find(exp.AggFunc) is not None]
        early = [test for test in tests if test not in late]
        changed = query.copy()
        changed.set("where", exp.Where(this=exp.and_(*early, copy=True)) if early else None)
        having = [changed.args["having"].this] if changed.args.get("having") is not None else []
        changed.set("having", exp.Having(this=exp.and_(*having, *late, copy=True)))
        yield Suggestion(tree_text(changed), "tests groups")
    yield from _nested_aggregate(query)


def _nested_aggregate(query: exp.Select) -> Iterator[Suggestion]:
    """AVG(COUNT(*)) with GROUP BY: an aggregate over the groups of a subquery."""
    outer = query.selects[0].unalias() if len(query.selects) == 1 else None
    inner = outer.this if isinstance(outer, exp.AggFunc) else None
    group = query.args.get("group")
    if outer is None or not isinstance(inner, exp.AggFunc) or group is None or query.args.get("having") is not None:
        return
    below = query.copy()
    below.set("expressions", [*(key.copy() for key in group.expressions), exp.alias_(inner.copy(), "n")])
    below.set("order", None)
    above = outer.copy()
    above.set("this", exp.column("n"))
    yield Suggestion(f"SELECT {tree_text(above)} FROM ({tree_text(below)})", "over the groups, of noisy numbers")


def parsed_select(sql: str) -> exp.Select | None:
    """Tree of a single SELECT; None for any other text, and for one with a privacy clause, which no tree contains."""
    try:
        tree = parse(sql)
    except Refusal:
        return None
    is_plain = not tree.meta.get("bounds") and options_of(tree) == NO_OPTIONS
    return tree if isinstance(tree, exp.Select) and is_plain else None


def tree_text(node: exp.Expr) -> str:
    """Write the SQL of a tree; empty where sqlglot can't write it."""
    try:
        return str(node.sql("duckdb", comments=False, unsupported_level=ErrorLevel.IGNORE))
    except Exception:  # defects of sqlglot; its message may hold literals
        return ""
