"""A town behind the door, its copies made once; a ledger for each test alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import passersby
from passersby.cli import app
from passersby.connection import Connection
from tests.engine.town import make_town

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
    """Give the town's catalog file; nothing goes to the user's folders, and no test's ledger is another's."""
    monkeypatch.setenv("PASSERSBY_CACHE", str(made / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    return made / "catalog.toml"


@pytest.fixture
def ana(town: Path, tmp_path: Path) -> Iterator[Connection]:
    """Give a client with nothing spent."""
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
