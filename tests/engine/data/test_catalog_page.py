"""docs/catalog.md: its tables are generated from the code, and its whole catalog is opened and queried."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from engine import open_session
from engine.catalog.file import load_catalog
from engine.data.checks.catalog import check_catalog
from tests.pages.catalog_keys import NEEDED, PLACES
from tests.pages.catalog_page import PATH, SMALLEST, document, known_keys

PAGE = PATH.read_text(encoding="utf-8")
BLOCK = r"^```{}\n(.*?)^```$"
(WHOLE,) = re.findall(BLOCK.format("toml"), PAGE, re.MULTILINE | re.DOTALL)
(ASKED,) = re.findall(BLOCK.format("sql"), PAGE, re.MULTILINE | re.DOTALL)
FILES = """
COPY (SELECT i AS card, ['f', 'm'][1 + i % 2] AS gender, 1950 + i % 50 AS born, 'AT' AS country,
      CASE WHEN i % 5 = 0 THEN 'no' ELSE 'yes' END AS agrees FROM range(1, 501) AS t(i)) TO 'card.csv';
COPY (SELECT i AS visit, 1 + i % 500 AS card, 1 + i % 4 AS branch, i % 150 AS minutes, 16.37 AS lon, 48.2 AS lat,
      TIMESTAMP '2026-09-20 10:00:00' + INTERVAL (i * 7) MINUTE AS entered FROM range(1, 10001) AS t(i)) TO 'visit.csv';
COPY (SELECT 1 + i % 10000 AS visit, i % 5000 AS cents FROM range(1, 20001) AS t(i)) TO 'item.csv';
COPY (SELECT i AS branch, 'Z' || i % 2 AS zone, 16.37 AS lon, 48.2 AS lat FROM range(1, 5) AS t(i)) TO 'branch.csv';
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the page's catalog, and files as it declares them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with duckdb.connect() as connection:
        connection.execute(FILES)
    (tmp_path / "catalog.toml").write_text(WHOLE, encoding="utf-8")
    return tmp_path / "catalog.toml"


def test_the_page_is_generated_from_the_readers() -> None:
    assert document() == PAGE, "run make docs"


def test_every_key_that_is_read_is_explained_and_no_other() -> None:
    known = known_keys(WHOLE, SMALLEST)
    assert {place: {row.name for row in rows} for place, rows in PLACES.items()} == known


def test_required_keys_are_documented_as_required() -> None:
    asked = known_keys(WHOLE, SMALLEST, asking="require")
    said = {place: {row.name for row in rows if str(row.absent).startswith(NEEDED)} for place, rows in PLACES.items()}
    assert sum(map(len, asked.values())) > 15
    assert not [(place, names - said[place]) for place, names in asked.items() if names - said[place]]


def test_a_key_that_nobody_explains_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.catalog.columns.COLUMN_KEYS", ("type", "colour"))  # planted
    assert "colour" in known_keys(SMALLEST)["tables.NAME.columns.NAME"]


def test_the_whole_catalog_is_opened_and_asked(shop: Path) -> None:
    assert check_catalog(load_catalog(shop)) == ()
    with open_session(str(shop), ledger=":memory:") as session:
        questions = ASKED.strip().splitlines()
        answers = [session.query(sql, client="ana") for sql in questions]
        assert [answer.num_rows for answer in answers] == [4, 3, 1]  # branches; f, m and NULL; one sum
        assert {table["name"] for table in session.tables()} == {"card", "visit", "item", "branch"}


def test_the_documented_mistake_is_the_real_output(shop: Path) -> None:
    from typer.testing import CliRunner

    from passersby.cli.app import app

    shop.write_text(WHOLE.replace('size_class = "1e4"\nmovement', "movement"), encoding="utf-8")
    said = CliRunner().invoke(app, ["catalog", "check", str(shop)]).output
    shown = re.findall(r"^shop/catalog.toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[-1]
    assert " ".join(shown.split()) in " ".join(said.split())
