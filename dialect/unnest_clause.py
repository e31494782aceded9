"""UNNEST and series of a row's own values: in FROM, behind LATERAL, in a select list (`proofs.md#unnested-lists`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from dialect.errors import Code
from dialect.names import UNNESTED, RowNames, Scope
from dialect.reading import Reading, only, refusal
from dialect.relations import Relation
from dialect.scalars import scalar
from dialect.unnest_rules import MEMBERS, unnested
from dialect.unnest_tries import by_places, calls_by_places, flatten_as_unnest, lateral_as_value, views_as_unnest

_BESIDE = "Two lists are not unnested side by side: there is a series of their places."
_BY_PLACE = "generate_series(1, len(x)) AS g(i) in FROM, and list_extract(x, i)"
_NAME = "unnest"


def without_lateral(node: exp.Expr) -> exp.Expr:
    """Write LATERAL UNNEST(x), LATERAL (SELECT UNNEST(x)) and LATERAL range(x) as without the word."""
    if not isinstance(node, exp.Lateral):
        return node
    only(node, "this", "alias", code=Code.TABLE)
    alias, inner = node.args.get("alias"), node.this
    made = _inside(inner) if isinstance(inner, exp.Subquery) else inner
    if isinstance(made, exp.GenerateSeries):
        made = exp.Table(this=made)
    if not isinstance(made, exp.Unnest | exp.Table):
        why = (
            "LATERAL stands before a list of the row's own; a subquery is joined by what it has in common with the row."
        )
        refused = refusal(Code.JOIN, why, "UNNEST(x) AS u(y), or JOIN (SELECT ... GROUP BY ...) USING (...)", node)
        raise replace(refused, rewrites=(*flatten_as_unnest(node), *lateral_as_value(node)))
    if alias is not None:
        named = made.args.get("alias")
        made.set("alias", exp.TableAlias(this=alias.this, columns=alias.columns or (named.columns if named else [])))
    made.parent = node.parent  # refusals find the analyst's text there
    return made


def _inside(node: exp.Subquery) -> exp.Expr | None:
    """Read SELECT UNNEST(x) AS y, which has no FROM."""
    tree = node.this
    if not isinstance(tree, exp.Select) or tree.args.get("from_") or len(tree.expressions) != 1:
        return None
    only(tree, "expressions", code=Code.TABLE)
    (item,) = tree.expressions
    call = item.unalias()
    if not isinstance(call, exp.Explode):
        return None
    only(call, "this", code=Code.TABLE)
    columns = [exp.to_identifier(item.alias)] if item.alias else []
    return exp.Unnest(expressions=[call.this], alias=exp.TableAlias(this=exp.to_identifier(_NAME), columns=columns))


def is_unnest(node: exp.Expr) -> bool:
    """Tell whether a table of FROM is a list that is computed from the rows before it."""
    series = isinstance(node, exp.Table) and isinstance(node.this, exp.GenerateSeries)
    listed = isinstance(node, exp.Unnest)
    constants = not listed or all(isinstance(each, exp.Array | exp.GenerateSeries) for each in node.expressions)
    return (series or listed) and not (constants and node.find(exp.Column) is None)


def unnest_clause(
    left: Relation, scope: Scope, node: exp.Expr, stays: bool, reading: Reading
) -> tuple[Relation, Scope]:
    """Read a list of FROM: the rows before it, each once for every member, and the one column that it shows."""
    call = _listed(node)
    members = scalar(call, RowNames(scope))
    if members.type not in MEMBERS:
        why = f"UNNEST takes a list, and this is {members.type}."
        raise refusal(Code.TABLE, why, "UNNEST(string_split(x, ',')), UNNEST([x, y]) or a column that is a list", call)
    alias, name = _names(node)
    made, member = unnested(left, members, stays, name, reading, node)
    return made, Scope(((alias, ((name, member),)),))


def _listed(node: exp.Expr) -> exp.Expr:
    only(node, "this", "expressions", "alias", "offset", code=Code.TABLE)
    if isinstance(node, exp.Table):
        series: exp.Expr = node.this
        return series
    first: exp.Expr = node.expressions[0]
    if node.args.get("offset"):
        why = "WITH ORDINALITY and WITH OFFSET are not in the dialect: a place is a number of a series."
        raise replace(refusal(Code.TABLE, why, _BY_PLACE, node), rewrites=by_places(node))
    if len(node.expressions) > 1:
        raise replace(refusal(Code.TABLE, _BESIDE, _BY_PLACE, node), rewrites=by_places(node))
    return first


def _text(node: exp.Expr) -> str:
    return node.sql("duckdb", comments=False)[:60]


def _names(node: exp.Expr) -> tuple[str, str]:
    """Name the table that a list is, and its column: the same, unless the column has a name of its own."""
    series = node.this if isinstance(node, exp.Table) else None
    usual = _NAME if series is None else "range" if series.args.get("is_end_exclusive") else "generate_series"
    alias = node.args.get("alias")
    columns = alias.columns if alias is not None else []
    if len(columns) > 1:
        raise refusal(Code.COLUMN, "A list has one column.", "UNNEST(x) AS u(y)", node)
    name = (node.alias or usual).lower()
    return name, columns[0].name.lower() if columns else name


def unnest_items(tree: exp.Select) -> None:
    """Put UNNEST of the select list behind FROM, where every row meets its own list: SELECT UNNEST(x) AS y FROM t."""
    _refuse_views(tree)
    found = [call for item in tree.expressions for call in _calls(item)]
    if not found or not tree.args.get("from_"):
        return
    if len(found) > 1:
        raise replace(refusal(Code.TABLE, _BESIDE, _BY_PLACE, found[1]), rewrites=calls_by_places(tree))
    (call,) = found
    only(call, "this", code=Code.TABLE)
    if tree.args.get("qualify") or any(item.find(exp.Window) for item in tree.expressions):
        why = "Beside UNNEST in one SELECT a window would see other rows than are shown."
        raise refusal(Code.WINDOW, why, "SELECT *, UNNEST(x) AS y FROM (SELECT ... OVER ...)", call)
    alias = exp.TableAlias(this=exp.to_identifier(UNNESTED), columns=[exp.to_identifier(_NAME)])
    listed = exp.Unnest(expressions=[call.this], alias=alias)
    column = exp.column(_NAME, table=exp.to_identifier(UNNESTED, quoted=True))
    if call.parent is tree:
        call.replace(exp.alias_(column, _text(call).lower(), quoted=True))
    else:
        call.replace(column)
    tree.append("joins", exp.Join(this=listed))


def _refuse_views(tree: exp.Select) -> None:
    """Refuse LATERAL VIEW, as Spark has it."""
    views = tree.args.get("laterals")
    if views:
        refused = refusal(Code.STMT, "LATERAL VIEW is not in the dialect.", "FROM t, UNNEST(x) AS u(y)", views[0])
        raise replace(refused, rewrites=views_as_unnest(tree))


def _calls(node: exp.Expr) -> Iterator[exp.Explode]:
    """Walk the calls of UNNEST in an expression, but for those of its subqueries and aggregates."""
    if isinstance(node, exp.Query | exp.AggFunc):
        return
    if isinstance(node, exp.Explode):
        yield node
    for part in node.iter_expressions():
        yield from _calls(part)
