"""If nobody has more rows than allowed, rows are read without truncation; the integers are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dialect import compile_query
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import NO_OBJECTIONS
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, ROWS, make_town, opened

MOST = 14  # rows of visits that one person has; 20 of purchases
MORE = "INSERT INTO visit SELECT 7, 9000, 'z1', 5, 'shop 1', 1, DATE '2026-10-01';"  # a person has one more
SIX = "WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 6)"
PAIRS = "SELECT a.zone, COUNT(*) AS n, SUM(b.coins) AS s FROM visit a JOIN visit b USING (person_id) GROUP BY 1"
QUESTIONS = (
    PAIRS,
    (
        "SELECT b.zone, COUNT(DISTINCT a.person_id) AS n FROM visit a JOIN visit b ON a.person_id = b.person_id"
        " AND a.day = b.day AND a.zone <> b.zone WHERE a.zone = 'z1' GROUP BY 1"
    ),
    "SELECT COUNT(*) AS n FROM visit a JOIN purchase p USING (person_id)",
    f"SELECT {SIX} zone, COUNT(*) AS n FROM visit GROUP BY 1",
)
Vectors = list[list[int]]


@contextmanager
def backend_of(folder: Path, kept: int, rows: str = ROWS) -> Iterator[tuple[Any, Any]]:
    """Open a town where so many rows of visits, and 30 of purchases, are kept of each person."""
    folder.mkdir()
    declared = CATALOG.replace('size_class = "1e3"', f'size_class = "1e3"\nmax_rows_per_person = {kept}', 1)
    last = declared.rindex('size_class = "1e3"')
    declared = declared[:last] + "max_rows_per_person = 30\n" + declared[last:]
    with opened(make_town(folder, rows, declared), folder / "cache") as engine:
        yield engine, engine.backend


def prepared(engine: Any, sql: str) -> Any:
    return engine.compile(compile_query(sql, engine.catalog), Request("ann")).releases[0].sql


def vectors(backend: Any, bounded: Any, objected: pa.Table = NO_OBJECTIONS) -> Vectors:
    found = backend.run(bounded, objected)
    return [*found.keys.to_pydict().values(), *(vector.tolist() for vector in found.vectors)]


def truncated(bounded: Any) -> Any:
    """The same query with every row truncation, for any row count."""
    return replace(bounded, untruncated_text="", untruncated_conditions=())


def check_questions(folder: Path) -> set[bool]:
    """Compare each query with itself under every truncation, if nobody has more rows than allowed, and if one has."""
    left_out = set()
    for name, kept, rows in (("all", MOST, ROWS), ("fewer", MOST - 1, ROWS), ("one", MOST, ROWS + MORE)):
        with backend_of(folder / name, kept, rows) as (engine, backend):
            for sql in QUESTIONS[:3]:
                bounded = prepared(engine, sql)
                for objected in (NO_OBJECTIONS, pa.table({"person": ["2", "7"]})):
                    assert vectors(backend, bounded, objected) == vectors(backend, truncated(bounded), objected)
                blind = replace(truncated(bounded), text=bounded.untruncated_text)
                left_out.add(vectors(backend, blind) != vectors(backend, truncated(bounded)))
    return left_out


def test_integers_equal_those_with_every_row_truncation(tmp_path: Path) -> None:
    assert check_questions(tmp_path) == {True, False}, "nothing was cut, or everything"


@pytest.mark.parametrize("wrong", ["one less", "of another table"])
def test_a_wrong_number_of_rows_is_found(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = DuckDBBackend.max_rows_per_person

    def other(backend: DuckDBBackend, most: str) -> int:
        if wrong == "one less":
            return counted(backend, most) - 1
        return counted(backend, most.replace('"visit"', '"person"'))

    monkeypatch.setattr(DuckDBBackend, "max_rows_per_person", other)
    with pytest.raises(AssertionError):
        check_questions(tmp_path)


def test_rows_are_counted_once_for_all_questions_over_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statements, over = list[str](), DuckDBBackend.run_over

    def recorded(backend: DuckDBBackend, sql: str, tables: Any) -> pa.Table:
        statements.append(sql)
        return over(backend, sql, tables)

    monkeypatch.setattr(DuckDBBackend, "run_over", recorded)
    with backend_of(tmp_path / "t", MOST) as (engine, backend):
        for sql in QUESTIONS[:2] * 2:
            vectors(backend, prepared(engine, sql))
    assert sum("max(n)" in sql for sql in statements) == 1
    ran = [sql for sql in statements if "group_sums AS" in sql]
    assert len(ran) == 4
    assert not [sql for sql in ran if "units_over_limit" in sql]


def test_row_limits_in_the_query_are_compared_with_the_same_row_count(tmp_path: Path) -> None:
    with backend_of(tmp_path / "t", MOST) as (engine, backend):
        bounded = prepared(engine, QUESTIONS[3])
        assert [kept for _, kept in bounded.untruncated_conditions] == [6]
        assert vectors(backend, bounded) == vectors(backend, truncated(bounded))
        assert vectors(backend, bounded) != vectors(backend, replace(truncated(bounded), text=bounded.untruncated_text))


def test_rows_without_a_stored_count_are_truncated_in_both_texts(tmp_path: Path) -> None:
    joined = f"SELECT {SIX} COUNT(*) AS n FROM visit v JOIN zone z USING (zone) WHERE z.inhabitants > 5"
    with backend_of(tmp_path / "t", MOST) as (engine, _):
        assert prepared(engine, joined).untruncated_text == ""
