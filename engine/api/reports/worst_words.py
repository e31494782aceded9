"""The limits of a dataset -> what a person is told of the worst that can happen: epsilon, odds, plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from budgets import AccountView, EpsilonDelta, Ledger, chargeable, conversion_delta, epsilon_at
from dialect.catalog.catalog import Catalog, Dataset
from dialect.catalog.privacy_windows import STATIC, Window
from engine.accounts.ledger_words import delta_text
from engine.accounts.worst_case import everybodys, of_all
from engine.pricing.terms import caps

UNITS = {
    Window.FOREVER: "everything about you, over the whole time",
    Window.MONTH: "everything about you in one calendar month",
    Window.WEEK: "everything about you in one week",
    Window.DAY: "everything about you on one day",
}
LARGEST_ODDS = 1e6  # beyond it a number says no more than a word


def worst_told(catalog: Catalog, ledger: Ledger, dataset: Dataset) -> Iterator[str]:
    """Say what all askers together may learn at most: of one window, and beside it of all of them."""
    cap, accounts = caps(dataset).dataset, everybodys(catalog, ledger, dataset)
    limit, windowed = EpsilonDelta.of(chargeable(cap), cap), dataset.window is not Window.FOREVER
    unit = UNITS[dataset.window].removeprefix("everything about you ")
    did = f" {unit}" if windowed else ""
    of_did = f" on what can be learned of all that you did{did}," if windowed else ""
    yield (
        f"There is a limit{of_did} that all askers together can never pass, whatever they ask, also if they put their"
        f" answers together and know everything about everybody else. Experts call it {_epsilon(limit)}."
    )
    if windowed:
        yield from _over_all(ledger, dataset, accounts)
    yield (
        f"In plain words: somebody wonders whether you are in these data, with all that you did{did}, or"
        f" {'with nothing of it' if windowed else 'not at all'}, and finds it as likely as not. After all answers their"
        f" odds are at worst {odds(limit.epsilon)}: they are {_sure(limit.epsilon)}."
        f" Chances of {_one_in(cap.delta)} are left out of this."
    )
    pair = epsilon_at(4 * cap.rho, conversion_delta(cap))
    yield (
        f"Whoever knows that you are in them, and wonders which of two things you did{did}, may come to odds"
        f" of {odds(pair)}."
    )
    yield "That is a bound that can be proven, and not what is expected: with less knowledge, far less is learned."


def _over_all(ledger: Ledger, dataset: Dataset, accounts: tuple[AccountView, ...]) -> Iterator[str]:
    """Say what holds beside the limit of one window: that of what has no time, and of all windows together."""
    for view in accounts:
        if view.name.window == STATIC:
            yield f"What is known of you without a time has a limit of its own: {_epsilon(view.cap_epsilon_delta)}."
    worst = of_all(ledger, dataset, accounts)
    if worst.limit is None:
        yield f"Whether you are in these data at all, {worst.where}, is limited by no number that says something."
        return
    yield (
        f"Whether you are in these data at all can be learned from more: {worst.where}, the limit is"
        f" {_epsilon(worst.limit)}, which is odds of {odds(worst.limit.epsilon)} at the worst."
    )


def odds(epsilon: float) -> str:
    """Say how far even odds can move."""
    ratio = math.exp(min(epsilon, 50.0))
    if ratio > LARGEST_ODDS:
        return "more than a million to 1"
    return f"{math.ceil(ratio * 100) / 100:.2f} to 1" if ratio < 10 else f"{math.ceil(ratio):,} to 1"


def _sure(epsilon: float) -> str:
    share = math.ceil(1000 / (1 + math.exp(-min(epsilon, 50.0)))) / 10
    return "as good as certain" if share > 99.9 else f"at most {share:.1f}% sure"


def _epsilon(limit: EpsilonDelta) -> str:
    return f"epsilon {up(limit.epsilon)} at delta {delta_text(limit.delta)}"


def up(epsilon: float) -> str:
    """Write an epsilon to two places, upwards."""
    return f"{math.ceil(epsilon * 100) / 100:.2f}"


def _one_in(chance: Fraction) -> str:
    return f"at most one in {int(1 / chance):,}" if chance else "nil"
