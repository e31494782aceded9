"""A backend and an engine over each file's own town, `catalog`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from budgets import Ledger
from dialect.catalog.model import Catalog
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.profiles import histogram_reading
from tests.engine.town import backend_over


@pytest.fixture(autouse=True)
def _forgotten_readings() -> None:
    """Forget readings: a test may plant other laws and populations than those of an earlier one."""
    histogram_reading._read.cache_clear()


@pytest.fixture(scope="module")
def backend(catalog: Catalog) -> Iterator[Any]:
    """Open the town's data."""
    opened = backend_over(catalog, Path(catalog.path).parent)
    yield opened
    opened.close()


@pytest.fixture
def engine(catalog: Catalog, backend: Any) -> Iterator[Engine]:
    """Make an engine with a ledger of its own."""
    with Ledger.open(":memory:") as ledger:
        yield Engine(catalog, backend, ledger, add_noise)
