"""Suggestions for refused window functions: the same numbers of groups, windows over groups, or QUALIFY.

A window over rows of many people becomes an aggregate by groups, or a window that sums these up. A window that keeps
one row of several becomes the same question with QUALIFY.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from dialect.parser.spans import question_with

_ADDED = (exp.Count, exp.CountIf, exp.Sum)  # what groups have together is what each has, added
_OF_GROUPS = (*_ADDED, exp.Avg, exp.Min, exp.Max)
_NOT_FOLLOWED = ("group", "having", "qualify", "distinct")


def windows_as_groups(node: exp.Expr) -> tuple[str, ...]:
    """Write a SELECT with windows as groups of what they part by; those that show more as sums over smaller groups."""
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
    """Say which groups a window may have meant."""
    keys = ", ".join(part.sql("duckdb", comments=False) for part in node.args.get("partition_by") or ())
    return f"GROUP BY {keys or 'what is shown'}, and windows over its groups: SUM(COUNT(*)) OVER ()"


def _windows(select: exp.Expr) -> Iterator[exp.Expr]:
    yield from (window for window in select.find_all(exp.Window) if window.parent_select is select)


def _call(window: exp.Expr) -> exp.Expr:
    inner: exp.Expr = window.this.this if isinstance(window.this, exp.Filter) else window.this
    return inner


def _is_of_groups(window: exp.Expr) -> bool:
    """Tell whether a window gives one number to each of its parts."""
    runs = any(window.args.get(clause) for clause in ("order", "spec", "alias"))
    return not runs and isinstance(_call(window), _OF_GROUPS)


def _is_shown(column: exp.Expr, by: tuple[exp.Expr, ...]) -> bool:
    return column.unalias() in by or column.find(exp.Window) is not None


def _as_groups(select: exp.Expr) -> None:
    """Show what windows part by and their numbers, one row for each part."""
    windows = list(_windows(select))
    by = tuple(windows[0].args.get("partition_by") or ())
    select.set("expressions", [column for column in select.expressions if _is_shown(column, by)])
    for window in windows:
        window.replace(window.this)
    _group(select, by)


def _as_sums(select: exp.Expr) -> None:
    """Group by all that is shown, and add the groups up where windows added rows up."""
    windows = list(_windows(select))
    by = tuple(windows[0].args.get("partition_by") or ())
    plain = [column.unalias() for column in select.expressions if column.find(exp.Window) is None]
    for window in windows:
        window.set("this", exp.Sum(this=window.this))
    _group(select, (*by, *(each for each in plain if each not in by)))


def _group(select: exp.Expr, keys: tuple[exp.Expr, ...]) -> None:
    if keys:
        select.set("group", exp.Group(expressions=[key.copy() for key in keys]))


_OF_THE_ROWS = ("from_", "joins", "windows")


def where_as_qualify(node: exp.Expr) -> tuple[str, ...]:
    """Write a WHERE with windows as the QUALIFY of a subquery in FROM."""
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
    """Write a QUALIFY beside groups as one that chooses rows before they are grouped."""
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
    """Write DISTINCT ON as the QUALIFY that keeps the first row of each key, in the order beyond the keys."""
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
    """Move what a SELECT reads into a subquery of all columns, and name these without their tables."""
    below = exp.select("*")
    for clause in (*_OF_THE_ROWS, "where"):
        below.set(clause, above.args.get(clause))
        above.set(clause, None)
    below.set("qualify", chosen)
    for column in list(above.find_all(exp.Column)):
        column.set("table", None)
    above.set("from_", exp.From(this=below.subquery()))
