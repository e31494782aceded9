"""Estimate how long a budget lasts at the current rate. For display only: no decision depends on it.

Recent debits with the times of their ledger entries, and the remaining budget -> days; None if history is too short.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from budgets.accounting.accounts import LIFETIME, AccountName, is_client_or_group
from budgets.accounting.privacy_loss import ZERO_LOSS, Loss, sum_losses
from budgets.log.events import Entry

RATE_PERIOD = timedelta(days=30)  # debits from which the rate is estimated
MIN_HISTORY = timedelta(days=7)  # minimum age of the first debit
MIN_DEBITS = 3  # minimum number of debits
MAX_DURATION = timedelta(days=3 * 365)  # longer durations are not reported


@dataclass(frozen=True)
class DatedDebit:
    """A debit of one account, with its time."""

    at: datetime
    loss: Loss


@dataclass(frozen=True)
class Forecast:
    """When an account runs out at the recent rate of spending."""

    days: int  # days until the account runs out, rounded down
    history_days: int  # length of the history that the rate is estimated from, in days


def dated_debits(charged: Iterable[Entry], holders: Collection[str]) -> dict[AccountName, list[DatedDebit]]:
    """Collect the debits of some holders' accounts from the ledger entries of charges."""
    found: dict[AccountName, list[DatedDebit]] = {}
    for entry in charged:
        at = datetime.fromisoformat(entry.at)
        for name, loss in _debits_of_entry(entry, holders).items():
            found.setdefault(name, []).append(DatedDebit(at, loss))
    return found


def _debits_of_entry(entry: Entry, holders: Collection[str]) -> dict[AccountName, Loss]:
    """Loss that one charge debited from each account of some holders.

    Body of the entry: `windows` = lists of windows, `releases` = objects with key, loss [pico-rho, atto-delta],
    `windows` = index of its list, and `payers` = holders. Clients and groups also pay from their lifetime account, once
    per window.
    """
    paid: dict[AccountName, Loss] = {}
    for release in entry.content["releases"]:
        windows, loss = entry.content["windows"][release["windows"]], Loss(*release["loss"])
        for holder in (payer for payer in release["payers"] if payer in holders):
            lifetime = [(LIFETIME, loss.times(len(windows)))] if is_client_or_group(holder) else []
            for window, debit in [*((window, loss) for window in windows), *lifetime]:
                name = AccountName(entry.dataset, window, holder)
                paid[name] = paid.get(name, ZERO_LOSS) + debit
    return paid


def forecast(debits: Sequence[DatedDebit], remaining: Loss, now: datetime) -> Forecast | None:
    """Days until the remaining rho is spent at the recent rate; None if unknown or more than three years away.

    Claim: if each day debits as much as the average since the first recent debit, rho is used up after that many days.
    Symbols: debits of the last 30 days, remaining rho. Formula: remaining / (sum / days since the first debit).
    Source: none, it is an average. Raises nothing.
    """
    recent = [each for each in debits if timedelta(0) <= now - each.at <= RATE_PERIOD]
    spent = sum_losses(each.loss for each in recent).rho
    if len(recent) < MIN_DEBITS or not spent:
        return None
    since = now - min(each.at for each in recent)
    if since < MIN_HISTORY:
        return None
    seconds = remaining.rho / spent * int(since.total_seconds())
    if seconds > MAX_DURATION.total_seconds():
        return None
    return Forecast(int(seconds) // 86_400, round(since.total_seconds() / 86_400))
