"""A town for every test of the engine, made once; a ledger for each test alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dialect import Catalog
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from tests.engine.town import make_town, opened
from tests.support.ledger.blank_ledger import blank_ledger


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Make the town's files."""
    return make_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="session")
def town_engine(town: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Open the town's data once."""
    with opened(town, tmp_path_factory.mktemp("cache")) as engine:
        yield engine


@pytest.fixture
def engine(town_engine: Engine) -> Iterator[Engine]:
    """An engine with nothing spent."""
    with blank_ledger() as ledger:
        yield Engine(town_engine.catalog, town_engine.backend, ledger, add_noise)
