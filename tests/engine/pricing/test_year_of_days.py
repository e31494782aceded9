"""A year of dashboards: every day brings its own budget, and no day ever gets any back."""

from __future__ import annotations

import os
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from budgets import AccountName, BudgetRefused, Loss
from engine.pricing.query_terms import Request, caps
from tests.engine.town import make_town, opened
from tests.engine.windowed_town import WINDOWED

STEP = 1 if os.environ.get("PASSERSBY_NIGHTLY") else 7  # days from one dashboard to the next
YEAR = [date(2026, 1, 1) + timedelta(days=i) for i in range(0, 365, STEP)]
DECLARED = WINDOWED.replace('"2026-10-01"', '"2026-01-01"').replace('"2026-10-04"', '"2026-12-31"')
DASHBOARD = "SELECT zone, COUNT(*) AS n FROM visit WHERE day = DATE '{}' GROUP BY zone"
PRICE = Fraction(1, 100)
A_DAY_BEARS = 10  # questions of one client


def test_a_year_of_daily_dashboards(tmp_path: Path) -> None:
    with opened(make_town(tmp_path, declared=DECLARED), tmp_path) as engine:
        (town,) = engine.catalog.datasets
        for day in YEAR:
            answered = engine.answer(DASHBOARD.format(day), Request("ann", PRICE))
            assert answered.charged_loss == Loss.rounded_up(PRICE, Fraction(0))
            assert answered.prepared[0].plan.charged_windows.windows == (day.isoformat(),)
        assert PRICE * len(YEAR) > 2 * town.budget.rho
        for day in (YEAR[0], YEAR[len(YEAR) // 2], YEAR[-1]):
            account = engine.ledger.account(AccountName("town", day.isoformat(), "ann"), caps(town.budget).client)
            assert account.spent.rho == PRICE
        assert engine.answer(DASHBOARD.format(YEAR[0]), Request("ann", PRICE)).charged_loss == Loss(0, 0)  # seen before
        old = DASHBOARD.replace("GROUP", "AND coins < {} GROUP")
        for coins in range(A_DAY_BEARS - 1):
            engine.answer(old.format(YEAR[0], coins), Request("ann", PRICE))
        with pytest.raises(BudgetRefused):
            engine.answer(old.format(YEAR[0], 99), Request("ann", PRICE))
        engine.answer(old.format(YEAR[1], 99), Request("ann", PRICE))
