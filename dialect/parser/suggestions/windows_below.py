"""What a refused window, or a row that is kept of several, may have meant: the same question, with QUALIFY."""

from __future__ import annotations

from sqlglot import exp

from dialect.parser.spans import question_with

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
