"""Subqueries of one value inside expressions -> relations of at most one row, joined to the rows beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from dialect.algebra.expressions import TRUE, Expr, Ref
from dialect.algebra.relations import (
    PerPerson,
    Relation,
    Released,
)
from dialect.analysis.one_row import at_most_one_row
from dialect.binder.correlated_subqueries import correlated_value, met_value
from dialect.binder.from_clause import Queries
from dialect.binder.inner_rows import reaches_out
from dialect.binder.names import Scope, reads_rows
from dialect.errors import Code
from dialect.functions.inference import null_extended
from dialect.parser.context import Reading, only, refusal
from dialect.stability.joins import join
from dialect.stability.rules import joined_in


@dataclass(frozen=True)
class _Single:
    node: exp.Expr
    relation: Relation
    condition: Expr = TRUE


@dataclass
class ScalarSubqueries:
    """The subqueries that the expressions of one clause read, collected as they are met."""

    reading: Reading
    queries: Queries
    around: Scope | None = None  # of the rows beside them; None: subqueries may not name these
    found: list[_Single] = field(default_factory=list)
    read: dict[int, Expr] = field(default_factory=dict)  # by the node's identity

    def value(self, node: exp.Expr) -> Expr:
        """Read a subquery, or a test by one, each once; raises Refusal with E_SUBQUERY."""
        if id(node) not in self.read:
            self.read[id(node)] = self._single(node) if isinstance(node, exp.Subquery) else self._test(node)
        return self.read[id(node)]

    def known(self, node: exp.Expr) -> bool:
        """Tell whether all subqueries of an expression were read before."""
        if reads_rows(node):
            return id(node) in self.read
        return all(map(self.known, node.iter_expressions()))

    def _test(self, node: exp.Expr) -> Expr:
        if self.around is None or not isinstance(node, exp.In | exp.Exists):
            why = "A test by a subquery stands in WHERE, in the select list or in a key, and not beside groups."
            raise refusal(Code.SUBQUERY, why, "FROM (SELECT *, x IN (SELECT ...) AS is_in FROM ...)", node)
        tied = met_value(node, self.around, self.reading, self.queries)
        self.found.append(_Single(node, tied.relation, tied.condition))
        return tied.value

    def _single(self, node: exp.Subquery) -> Expr:
        only(node, "this", code=Code.SUBQUERY)
        if self.around is not None and reaches_out(node.this, self.around):
            tied = correlated_value(node.this, self.around, self.reading, self.queries)
            self.found.append(_Single(node, tied.relation, tied.condition))
            return tied.value
        selected = self.queries.subquery(node.this, self.reading)
        if isinstance(selected.relation, PerPerson):
            why = "The value of this subquery would be one person's."
            raise refusal(Code.SUBQUERY, why, "an aggregate over all persons, or a join on the person key", node)
        if len(selected.columns) != 1 or not at_most_one_row(selected.relation):
            why = "A subquery inside an expression gives one column, and for certain no second row."
            raise refusal(Code.SUBQUERY, why, "(SELECT SUM(x) FROM ...), or a JOIN of what has many rows", node)
        self.found.append(_Single(node, joined_in(selected.relation)))
        return Ref(null_extended(selected.columns[0][1]))

    def joined(self, relation: Relation) -> Relation:
        """Join the values to the rows whose expressions read them."""
        for each in self.found:
            if isinstance(relation, PerPerson) and isinstance(each.relation, Released):
                why = "People's rows can't be compared with a number that is released in the same statement."
                hint = "ask for the number first, and write it into the question"
                raise refusal(Code.SUBQUERY, why, hint, each.node)
            relation = join(relation, each.relation, "left", each.condition, each.node)
        return relation
