"""Budget outlook: how many more queries like this one fit, when new budget comes, and what fits instead.

Public facts alone: text, catalog, accounts, and the client's holdings. The clock is read for display only: the
forecast of how long a budget lasts appears in explanations, not in refusals.

Terms:
    binding account  the account that allows the fewest further queries
    fixed windows    privacy windows that a query can't be moved from: the static one, and sources of derived columns
    fits             can be charged now
    new budget       that of a later privacy window, which nobody has spent from
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
from dialect.catalog import STATIC, Dataset, next_window_start, window_name
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.target_error import format_half_widths, half_widths_at_price, paid_prices
from engine.reuse.holdings import ReplayGenerations

NO_NEW_BUDGET = "no new budget comes: the dataset is one privacy window, forever"


@dataclass(frozen=True)
class BudgetOutlook:
    """Budget outlook for queries like one."""

    outlook: Outlook  # its windows are those that the query can be moved to
    fitting_errors: Mapping[str, float]  # half-widths of the query at the largest price that fits
    confidence: float  # confidence level of these half-widths
    # another price at which the client has the whole answer stored, for free; only if useful
    stored_rho: Fraction | None
    declared_windows: tuple[str, ...]  # the declared windows
    next_window: str | None  # the next window with unspent budget
    new_budget: str  # sentence on when new budget becomes available
    forecast: Forecast | None  # forecast of the binding account; None if history is too short


def budget_outlook(
    ledger: Ledger,
    catalog: Catalog,
    question: Question,
    compiled: tuple[CompiledRelease, ...],
    charge_request: ChargeRequest,
    confidence: float,
    now: datetime | None,
    charged_count: int,
) -> BudgetOutlook:
    """Compute the budget outlook of a query; without `now` it has no forecast.

    A query with fixed windows can't be moved to others. Without `now` (in refusals), a stored answer at another price
    is looked up only if nothing fits.
    """
    dataset = catalog.datasets_by_name[charge_request.dataset]
    fixed_windows = frozenset(
        window for each in compiled for window in (*each.plan.charged_windows.derived_windows, STATIC)
    )
    movable_windows = () if fixed_windows & charge_request.windows else dataset.window_names
    account_outlook = _drop_fixed_windows(
        ledger.outlook(charge_request, movable_windows), charge_request, fixed_windows
    )
    forecasts = (
        {}
        if now is None or account_outlook.binding_account is None
        else ledger.forecasts(charge_request.client, [account_outlook.binding_account], now)
    )
    # largest price that fits, per release that is charged
    share = account_outlook.would_fit.pico_rho // charged_count
    next_window, new_budget_text = next_budget(dataset, max(charge_request.windows - {STATIC}, default=None))
    return BudgetOutlook(
        account_outlook,
        half_widths_at_price(question, compiled, share, confidence),
        confidence,
        _stored_rho(ledger, compiled, charge_request) if now is not None or not account_outlook.queries_left else None,
        dataset.window_names,
        next_window,
        new_budget_text,
        forecasts.get(account_outlook.binding_account.name) if account_outlook.binding_account is not None else None,
    )


def _drop_fixed_windows(outlook: Outlook, charge_request: ChargeRequest, fixed_windows: frozenset[str]) -> Outlook:
    """Drop proposed windows if the query must stay in some: source windows of derived columns, or the static one."""
    keeps_fixed = (charge_request.windows & fixed_windows) <= set(outlook.fitting_windows)
    return outlook if keeps_fixed else replace(outlook, fitting_windows=())


def _stored_rho(
    ledger: Ledger, compiled: tuple[CompiledRelease, ...], charge_request: ChargeRequest
) -> Fraction | None:
    """Highest other price at which the client has stored every release of this query; None if there is none."""
    unpriced = [each.unpriced_release for each in compiled]
    delta = next((each.cost.loss.delta for each in compiled if each.cost.threshold is not None), Fraction(0))
    generations = ReplayGenerations(
        ledger, compiled[0].unpriced_release.catalog.datasets_by_name[charge_request.dataset]
    )
    prices = paid_prices(unpriced, ledger.paid_releases(charge_request.client), delta, generations.current_key)
    others = [price for price in prices if price != compiled[0].cost.loss.pico_rho]
    return Fraction(max(others) * len(compiled), PICO) if others else None


def next_budget(dataset: Dataset, last: str | None) -> tuple[str | None, str]:
    """Next privacy window with unspent budget after the last one charged, and a sentence on when it opens."""
    if dataset.window_range is None:
        return None, NO_NEW_BUDGET
    later = [window for window in dataset.window_names if last is not None and window > last]
    if later:
        return later[0], f"new budget: questions about {later[0]}"
    stretch = dataset.window_range
    next_window = window_name(stretch.window, next_window_start(stretch.window, stretch.last))
    return next_window, f"new budget: questions about {next_window}, once the catalog declares it"


def format_windows(windows: Sequence[str], declared_windows: Sequence[str]) -> str:
    """Format privacy windows, runs as ranges: 2026-01 to 2026-03, 2026-07."""
    place, runs = {window: at for at, window in enumerate(declared_windows)}, list[list[str]]()
    for window in windows:
        if runs and window in place and place[window] - 1 == place.get(runs[-1][-1]):
            runs[-1].append(window)
        else:
            runs.append([window])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def outlook_sentences(budget: BudgetOutlook) -> list[str]:
    """Format the outlook as sentences, the most important one first."""
    outlook, lines = budget.outlook, []
    if outlook.blocked_reason is not None:
        lines.append(outlook.blocked_reason.removesuffix("."))
    elif outlook.queries_left:
        lines.append(f"{outlook.queries_left:,} more at this price, by {_binding_account(outlook)}")
    else:
        lines.append(f"no more at this price, by {_binding_account(outlook)}")
    lines.append(budget.new_budget)
    if budget.forecast is not None:
        lines.append(forecast_sentence(budget.forecast, "that budget"))
    return lines + ([] if outlook.queries_left else alternatives(budget))


def forecast_sentence(forecast: Forecast, budget_name: str) -> str:
    """Sentence on how long a budget lasts at the recent rate of spending."""
    days = {0: "less than a day", 1: "about 1 day"}.get(forecast.days, f"about {forecast.days:,} days")
    return f"at the rate of the last {forecast.history_days} days {budget_name} lasts {days}"


def alternatives(budget: BudgetOutlook) -> list[str]:
    """List alternatives to a query that does not fit its budget."""
    outlook, lines = budget.outlook, []
    if outlook.would_fit.pico_rho:
        buys = (
            f", which buys {format_half_widths(budget.fitting_errors)} at confidence {budget.confidence:g}"
            if budget.fitting_errors
            else ""
        )
        lines.append(f"rho {float(outlook.would_fit.rho):.12g} fits{buys}")
    if outlook.fitting_windows:
        lines.append(f"the same about {format_windows(outlook.fitting_windows, budget.declared_windows)} alone fits")
    if outlook.other_windows:
        lines.append(f"the same about {_one_of_windows(outlook.other_windows, budget.declared_windows)} fits")
    if budget.stored_rho is not None:
        lines.append(f"you hold this answer at rho {float(budget.stored_rho):.12g}: with that price it is free")
    return lines


def _one_of_windows(windows: Sequence[str], declared_windows: Sequence[str]) -> str:
    """Name one window, or any of several."""
    return windows[0] if len(windows) == 1 else f"any one of {format_windows(windows, declared_windows)}"


def _binding_account(outlook: Outlook) -> str:
    """Name the limit in words; without a binding account it is the limit of one query."""
    return (
        "the most that one question may cost" if outlook.binding_account is None else str(outlook.binding_account.name)
    )


def outlook_json(budget: BudgetOutlook) -> dict[str, Any]:
    """Outlook in its JSON form; the last key holds the same as sentences (`outlook_sentences`)."""
    account_outlook = budget.outlook
    return {
        "further": account_outlook.queries_left,
        "account": None if account_outlook.binding_account is None else str(account_outlook.binding_account.name),
        "client": None if account_outlook.binding_account is None else account_outlook.binding_account.name.client,
        "window": None if account_outlook.binding_account is None else account_outlook.binding_account.name.window,
        "next_window": budget.next_window,
        "lasts_days": budget.forecast and budget.forecast.days,
        "rate_days": budget.forecast and budget.forecast.history_days,
        "would_fit_rho": float(account_outlook.would_fit.rho),
        "stopped": account_outlook.blocked_reason,
        **_alternatives_json(budget),
        "told": outlook_sentences(budget),
    }


def _alternatives_json(budget: BudgetOutlook) -> dict[str, object]:
    """List in JSON form what would fit: half-widths at the largest price, windows, rho of a stored answer."""
    return {
        "would_fit_error": dict(budget.fitting_errors),
        "would_fit_windows": list(budget.outlook.fitting_windows),
        "other_windows": list(budget.outlook.other_windows),
        "free_at_rho": None if budget.stored_rho is None else float(budget.stored_rho),
    }


@contextmanager
def adding_alternatives(find_outlook: Callable[[], BudgetOutlook | None]) -> Iterator[None]:
    """Extend a budget refusal by alternatives that fit: a price, other windows, a stored answer."""
    try:
        yield
    except BudgetRefused as refused:
        budget = find_outlook()
        if budget is not None:
            refused.alternatives |= _alternatives_json(budget)
            buys = format_half_widths(budget.fitting_errors)
            more = [f"That buys {buys} at confidence {budget.confidence:g}."] if buys else []
            # without the price that fits, which the refusal names already
            others = alternatives(budget)[bool(budget.outlook.would_fit.pico_rho) :]
            refused.hint = " ".join([refused.hint, *more, *(f"{each[0].upper()}{each[1:]}." for each in others)])
        raise
