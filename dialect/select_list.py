"""What a SELECT shows: its items, its groups, its order and its slice."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dialect import rules
from dialect.errors import Code
from dialect.expressions import Expr, Field, Ref
from dialect.grouping import GroupNames, bare, close
from dialect.names import Column, RowNames, Scope, has_aggregate
from dialect.reading import Reading, only, refusal
from dialect.relations import OrderKey, PerPerson, Public, Relation, Sort
from dialect.scalars import Names, condition, scalar

Item = tuple[str, exp.Expression | Field]  # what it is called; how it is written, or the field that * stands for
Shown = tuple[Relation, tuple[Column, ...]]


def select_items(tree: exp.Select, scope: Scope) -> list[Item]:
    """List the select items by name, with * written out."""
    if not tree.expressions:
        raise refusal(Code.PARSE, "This SELECT names nothing that it selects.", "SELECT COUNT(*) FROM ...", tree)
    items: list[Item] = []
    for node in tree.expressions:
        if _is_star(node):
            items += _starred(node, scope)
        elif isinstance(node, exp.Alias):
            items.append((node.alias.lower(), node.this))
        else:
            items.append((_default_name(node), node))
    return items


def _is_star(node: exp.Expression) -> bool:
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


def _starred(node: exp.Expression, scope: Scope) -> list[Item]:
    only(node.this if isinstance(node, exp.Column) else node, code=Code.ROWS)
    table = node.table.lower() if isinstance(node, exp.Column) and node.table else None
    columns = scope.columns(table)
    if not columns:
        raise refusal(Code.TABLE, "* has no table to stand for.", "add a FROM", node)
    return list(columns)


def _default_name(node: exp.Expression) -> str:
    if isinstance(node, exp.Column):
        return node.name.lower()
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
        return "count_star()"
    return node.sql("duckdb", comments=False)[:60].lower()


def is_grouped(tree: exp.Select, items: Sequence[Item]) -> bool:
    """Tell whether a SELECT aggregates."""
    aggregated = any(isinstance(item, exp.Expression) and has_aggregate(item) for _, item in items)
    return aggregated or bool(tree.args.get("group") or tree.args.get("having"))


def rowwise(tree: exp.Select, items: Sequence[Item], source: Relation, scope: Scope, reading: Reading) -> Shown:
    """Compute the items of a SELECT without groups."""
    names = RowNames(scope)
    exprs = [Ref(item) if isinstance(item, Field) else scalar(item, names) for _, item in items]
    aliases = {name: expr for (name, _), expr in zip(items, exprs, strict=True)}
    return _finish(tree, items, exprs, source, RowNames(scope, aliases), reading)


def grouped(tree: exp.Select, items: Sequence[Item], source: Relation, scope: Scope, reading: Reading) -> Shown:
    """Group a source, then compute the items of the SELECT over its groups."""
    written = _keys(tree, items, scope)
    source, keys = rules.compute(source, written, reading)
    kept = isinstance(source, PerPerson) and any(f.is_person for f in keys)
    pairs = list(zip(written, keys if kept else bare(tuple(keys)), strict=True))
    names = GroupNames(scope, source, pairs, reading)
    exprs = [_group_item(item, names) for _, item in items]
    names.aliases.update({name: expr for (name, _), expr in zip(items, exprs, strict=True)})
    having = tree.args.get("having")
    test = condition(having.this, names) if having else None
    order = _order(tree, items, exprs, names)
    relation = close(source, keys, names.measures, tree)
    if test is not None:
        relation = rules.keep(relation, test, having)
    return _finish(tree, items, exprs, relation, names, reading, order)


def _group_item(item: exp.Expression | Field, names: GroupNames) -> Expr:
    if isinstance(item, exp.Expression):
        return scalar(item, names)
    held = next((f for expr, f in names.keys if isinstance(expr, Ref) and expr.field == item), None)
    if held is None:
        raise refusal(Code.KEY, f"{item.name} comes with * but is no group key.", "name the columns you want")
    return Ref(held)


def _keys(tree: exp.Select, items: Sequence[Item], scope: Scope) -> list[Expr]:
    clause = tree.args.get("group")
    if clause is None:
        return []
    only(clause, "expressions", "all")
    names = RowNames(scope)
    if clause.args.get("all"):
        plain = [item for _, item in items if isinstance(item, Field) or not has_aggregate(item)]
        return [Ref(item) if isinstance(item, Field) else scalar(item, names) for item in plain]
    return [_key(node, items, scope) for node in clause.expressions]


def _key(node: exp.Expression, items: Sequence[Item], scope: Scope) -> Expr:
    if isinstance(node, exp.Cube | exp.Rollup | exp.GroupingSets):
        raise refusal(Code.KEY, f"{node.key.upper()} is not built yet.", "one GROUP BY per question", node)
    found: exp.Expression | Field = node
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.this.isdigit() or not 1 <= int(node.this) <= len(items):
            raise refusal(Code.KEY, f"There is no column {node.this} in the select list.", "GROUP BY 1", node)
        found = items[int(node.this) - 1][1]
    elif isinstance(node, exp.Column) and not node.table:
        name = node.name.lower()
        if name not in {n for n, _ in scope.columns()}:
            found = next((item for alias, item in items if alias == name), node)
    if isinstance(found, Field):
        return Ref(found)
    if has_aggregate(found):
        raise refusal(Code.AGG, "An aggregate can't be a group key.", "GROUP BY the other columns", node)
    return scalar(found, RowNames(scope))


def _finish(
    tree: exp.Select,
    items: Sequence[Item],
    exprs: list[Expr],
    source: Relation,
    names: Names,
    reading: Reading,
    order: tuple[OrderKey, ...] | None = None,
) -> Shown:
    order = _order(tree, items, exprs, names) if order is None else order
    relation, fields = rules.compute(source, exprs, reading)
    columns = tuple((name, made) for (name, _), made in zip(items, fields, strict=True))
    if tree.args.get("distinct"):
        only(tree.args["distinct"], code=Code.ROWS)
        relation = rules.distinct(relation, fields, tree)
        columns = tuple((name, next(f for f in relation.fields if f == made)) for name, made in columns)
        order = tuple(_over(key, exprs, fields, tree) for key in order)
    return _sliced(tree, relation, order), columns


def _over(key: OrderKey, exprs: Sequence[Expr], fields: Sequence[Field], tree: exp.Select) -> OrderKey:
    """After DISTINCT only what is shown can be ordered by."""
    for expr, made in zip(exprs, fields, strict=True):
        if key.expr in (expr, Ref(made)):
            return OrderKey(Ref(made), key.descending, key.nulls_first)
    raise refusal(Code.COLUMN, "After DISTINCT, ORDER BY takes columns of the select list.", "ORDER BY 1", tree)


def _order(tree: exp.Select, items: Sequence[Item], exprs: Sequence[Expr], names: Names) -> tuple[OrderKey, ...]:
    clause = tree.args.get("order")
    if clause is None:
        return ()
    only(clause, "expressions")
    keys: list[OrderKey] = []
    for term in clause.expressions:
        only(term, "this", "desc", "nulls_first")
        expr = _ordered_by(term.this, items, exprs, names)
        keys.append(OrderKey(expr, bool(term.args.get("desc")), bool(term.args.get("nulls_first"))))
    return tuple(keys)


def _ordered_by(node: exp.Expression, items: Sequence[Item], exprs: Sequence[Expr], names: Names) -> Expr:
    """Read one term: a position, the name of a select item, which hides a column of that name, or an expression."""
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.this.isdigit() or not 1 <= int(node.this) <= len(exprs):
            raise refusal(Code.COLUMN, f"There is no column {node.this} in the select list.", "ORDER BY 1", node)
        return exprs[int(node.this) - 1]
    if isinstance(node, exp.Column) and not node.table:
        shown = (expr for (name, _), expr in zip(items, exprs, strict=True) if name == node.name.lower())
        found = next(shown, None)
        if found is not None:
            return found
    return scalar(node, names)


def _sliced(tree: exp.Select, relation: Relation, order: tuple[OrderKey, ...]) -> Relation:
    limit, offset = _count(tree, "limit"), _count(tree, "offset")
    if not order and limit is None and not offset:
        return relation
    if isinstance(relation, PerPerson):
        if limit is None and not offset:
            return relation  # an order among rows that are aggregated later says nothing
        raise refusal(Code.SAMPLE, "Rows of people can't be cut by LIMIT.", "LIMIT behind an aggregate", tree)
    if isinstance(relation, Public):
        # a slice of a public table must be the same rows wherever it is read again: every column breaks ties
        order += tuple(OrderKey(Ref(f), False, False) for f in relation.fields)
    return type(relation)(Sort(relation, order, limit, offset or 0), relation.fields, relation.facts)


def _count(tree: exp.Select, clause: str) -> int | None:
    node = tree.args.get(clause)
    if node is None:
        return None
    only(node, "expression")
    value = node.expression
    if not isinstance(value, exp.Literal) or value.is_string or not value.this.isdigit():
        raise refusal(Code.PARAM, f"{clause.upper()} takes a whole number.", f"{clause.upper()} 10", node)
    return int(value.this)
