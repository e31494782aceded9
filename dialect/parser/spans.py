"""From syntax nodes back to the analyst's text: their spans, names as written, and the query with a replaced node.

sqlglot records offsets in a node's `meta` ("start", "end") for identifiers and most calls only. The root's `meta` has
the text ("sql"), the options and the named bounds of the query (`dialect.parser.parser`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp
from sqlglot.errors import ErrorLevel

from dialect.errors import Span
from dialect.parser.privacy_clause import NO_OPTIONS

_OPERATOR_TEXT = {  # sqlglot's node key -> the operator as written in SQL
    "bitwiseand": "&",
    "bitwiseor": "|",
    "bitwisexor": "xor",
    "bitwisenot": "~",
    "bitwiseleftshift": "<<",
    "bitwiserightshift": ">>",
    "lambda": "->",
    "placeholder": "A placeholder",
    "parameter": "A placeholder",
    "bracket": "[...]",
    "attimezone": "AT TIME ZONE",
    "tuple": "A row of values (a, b)",
    "struct": "{...}",
    "array": "A list [...]",
    "similarto": "SIMILAR TO",
    "jsonextract": "->",
    "jsonextractscalar": "->>",
}
_MAX_NAME_LENGTH = 60
_CALL_NAME = re.compile(r"(\w+)\s*\(\s*(?:distinct\s+)?$", re.IGNORECASE)


def sql_text(node: exp.Expr) -> str:
    """Generate DuckDB SQL from a node, without comments."""
    return node.sql("duckdb", comments=False)


def normalized_text(node: exp.Expr) -> str:
    """Text by which equal expressions are known: DuckDB SQL with names in lower case."""
    return node.sql("duckdb", comments=False, normalize=True)


def default_name(node: exp.Expr) -> str:
    """Column name of an item without alias, as in DuckDB: its text, shortened.

    Of a large expression no text is generated, since that takes time: nodes are counted up to the limit only.
    """
    if isinstance(node, exp.Column):
        return node.name.lower()
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
        return "count_star()"
    is_small = sum(1 for _ in zip(node.walk(), range(_MAX_NAME_LENGTH), strict=False)) < _MAX_NAME_LENGTH
    if not is_small:
        return "expression"
    return node.sql("duckdb", comments=False, unsupported_level=ErrorLevel.IGNORE)[:_MAX_NAME_LENGTH].lower()


def span_of(node: exp.Expr) -> Span | None:
    """Span of the text that a node and its parts come from, else that of the nearest ancestor with a known place.

    An aggregate's recorded parts may begin behind its name; then the name before them is included. None where nothing
    around the node has a place.
    """
    ancestor: exp.Expr | None = node
    # a function without arguments
    if isinstance(node, exp.Func) and not any(True for _ in node.iter_expressions()) and "start" not in node.meta:
        return _span_of_word(node.sql_name(), node)  # sqlglot records no place of CURRENT_DATE and its like
    while ancestor is not None:
        ends = [(part.meta["start"], part.meta["end"] + 1) for part in ancestor.walk() if "start" in part.meta]
        if ends:
            start, end = min(start for start, _ in ends), max(end for _, end in ends)
            name = _match_name_before(ancestor, start) if isinstance(ancestor, exp.AggFunc) else None
            return Span(start if name is None else name.start(), end)
        ancestor = ancestor.parent
    return None


def _span_of_word(word: str, node: exp.Expr) -> Span | None:
    """Span of the first occurrence of a word in the query."""
    match = re.search(rf"\b{word}\b", str(node.root().meta.get("sql", "")), re.IGNORECASE)
    return Span(match.start(), match.end()) if match else None


def _match_name_before(node: exp.Expr, start: int) -> re.Match[str] | None:
    """Match the function name before a call's arguments, where sqlglot records only the arguments' places."""
    sql = str(node.root().meta.get("sql", ""))
    return None if "start" in node.meta else _CALL_NAME.search(sql, 0, start)


def written_name(node: exp.Expr) -> str:
    """Name of a function or operator as the analyst wrote it.

    By its own offsets, else the name before its first argument; else sqlglot's name of the node.
    """
    sql = str(node.root().meta.get("sql", ""))
    if "start" in node.meta:
        return sql[node.meta["start"] : node.meta["end"] + 1]
    inner = span_of(node.this) if isinstance(node.this, exp.Expr) else None
    match = _match_name_before(node, inner.start) if inner is not None else None
    if match is not None:
        return match[1]
    return _OPERATOR_TEXT.get(node.key) or (node.sql_name() if isinstance(node, exp.Func) else node.key.upper())


def with_node_replaced(node: exp.Expr, text: str) -> str | None:
    """Return the analyst's query with a node's text replaced; None where the node's place is unknown."""
    span, sql = span_of(node), str(node.root().meta.get("sql", ""))
    if span is None:
        return None
    start, end = span.start, span.end
    # recorded places leave out closing parentheses
    while sql[start:end].count("(") > sql[start:end].count(")") and ")" in sql[end:]:
        end = sql.index(")", end) + 1
    return sql[:start] + text + sql[end:]


def with_tree_changed(node: exp.Expr, change: Callable[[exp.Expr], None]) -> tuple[str, ...]:
    """Return the query with a node of its tree changed, as regenerated SQL.

    `change` gets the copy of the node in a copied tree: both trees are walked in the same order to find it. One text;
    none for a query with a privacy clause or named bounds, which the tree does not contain.
    """
    root = node.root()
    if root.meta.get("bounds") or root.meta.get("options") != NO_OPTIONS:
        return ()
    copied = root.copy()
    change(next(other for part, other in zip(root.walk(), copied.walk(), strict=True) if part is node))
    return (copied.sql("duckdb", comments=False, unsupported_level=ErrorLevel.IGNORE),)


def first_word_span(sql: str) -> Span | None:
    """Span of the first word, for refusals that concern the query as a whole."""
    word = next(iter(sql.split(maxsplit=1)), None)
    start = len(sql) - len(sql.lstrip())
    return None if word is None else Span(start, start + len(word))
