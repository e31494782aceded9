"""Ranks among the texts of few public rows are whole numbers of two bytes: the same keys and integers, and no overflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from duckdb import connect

from dialect import compile_query
from dialect.algebra.codegen_types import MAX_SMALLINT_ROWS
from engine.backends import duckdb
from engine.errors import ExecutionFailed
from engine.pricing.query_terms import Request
from tests.engine.town import ROWS, make_town, opened

BY_NAME = "SELECT z.name, COUNT(*) AS n FROM visit v JOIN zone z ON v.zone = z.zone GROUP BY 1"
SOME = "SELECT z.name, COUNT(*) AS n FROM visit v JOIN zone z ON v.zone = z.zone WHERE z.inhabitants > 2000 GROUP BY 1"
GROUPED = (
    "WITH named AS (SELECT DISTINCT zone, name FROM zone)"
    " SELECT name, COUNT(*) AS n FROM visit JOIN named USING (zone) GROUP BY 1"
)
MORE = "INSERT INTO zone SELECT 'y' || i, 'Yard ' || i, 0 FROM range({}) AS t(i);"  # before all others in their order
ZONES = 7


@contextmanager
def engine_of(folder: Path, zones: int) -> Iterator[Any]:
    """Open a town of so many zones."""
    folder.mkdir()
    with opened(make_town(folder, ROWS + MORE.format(zones - ZONES)), folder / "cache") as engine:
        yield engine


def text_of(engine: Any, sql: str, few: frozenset[str]) -> Any:
    """Write a question for a backend that knows that these tables are few rows."""
    engine.backend.target = replace(engine.backend.target, small_tables=few)
    return engine.compile(compile_query(sql, engine.catalog), Request("ann")).releases[0].sql


def integers(engine: Any, bounded: Any) -> list[list[object]]:
    found = engine.backend.run(bounded)
    return [*found.keys.to_pydict().values(), *(vector.tolist() for vector in found.vectors)]


@pytest.mark.parametrize("sql", [BY_NAME, SOME, GROUPED])
def test_small_ranks_encode_the_same_keys(tmp_path: Path, sql: str) -> None:
    with engine_of(tmp_path / "town", MAX_SMALLINT_ROWS) as engine:
        known = engine.backend.target.small_tables
        small, whole = text_of(engine, sql, known), text_of(engine, sql, frozenset())
        assert ("zone" in known, "SMALLINT" in small.text, "SMALLINT" in whole.text) == (True, True, False)
        assert integers(engine, small) == integers(engine, whole)
        assert any(integers(engine, small)[1])  # of the zones with people, whose ranks are the largest


def test_ranks_among_more_rows_are_not_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: one row too many counts as few."""
    with engine_of(tmp_path / "right", MAX_SMALLINT_ROWS + 1) as engine:
        assert "zone" not in engine.backend.target.small_tables
        right = text_of(engine, BY_NAME, engine.backend.target.small_tables)
        assert sum(map(bool, integers(engine, right)[1])) == 4  # of the zones anybody is in four
    monkeypatch.setattr(duckdb, "MAX_SMALLINT_ROWS", MAX_SMALLINT_ROWS + 1)
    with engine_of(tmp_path / "planted", MAX_SMALLINT_ROWS + 1) as engine:
        planted = text_of(engine, BY_NAME, engine.backend.target.small_tables)
        with pytest.raises(ExecutionFailed):
            integers(engine, planted)


def test_joined_public_rows_may_be_more_than_each(tmp_path: Path) -> None:
    """Pairs of few rows are many: their ranks are not small."""
    pairs = (
        "SELECT a.name, COUNT(*) AS n FROM visit v JOIN (SELECT a.zone, b.name FROM zone a JOIN zone b USING (zone)) a"
    )
    with engine_of(tmp_path / "town", ZONES) as engine:
        known = engine.backend.target.small_tables
        text = text_of(engine, f"{pairs} USING (zone) GROUP BY 1", known).text
        assert ("zone" in known, "SMALLINT" in text) == (True, False)


def test_small_integers_hash_like_wide_ones() -> None:
    """Group truncation chooses by a hash of the keys, which is independent of their width."""
    alike = "hash(i::SMALLINT) = hash(i::INTEGER) AND hash(i::SMALLINT, 7) = hash(i::INTEGER, 7)"
    with connect() as connection:
        counted = f"SELECT count(*), count(*) FILTER (WHERE {alike}) FROM range(-32768, 32768) AS t(i)"
        assert connection.execute(counted).fetchall() == [(65536, 65536)]
