"""DB-API 2.0: the public compliance suite, and tools that ask through it, over a real server."""

from __future__ import annotations

import datetime
import unittest
from collections.abc import Iterator
from pathlib import Path

import dbapi20
import duckdb
import pandas as pd
import polars as pl
import pytest

from passersby.dbapi import pep249 as dbapi
from tests.support.server.serving import Running

COUNT = "SELECT zone, count(*) AS visits FROM visit WHERE minutes < ? GROUP BY zone ORDER BY zone"
BARS = """
format = 1
name = "bars"
[datasets.bars]
window = "forever"
[datasets.bars.budget]
rho = 0.2
client_rho = 0.1
[tables.dbapi20test_booze]
dataset = "bars"
kind = "public"
source = { duckdb = "bars.duckdb", table = "booze" }
[tables.dbapi20test_booze.columns]
name = { type = "VARCHAR" }
[tables.dbapi20test_barflys]
dataset = "bars"
kind = "public"
source = { duckdb = "bars.duckdb", table = "barflys" }
[tables.dbapi20test_barflys.columns]
name = { type = "VARCHAR" }
"""
# the suite's tests that write: there is nothing to write to
WRITING = {
    *("test_execute", "test_executemany", "test_rowcount", "test_None", "test_cursor_isolation", "test_fetchone"),
    *("test_nextset", "test_setoutputsize", "test_callproc", "test_description"),
}


class Suite(dbapi20.DatabaseAPI20Test):  # type: ignore[misc]
    """The public suite over a table that is there already: the suite's own rows."""

    __test__ = False
    driver = dbapi

    def executeDDL1(self, cursor: dbapi.Cursor) -> None:  # noqa: N802
        """See that the connection can be used, as the suite does by it; the cursor is left as it is."""
        cursor.connection.cursor().execute("select name from dbapi20test_barflys")

    def executeDDL2(self, cursor: dbapi.Cursor) -> None:  # noqa: N802
        """Make nothing."""

    def tearDown(self) -> None:
        """Drop nothing."""

    def _paraminsert(self, cursor: dbapi.Cursor) -> None:
        self.executeDDL1(cursor)

    def _populate(self) -> list[str]:
        return []


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make the suite's table, as a public one."""
    folder = tmp_path_factory.mktemp("bars")
    with duckdb.connect(str(folder / "bars.duckdb")) as made:
        made.execute("CREATE TABLE booze (name VARCHAR); CREATE TABLE barflys (name VARCHAR)")
        made.executemany("INSERT INTO booze VALUES (?)", [(name,) for name in dbapi20.DatabaseAPI20Test.samples])
    (folder / "catalog.toml").write_text(BARS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PASSERSBY_CACHE", str(folder))
        environment.setenv("PASSERSBY_DATA", str(folder))
        yield folder / "catalog.toml"


@pytest.mark.parametrize("name", sorted({name for name in dir(Suite) if name.startswith("test_")} - WRITING))
def test_the_public_suite(name: str, bars: Path) -> None:
    case = Suite(name)
    case.connect_args = (str(bars),)
    found = unittest.TestResult()
    case.run(found)
    assert found.testsRun == 1
    assert not found.errors + found.failures, (found.errors + found.failures)[0][1]


@pytest.fixture
def database(server: Running, request: pytest.FixtureRequest) -> Iterator[dbapi.Connection]:
    """Open a connection to a real server."""
    with dbapi.connect(server.url, api_key=server.key(f"db-{request.node.name[:50]}")) as connection:
        yield connection


def test_a_cursor_asks_and_knows_what_it_paid(database: dbapi.Connection) -> None:
    with database.cursor() as cursor:
        assert (cursor.description, cursor.rowcount) == (None, -1)
        cursor.execute(COUNT, (30.5,))
        assert cursor.description is not None
        assert [column[:2] for column in cursor.description] == [("zone", "VARCHAR"), ("visits", "BIGINT")]
        assert (cursor.description[0][1] == dbapi.STRING, cursor.description[1][1] == dbapi.NUMBER) == (True, True)
        assert cursor.rowcount == 7
        assert [cursor.fetchone(), *cursor.fetchmany(2), *cursor] == cursor.result.rows  # type: ignore[union-attr]
        assert cursor.fetchone() is None
        assert cursor.result is not None and cursor.result.price["rho"] == 0.005
        assert b"passersby" in cursor.fetch_arrow_table().schema.metadata


def test_errors_are_those_of_pep_249_with_code_and_hint(database: dbapi.Connection) -> None:
    cursor = database.cursor()
    with pytest.raises(dbapi.ProgrammingError, match="E_COLUMN") as refused:
        cursor.execute("SELECT nope FROM visit")
    assert (refused.value.code, bool(refused.value.hint), "^^^^" in str(refused.value)) == ("E_COLUMN", True, True)
    dear = COUNT.replace("SELECT", "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.15)")
    with pytest.raises(dbapi.OperationalError) as short:
        cursor.execute(dear, (1,))
    assert short.value.code == "E_BUDGET"
    with pytest.raises(dbapi.ProgrammingError):
        cursor.execute(COUNT, ())
    with pytest.raises(dbapi.ProgrammingError, match="literal"):
        cursor.execute(COUNT, (object(),))
    with pytest.raises(dbapi.NotSupportedError):
        cursor.executemany(COUNT, [(1,), (2,)])
    with pytest.raises(dbapi.ProgrammingError, match="Nothing was asked"):
        database.cursor().fetchall()
    cursor.close()
    with pytest.raises(dbapi.InterfaceError, match="closed"):
        cursor.execute(COUNT, (1,))
    with pytest.raises(dbapi.OperationalError) as denied:
        dbapi.connect("http://127.0.0.1:1", api_key="pby_x y")
    assert denied.value.code == "E_AUTH"


def test_pandas_reads_it(database: dbapi.Connection) -> None:
    with pytest.warns(UserWarning, match="SQLAlchemy"):
        frame = pd.read_sql(COUNT, database, params=(30.5,))
    assert list(frame.columns) == ["zone", "visits"]
    assert len(frame) == 7


def test_polars_reads_it(database: dbapi.Connection) -> None:
    frame = pl.read_database(COUNT.replace("?", "30.5"), database)
    assert (frame.columns, frame.height) == (["zone", "visits"], 7)


def test_days_are_days(database: dbapi.Connection) -> None:
    cursor = database.cursor().execute(
        "SELECT day, count(*) AS n FROM visit WHERE day < ? GROUP BY day ORDER BY day", (dbapi.Date(2026, 10, 3),)
    )
    assert [row[0] for row in cursor] == [datetime.date(2026, 10, 1), datetime.date(2026, 10, 2)]
    assert cursor.description is not None and cursor.description[0][1] == dbapi.DATETIME
