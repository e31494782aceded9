"""What becomes of any text that is sent: a question, a statement, or a refusal that says where and not too much."""

from __future__ import annotations

import dialect
from dialect.catalog import Catalog
from dialect.errors import Refusal
from engine.problems import problem


def outcome(sql: str, catalog: Catalog) -> str:
    """Read a text; raises AssertionError for a refusal that does not say where, or that says too much."""
    try:
        beside = dialect.statement(sql)
        question = dialect.read(sql, catalog) if beside is None else None
    except Refusal as refusal:
        assert refusal.why and refusal.hint and len(refusal.why) + len(refusal.hint) < 1_000
        assert refusal.span is None or 0 <= refusal.span.start < refusal.span.end <= len(sql)
        assert problem(refusal, sql)["code"] == str(refusal.code)
        return f"{refusal} {refusal.span}"
    return repr(beside) if question is None else " ".join(plan.canonical for plan in question.plans)
