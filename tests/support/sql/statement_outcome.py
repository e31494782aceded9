"""Outcome of arbitrary text: a query, a statement, or a refusal with a location and limited text."""

from __future__ import annotations

import dialect
from dialect.catalog.model import Catalog
from dialect.errors import Refusal
from engine.problems import problem


def outcome(sql: str, catalog: Catalog) -> str:
    """Process a text; raises AssertionError for a refusal without location, with too much text, or by a defect."""
    try:
        beside = dialect.statement(sql)
        question = dialect.read(sql, catalog) if beside is None else None
    except Refusal as refusal:
        assert refusal.__cause__ is None, "a defect of the reader"
        assert refusal.why and refusal.hint and len(refusal.why) + len(refusal.hint) < 1_000
        assert refusal.span is None or 0 <= refusal.span.start < refusal.span.end <= len(sql)
        assert problem(refusal, sql)["code"] == str(refusal.code)
        return f"{refusal} {refusal.span}"
    return repr(beside) if question is None else " ".join(plan.canonical for plan in question.plans)
