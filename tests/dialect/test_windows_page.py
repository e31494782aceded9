"""docs/windows.md: every query is charged to the privacy windows below it, and crosses where documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dialect import compile_query
from engine.catalog.file import load_catalog
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")
CATALOG = """
format = 1
name = "town"
[datasets.town]
window = "month"
first_window = "2026-09" # a week is called 2026-W43, a day 2026-10-17
last_window = "2026-12"
[tables.person]
dataset = "town"
kind = "private"
source = { parquet = "person.parquet" }
person = "person_id"
primary_key = ["person_id"]
size_class = "1e4"
norms = { rows = 1, persons = 1 }
[tables.person.columns]
person_id = { type = "BIGINT", nullable = false }
age_band = { type = "VARCHAR", values = ["15-29", "30-64", "65+"] }
home_zone = { type = "VARCHAR", values = ["N", "S", "E", "W"], from_windows = ["2026-09"] }
[tables.visit]
dataset = "town"
kind = "private"
source = { parquet = "visit.parquet" }
person = "person_id"
time_column = "start_ts" # decides in which window a row lies, on the clock of its time zone
date_column = "visit_date" # the date of start_ts
movement = { zone = "zone_id" }
size_class = "1e6"
norms = { rows = 40, persons = 5 }
[tables.visit.columns]
person_id = { type = "BIGINT", nullable = false }
start_ts = { type = "TIMESTAMP", time_zone = "Europe/Berlin", stored = "local" }
visit_date = { type = "DATE", range = ["2026-09-01", "2026-12-31"] }
zone_id = { type = "VARCHAR", values = ["N", "S", "E", "W"] }
minutes = { type = "DOUBLE", bounds = [0, 600], sum_norm = 2000, centred_norm = 1000 }
"""
BLOCKS = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
QUERIES = [
    found
    for block in BLOCKS
    for found in re.findall(r"^(SELECT .*)\n-- charged: (.*?)(; windows cross)?$", block, re.MULTILINE)
]


def test_the_catalog_is_the_one_that_the_page_describes() -> None:
    for line in ('first_window = "2026-09"', 'last_window = "2026-12"', 'from_windows = ["2026-09"]'):
        assert line in PAGE and line in CATALOG


def test_every_query_of_the_page_states_its_charged_windows() -> None:
    assert len(QUERIES) == len(re.findall(r"^SELECT", "\n".join(BLOCKS), re.MULTILINE)) > 10


@pytest.mark.parametrize(("sql", "windows", "crosses"), QUERIES)
def test_a_query_is_charged_to_the_documented_windows(tmp_path: Path, sql: str, windows: str, crosses: str) -> None:
    (tmp_path / "catalog.toml").write_text(CATALOG, encoding="utf-8")
    (plan,) = compile_query(sql, load_catalog(tmp_path / "catalog.toml")).plans
    assert ", ".join(plan.charged_windows.windows) == windows
    assert plan.charged_windows.is_crossing == bool(crosses)
