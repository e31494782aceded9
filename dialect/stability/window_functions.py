"""SQL window functions: partitions over private rows must contain the person key.

Proof: `dialect/codegen/proofs.md#windows`.

Terms:

    window           an SQL window (OVER); the period that is protected as one unit is called a privacy window
    private          PerPerson: every row belongs to one person
    row truncation   at most `max_rows` rows of each person are kept, the row bound of the relation
    preserved side   public rows of `public LEFT JOIN private`, also those that no private row matches
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra.expressions import Ref
from dialect.algebra.relations import PerPerson, Relation, RowOrigin, RowTruncation, Window, WindowCall, truncate_rows
from dialect.diagnostics.field_values import Unnamed
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, to_suggestions
from dialect.parser.compile_context import refusal
from dialect.parser.spans import sql_text, with_tree_changed
from dialect.parser.suggestions.window_functions import first_rows_as_extremes, windows_as_groups
from dialect.stability.row_operators import person_key_among


@dataclass(frozen=True)
class RequestedCall:
    """A window function call of the query, with its AST node for refusals."""

    call: WindowCall
    node: exp.Expr
    person_sql: str  # the person key as written in SQL


def add_window_calls(relation: Relation, requested: Sequence[RequestedCall]) -> Relation:
    """Add window function calls to a relation; over private rows, each partition holds rows of one person.

    The rows are truncated first, unless that has been done below: truncated after the window functions, row numbers
    would count rows that are dropped. Claim: the kind is preserved, and a PerPerson result is a function of each
    person's own multiset of rows. Raises Refusal with E_WINDOW unless every partition contains a person field that is
    never NULL. Proof: dialect/codegen/proofs.md#windows
    """
    results = tuple(each.call.result for each in requested)
    if isinstance(relation, PerPerson):
        for each in requested:
            _check_partition(relation, each)
        relation = relation if _is_truncated(relation, relation.max_rows) else truncate_rows(relation)
    calls = tuple(each.call for each in requested)
    return relation.with_operator(Window(relation, calls), results)


def _check_partition(relation: PerPerson, requested: RequestedCall) -> None:
    """Refuse a window over private rows whose PARTITION BY lacks the person key; raises Refusal with E_WINDOW.

    Refused too over the preserved rows of a LEFT JOIN: their null-extended rows, which belong to nobody, are never
    generated, so the window would not see them.
    """
    if relation.preserved_side is not None:
        raise refusal(Kind.WINDOW_OVER_PRESERVED, requested.node)
    keys = [part.field for part in requested.call.partition if isinstance(part, Ref)]
    if person_key_among(relation, keys) is None:
        raise _cross_person_refusal(requested, has_one_row=relation.has_one_row_per_person)


def _cross_person_refusal(requested: RequestedCall, *, has_one_row: bool) -> Refusal:
    """Build the refusal of a window over rows of many persons, with three kinds of suggested queries.

    First the extreme value of each group in place of its first rows, then the person key added to PARTITION BY of all
    windows of the SELECT, unless a person `has_one_row`, and GROUP BY in place of the windows.
    """
    kind = Kind.WINDOW_ACROSS_PERSONS
    if _is_outermost(requested.node):  # per-person rows cannot be output either
        kind = Kind.OUTER_WINDOW_ACROSS_PERSONS
    keys = ", ".join(sql_text(part) for part in requested.node.args.get("partition_by") or ()) or Unnamed.SELECTED

    def add_person_key(select: exp.Expr) -> None:
        """Put the person key first in PARTITION BY of each window of the SELECT."""
        for window in select.find_all(exp.Window):
            # a window that refers to a named one takes its PARTITION BY from there
            if window.parent_select is select and not window.alias:
                keys = [exp.column(*reversed(requested.person_sql.split("."))), *window.args.get("partition_by", [])]
                window.set("partition_by", keys)

    select = requested.node.find_ancestor(exp.Select)
    own_rows = () if select is None or has_one_row else with_tree_changed(select, add_person_key)
    extremes = "the extreme of each group, as its quantile at 1% or 99%, in place of rows"
    rewrites = (
        *to_suggestions(first_rows_as_extremes(requested.node), extremes),
        *to_suggestions(own_rows, "within each person's own rows, not over the rows of all"),
        *to_suggestions(windows_as_groups(requested.node), "one row for each group, in place of one for each row"),
    )
    return replace(refusal(kind, requested.node, person=requested.person_sql, keys=keys), rewrites=rewrites)


def _is_outermost(node: exp.Expr) -> bool:
    """Return whether the SELECT around a window is the outermost query."""
    select = node.find_ancestor(exp.Select)
    return select is not None and select.parent is None


def _is_truncated(relation: Relation, max_rows: int) -> bool:
    """Return whether rows per person are already limited to `max_rows`, by a key or an earlier truncation.

    Looks through the operators that never add rows to a person; joins and unions may, and end the search.
    """
    operator = relation.operator
    if isinstance(relation, PerPerson) and relation.has_one_row_per_person:
        return True
    if isinstance(operator, RowTruncation):
        return operator.max_rows <= max_rows
    keeps_bound = operator.row_origin in (RowOrigin.SUBSET, RowOrigin.GROUPS)
    return keeps_bound and _is_truncated(relation.children[0], max_rows)
