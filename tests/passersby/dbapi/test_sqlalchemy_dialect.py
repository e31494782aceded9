"""SQLAlchemy, pandas, polars and JupySQL: each asks a real server through the dialect."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import polars as pl
import pytest
import sqlalchemy as sa
from IPython.core.interactiveshell import InteractiveShell
from sqlalchemy.exc import NoSuchTableError, OperationalError, ProgrammingError

from passersby.dbapi.sqlalchemy import PassersbyDialect
from tests.support.server.serving import Running

COUNT = "SELECT zone, count(*) AS visits FROM visit GROUP BY zone ORDER BY zone"


def address(server: Running, name: str) -> str:
    return f"passersby://:{server.key(name)}@{server.url.removeprefix('http://')}"


@pytest.fixture
def engine(server: Running, request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """An SQLAlchemy engine at a real server."""
    made = sa.create_engine(address(server, f"sa-{request.node.name[:40]}"))
    yield made
    made.dispose()


def test_it_is_found_by_its_name_and_shows_no_key(engine: sa.Engine) -> None:
    assert isinstance(engine.dialect, PassersbyDialect)
    assert "pby_" not in repr(engine)
    assert "***" in str(engine.url)


def test_tables_and_columns_come_from_the_catalog(engine: sa.Engine) -> None:
    seen = sa.inspect(engine)
    assert set(seen.get_table_names()) == {"person", "visit", "purchase", "zone"}
    assert seen.get_schema_names() == ["main"]
    assert seen.get_view_names() == []
    columns = {column["name"]: column for column in seen.get_columns("visit")}
    assert isinstance(columns["minutes"]["type"], sa.DOUBLE)
    assert isinstance(columns["day"]["type"], sa.DATE)
    assert columns["minutes"]["comment"] == "clamped to 0 to 60"
    assert seen.get_pk_constraint("visit")["constrained_columns"] == ["visit_id"]
    assert "private" in str(seen.get_table_comment("visit")["text"])
    assert seen.has_table("visit") and not seen.has_table("nothing")
    with pytest.raises(NoSuchTableError):
        seen.get_columns("nothing")


def test_a_question_is_built_from_reflected_tables(engine: sa.Engine) -> None:
    visit = sa.Table("visit", sa.MetaData(), autoload_with=engine)
    question = (
        sa.select(visit.c.zone, sa.func.count().label("visits"), sa.func.avg(visit.c.minutes).label("minutes"))
        .where(visit.c.minutes < 40, visit.c.zone.in_(["z1", "z2", "z4"]))
        .group_by(visit.c.zone)
        .order_by(sa.desc("visits"))
        .limit(2)
    )
    with engine.connect() as connection:
        rows = connection.execute(question).all()
        again = connection.execute(question).all()
    assert len(rows) == 2 and rows == again
    assert rows[0].visits >= rows[1].visits


def test_parameters_are_bound_and_refusals_raised(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        in_zone = sa.text("SELECT count(*) AS n FROM visit WHERE zone = :zone")
        assert len(connection.execute(in_zone, {"zone": "z1"}).all()) == 1
        with pytest.raises(ProgrammingError, match=r"E_KEY.*'z' OR 1=1' is no zone"):
            connection.execute(in_zone, {"zone": "z' OR 1=1"})
        with pytest.raises(ProgrammingError, match="E_SAMPLE"):
            connection.execute(sa.text("SELECT * FROM visit LIMIT 100"))
        with pytest.raises(OperationalError, match="E_BUDGET"):
            connection.execute(sa.text(COUNT.replace("T z", "T WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.15) z")))
        connection.rollback()


def test_connections_are_pinged_before_they_are_used(server: Running) -> None:
    engine = sa.create_engine(address(server, "ping"), pool_pre_ping=True)
    for _ in range(2):
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT name FROM zone ORDER BY name LIMIT 1")).scalar() == "Zone 0"
    engine.dispose()


def test_pandas_reads_it(engine: sa.Engine) -> None:
    assert pd.read_sql(COUNT, engine).shape == (7, 2)
    with pytest.raises(pd.errors.DatabaseError, match="E_ROWS"):
        pd.read_sql_table("visit", engine)


def test_polars_reads_it(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert pl.read_database(COUNT, connection).shape == (7, 2)


@pytest.mark.parametrize(
    ("url", "where", "given"),
    [
        ("passersby://ana:pby_k@127.0.0.1:8021", "http://127.0.0.1:8021/", {"client": "ana", "api_key": "pby_k"}),
        ("passersby://:pby_k@[::1]:8021/", "http://[::1]:8021/", {"api_key": "pby_k"}),
        ("passersby://example.org/city", "https://example.org/city", {}),
        ("passersby:///operator?client=ana&ledger=my.ledger", "operator", {"client": "ana", "ledger": "my.ledger"}),
        ("passersby:////data/catalog.toml", "/data/catalog.toml", {}),
        ("passersby://", "operator", {}),
    ],
)
def test_addresses(url: str, where: str, given: dict[str, str]) -> None:
    assert PassersbyDialect().create_connect_args(sa.make_url(url)) == ((where,), given)


def test_jupysql_asks(server: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PLOOMBER_STATS_ENABLED", "false")
    monkeypatch.setenv("PLOOMBER_VERSION_CHECK_DISABLED", "true")
    shell = InteractiveShell()
    for line in ("%load_ext sql", "%config SqlMagic.feedback = 0", f"%sql {address(server, 'jupysql')}"):
        shell.run_cell(line).raise_error()
    shown = shell.run_cell(f"%sql {COUNT}")
    assert shown.result is not None and len(shown.result.DataFrame()) == 7
    shell.run_cell(f"%%sql frame <<\n{COUNT}").raise_error()
    shell.run_cell("tables = %sqlcmd tables").raise_error()
    assert "visit" in str(shell.user_ns["tables"])
    capsys.readouterr()
    refused = shell.run_cell("%sql SELECT * FROM visit")
    told = f"{refused.error_in_exec} {capsys.readouterr()}"
    assert "E_ROWS" in told and "Try:" in told
