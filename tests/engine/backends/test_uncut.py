"""If nobody has more rows than allowed, rows are read without truncation; the integers are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dialect import read
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import NOBODY_OBJECTED
from engine.pricing.terms import Asked
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
    return engine.prepare(read(sql, engine.catalog), Asked("ann"))[0].sql


def vectors(backend: Any, bounded: Any, objected: pa.Table = NOBODY_OBJECTED) -> Vectors:
    found = backend.run(bounded, objected)
    return [*found.keys.to_pydict().values(), *(vector.tolist() for vector in found.vectors)]


def cut(bounded: Any) -> Any:
    """The same query with every row truncation, for any row count."""
    return replace(bounded, uncut="", uncut_if=())


def held(folder: Path) -> set[bool]:
    """Compare each query with itself under every truncation, if nobody has more rows than allowed, and if one has."""
    left_out = set()
    for name, kept, rows in (("all", MOST, ROWS), ("fewer", MOST - 1, ROWS), ("one", MOST, ROWS + MORE)):
        with backend_of(folder / name, kept, rows) as (engine, backend):
            for sql in QUESTIONS[:3]:
                bounded = prepared(engine, sql)
                for objected in (NOBODY_OBJECTED, pa.table({"person": ["2", "7"]})):
                    assert vectors(backend, bounded, objected) == vectors(backend, cut(bounded), objected)
                blind = replace(cut(bounded), text=bounded.uncut)
                left_out.add(vectors(backend, blind) != vectors(backend, cut(bounded)))
    return left_out


def test_the_integers_are_those_with_every_cut(tmp_path: Path) -> None:
    assert held(tmp_path) == {True, False}, "nothing was cut, or everything"


@pytest.mark.parametrize("wrong", ["one less", "of another table"])
def test_a_wrong_number_of_rows_is_found(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = DuckDBBackend.most_rows

    def other(backend: DuckDBBackend, most: str) -> int:
        if wrong == "one less":
            return counted(backend, most) - 1
        return counted(backend, most.replace('"visit"', '"person"'))

    monkeypatch.setattr(DuckDBBackend, "most_rows", other)
    with pytest.raises(AssertionError):
        held(tmp_path)


def test_rows_are_counted_once_for_all_questions_over_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statements, over = list[str](), DuckDBBackend.over

    def told(backend: DuckDBBackend, sql: str, tables: Any) -> pa.Table:
        statements.append(sql)
        return over(backend, sql, tables)

    monkeypatch.setattr(DuckDBBackend, "over", told)
    with backend_of(tmp_path / "t", MOST) as (engine, backend):
        for sql in QUESTIONS[:2] * 2:
            vectors(backend, prepared(engine, sql))
    assert sum("max(n)" in sql for sql in statements) == 1
    ran = [sql for sql in statements if "sums AS" in sql]
    assert len(ran) == 4
    assert not [sql for sql in ran if "beyond" in sql]


def test_what_the_question_itself_keeps_is_compared_with_the_same_number(tmp_path: Path) -> None:
    with backend_of(tmp_path / "t", MOST) as (engine, backend):
        bounded = prepared(engine, QUESTIONS[3])
        assert [kept for _, kept in bounded.uncut_if] == [6]
        assert vectors(backend, bounded) == vectors(backend, cut(bounded))
        assert vectors(backend, bounded) != vectors(backend, replace(cut(bounded), text=bounded.uncut))


def test_what_is_not_stored_so_is_cut_in_both_texts(tmp_path: Path) -> None:
    joined = f"SELECT {SIX} COUNT(*) AS n FROM visit v JOIN zone z USING (zone) WHERE z.inhabitants > 5"
    with backend_of(tmp_path / "t", MOST) as (engine, _):
        assert prepared(engine, joined).uncut == ""
