"""Each property of the budget forecast has a search that finds its planted bug."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import Phase, settings

from budgets import LIFETIME, BudgetRefused
from budgets.accounting import outlook
from budgets.accounting.accounts import EVERYBODY
from budgets.accounting.outlook import PayingAccounts
from tests.budgets.accounting import test_outlook as outlook_tests

FOUND = (AssertionError, BudgetRefused, pytest.fail.Exception)
_debits, _fewer, _largest = PayingAccounts.debits, outlook._fitting_windows, outlook._largest_price


def plant_lifetime(plant: pytest.MonkeyPatch) -> None:
    def debits(room: PayingAccounts, items):
        return tuple((view, loss) for view, loss in _debits(room, items) if view.name.window != LIFETIME)

    plant.setattr(PayingAccounts, "debits", debits)


def plant_groups(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(outlook, "paying_holders", lambda client: (EVERYBODY, client))


def plant_delta(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(outlook, "_count_fits", lambda remaining, loss: remaining.pico_rho // loss.pico_rho)


def plant_one_question(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(outlook, "_exceeds_query_limit", lambda room, items: False)


def plant_one_pico_more(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(outlook, "_largest_price", lambda items, tightest, part: _largest(items, tightest, part) + len(items))


def plant_windows_that_are_short(plant: pytest.MonkeyPatch) -> None:
    def fewer(room: PayingAccounts, items) -> tuple[str, ...]:
        touched = tuple(dict.fromkeys(window for item in items for window in item.windows))
        return touched[1:] if _fewer(room, items) else ()

    plant.setattr(outlook, "_fitting_windows", fewer)


def plant_other_windows_unseen(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(outlook, "_other_windows", lambda room, items, windows: tuple(windows))


PLANTED: dict[Callable[[pytest.MonkeyPatch], None], Callable[[], None]] = {
    plant_lifetime: outlook_tests.test_the_forecast_number_of_queries_is_accepted_and_one_more_refused,
    plant_groups: outlook_tests.test_the_forecast_number_of_queries_is_accepted_and_one_more_refused,
    plant_delta: outlook_tests.test_the_forecast_number_of_queries_is_accepted_and_one_more_refused,
    plant_one_question: outlook_tests.test_the_forecast_number_of_queries_is_accepted_and_one_more_refused,
    plant_one_pico_more: outlook_tests.test_a_little_more_than_fits_is_refused,
    plant_windows_that_are_short: outlook_tests.test_a_price_that_would_fit_is_accepted,
    plant_other_windows_unseen: outlook_tests.test_a_price_that_would_fit_is_accepted,
}


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__.removeprefix("plant_").replace("_", " "))
def test_a_planted_bug_is_found(bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    bug(monkeypatch)
    search = PLANTED[bug]  # the first find is enough: nobody reads a smaller one
    quick = settings(max_examples=300, phases=(Phase.generate,), database=None, derandomize=True, deadline=None)
    with pytest.MonkeyPatch.context() as hurried, pytest.raises((*FOUND, ExceptionGroup)):
        hurried.setattr(search, "_hypothesis_internal_use_settings", quick)
        search()
