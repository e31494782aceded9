"""Budget outlook: how many more queries like this one fit, when new budget comes, and what fits instead.

Public facts alone: text, catalog, accounts, and the client's holdings. The clock is read for display only: the
forecast of how long a budget lasts appears in explanations, not in refusals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from budgets import PICO, BudgetRefused, ChargeRequest, Forecast, Ledger, Outlook
from dialect import Catalog, Question
from dialect.catalog import STATIC, Dataset, next_begin, window_name
from engine.pricing.prepare import Prepared
from engine.pricing.target_error import errors_at, errors_told, held_prices
from engine.reuse.replay import Repeats

NEVER = "no new budget comes: the dataset is one privacy window, forever"


@dataclass(frozen=True)
class Ahead:
    """Budget outlook for queries like one."""

    outlook: Outlook  # its windows are those that the query can be moved to
    errors: Mapping[str, float]  # half-widths of the query at the largest price that fits
    confidence: float  # confidence level of these half-widths
    held_rho: Fraction | None  # another price at which the client has the whole answer stored, for free; only if useful
    order: tuple[str, ...]  # the declared windows
    next_window: str | None  # the next window with unspent budget
    new_budget: str  # sentence on when new budget becomes available
    lasts: Forecast | None  # forecast of the binding account; None if history is too short


def ahead(
    ledger: Ledger,
    catalog: Catalog,
    question: Question,
    prepared: tuple[Prepared, ...],
    request: ChargeRequest,
    confidence: float,
    now: datetime | None,
) -> Ahead:
    """Compute the budget outlook of a query; without `now` it has no forecast."""
    dataset = catalog.dataset(request.dataset)
    fixed = frozenset(window for each in prepared for window in (*each.plan.touched.derived, STATIC))
    movable = () if fixed & request.windows else dataset.windows
    found = _movable(ledger.outlook(request, movable), request, fixed)
    forecasts = {} if now is None or found.binds is None else ledger.forecasts(request.client, [found.binds], now)
    share = found.would_fit.pico_rho // len(prepared)
    following, told = new_budget(dataset, max(request.windows - {STATIC}, default=None))
    return Ahead(
        found,
        errors_at(question, prepared, share, confidence),
        confidence,
        _held(ledger, prepared, request) if now is not None or not found.further else None,
        dataset.windows,
        following,
        told,
        forecasts.get(found.binds.name) if found.binds is not None else None,
    )


def _movable(found: Outlook, request: ChargeRequest, fixed: frozenset[str]) -> Outlook:
    """Drop proposed windows if the query must stay in some: source windows of derived columns, or the static one."""
    stays = (request.windows & fixed) <= set(found.fewer)
    return found if stays else replace(found, fewer=())


def _held(ledger: Ledger, prepared: tuple[Prepared, ...], request: ChargeRequest) -> Fraction | None:
    """Highest other price at which the client has stored every release of this query; None if there is none."""
    sized = [each.sized for each in prepared]
    delta = next((each.cost.loss.delta for each in prepared if each.cost.threshold is not None), Fraction(0))
    named = Repeats(ledger, prepared[0].sized.catalog.dataset(request.dataset))
    prices = held_prices(sized, ledger.releases(request.client), delta, named.current)
    others = [price for price in prices if price != prepared[0].cost.loss.pico_rho]
    return Fraction(max(others) * len(prepared), PICO) if others else None


def new_budget(dataset: Dataset, last: str | None) -> tuple[str | None, str]:
    """Next privacy window with unspent budget after the last one charged, and a sentence on when it opens."""
    if dataset.stretch is None:
        return None, NEVER
    later = [window for window in dataset.windows if last is not None and window > last]
    if later:
        return later[0], f"new budget: questions about {later[0]}"
    stretch = dataset.stretch
    following = window_name(stretch.window, next_begin(stretch.window, stretch.last))
    return following, f"new budget: questions about {following}, once the catalog declares it"


def in_words(windows: Sequence[str], order: Sequence[str]) -> str:
    """Format privacy windows, runs as ranges: 2026-01 to 2026-03, 2026-07."""
    place, runs = {window: at for at, window in enumerate(order)}, list[list[str]]()
    for window in windows:
        if runs and window in place and place[window] - 1 == place.get(runs[-1][-1]):
            runs[-1].append(window)
        else:
            runs.append([window])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def sentences(given: Ahead) -> list[str]:
    """Format the outlook as sentences, the most important one first."""
    found, told = given.outlook, []
    if found.stopped is not None:
        told.append(found.stopped.removesuffix("."))
    elif found.further:
        told.append(f"{found.further:,} more at this price, by {_binding(found)}")
    else:
        told.append(f"no more at this price, by {_binding(found)}")
    told.append(given.new_budget)
    if given.lasts is not None:
        told.append(lasting(given.lasts, "that budget"))
    return told + ([] if found.further else instead(given))


def lasting(told: Forecast, what: str) -> str:
    """Sentence on how long a budget lasts at the recent rate of spending."""
    days = {0: "less than a day", 1: "about 1 day"}.get(told.days, f"about {told.days:,} days")
    return f"at the rate of the last {told.of_days} days {what} lasts {days}"


def instead(given: Ahead) -> list[str]:
    """List alternatives to a query that does not fit its budget."""
    found, told = given.outlook, []
    if found.would_fit.pico_rho:
        buys = f", which buys {errors_told(given.errors)} at confidence {given.confidence:g}" if given.errors else ""
        told.append(f"rho {float(found.would_fit.rho):.12g} fits{buys}")
    if found.fewer:
        told.append(f"the same about {in_words(found.fewer, given.order)} alone fits")
    if found.elsewhere:
        told.append(f"the same about {_one_of(found.elsewhere, given.order)} fits")
    if given.held_rho is not None:
        told.append(f"you hold this answer at rho {float(given.held_rho):.12g}: with that price it is free")
    return told


def _one_of(windows: Sequence[str], order: Sequence[str]) -> str:
    return windows[0] if len(windows) == 1 else f"any one of {in_words(windows, order)}"


def _binding(found: Outlook) -> str:
    return "the most that one question may cost" if found.binds is None else str(found.binds.name)


def outlook(given: Ahead) -> dict[str, Any]:
    """Outlook in its JSON form."""
    found = given.outlook
    return {
        "further": found.further,
        "account": None if found.binds is None else str(found.binds.name),
        "client": None if found.binds is None else found.binds.name.client,
        "window": None if found.binds is None else found.binds.name.window,
        "next_window": given.next_window,
        "lasts_days": given.lasts and given.lasts.days,
        "rate_days": given.lasts and given.lasts.of_days,
        "would_fit_rho": float(found.would_fit.rho),
        "stopped": found.stopped,
        **_fitting(given),
        "told": sentences(given),
    }


def _fitting(given: Ahead) -> dict[str, object]:
    return {
        "would_fit_error": dict(given.errors),
        "would_fit_windows": list(given.outlook.fewer),
        "other_windows": list(given.outlook.elsewhere),
        "free_at_rho": None if given.held_rho is None else float(given.held_rho),
    }


@contextmanager
def telling_what_fits(look: Callable[[], Ahead | None]) -> Iterator[None]:
    """Extend a budget refusal by alternatives that fit: a price, other windows, a stored answer."""
    try:
        yield
    except BudgetRefused as refused:
        given = look()
        if given is not None:
            refused.told |= _fitting(given)
            buys = errors_told(given.errors)
            more = [f"That buys {buys} at confidence {given.confidence:g}."] if buys else []
            others = instead(given)[bool(given.outlook.would_fit.pico_rho) :]
            refused.hint = " ".join([refused.hint, *more, *(f"{each[0].upper()}{each[1:]}." for each in others)])
        raise
