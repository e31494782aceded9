"""A refusal as the analyst sees it: code, the text with a caret under it, why, Try."""

from __future__ import annotations

import dialect
from dialect.catalog import Catalog
from dialect.errors import Refusal


def refusal_of(sql: str, catalog: Catalog) -> Refusal | None:
    """Send a text as every door does, statement first; None where it is accepted."""
    try:
        if dialect.statement(sql) is None:
            dialect.read(sql, catalog)
    except Refusal as refused:
        return refused
    return None


def shown(sql: str, catalog: Catalog) -> str:
    """Write a refusal; raises AssertionError for what is accepted."""
    refusal = refusal_of(sql, catalog)
    assert refusal is not None, f"this is accepted now, and has no place among refusals: {sql}"
    lines = [str(refusal.code)]
    if refusal.span is not None:
        start, end = refusal.span.start, refusal.span.end
        lines += [sql, " " * start + "^" * max(1, end - start)]
    return "\n".join([*lines, refusal.why, f"Try: {refusal.hint}"])
