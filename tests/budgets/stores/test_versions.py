"""A ledger of another format is refused, and left unchanged; on both stores."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from budgets import Ledger, UnsafeStore
from budgets.stores.open import open_store
from tests.budgets.ledger_checks import answer, ask, check_books


@pytest.mark.parametrize("version", [1, 99])
def test_another_format_is_refused_and_not_touched(address: str, version: int) -> None:
    with Ledger.open(address) as ledger:
        answer(ledger, ledger.charge(ask()))
        check_books(ledger)
    store = open_store(address)
    with store.writing() as connection:
        connection.execute(text(f"UPDATE ledger_format SET version = {version}"))
    store.close()
    with pytest.raises(UnsafeStore, match=f"This ledger has format {version}, and this version reads format 2"):
        Ledger.open(address)
