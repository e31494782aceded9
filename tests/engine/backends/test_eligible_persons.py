"""The list of eligible persons is built once per opened data; objections are applied at each query."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from dialect import compile_query
from dialect.codegen.stored_rows import read_eligible_from
from engine import Session, open_session
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import NO_OBJECTIONS
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.engine.catalog.test_eligibility import DECLARED, QUESTIONS
from tests.engine.town import ROWS, make_town, opened
from tests.support.sql.passes import passes
from tests.support.timeouts import MAX_SECONDS

OBJECTING = ("2", "23", "199", "4", "999999")  # of whom one is not admitted anyway, and one is nobody
DELETED = f"""
DELETE FROM purchase WHERE visit_id IN (SELECT visit_id FROM visit WHERE person_id IN ({", ".join(OBJECTING)}));
DELETE FROM visit WHERE person_id IN ({", ".join(OBJECTING)});
DELETE FROM person WHERE person_id IN ({", ".join(OBJECTING)});
"""
Vectors = list[tuple[dict[str, Any], list[list[int]]]]


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with open_session(make_town(tmp_path, declared=DECLARED).path, ledger=str(tmp_path / "own.ledger")) as made:
        yield made


@pytest.fixture
def towns(tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """Open the same town, and one from whose files the rows of those who object were deleted."""
    folders = [tmp_path / "with", tmp_path / "without"]
    for folder in folders:
        folder.mkdir()
    both = [make_town(folder, rows, DECLARED) for folder, rows in zip(folders, (ROWS, ROWS + DELETED), strict=True)]
    with opened(both[0], folders[0] / "cache") as one, opened(both[1], folders[1] / "cache") as other:
        yield one, other


def vectors(engine: Engine, objected: pa.Table = NO_OBJECTIONS) -> Vectors:
    """Keys and exact integers of every query."""
    made = [engine.compile(compile_query(sql, engine.catalog), Request("ann")).releases[0] for sql in QUESTIONS]
    found = [exact for each in made for _, exact in passes(each, engine.backend, objected)]
    return [(exact.keys.to_pydict(), [vector.tolist() for vector in exact.vectors]) for exact in found]


def now(session: Session) -> Vectors:
    return vectors(session.engine, session.engine.objections("town"))


def elsewhere(session: Session, *, withdraw: bool) -> None:
    """Record in another process that they object, or no longer."""
    code = (
        "import sys; from engine import open_register\n"
        "with open_register(sys.argv[1], ledger=sys.argv[2]) as register:\n"
        f"    for person in {OBJECTING}:\n"
        f"        register.object(person, reason='a letter', by='ben', withdraw={withdraw})"
    )
    ledger = Path(session.engine.catalog.path).parent / "own.ledger"
    command = [sys.executable, "-c", code, session.engine.catalog.path, str(ledger)]
    subprocess.run(command, check=True, timeout=MAX_SECONDS)


def test_an_objection_while_data_are_open_acts_as_deletion_until_withdrawn(
    session: Session, towns: tuple[Engine, Engine]
) -> None:
    everybody, without_them = map(vectors, towns)
    assert everybody != without_them
    for withdraw in (False, True, False):
        elsewhere(session, withdraw=withdraw)
        assert now(session) == (everybody if withdraw else without_them)


def test_a_planted_cache_of_the_first_objections_is_found(
    session: Session, towns: tuple[Engine, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, first = session.engine.backend, list[pa.Table]()
    assert isinstance(backend, DuckDBBackend)
    kept, run = backend.eligible_table, backend.run

    def running(bounded: Any, objected: pa.Table, keys: Any = None) -> Any:
        first.append(objected)
        return run(bounded, objected, keys)

    def with_objections(eligible: str) -> str:
        listed = ", ".join(first[0]["person"].to_pylist())
        return kept(f"SELECT * FROM ({eligible}) WHERE person NOT IN ({listed})")

    monkeypatch.setattr(backend, "run", running)
    monkeypatch.setattr(backend, "eligible_table", with_objections)
    with pytest.raises(AssertionError):
        test_an_objection_while_data_are_open_acts_as_deletion_until_withdrawn(session, towns)
    assert first[0].num_rows == len(OBJECTING)


def test_concurrent_first_queries_build_the_eligible_list_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prepared,) = session.engine.compile(compile_query(QUESTIONS[0], session.engine.catalog), Request("ann")).releases
    statements, over = list[str](), DuckDBBackend.run_over

    def recorded(backend: DuckDBBackend, sql: str, tables: Any) -> pa.Table:
        statements.append(sql)
        return over(backend, sql, tables)

    monkeypatch.setattr(DuckDBBackend, "run_over", recorded)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: session.engine.backend.run(prepared.sql).vectors[0].tolist(), range(24)))
    assert found == [found[0]] * 24
    assert sum(sql.startswith("CREATE") for sql in statements) == 1
    assert [sql for sql in statements if "consent" in sql and not sql.startswith("CREATE")] == []


def test_each_eligibility_rule_has_a_list_of_its_own(session: Session) -> None:
    backend = session.engine.backend
    assert isinstance(backend, DuckDBBackend)
    person = backend.target.addresses["person"]
    tables = [backend.eligible_table(f"SELECT person_id AS person FROM {person} WHERE gender = '{g}'") for g in "fmf"]
    assert tables[0] == tables[2] != tables[1]
    counts = [backend.public(f"SELECT count(*) AS n FROM {table}")["n"].to_pylist() for table in tables[:2]]
    assert counts == [[100], [100]]


def test_the_eligible_list_takes_one_or_two_bytes_per_person(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "many.duckdb")) as connection:
        connection.execute("CREATE TABLE person AS SELECT i AS person, i % 100 AS state FROM range(1000000) AS t(i)")
    backend = DuckDBBackend.open({"stored0": str(tmp_path / "many.duckdb")}, {}, tmp_path / "scratch")
    backend.eligible_table("SELECT person FROM stored0.main.person WHERE state < 97")
    used = "SELECT sum(memory_usage_bytes) AS n FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'"
    (held,) = backend.public(used)["n"].to_pylist()
    backend.close()
    assert held < 2_000_000


def test_only_the_beginning_is_read_from_elsewhere(session: Session) -> None:
    (prepared,) = session.engine.compile(compile_query(QUESTIONS[0], session.engine.catalog), Request("ann")).releases
    bounded = prepared.sql
    assert bounded.text.startswith(f"WITH eligible_persons AS ({bounded.eligible_sql}),\nadmitted_persons AS (")
    rest = bounded.text.partition("),\nadmitted_persons")[2]
    assert (
        read_eligible_from(bounded, "k.t").text
        == f"WITH eligible_persons AS (SELECT person FROM k.t),\nadmitted_persons{rest}"
    )
    quoting = replace(bounded, text=f"SELECT '{bounded.text.replace(chr(39), 2 * chr(39))}' AS w0")
    assert read_eligible_from(quoting, "k.t") == quoting, "a literal is left as it is"
    assert read_eligible_from(plain := replace(bounded, eligible_sql=""), "k.t") == plain
