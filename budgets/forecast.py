"""How long a budget lasts at the present rate: told to people; no budget and no decision depends on it.

What was debited lately, with the ledger's own times, and what is left  ->  days; nothing where history is too short.
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

LATELY = timedelta(days=30)  # debits that a rate is made of
SHORTEST = timedelta(days=7)  # between the first of them and now: what is younger tells no rate
FEWEST = 3  # debits
LONGEST = timedelta(days=3 * 365)  # what lasts longer is no news


@dataclass(frozen=True)
class Debited:
    """A debit of one account."""

    at: datetime
    loss: Loss


@dataclass(frozen=True)
class Forecast:
    """When an account would be empty if it were spent on as lately."""

    days: int  # until then, rounded down
    of_days: int  # how many days the rate is of


def debits_of(charged: Iterable[Entry], holders: Collection[str]) -> dict[AccountName, list[Debited]]:
    """Read from rows of charges when some holders' accounts were debited: each question once."""
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
    """Say how long what remains would last; None where that is not known, or years away.

    Claim: if as much is debited each day as on average since the first of the late debits, rho is used up after that
    many days. Symbols: debits of the last 30 days, remaining rho. Formula: remaining / (sum / days since the first).
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
