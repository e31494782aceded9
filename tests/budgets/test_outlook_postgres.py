"""The budget forecast on PostgreSQL: the same properties, each history in a ledger of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import Phase, settings

from budgets import Ledger
from tests.budgets.accounting import test_outlook as outlook_tests
from tests.budgets.accounting import test_outlook_planted as planted
from tests.conftest import NIGHTLY
from tests.support.ledger import postgres

HISTORIES = 60 if NIGHTLY else 4
HELD = (
    outlook_tests.test_the_forecast_number_of_queries_is_accepted_and_one_more_refused,
    outlook_tests.test_a_price_that_would_fit_is_accepted,
    outlook_tests.test_a_little_more_than_fits_is_refused,
)


@pytest.fixture
def on_postgres(monkeypatch: pytest.MonkeyPatch) -> list[Ledger]:
    """Write histories to PostgreSQL; collects the ledgers that were opened."""
    there: list[Ledger] = []

    def opened() -> Ledger:
        there.append(Ledger.open(postgres.server().new_ledger()))
        return there[-1]

    monkeypatch.setattr(outlook_tests, "opened", opened)
    return there


@pytest.mark.parametrize("search", HELD)
def test_forecast_prices_are_accepted(
    search: Callable[[], None], on_postgres: list[Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = settings(max_examples=HISTORIES, phases=(Phase.generate,), database=None, deadline=None)
    monkeypatch.setattr(search, "_hypothesis_internal_use_settings", few)
    search()
    assert len(on_postgres) >= HISTORIES
    assert {ledger._store.writer.dialect.name for ledger in on_postgres} == {"postgresql"}


def test_a_planted_bug_is_found_there(on_postgres: list[Ledger], monkeypatch: pytest.MonkeyPatch) -> None:
    planted.test_a_planted_bug_is_found(planted.plant_other_windows_unseen, monkeypatch)
    assert on_postgres
