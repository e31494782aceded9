"""Every test of the ledger runs on both stores: on SQLite, and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from budgets import Ledger
from tests.support.ledger import postgres
from tests.support.ledger.blank_ledger import blank_ledger

STORES = ("sqlite", "postgres")


@pytest.fixture(params=STORES)
def store_kind(request: pytest.FixtureRequest) -> str:
    """Name the database under test."""
    return str(request.param)


@pytest.fixture
def address(store_kind: str, tmp_path: Path) -> str:
    """Address of a ledger that does not exist yet."""
    return str(tmp_path / "ledger.sqlite") if store_kind == "sqlite" else postgres.server().new_ledger()


@pytest.fixture
def ledger(store_kind: str) -> Iterator[Ledger]:
    """Open an empty ledger; in memory where the store has one."""
    new = blank_ledger() if store_kind == "sqlite" else Ledger.open(postgres.server().new_ledger())
    with new as opened:
        yield opened
