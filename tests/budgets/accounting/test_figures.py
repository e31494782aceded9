"""Quoted properties of the ledger: the gain of composition, the savings of replays, independence of clocks."""

from __future__ import annotations

import math
from datetime import date, timedelta
from fractions import Fraction

import pytest

from budgets import BudgetRefused, Caps, Ledger, Loss, PricedRelease, rho_from_epsilon
from budgets.accounting.privacy_loss import conversion_delta
from budgets.stores import journal
from tests.budgets.ledger_checks import SHARED, answer, ask, item

SIGMA = Fraction(1414, 100)
COUNT = Loss.rounded_up(1 / (2 * SIGMA**2))  # of one count with sensitivity 1


def test_seventy_four_counts_where_basic_composition_gives_thirty(ledger: Ledger) -> None:
    """Under (epsilon 3, delta 1e-6): Laplace noise of this standard deviation has epsilon 0.1 a count, and adds up to 30.

    No count here spends delta, so the whole of 1e-6 is the conversion's; a cap that keeps a tenth of it for private keys
    holds 73.
    """
    laplace_epsilon = Fraction(math.sqrt(2)) / SIGMA
    assert int(3 / laplace_epsilon) in (29, 30)
    promised = Loss.rounded_down(rho_from_epsilon(3, "1e-6"), Fraction(1, 10**6) / Fraction(9, 10))
    with pytest.raises(BudgetRefused):
        for number in range(80):
            one = PricedRelease(f"count {number}", COUNT, "SELECT COUNT(*)", ("forever",))
            ledger.charge(ask(one, request=f"r{number}", caps=Caps(promised, promised)))
    assert len(ledger.paid_releases("ann")) == 74
    view = ledger.account(SHARED)
    assert view.spent_epsilon_delta.epsilon <= 3
    assert (conversion_delta(view.cap), view.spent.delta) == (Fraction(1, 10**6), 0)
    assert int(rho_from_epsilon(3, "9e-7") / COUNT.rho) == 73


def test_a_dashboard_refreshed_a_thousand_times_costs_what_it_costs_once(ledger: Ledger) -> None:
    questions = [item(f"q{number}", "0.0025") for number in range(40)]
    caps = Caps(Loss.rounded_down("0.1", "1e-9"), Loss.rounded_down("0.1", "1e-9"))
    answer(ledger, ledger.charge(ask(*questions, caps=caps)))
    keys = [question.release_key for question in questions]
    first = ledger.replay("ann", "operator", keys)
    assert len(first) == 40
    for _ in range(999):
        assert ledger.replay("ann", "operator", keys) == first
    again = ledger.charge(ask(*questions, request="again", caps=caps))
    assert (again.loss, again.to_run) == (Loss(0), ())
    assert ledger.account(SHARED).spent == Loss.rounded_up("0.1")


def test_a_year_of_daily_dashboards() -> None:
    """Every day is a window: it brings its own budget, and none that is spent comes back."""
    caps = Caps(Loss.rounded_down("0.1", "1e-9"), Loss.rounded_down("0.1", "1e-9"))
    with Ledger.open(":memory:") as ledger:
        days = [str(date(2026, 1, 1) + timedelta(days=number)) for number in range(365)]
        for day in days:
            questions = [item(f"{day} {number}", "0.0025", windows=(day,)) for number in range(40)]
            charge = ledger.charge(ask(*questions, request=day, caps=caps))
            assert charge.loss == Loss.rounded_up("0.1")
            answer(ledger, charge)
            assert ledger.charge(ask(*questions, request=f"{day} again", caps=caps)).loss == Loss(0)
        for day in (days[0], days[180], days[-1]):
            with pytest.raises(BudgetRefused, match=rf"window '{day}' .* has rho 0 left"):
                ledger.charge(ask(item("one more", "0.0001", windows=(day,)), request="more", caps=caps))
        views = [view for view in ledger.accounts() if view.name.holder == ""]
        assert [view.name.window for view in views] == days
        assert {view.spent for view in views} == {Loss.rounded_up("0.1")}


@pytest.mark.parametrize("year", ["2025", "2027"])
def test_the_clock_a_year_off_changes_no_budget(ledger: Ledger, year: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.charge(ask(item("aa", "0.08", windows=("2026-10",))))
    before = ledger.accounts()
    monkeypatch.setattr(journal, "now_text", lambda: f"{year}-11-25T00:00:00.000+00:00")
    assert ledger.accounts() == before
    with pytest.raises(BudgetRefused, match=r"has rho 0\.02 left"):
        ledger.charge(ask(item("bb", "0.03", windows=("2026-10",)), request="r2"))
    ledger.charge(ask(item("bb", "0.02", windows=("2026-10",)), request="r2"))
    assert ledger.entries()[-1].at.startswith(year)
    assert ledger.verify() == ()
