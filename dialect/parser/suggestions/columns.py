"""Suggestions for unknown column names: an alias that WHERE cannot see, or text without quotes."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, Suggestion, to_suggestions
from dialect.parser.compile_context import refusal, suggest_replaced
from dialect.parser.spans import with_tree_changed

_COMPARISONS = (exp.EQ, exp.NEQ, exp.In, exp.Like, exp.ILike)


def explain_unknown_column(unknown_column: Refusal, node: exp.Expr) -> Refusal:
    """Extend the refusal of an unknown column by an explanation; unchanged where none applies.

    The first explanation, an alias that WHERE can't see, replaces the refusal; the second adds a sentence and a
    suggestion.
    """
    if not isinstance(node, exp.Column) or node.table:
        return unknown_column
    return _computed_alias_refusal(node) or _unquoted_text_refusal(unknown_column, node) or unknown_column


def _computed_alias_refusal(node: exp.Column) -> Refusal | None:
    """Explain that WHERE can't read a select alias of an aggregate or window, and suggest HAVING or QUALIFY.

    None where the column is outside of WHERE or no such alias. WHERE is computed before both.
    """
    where, select = node.find_ancestor(exp.Where), node.find_ancestor(exp.Select)
    if where is None or select is None or select.args.get("where") is not where:
        return None
    shown = next((item.unalias() for item in select.selects if item.alias.lower() == node.name.lower()), None)
    if shown is None:
        return None
    windowed = shown.find(exp.Window) is not None
    if not windowed and shown.find(exp.AggFunc) is None:
        return None
    kind, clause = (Kind.WINDOW_IN_WHERE, "qualify") if windowed else (Kind.AGGREGATE_IN_WHERE, "having")
    rewrites = to_suggestions(_move_conditions(select, clause))
    return replace(refusal(kind, node, name=node.name[:40]), rewrites=rewrites)


def _move_conditions(select: exp.Select, clause: str) -> tuple[str, ...]:
    """Move the conditions of WHERE that read computed aliases into `clause`, "having" or "qualify".

    Conditions on rows alone stay in WHERE. Empty where the SELECT has the clause already.
    """
    if select.args.get(clause) is not None:
        return ()

    def change(above: exp.Expr) -> None:
        """Split the conditions of WHERE into those that read computed aliases and those that stay."""
        tests = list(above.args["where"].this.flatten()) if isinstance(above.args["where"].this, exp.And) else []
        tests = tests or [above.args["where"].this]
        computed = {item.alias.lower() for item in above.expressions if item.find(exp.AggFunc, exp.Window) is not None}
        late = [test for test in tests if any(c.name.lower() in computed for c in test.find_all(exp.Column))]
        early = [test for test in tests if test not in late]
        kind = exp.Having if clause == "having" else exp.Qualify
        above.set("where", exp.Where(this=exp.and_(*early)) if early else None)
        above.set(clause, kind(this=exp.and_(*late)))

    return with_tree_changed(select, change)


def _unquoted_text_refusal(refused: Refusal, node: exp.Column) -> Refusal | None:
    """Suggest quotes where a column is compared with an unknown name: place_id = P1.

    None unless the name is on the right of a comparison whose left side is a column, and not in double quotes.
    """
    test = node.parent
    if (
        node.this.args.get("quoted")
        or not isinstance(test, _COMPARISONS)
        or test.this is node
        or not isinstance(test.this, exp.Column)
    ):
        return None
    quoted = "'" + node.name.replace("'", "''") + "'"
    rewrites = (*refused.rewrites, *suggest_replaced(node, [Suggestion(quoted)]))
    return refused.explained(Kind.UNQUOTED_TEXT, *rewrites, quoted=quoted)
