"""Dry run of a catalog change: what a new catalog would change with this ledger, and which changes are forbidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from budgets import CeilingRaised, Ledger
from dialect.catalog import Catalog, Dataset, Table
from engine.accounts.window_accounts import check_lengths, windows_of
from engine.catalog.sources import version_of
from engine.catalog.version import changed_units, table_meaning
from engine.errors import CatalogError
from engine.pricing.terms import caps

FORBIDDEN = "forbidden"  # opening the new catalog with this ledger raises the same message


@dataclass(frozen=True)
class Change:
    """One effect of the new catalog."""

    effect: str  # forbidden, price, limit, windows, bounds or replays
    key: str
    told: str


def catalog_diff(current: Catalog, new: Catalog, ledger: Ledger) -> tuple[Change, ...]:
    """Every effect of replacing the catalog, forbidden changes first."""
    before = {dataset.name: dataset for dataset in current.datasets}
    found = list(forbidden(new, ledger))
    for dataset in new.datasets:
        if dataset.name in before:
            found += _limits(before[dataset.name], dataset)
            found += _windows(current, new, before[dataset.name], dataset)
        else:
            found.append(Change("limit", f"datasets.{dataset.name}", "a new dataset, with a budget of its own."))
    found += (
        Change("limit", f"datasets.{name}", "is gone: nothing of it can be asked.") for name in _gone(before, new)
    )
    found += _tables(current, new)
    found += _replays(current, new, ledger)
    return tuple(found)


def forbidden(new: Catalog, ledger: Ledger) -> Iterator[Change]:
    """Find changes that opening refuses: other window lengths or privacy units, a raised ceiling."""
    try:
        check_lengths(ledger, new)
    except CatalogError as error:
        yield Change(FORBIDDEN, error.key, f"{error.why} {error.cure}")
    yield from (Change(FORBIDDEN, error.key, f"{error.why} {error.cure}") for error in changed_units(ledger, new))
    for dataset in new.datasets:
        try:
            ledger.check_caps(dataset.name, windows_of(new, dataset), caps(dataset))
        except CeilingRaised as error:
            yield Change(FORBIDDEN, f"datasets.{dataset.name}.budget", f"{error.why} {error.hint}")


def _limits(before: Dataset, after: Dataset) -> Iterator[Change]:
    """Find changes of prices, caps and replay age."""
    at = f"datasets.{after.name}"
    for name in ("rho", "delta"):
        yield from _number(
            "price", f"{at}.defaults.{name}", getattr(before.defaults, name), getattr(after.defaults, name)
        )
    for name in ("rho", "delta", "client_rho", "reserve_rho", "query_rho", "lifetime_rho"):
        yield from _number("limit", f"{at}.budget.{name}", getattr(before.budget, name), getattr(after.budget, name))
    if before.replay_days != after.replay_days:
        told = ("for ever" if days is None else f"for {days} days" for days in (before.replay_days, after.replay_days))
        yield Change("replays", f"{at}.replay_max_age", f"stored numbers are repeated {' becomes '.join(told)}.")
    if before.budget.static != after.budget.static:
        yield Change("limit", f"{at}.budget.static_rho", "the caps of tables without time are others.")


def _number(effect: str, key: str, before: Fraction | None, after: Fraction | None) -> Iterator[Change]:
    if before != after:
        yield Change(effect, key, f"{_told(before)} becomes {_told(after)}.")


def _told(number: Fraction | None) -> str:
    return "no limit" if number is None else f"{float(number):g}"


def _windows(current: Catalog, new: Catalog, before: Dataset, after: Dataset) -> Iterator[Change]:
    """Windows that are added, each with its own budget, and windows that can no longer be queried."""
    old, now = windows_of(current, before), windows_of(new, after)
    for names, told in ((_less(now, old), "new windows, each with a whole budget"), (_less(old, now), "no more asked")):
        if names:
            span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}, {len(names)} windows"
            yield Change("windows", f"datasets.{after.name}.window", f"{span}: {told}.")


def _less(these: Iterable[str], those: Iterable[str]) -> list[str]:
    there = set(those)
    return [name for name in these if name not in there]


def _tables(current: Catalog, new: Catalog) -> Iterator[Change]:
    before = {table.name: table for table in current.tables}
    for table in new.tables:
        if table.name not in before:
            yield Change("bounds", f"tables.{table.name}", "a new table.")
        elif _bounds(table) != _bounds(before[table.name]):
            yield Change(
                "bounds", f"tables.{table.name}", "norms or limits are others: noise and predicted bias change."
            )
    yield from (Change("bounds", f"tables.{name}", "is gone.") for name in _missing(before, new))


def _bounds(table: Table) -> str:
    columns = sorted((c.name, c.sum_norm, c.centred_norm, c.centre, c.bounds) for c in table.columns)
    return repr((table.norms, table.max_groups_per_person, table.max_rows_per_person, columns))


def _replays(current: Catalog, new: Catalog, ledger: Ledger) -> Iterator[Change]:
    """Count the stored releases that no longer answer a repeated query, which would be charged again."""
    for dataset in new.datasets:
        asked = ledger.questions(dataset.name)
        whole = _whole(current, dataset.name) != _whole(new, dataset.name)
        touched = _changed_tables(current, new)
        lost = [text for text in asked if whole or any(f"{name}#" in text for name in touched)]
        if lost:
            why = "the version of the data, or who is admitted, is another" if whole else f"of {', '.join(touched)}"
            told = f"at least {len(lost)} of {len(asked)} stored releases are asked anew and cost again: {why}."
            yield Change("replays", f"datasets.{dataset.name}", told)


def _whole(catalog: Catalog, name: str) -> str:
    found = [dataset for dataset in catalog.datasets if dataset.name == name]
    return repr([(version_of(dataset), dataset.admission, dataset.window) for dataset in found])


def _changed_tables(current: Catalog, new: Catalog) -> list[str]:
    """Names of the tables whose meaning or bounds changed, and of those removed."""
    before = {table.name: table_meaning(table, current) + _bounds(table) for table in current.tables}
    after = {table.name: table_meaning(table, new) + _bounds(table) for table in new.tables}
    return sorted(name for name, meaning in before.items() if after.get(name) != meaning)


def _gone(before: Iterable[str], new: Catalog) -> list[str]:
    return _less(before, [dataset.name for dataset in new.datasets])


def _missing(before: Iterable[str], new: Catalog) -> list[str]:
    return _less(before, [table.name for table in new.tables])
