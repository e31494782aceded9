"""Suggestions for refused window functions: GROUP BY, windows over groups, or QUALIFY.

A window over rows of many persons becomes an aggregate by groups, or a window that sums the groups. A window that
chooses one row of several becomes QUALIFY.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from dialect.parser.spans import with_tree_changed

_ADDITIVE = (exp.Count, exp.CountIf, exp.Sum)  # aggregates of a union of groups are sums over the groups
_GROUP_AGGREGATES = (*_ADDITIVE, exp.Avg, exp.Min, exp.Max)
_UNSUPPORTED_CLAUSES = ("group", "having", "qualify", "distinct")


def windows_as_groups(node: exp.Expr) -> tuple[str, ...]:
    """Rewrite a SELECT with windows as GROUP BY their PARTITION BY; finer output becomes sums over groups.

        SELECT zone, COUNT(*) OVER (PARTITION BY zone) FROM visit  ->  SELECT zone, COUNT(*) FROM visit GROUP BY zone
        SELECT zone, day, COUNT(*) OVER (PARTITION BY zone) FROM visit
        ->  SELECT zone, day, SUM(COUNT(*)) OVER (PARTITION BY zone) FROM visit GROUP BY zone, day

    Empty unless all windows are plain aggregates over one PARTITION BY. The second form keeps select items that are
    neither keys nor windows, and is suggested first; it needs aggregates that sum over groups.
    """
    select = node.find_ancestor(exp.Select)
    if select is None or any(select.args.get(clause) for clause in _UNSUPPORTED_CLAUSES):
        return ()
    windows = list(_windows_of(select))
    partitions = {tuple(window.args.get("partition_by") or ()) for window in windows}
    if (
        len(partitions) != 1  # GROUP BY has one set of keys
        or not all(map(_is_per_partition, windows))
        or any(column.is_star for column in select.selects)
    ):
        return ()
    (keys,) = partitions  # the one PARTITION BY of all windows
    has_other_items = any(not _is_key_or_window(column, keys) for column in select.selects)
    is_additive = has_other_items and all(isinstance(_aggregate_of(window), _ADDITIVE) for window in windows)
    sums = with_tree_changed(select, _rewrite_as_sums) if is_additive else ()
    return sums + with_tree_changed(select, _rewrite_as_groups)


def _windows_of(select: exp.Expr) -> Iterator[exp.Expr]:
    """Window functions of a SELECT, without those of its subqueries."""
    yield from (window for window in select.find_all(exp.Window) if window.parent_select is select)


def _aggregate_of(window: exp.Expr) -> exp.Expr:
    """Return the aggregate of a window function, without FILTER."""
    return window.this.this if isinstance(window.this, exp.Filter) else window.this


def _is_per_partition(window: exp.Expr) -> bool:
    """Return whether a window has one value per partition: an aggregate without order and frame."""
    has_order_or_frame = any(window.args.get(clause) for clause in ("order", "spec", "alias"))
    return not has_order_or_frame and isinstance(_aggregate_of(window), _GROUP_AGGREGATES)


def _is_key_or_window(column: exp.Expr, keys: tuple[exp.Expr, ...]) -> bool:
    """Return whether a select item is a partition key or contains a window."""
    return column.unalias() in keys or column.find(exp.Window) is not None


def _rewrite_as_groups(select: exp.Expr) -> None:
    """Rewrite a SELECT in place to one row per partition: the partition keys and the windows as aggregates."""
    windows = list(_windows_of(select))
    keys = tuple(windows[0].args.get("partition_by") or ())
    select.set("expressions", [column for column in select.expressions if _is_key_or_window(column, keys)])
    for window in windows:
        window.replace(window.this)
    _set_group_by(select, keys)


def _rewrite_as_sums(select: exp.Expr) -> None:
    """Rewrite a SELECT in place to group by its other columns, and each window to a sum over these groups."""
    windows = list(_windows_of(select))
    keys = tuple(windows[0].args.get("partition_by") or ())
    other_items = [column.unalias() for column in select.expressions if column.find(exp.Window) is None]
    for window in windows:
        window.set("this", exp.Sum(this=window.this))
    _set_group_by(select, (*keys, *(each for each in other_items if each not in keys)))


def _set_group_by(select: exp.Expr, keys: tuple[exp.Expr, ...]) -> None:
    """Set the GROUP BY of a SELECT."""
    if keys:
        select.set("group", exp.Group(expressions=[key.copy() for key in keys]))


_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank)


def first_rows_as_extremes(node: exp.Expr) -> tuple[str, ...]:
    """Rewrite a QUALIFY that keeps the first rows of each group, by one column, as MIN or MAX of that column.

        SELECT place, minutes FROM visit QUALIFY ROW_NUMBER() OVER (PARTITION BY place ORDER BY minutes DESC) <= 3
        ->  SELECT place, MAX(minutes) AS minutes FROM visit GROUP BY place

    Empty where the SELECT has other columns than the keys and the one that orders.
    """
    select, order = node.find_ancestor(exp.Select), node.args.get("order")
    is_rank = isinstance(node, exp.Window) and isinstance(node.this, _RANKS) and node.find_ancestor(exp.Qualify)
    if select is None or not is_rank or order is None or len(order.expressions) != 1:
        return ()
    (term,), keys = order.expressions, list(node.args.get("partition_by") or ())
    value, others = term.this, [item for item in select.selects if item.unalias() not in [*keys, term.this]]
    if others or not isinstance(value, exp.Column) or select.args.get("group") or select.args.get("distinct"):
        return ()

    def change(changed: exp.Expr) -> None:
        """Replace QUALIFY by GROUP BY."""
        extreme = (exp.Max if term.args.get("desc") else exp.Min)(this=value.copy())
        changed.set("expressions", [*(key.copy() for key in keys), exp.alias_(extreme, value.name)])
        changed.set("qualify", None)
        changed.set("order", None)
        _set_group_by(changed, tuple(keys))

    return with_tree_changed(select, change)


_SOURCE_CLAUSES = ("from_", "joins", "windows")


def where_as_qualify(node: exp.Expr) -> tuple[str, ...]:
    """Move a WHERE with window functions into QUALIFY of a subquery in FROM; empty where the node is in no WHERE."""
    select = node.find_ancestor(exp.Select)
    if select is None or node.find_ancestor(exp.Where) is None or select.args.get("where") is None:
        return ()

    def change(outer_select: exp.Expr) -> None:
        """Turn WHERE into QUALIFY, and move both into the subquery."""
        chosen = exp.Qualify(this=outer_select.args["where"].this)
        outer_select.set("where", None)
        _move_into_subquery(outer_select, chosen)

    return with_tree_changed(select, change)


def qualify_in_subquery(node: exp.Expr) -> tuple[str, ...]:
    """Move the QUALIFY of a grouped SELECT into a subquery, where it chooses rows before grouping.

    Empty where the node is in no QUALIFY. In place it would choose groups, whose windows can't read columns of rows.
    """
    select = node.find_ancestor(exp.Select)
    if select is None or node.find_ancestor(exp.Qualify) is None or select.args.get("qualify") is None:
        return ()

    def change(outer_select: exp.Expr) -> None:
        """Move QUALIFY into the subquery."""
        chosen = outer_select.args["qualify"].copy()
        outer_select.set("qualify", None)
        _move_into_subquery(outer_select, chosen)

    return with_tree_changed(select, change)


def distinct_on_as_qualify(select: exp.Select) -> tuple[str, ...]:
    """Rewrite DISTINCT ON as QUALIFY ROW_NUMBER() = 1: the first row of each key, by the remaining order.

    The first terms of the ORDER BY are the keys themselves, which do not order rows of one key. Empty where GROUP BY,
    QUALIFY or LIMIT would act on other rows than before.
    """
    if any(select.args.get(clause) for clause in ("group", "qualify", "limit", "offset")):
        return ()

    def change(outer_select: exp.Expr) -> None:
        """Replace DISTINCT ON and ORDER BY by QUALIFY."""
        keys = outer_select.args["distinct"].args["on"].expressions
        terms = outer_select.args["order"].expressions if outer_select.args.get("order") else []
        remaining_terms = [term for term in terms if term.this not in keys]
        order = exp.Order(expressions=remaining_terms) if remaining_terms else None
        row_number = exp.Window(this=exp.RowNumber(), partition_by=keys, order=order, over="OVER")
        outer_select.set("distinct", None)
        outer_select.set("order", None)
        outer_select.set("qualify", exp.Qualify(this=exp.EQ(this=row_number, expression=exp.Literal.number(1))))

    return with_tree_changed(select, change)


def _move_into_subquery(outer_select: exp.Expr, qualify: exp.Qualify) -> None:
    """Move FROM, WHERE and QUALIFY of a SELECT into a subquery that selects all columns.

    Table qualifiers are dropped, as the tables are not in scope outside.
    """
    inner_select = exp.select("*")
    for clause in (*_SOURCE_CLAUSES, "where"):
        inner_select.set(clause, outer_select.args.get(clause))
        outer_select.set(clause, None)
    inner_select.set("qualify", qualify)
    for column in list(outer_select.find_all(exp.Column)):
        column.set("table", None)
    outer_select.set("from_", exp.From(this=inner_select.subquery()))
