"""The page on windows says the truth: every query on it is charged to the windows below it, and crosses where it says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dialect import read
from engine.catalog.file import load_catalog
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^```sql\n(.*?)\n-- charged: (.*?)(; windows cross)?\n```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_query_says_what_is_charged() -> None:
    assert len(QUERIES) == PAGE.count("```sql") > 10


@pytest.mark.parametrize(("sql", "windows", "crosses"), QUERIES)
def test_a_query_touches_what_the_page_says(tmp_path: Path, sql: str, windows: str, crosses: str) -> None:
    (declared,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "catalog.toml").write_text(declared)
    (plan,) = read(sql, load_catalog(tmp_path / "catalog.toml")).plans
    assert ", ".join(plan.touched.windows) == windows
    assert plan.touched.crossing == bool(crosses)
