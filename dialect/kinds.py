"""Syntax tree -> typed relations: every query becomes a relation whose kind says whose rows it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from dialect import rules
from dialect.errors import Code
from dialect.from_clause import from_clause
from dialect.names import Column, RowNames
from dialect.reading import Reading, only, refusal
from dialect.relations import Relation
from dialect.scalars import condition
from dialect.select_list import grouped, is_grouped, rowwise, select_items


@dataclass(frozen=True)
class Selected:
    """A relation and what it shows, in order; the other fields are carried but can't be named."""

    relation: Relation
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Environment:
    """The CTEs that a query can name; each is read anew where it is used, so that its fields are its own."""

    queries: Mapping[str, tuple[exp.Expression, Environment]] = field(default_factory=dict)

    def read(self, name: str, reading: Reading) -> Selected | None:
        """Read the CTE of this name, if there is one."""
        if name not in self.queries:
            return None
        tree, outer = self.queries[name]
        return kinds(tree, reading, outer)

    def subquery(self, tree: exp.Expression, reading: Reading) -> Selected:
        """Read a derived table."""
        return kinds(tree, reading, self)


def kinds(tree: exp.Expression, reading: Reading, environment: Environment | None = None) -> Selected:
    """Type a query; raises Refusal where an operator has no rule."""
    environment = _with_ctes(tree, environment or Environment())
    if isinstance(tree, exp.Subquery):
        only(tree, "this", "with_", "alias")
        return kinds(tree.this, reading, environment)
    if isinstance(tree, exp.Select):
        return _select(tree, reading, environment)
    if isinstance(tree, exp.SetOperation):
        raise refusal(Code.SUBQUERY, f"{tree.key.upper()} is not built yet.", "ask the parts one by one", tree)
    raise refusal(Code.STMT, "Only SELECT questions are answered.", "SELECT ... FROM ...", tree)


def _with_ctes(tree: exp.Expression, environment: Environment) -> Environment:
    clause = tree.args.get("with_")
    if clause is None:
        return environment
    if clause.args.get("recursive"):
        raise refusal(Code.STMT, "Recursion is not in the dialect.", "WITH without RECURSIVE", clause)
    only(clause, "expressions")
    for cte in clause.expressions:
        only(cte, "this", "alias")
        if cte.args["alias"].args.get("columns"):
            raise refusal(Code.STMT, "Column lists behind a CTE's name are not built yet.", "name columns by AS", cte)
        environment = Environment({**environment.queries, cte.alias.lower(): (cte.this, environment)})
    return environment


_CLAUSES = (
    "with_", "expressions", "distinct", "from_", "joins", "where", "group", "having", "order", "limit", "offset",
    "qualify", "windows",
)  # fmt: skip


def _select(tree: exp.Select, reading: Reading, environment: Environment) -> Selected:
    only(tree, *_CLAUSES)
    for clause in ("qualify", "windows"):
        if tree.args.get(clause):
            raise refusal(
                Code.WINDOW, "Window functions are not built yet.", "GROUP BY in a subquery", tree.args[clause]
            )
    source, scope = from_clause(tree, reading, environment)
    if tree.args.get("where"):
        where = tree.args["where"].this
        source = rules.keep(source, condition(where, RowNames(scope)), where)
    items = select_items(tree, scope)
    selected = (
        grouped(tree, items, source, scope, reading)
        if is_grouped(tree, items)
        else rowwise(tree, items, source, scope, reading)
    )
    return Selected(*selected)
