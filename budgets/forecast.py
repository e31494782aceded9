"""Estimate how long a budget lasts at the current rate. For display only: no decision depends on it.

Recent debits with the times of their ledger entries, and the remaining budget -> days; None if history is too short.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from budgets.accounting.accounts import LIFETIME, AccountName
from budgets.accounting.bill import times
from budgets.accounting.holders import is_client
from budgets.accounting.loss import NOTHING, Loss, total
from budgets.log.chain import Entry

LATELY = timedelta(days=30)  # debits from which the rate is estimated
SHORTEST = timedelta(days=7)  # minimum age of the first debit
FEWEST = 3  # minimum number of debits
LONGEST = timedelta(days=3 * 365)  # longer durations are not reported


@dataclass(frozen=True)
class Debited:
    """A debit of one account, with its time."""

    at: datetime
    loss: Loss


@dataclass(frozen=True)
class Forecast:
    """When an account runs out at the recent rate of spending."""

    days: int  # days until the account runs out, rounded down
    of_days: int  # length of the history that the rate is estimated from, in days


def debits_of(charged: Iterable[Entry], holders: Collection[str]) -> dict[AccountName, list[Debited]]:
    """Collect the debits of some holders' accounts from the ledger entries of charges."""
    found: dict[AccountName, list[Debited]] = {}
    for entry in charged:
        at = datetime.fromisoformat(entry.at)
        for name, loss in _debited(entry, holders).items():
            found.setdefault(name, []).append(Debited(at, loss))
    return found


def _debited(entry: Entry, holders: Collection[str]) -> dict[AccountName, Loss]:
    paid: dict[AccountName, Loss] = {}
    for release in entry.said["releases"]:
        windows, loss = entry.said["windows"][release["windows"]], Loss(*release["loss"])
        for holder in (payer for payer in release["payers"] if payer in holders):
            lifetime = [(LIFETIME, times(loss, len(windows)))] if is_client(holder) else []
            for window, debit in [*((window, loss) for window in windows), *lifetime]:
                name = AccountName(entry.dataset, window, holder)
                paid[name] = paid.get(name, NOTHING) + debit
    return paid


def forecast(debits: Sequence[Debited], remaining: Loss, now: datetime) -> Forecast | None:
    """Days until the remaining rho is spent at the recent rate; None if unknown or more than three years away.

    Claim: if each day debits as much as the average since the first recent debit, rho is used up after that many days.
    Symbols: debits of the last 30 days, remaining rho. Formula: remaining / (sum / days since the first debit).
    Source: none, it is an average. Raises nothing.
    """
    late = [each for each in debits if timedelta(0) <= now - each.at <= LATELY]
    spent = total(each.loss for each in late).rho
    if len(late) < FEWEST or not spent:
        return None
    since = now - min(each.at for each in late)
    if since < SHORTEST:
        return None
    seconds = remaining.rho / spent * int(since.total_seconds())
    if seconds > LONGEST.total_seconds():
        return None
    return Forecast(int(seconds) // 86_400, round(since.total_seconds() / 86_400))
