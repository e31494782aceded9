"""A refusal as the analyst sees it: code, text with a caret, reason, suggestion."""

from __future__ import annotations

import re

import dialect
from dialect.catalog.model import Catalog
from dialect.errors import Refusal
from dialect.parser.tokens import fill_placeholders


def refusal_of(sql: str, catalog: Catalog) -> Refusal | None:
    """Process a text as every interface does, statements first; None if it is accepted."""
    try:
        if dialect.parse_statement(sql) is None:
            dialect.compile_query(sql, catalog)
    except Refusal as refused:
        return refused
    return None


def shown(sql: str, catalog: Catalog) -> str:
    """Format a refusal; raises AssertionError for accepted text."""
    refusal = refusal_of(sql, catalog)
    assert refusal is not None, f"this is accepted now, and has no place among refusals: {sql}"
    lines = [str(refusal.code)]
    if refusal.span is not None:
        start, end = refusal.span.start, refusal.span.end
        lines += [sql, " " * start + "^" * max(1, end - start)]
    return "\n".join([*lines, refusal.why, f"Try: {refusal.hint}"])


def sql_of(hint: str) -> str:
    """SQL of a suggestion, without the trailing comment about a different meaning."""
    return hint.partition(" -- ")[0]


def followed(sql: str, refusal: Refusal) -> str | None:
    """Text that an analyst sends who follows a suggestion; None if it is prose, or has placeholder names."""
    hint = sql_of(refusal.hint)
    if _WHOLE.match(hint):
        return fill_placeholders(hint)
    names = set(_NAME.findall(re.sub(r"'[^']*'", "", hint.lower()))) - _OF_SQL
    span, known = refusal.span, set(_NAME.findall(sql.lower()))
    if span is None or not _ONE_CALL.fullmatch(hint) or not names <= known:
        return None
    pointed, rest = sql[span.start : span.end], sql[span.end :]
    opened = pointed.count("(") - pointed.count(")")  # carets exclude closing parentheses
    return sql[: span.start] + hint + (rest.split(")", opened)[-1] if opened > 0 else rest)


_WHOLE = re.compile(r"(?:(?:SELECT|WITH) .*\bFROM\b|SHOW \w+$|DESCRIBE \w+$)(?!.*\.\.\.)", re.IGNORECASE | re.DOTALL)
_ONE_CALL = re.compile(r"[A-Za-z_]+\([^.]*\)")
_NAME = re.compile(r"\b[a-z_]\w*(?!\w*\()")
_OF_SQL = {
    "distinct",
    "order",
    "by",
    "desc",
    "and",
    "or",
    "not",
    "case",
    "when",
    "then",
    "else",
    "end",
    "as",
    "interval",
}
