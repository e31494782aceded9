"""Everybody who is counted can object by every interface; rows with other keys are unread, and stewards see how many.

Keys are texts that people's files have held: blanks, NUL, very long ones, other alphabets, identifiers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.catalog.model import MAX_PERSON_CHARACTERS, SqlType
from dialect.codegen.engines.dialects import DUCKDB_DIALECT
from engine import Refused, Session, open_session
from engine.catalog.file import load_catalog
from engine.data.checks.catalog import check_catalog
from engine.data.ingest.add_files import ingest
from engine.data.objections import normalize_person
from engine.server.http.roles import Role
from tests.engine.data.test_objections import quiet
from tests.support.server.serving import inhabited

KEYS = (
    "ana", " ana", "ana ", "ANA", "", " ", "   ", "\t", "\n", "\r\n", "a\nb", "a\0b", "\0", "x" * 1_000, "x" * 1_001,
    "é" * 1_000, "é" * 1_001, "\U0001f926\U0001f3fc\u200d\u2642\ufe0f" * 200, "\u00a0", "\ufeff", "\u202eana", "a,b", 'a"b',
    "'", "NULL", "0190a5c4-7f1e-7b6e-8d2b-0d4f9c6b1a2e", "\\x00\\xff", "-1", "person_id_", "\u0130",
)  # fmt: skip
READ = tuple(key for key in KEYS if 1 <= len(key) <= 1_000 and "\0" not in key)
CATALOG = """
format = 1
name = "keys"
[datasets.keys]
window = "forever"
budget = { rho = 1000, client_rho = 1000 }

[tables.visit]
dataset = "keys"
kind = "private"
source = { SOURCE }
person = "person_id"
primary_key = ["visit_id"]
size_class = "1e2"
max_rows_per_person = 5
norms = { rows = 3, persons = 3 }
[tables.visit.columns]
person_id = { type = "VARCHAR" }
visit_id = { type = "BIGINT", nullable = false }
place = { type = "BIGINT", range = [0, LAST], nullable = false }

[tables.purchase]
dataset = "keys"
kind = "private"
source = { PURCHASE }
person = { through = ["visit_id -> visit"], column = "person_id" }
size_class = "1e2"
max_rows_per_person = 5
norms = { rows = 3, persons = 3 }
[tables.purchase.columns]
visit_id = { type = "BIGINT" }
place = { type = "BIGINT", range = [0, LAST], nullable = false }
"""
COUNTS = (
    "SELECT place, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY place",
    "SELECT place, COUNT(*) AS n FROM visit GROUP BY place",
    "SELECT place, COUNT(*) AS n FROM purchase GROUP BY place",
    "SELECT v.place, COUNT(*) AS n FROM visit v JOIN purchase p USING (person_id) GROUP BY v.place",
    (
        "SELECT place, COUNT(DISTINCT person_id) AS n FROM visit v WHERE EXISTS"
        " (SELECT 1 FROM purchase p WHERE p.person_id = v.person_id) GROUP BY place"
    ),
    (
        "SELECT place, COUNT(*) AS n FROM (SELECT person_id, place FROM visit UNION ALL SELECT person_id, place FROM purchase)"
        " GROUP BY place"
    ),
)


def make_keys(folder: Path, keys: tuple[str, ...], form: str = "duckdb") -> str:
    """Write a catalog whose place i was visited by the person of key i, and somebody without a key."""
    folder.mkdir(exist_ok=True)
    numbers = list(range(len(keys)))
    rows = pa.table({"person_id": [*keys, None], "visit_id": [*numbers, 999], "place": [*numbers, 0]})
    bought = pa.table({"visit_id": numbers, "place": numbers})
    if form == "duckdb":
        with duckdb.connect(str(folder / "keys.duckdb")) as connection:
            connection.register("rows", rows)
            connection.register("bought", bought)
            connection.execute("CREATE TABLE visit AS FROM rows; CREATE TABLE purchase AS FROM bought")
        sources = ('duckdb = "keys.duckdb", table = "visit"', 'duckdb = "keys.duckdb", table = "purchase"')
    else:
        pq.write_table(rows, folder / "visit.parquet")
        pq.write_table(bought, folder / "purchase.parquet")
        sources = ('parquet = "visit.parquet"', 'parquet = "purchase.parquet"')
    text = CATALOG.replace("SOURCE", sources[0]).replace("PURCHASE", sources[1]).replace("LAST", str(len(KEYS) - 1))
    (folder / "catalog.toml").write_text(text, encoding="utf-8")
    return str(folder / "catalog.toml")


@contextmanager
def opened(where: str) -> Iterator[Session]:
    with open_session(where, ledger=f"{where}.ledger") as session:
        yield quiet(session)


def places(session: Session, sql: str = COUNTS[0], rho: str = "0.5") -> dict[int, int]:
    """Count each place without noise."""
    table = session.query(sql, client=f"ann-{rho}", rho=rho)
    return {k: n for k, n in zip(*(column.to_pylist() for column in table.columns[:2]), strict=True) if n}


@dataclass
class Doors:
    """Ways to say that one person objects; each gives whether it was taken."""

    session: Session
    folder: Path

    def alone(self, key: str) -> bool:
        return _taken(lambda: self.session.register.object(key, reason="letter 7", by="ben"))  # type: ignore[union-attr]

    def csv_file(self, key: str) -> bool:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["person_id"], [key]])
        (self.folder / "people.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
        return self._file("people.csv")

    def parquet_file(self, key: str) -> bool:
        pq.write_table(pa.table({"person_id": [key]}), self.folder / "people.parquet")
        return self._file("people.parquet")

    def over_http(self, key: str) -> bool:
        with inhabited(self.session) as served:
            body = {"person": key, "reason": "letter 7"}
            return bool(served.send("POST", "/v1/admin/objections", Role.STEWARD, json=body).is_success)

    def many_over_http(self, key: str) -> bool:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["person_id"], [key]])
        with inhabited(self.session) as served:
            body = {"persons": text.getvalue(), "reason": "letter 7"}
            return bool(served.send("POST", "/v1/admin/objections/bulk", Role.STEWARD, json=body).is_success)

    def _file(self, name: str) -> bool:
        said: dict[str, Any] = {"reason": "letter 7", "by": "ben", "progress": lambda *_: None}
        return _taken(lambda: self.session.register.object_file(str(self.folder / name), **said))  # type: ignore[union-attr]


def _taken(record: Callable[[], object]) -> bool:
    from budgets import LedgerError

    try:
        record()
    except (LedgerError, Refused):
        return False
    return True


@pytest.mark.parametrize("door", ["alone", "csv_file", "parquet_file", "over_http", "many_over_http"])
def test_everybody_who_is_counted_can_object(door: str, tmp_path: Path) -> None:
    with opened(make_keys(tmp_path / "d", KEYS)) as session:
        assert [KEYS[place] for place in places(session)] == list(READ)
        doors = Doors(session, tmp_path)
        for key in KEYS:
            assert getattr(doors, door)(key) == (key in READ), repr(key[:20])
        assert places(session, rho="0.51") == {}


@pytest.mark.parametrize("form", ["duckdb", "parquet"])
@pytest.mark.parametrize("sql", COUNTS)
def test_a_key_that_cannot_object_is_as_good_as_deleted(sql: str, form: str, tmp_path: Path) -> None:
    """Two worlds: with such a person and without, every exact number is the same."""
    with opened(make_keys(tmp_path / "with", KEYS, form)) as world:
        numbers = places(world, sql)
    kept = tuple(key if key in READ else None for key in KEYS)
    with opened(make_keys(tmp_path / "without", kept, form)) as neighbour:  # type: ignore[arg-type]
        assert places(neighbour, sql) == numbers
    assert len(numbers) == len(READ)


def test_a_planted_scan_of_everybody_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("dialect.codegen.relations.relation"), "_objectable_predicates", lambda *_: [])
    with pytest.raises(AssertionError):
        test_everybody_who_is_counted_can_object("alone", tmp_path)
    with pytest.raises(AssertionError):
        test_a_key_that_cannot_object_is_as_good_as_deleted(COUNTS[2], "duckdb", tmp_path)


@given(st.text(st.sampled_from("a \0\n\u00a0é\U0001f926\u200d"), max_size=8).map(lambda text: text * 167))
def test_scan_and_register_take_the_same_texts(text: str) -> None:
    for each in (text, text[: MAX_PERSON_CHARACTERS + 1], text[:MAX_PERSON_CHARACTERS], text[:3]):
        with duckdb.connect() as connection:
            found = connection.execute(f"SELECT {DUCKDB_DIALECT.is_objectable.format('$1')}", [each]).fetchone()
        assert found == (normalize_person(each, SqlType.VARCHAR) is not None,)


@pytest.mark.parametrize("number", [-(2**63), -1, 0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_every_integer_of_a_declared_type_can_object(number: int) -> None:
    assert normalize_person(str(number), SqlType.BIGINT) == str(number)


def test_a_file_of_bytes_or_dates_names_nobody(tmp_path: Path) -> None:
    with opened(make_keys(tmp_path / "d", ("ana",))) as session:
        for values in ([b"ana"], [1.5], [True], [None]):
            pq.write_table(pa.table({"person_id": values}), tmp_path / "people.parquet")
            assert not Doors(session, tmp_path)._file("people.parquet")


def test_the_steward_sees_how_many_rows_are_not_read(tmp_path: Path) -> None:
    (found,) = check_catalog(load_catalog(Path(make_keys(tmp_path / "d", KEYS))))
    assert found.key == "tables.visit.columns.person_id"
    assert found.why == f"{len(KEYS) - len(READ)} rows are not read: person_id names nobody who could object."
    assert check_catalog(load_catalog(Path(make_keys(tmp_path / "e", READ)))) == ()


def test_ingest_refuses_and_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    where = make_keys(tmp_path / "d", ("ana",), "parquet")
    catalog = Path(where)
    catalog.write_text(catalog.read_text(encoding="utf-8").replace("visit.parquet", "visit*.parquet"), encoding="utf-8")
    new = pa.table({"person_id": ["bob", "", "a\0b", None], "visit_id": [5, 6, 7, 8], "place": [1, 1, 1, 1]})
    pq.write_table(new, tmp_path / "new.parquet")
    done = ingest(
        load_catalog(catalog), "visit", [str(tmp_path / "new.parquet")], set(), lambda *_: None, allow_late=False
    )
    assert done.rows == 2
    assert done.refused == {"person_id names nobody who could object": 2}
