"""Any text is accepted or refused with a code and a span, deterministically; nothing else is raised.

The long form is `python -m tests.nightly statements`; what it found is kept in tests/sql/finds.sql.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from dialect.catalog.model import Catalog
from tests.nightly import statements
from tests.nightly.search import EXAMPLES
from tests.support.sql.broken_sql import any_text, broken_statements, corpus, tokens
from tests.support.sql.sql_cases import SqlCase, sql_cases
from tests.support.sql.statement_outcome import outcome


@settings(max_examples=300)
@given(sql=broken_statements())
def test_broken_statements_are_read_or_refused(catalog: Catalog, sql: str) -> None:
    assert outcome(sql, catalog) == outcome(sql, catalog)


@settings(max_examples=100)
@given(sql=any_text())
def test_any_text_is_read_or_refused(catalog: Catalog, sql: str) -> None:
    outcome(sql, catalog)


def test_the_long_search_in_its_short_form() -> None:
    """A chunk as `make nightly` runs them: broken statements, any text, queries that two parsers read equally."""
    counted = statements.chunk(7, broken=30, texts=10, databases=2)
    assert counted[EXAMPLES] > 60
    assert counted["written"] > 10
    assert counted["read by two parsers"] > 4


@pytest.mark.parametrize("case", sql_cases("finds"), ids=lambda case: case.title)
def test_what_a_search_found_once_is_read_or_refused(case: SqlCase, catalog: Catalog) -> None:
    outcome(case.sql, catalog)


def test_whole_statements_are_what_breaking_starts_from(catalog: Catalog) -> None:
    """Both outcomes are met, so neither side of the fuzz is empty; cutting into tokens loses nothing."""
    statements = corpus()
    assert all("".join(tokens(sql)) == sql for sql in statements)
    outcomes = [outcome(sql, catalog) for sql in statements]
    assert sum(made.startswith("E_") for made in outcomes) > 30
    assert sum(not made.startswith("E_") for made in outcomes) > 100
