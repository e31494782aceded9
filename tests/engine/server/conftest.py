"""A town that is served, made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine import Session, open_session
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from tests.engine.town import make_town
from tests.support.cached_in import cached_in
from tests.support.ledger.blank_ledger import blank_ledger
from tests.support.server.serving import TestServer, inhabited


@pytest.fixture(scope="session")
def town_catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make the town's files."""
    return make_town(tmp_path_factory.mktemp("served")).path


@pytest.fixture(scope="session")
def town_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder for copies."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cached(town_cache: Path) -> Iterator[None]:
    """Use one cache folder for copies and synthetic rows of a test."""
    with cached_in(town_cache):
        yield


@pytest.fixture(scope="session")
def town_session(town_catalog: str, town_cache: Path) -> Iterator[Session]:
    """Open the town's data once."""
    with cached_in(town_cache):
        session = open_session(town_catalog, ledger=":memory:")
    with session:
        yield session


@pytest.fixture
def session(town_session: Session) -> Iterator[Session]:
    """A paced session with nothing spent; its buckets are too short to be noticed."""
    with blank_ledger() as ledger:
        engine = PacedEngine.of(replace(town_session.engine, ledger=ledger), ResponsePacing(least_seconds=0.001))
        yield replace(town_session, engine=engine)


@pytest.fixture
def served(session: Session) -> Iterator[TestServer]:
    """Serve it."""
    with inhabited(session) as server:
        yield server


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    """Name a ledger."""
    return tmp_path / "town.ledger"
