"""A town for client tests, its copies made once; a ledger for each test alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import passersby
from passersby.cli.app import app
from passersby.client.connection import Connection
from tests.engine.town import CATALOG, make_town
from tests.support.cached_in import cached_in
from tests.support.server.serving import Running, running

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the town's files, and a folder for the copies of its tables."""
    folder = tmp_path_factory.mktemp("town")
    make_town(folder)
    (folder / "cache").mkdir()
    return folder


@pytest.fixture
def town(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The town's catalog file; nothing goes to the user's folders, and no ledger is shared between tests."""
    monkeypatch.setenv("PASSERSBY_CACHE", str(made / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    return made / "catalog.toml"


@pytest.fixture
def city(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand where the pages' city.toml is: a catalog of the town's files."""
    (tmp_path / "city.toml").write_text(
        CATALOG.replace('"town.duckdb', f'"{town.parent}/town.duckdb'), encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "city.toml"


@pytest.fixture
def ana(town: Path, tmp_path: Path) -> Iterator[Connection]:
    """A client with nothing spent."""
    with passersby.connect(town, client="ana", ledger=tmp_path / "town.ledger") as connection:
        yield connection


@pytest.fixture
def run(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line on the town, as ana."""
    monkeypatch.setenv("PASSERSBY_CATALOG", str(town))
    monkeypatch.setenv("PASSERSBY_CLIENT", "ana")
    monkeypatch.setenv("PASSERSBY_LEDGER", str(tmp_path / "town.ledger"))
    monkeypatch.setenv("COLUMNS", "100")
    return lambda *arguments, stdin=None: CliRunner().invoke(app, list(arguments), input=stdin)


@pytest.fixture(scope="session")
def server(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve the town, in processes of its own; each test asks under a name of its own."""
    ledger = tmp_path_factory.mktemp("served") / "town.ledger"
    with ExitStack() as opened:
        with cached_in(made / "cache"):
            started = opened.enter_context(running(str(made / "catalog.toml"), ledger, least_seconds=0.05))
        yield started


@pytest.fixture
def far(server: Running, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A client with nothing spent, at the server."""
    with passersby.connect(server.url, api_key=server.key(request.node.name[:60])) as connection:
        yield connection


@pytest.fixture(scope="session")
def operator_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve the synthetic operator, for what documents and lessons show."""
    with running("operator", tmp_path_factory.mktemp("operator") / "operator.ledger", least_seconds=0.05) as started:
        yield started
