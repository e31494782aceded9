"""ORDER BY, LIMIT, OFFSET and FETCH of a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from dialect.algebra.directions import OrderKey
from dialect.algebra.expressions import Expr
from dialect.algebra.relations import PerPerson, Relation, Sort
from dialect.binder.scalars import Names, scalar
from dialect.errors import Code
from dialect.parser.context import only, refusal
from dialect.stability.counted_instead import counted_instead

_MOST_ROWS = 10**9  # of LIMIT and OFFSET


def order_keys(tree: exp.Query, shown: Mapping[str, Expr], exprs: Sequence[Expr], names: Names) -> tuple[OrderKey, ...]:
    """Read ORDER BY; `shown` are the select list's columns by name, `exprs` the same in order."""
    clause = tree.args.get("order")
    if clause is None:
        return ()
    only(clause, "expressions")
    keys: list[OrderKey] = []
    for term in clause.expressions:
        only(term, "this", "desc", "nulls_first")
        descending, nulls_first = bool(term.args.get("desc")), bool(term.args.get("nulls_first"))
        found = exprs if _is_all(term.this) else [_order_term(term.this, shown, exprs, names)]
        keys += [OrderKey(expr, descending, nulls_first) for expr in found]
    return tuple(keys)


def _is_all(node: exp.Expr) -> bool:
    return isinstance(node, exp.Var) and node.name.upper() == "ALL"


def _order_term(node: exp.Expr, shown: Mapping[str, Expr], exprs: Sequence[Expr], names: Names) -> Expr:
    """Read one term: a position, the name of a shown column before all other columns, or an expression."""
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.this.isdigit() or not 1 <= int(node.this) <= len(exprs):
            raise refusal(Code.COLUMN, f"There is no column {node.this[:20]} in the select list.", "ORDER BY 1", node)
        return exprs[int(node.this) - 1]
    if isinstance(node, exp.Column) and not node.table:
        found = shown.get(node.name.lower())
        if found is not None:
            return found
    return scalar(node, names)


def sliced(tree: exp.Query, relation: Relation, order: tuple[OrderKey, ...]) -> Relation:
    """Order a relation, and cut it to a slice."""
    limit, offset = _count(tree, "limit"), _count(tree, "offset")
    if not order and limit is None and not offset:
        return relation
    if isinstance(relation, PerPerson):
        if limit is None and not offset:
            return relation  # an order among rows that are aggregated later says nothing
        why = "Rows of people never leave, and can't be cut by LIMIT."
        whole = tree.copy()
        for clause in ("order", "limit", "offset"):
            whole.set(clause, None)
        counted = counted_instead(whole.sql("duckdb", comments=False), relation)
        raise replace(refusal(Code.SAMPLE, why, "LIMIT behind an aggregate", tree), rewrites=counted)
    return replace(relation, operator=Sort(relation, order, limit, offset or 0))


def _count(tree: exp.Query, clause: str) -> int | None:
    node = tree.args.get(clause)
    if node is None:
        return None
    part = "count" if isinstance(node, exp.Fetch) else "expression"
    _check_fetch(node)
    only(node, part, "direction", "limit_options", code=Code.PARAM)
    value = node.args.get(part)
    whole = isinstance(value, exp.Literal) and not value.is_string and value.this.isascii() and value.this.isdigit()
    if not whole or len(value.this) > 20 or int(value.this) > _MOST_ROWS:
        why = f"{clause.upper()} takes a whole number of at most {_MOST_ROWS:,}."
        raise refusal(Code.PARAM, why, f"{clause.upper()} 10", node)
    return int(value.this)


def _check_fetch(node: exp.Expr) -> None:
    """FETCH FIRST 10 ROWS ONLY is LIMIT 10; shares of rows and ties are not in the dialect."""
    options = node.args.get("limit_options")
    special = options is not None and any(options.args.get(name) for name in ("percent", "with_ties"))
    if special or node.args.get("direction") not in {None, "FIRST", "NEXT"}:
        raise refusal(Code.PARAM, "FETCH takes a number of first rows.", "FETCH FIRST 10 ROWS ONLY", node)
