"""Whatever is sent is read or refused, with a code and a place in the text, the same each time; nothing else is raised."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

import dialect
from dialect.catalog import Catalog
from dialect.errors import Refusal
from tests.support.broken_sql import broken_statements, corpus, tokens

NIGHTLY = bool(os.environ.get("PASSERSBY_NIGHTLY"))
EXAMPLES = 100_000 if NIGHTLY else 400


def outcome(sql: str, catalog: Catalog) -> str:
    """Read a text; raises AssertionError for a refusal that does not say where, or that says too much."""
    try:
        question = dialect.read(sql, catalog)
    except Refusal as refusal:
        assert refusal.why and refusal.hint and len(refusal.why) + len(refusal.hint) < 1_000
        assert refusal.span is None or 0 <= refusal.span.start < refusal.span.end <= len(sql)
        return f"{refusal} {refusal.span}"
    return " ".join(plan.canonical for plan in question.plans)


@settings(max_examples=EXAMPLES)
@given(sql=broken_statements())
def test_broken_statements_are_read_or_refused(catalog: Catalog, sql: str) -> None:
    assert outcome(sql, catalog) == outcome(sql, catalog)


@settings(max_examples=EXAMPLES // 4)
@given(sql=st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_read_or_refused(catalog: Catalog, sql: str) -> None:
    outcome(sql, catalog)


def test_whole_statements_are_what_breaking_starts_from(catalog: Catalog) -> None:
    """Both outcomes are met, so neither side of the fuzz is empty; cutting into tokens loses nothing."""
    statements = corpus()
    assert all("".join(tokens(sql)) == sql for sql in statements)
    outcomes = [outcome(sql, catalog) for sql in statements]
    assert sum(made.startswith("E_") for made in outcomes) > 30
    assert sum(not made.startswith("E_") for made in outcomes) > 100
