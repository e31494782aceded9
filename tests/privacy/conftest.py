"""What the tests of privacy share: one database in memory, in which each makes its worlds, and the grey box's catalog."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from dialect.catalog.model import Catalog
from tests.support.greybox.greybox import connect
from tests.support.greybox.greybox_data import declare


@pytest.fixture(scope="session")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return declare()
