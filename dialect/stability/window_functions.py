"""SQL window functions: partitions over private rows must contain the person key.

Proof: `dialect/codegen/proofs.md#windows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra.expressions import Ref
from dialect.algebra.relations import (
    Cut,
    Distinct,
    Filter,
    Group,
    PerPerson,
    Project,
    Relation,
    SemiJoin,
    Window,
    WindowCall,
    cut,
)
from dialect.errors import Code, Refusal, suggested
from dialect.parser.context import refusal
from dialect.parser.spans import question_with
from dialect.parser.suggestions.windows import grouped_in_words, windows_as_groups
from dialect.stability.row_operators import person_among


@dataclass(frozen=True)
class Asked:
    """A window function call with its AST node."""

    call: WindowCall
    node: exp.Expr
    person: str  # the person key as written in SQL


def windowed(relation: Relation, asked: Sequence[Asked]) -> Relation:
    """Add window function calls to a relation; over private rows, each partition holds rows of one person.

    Claim: the kind is preserved, and a PerPerson result is a function of each person's own multiset of rows. Raises
    Refusal with E_WINDOW unless every partition contains a person field that is never NULL. Proof:
    dialect/codegen/proofs.md#windows
    """
    if not asked:
        return relation
    made = tuple(each.call.field for each in asked)
    if isinstance(relation, PerPerson):
        for each in asked:
            _check(relation, each)
        relation = relation if _is_cut(relation, relation.max_rows) else cut(relation)
    calls = tuple(each.call for each in asked)
    return replace(relation, operator=Window(relation, calls), fields=relation.fields + made)


def _check(relation: PerPerson, asked: Asked) -> None:
    if relation.kept is not None:
        why = "A window over a public table LEFT JOIN a private one would see rows that belong to nobody."
        raise refusal(Code.WINDOW, why, "JOIN in place of LEFT JOIN", asked.node)
    keys = [part.field for part in asked.call.partition if isinstance(part, Ref)]
    if person_among(relation, keys) is None:
        raise _across_people(asked)


def _across_people(asked: Asked) -> Refusal:
    why = "A window over rows of many people would let one of them move everybody's numbers."
    hint = f"OVER (PARTITION BY {asked.person} ...), within each person's own rows"
    if _is_asked(asked.node):  # per-person rows cannot be output either
        hint = grouped_in_words(asked.node)

    def with_person(select: exp.Expr) -> None:
        for window in select.find_all(exp.Window):
            if window.parent_select is select and not window.alias:
                keys = [exp.column(*reversed(asked.person.split("."))), *window.args.get("partition_by", [])]
                window.set("partition_by", keys)

    select = asked.node.find_ancestor(exp.Select)
    written = None if select is None else question_with(select, with_person)
    rewrites = (
        *suggested(() if written is None else (written,), "within each person's own rows, not over the rows of all"),
        *suggested(windows_as_groups(asked.node), "one row for each group, in place of one for each row"),
    )
    return replace(refusal(Code.WINDOW, why, hint, asked.node), rewrites=rewrites)


def _is_asked(node: exp.Expr) -> bool:
    """Return whether the SELECT around a window is the outermost query."""
    select = node.find_ancestor(exp.Select)
    return select is not None and select.parent is None


def _is_cut(relation: Relation, max_rows: int) -> bool:
    """Return whether rows per person are already limited to `max_rows`, by a key or earlier truncation."""
    operator = relation.operator
    if isinstance(relation, PerPerson) and relation.one_row_per_person:
        return True
    if isinstance(operator, Cut):
        return operator.max_rows <= max_rows
    if isinstance(operator, Filter | Project | Window | Group | Distinct):
        return _is_cut(operator.source, max_rows)
    return isinstance(operator, SemiJoin) and _is_cut(operator.left, max_rows)
