"""Outcome of arbitrary text: a query, a statement, or a refusal with a location and limited text."""

from __future__ import annotations

import dialect
from dialect.catalog.model import Catalog
from dialect.errors import Refusal
from engine.errors import problem


def outcome(sql: str, catalog: Catalog) -> str:
    """Process a text; raises AssertionError for a refusal without location, with too much text, or by a defect."""
    try:
        statement = dialect.parse_statement(sql)
        question = dialect.compile_query(sql, catalog) if statement is None else None
    except Refusal as refusal:
        assert refusal.__cause__ is None, "a defect of the reader"
        assert refusal.why and refusal.hint and len(refusal.why) + len(refusal.hint) < 1_000
        assert refusal.span is None or 0 <= refusal.span.start < refusal.span.end <= len(sql)
        assert problem(refusal, sql)["code"] == str(refusal.code)
        return f"{refusal} {refusal.span}"
    return repr(statement) if question is None else " ".join(plan.canonical_text for plan in question.plans)
