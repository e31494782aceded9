"""Pages on SQL: every query is accepted, or refused with the code above it."""

from __future__ import annotations

import re

import pytest

import dialect
from dialect.catalog.model import Catalog
from dialect.errors import Refusal
from engine.catalog.bundled import find_catalog
from tests.support.tree import ROOT

_BLOCK = re.compile(r"(?:^(E_[A-Z]+):\n\n)?^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = ("sql.md", "clause.md", "movement.md")
BLOCKS = [
    (code, sql) for page in PAGES for code, sql in _BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def operator() -> Catalog:
    return find_catalog("operator")


def test_the_pages_have_queries() -> None:
    assert len(BLOCKS) > 20 and sum(bool(code) for code, _ in BLOCKS) >= 4


@pytest.mark.parametrize(("code", "sql"), BLOCKS)
def test_a_query_of_the_page_is_accepted_or_refused_as_documented(code: str, sql: str, operator: Catalog) -> None:
    try:
        dialect.compile_query(sql, operator)
    except Refusal as refusal:
        assert refusal.code == code
    else:
        assert not code
