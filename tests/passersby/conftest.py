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
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make the town's files, and a cache for this run; give its catalog file."""
    folder = tmp_path_factory.mktemp("town")
    make_town(folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PASSERSBY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield folder / "catalog.toml"


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
