"""Suggestions for refused window functions: GROUP BY, windows over groups, or QUALIFY.

A window over rows of many persons becomes an aggregate by groups, or a window that sums the groups. A window that
chooses one row of several becomes QUALIFY.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from dialect.parser.spans import question_with

_ADDED = (exp.Count, exp.CountIf, exp.Sum)  # aggregates of a union of groups are sums over the groups
_OF_GROUPS = (*_ADDED, exp.Avg, exp.Min, exp.Max)
_NOT_FOLLOWED = ("group", "having", "qualify", "distinct")


def windows_as_groups(node: exp.Expr) -> tuple[str, ...]:
    """Rewrite a SELECT with windows as GROUP BY their PARTITION BY; finer output becomes sums over groups.

    SELECT zone, COUNT(*) OVER (PARTITION BY zone) FROM visit  ->  SELECT zone, COUNT(*) FROM visit GROUP BY zone
    """
    select = node.find_ancestor(exp.Select)
    if select is None or any(select.args.get(clause) for clause in _NOT_FOLLOWED):
        return ()
    windows = list(_windows(select))
    parts = {tuple(window.args.get("partition_by") or ()) for window in windows}
    if len(parts) != 1 or not all(map(_is_of_groups, windows)) or any(column.is_star for column in select.selects):
        return ()
    (by,) = parts
    beyond = any(not _is_shown(column, by) for column in select.selects)
    adds = beyond and all(isinstance(_call(window), _ADDED) for window in windows)
    written = [question_with(select, _as_sums)] if adds else []
    written.append(question_with(select, _as_groups))
    return tuple(each for each in written if each is not None)


def grouped_in_words(node: exp.Expr) -> str:
    """Hint: the GROUP BY that a window over rows may be replaced by."""
    keys = ", ".join(part.sql("duckdb", comments=False) for part in node.args.get("partition_by") or ())
    return f"GROUP BY {keys or 'what is shown'}, and windows over its groups: SUM(COUNT(*)) OVER ()"


def _windows(select: exp.Expr) -> Iterator[exp.Expr]:
    """Window functions of a SELECT, without those of its subqueries."""
    yield from (window for window in select.find_all(exp.Window) if window.parent_select is select)


def _call(window: exp.Expr) -> exp.Expr:
    """Return the aggregate of a window function, without FILTER."""
    inner: exp.Expr = window.this.this if isinstance(window.this, exp.Filter) else window.this
    return inner


def _is_of_groups(window: exp.Expr) -> bool:
    """Return whether a window has one value per partition: an aggregate without order and frame."""
    runs = any(window.args.get(clause) for clause in ("order", "spec", "alias"))
    return not runs and isinstance(_call(window), _OF_GROUPS)


def _is_shown(column: exp.Expr, by: tuple[exp.Expr, ...]) -> bool:
    """Return whether a select item is a partition key or a window."""
    return column.unalias() in by or column.find(exp.Window) is not None


def _as_groups(select: exp.Expr) -> None:
    """Rewrite a SELECT to one row per partition: the partition keys and the windows as aggregates."""
    windows = list(_windows(select))
    by = tuple(windows[0].args.get("partition_by") or ())
    select.set("expressions", [column for column in select.expressions if _is_shown(column, by)])
    for window in windows:
        window.replace(window.this)
    _group(select, by)


def _as_sums(select: exp.Expr) -> None:
    """Rewrite a SELECT to group by its other columns, and each window to a sum over these groups."""
    windows = list(_windows(select))
    by = tuple(windows[0].args.get("partition_by") or ())
    plain = [column.unalias() for column in select.expressions if column.find(exp.Window) is None]
    for window in windows:
        window.set("this", exp.Sum(this=window.this))
    _group(select, (*by, *(each for each in plain if each not in by)))


def _group(select: exp.Expr, keys: tuple[exp.Expr, ...]) -> None:
    """Set the GROUP BY of a SELECT."""
    if keys:
        select.set("group", exp.Group(expressions=[key.copy() for key in keys]))


_OF_THE_ROWS = ("from_", "joins", "windows")


def where_as_qualify(node: exp.Expr) -> tuple[str, ...]:
    """Move a WHERE with window functions into QUALIFY of a subquery in FROM."""
    select = node.find_ancestor(exp.Select)
    if select is None or node.find_ancestor(exp.Where) is None or select.args.get("where") is None:
        return ()

    def change(above: exp.Expr) -> None:
        chosen = exp.Qualify(this=above.args["where"].this)
        above.set("where", None)
        _put_below(above, chosen)

    written = question_with(select, change)
    return () if written is None else (written,)


def qualify_of_rows(node: exp.Expr) -> tuple[str, ...]:
    """Move the QUALIFY of a grouped SELECT into a subquery, where it chooses rows before grouping."""
    select = node.find_ancestor(exp.Select)
    if select is None or node.find_ancestor(exp.Qualify) is None:
        return ()

    def change(above: exp.Expr) -> None:
        chosen = above.args["qualify"].copy()
        above.set("qualify", None)
        _put_below(above, chosen)

    written = question_with(select, change)
    return () if written is None else (written,)


def distinct_on_as_qualify(select: exp.Select) -> tuple[str, ...]:
    """Rewrite DISTINCT ON as QUALIFY ROW_NUMBER() = 1: the first row of each key, by the remaining order."""
    if any(select.args.get(clause) for clause in ("group", "qualify", "limit", "offset")):
        return ()

    def change(above: exp.Expr) -> None:
        keys = above.args["distinct"].args["on"].expressions
        terms = above.args["order"].expressions if above.args.get("order") else []
        beyond = [term for term in terms if term.this not in keys]
        order = exp.Order(expressions=beyond) if beyond else None
        place = exp.Window(this=exp.RowNumber(), partition_by=keys, order=order, over="OVER")
        above.set("distinct", None)
        above.set("order", None)
        above.set("qualify", exp.Qualify(this=exp.EQ(this=place, expression=exp.Literal.number(1))))

    written = question_with(select, change)
    return () if written is None else (written,)


def _put_below(above: exp.Expr, chosen: exp.Qualify) -> None:
    """Move FROM, WHERE and QUALIFY of a SELECT into a subquery that selects all columns; drop table qualifiers."""
    below = exp.select("*")
    for clause in (*_OF_THE_ROWS, "where"):
        below.set(clause, above.args.get(clause))
        above.set(clause, None)
    below.set("qualify", chosen)
    for column in list(above.find_all(exp.Column)):
        column.set("table", None)
    above.set("from_", exp.From(this=below.subquery()))
