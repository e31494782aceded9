"""The rate is that of recent debits; too little history gives no forecast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.accounting.privacy_loss import Loss
from budgets.forecast import DatedDebit, Forecast, forecast

NOW = datetime(2026, 10, 17, 12, tzinfo=UTC)
LEFT = Loss.rounded_up("0.06")


def debits(*days_ago: float, rho: str = "0.01") -> list[DatedDebit]:
    return [DatedDebit(NOW - timedelta(days=days), Loss.rounded_up(rho)) for days in days_ago]


def test_the_forecast_divides_remaining_by_past_spending() -> None:
    assert forecast(debits(20, 10, 5, 1), LEFT, NOW) == Forecast(30, 20)
    assert forecast(debits(29.5, 10, 5), Loss.rounded_up("0.01"), NOW) == Forecast(9, 30)
    assert forecast(debits(20, 10, 5, 1), Loss(0, 0), NOW) == Forecast(0, 20)


@pytest.mark.parametrize(
    "history",
    [[], [20.0, 1.0], [6.9, 3, 1, 0], [31, 32, 33], [40, 20, 1], [20.0, -1, -2]],
    ids=["none", "two", "a week has not passed", "long ago", "two of late", "of the future"],
)
def test_too_little_history_gives_no_forecast(history: list[float]) -> None:
    assert forecast(debits(*history), LEFT, NOW) is None


def test_a_forecast_of_many_years_is_omitted() -> None:
    assert forecast(debits(20, 10, 5, rho="0.0001"), Loss.rounded_up("0.2"), NOW) is None


@given(st.lists(st.floats(0, 30), min_size=3, max_size=20), st.integers(0, 10**12))
def test_spending_at_the_past_rate_ends_on_the_forecast_day(ago: list[float], left: int) -> None:
    told = forecast(debits(*ago), Loss(left, 0), NOW)
    if told is not None:
        days = (NOW - min(each.at for each in debits(*ago))).total_seconds() / 86_400
        a_day = 0.01 * len(ago) / days
        assert told.days <= left / 1e12 / a_day + 1e-6
        assert (told.days + 1) * a_day > left / 1e12 - 1e-6
