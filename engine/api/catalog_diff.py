"""Dry run of a catalog change: what a new catalog would change with this ledger, and which changes are forbidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from budgets import CeilingRaised, Ledger
from dialect.catalog import Catalog, Dataset, Table
from engine.accounts.window_accounts import account_windows, check_window_lengths
from engine.catalog.version import changed_privacy_units, table_definition
from engine.errors import CatalogError
from engine.pricing.query_terms import caps

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
    changes = list(forbidden_changes(new, ledger))
    for dataset in new.datasets:
        if dataset.name in before:
            changes += _limit_changes(before[dataset.name], dataset)
            changes += _window_changes(current, new, before[dataset.name], dataset)
        else:
            changes.append(Change("limit", f"datasets.{dataset.name}", "a new dataset, with a budget of its own."))
    changes += (
        Change("limit", f"datasets.{name}", "is gone: nothing of it can be asked.")
        for name in _difference(before, (dataset.name for dataset in new.datasets))
    )
    changes += _table_changes(current, new)
    changes += _lost_replays(current, new, ledger)
    return tuple(changes)


def forbidden_changes(new: Catalog, ledger: Ledger) -> Iterator[Change]:
    """Find changes that opening refuses: other window lengths or privacy units, a raised ceiling."""
    try:
        check_window_lengths(ledger, new)
    except CatalogError as error:
        yield Change(FORBIDDEN, error.key, f"{error.why} {error.cure}")
    yield from (
        Change(FORBIDDEN, error.key, f"{error.why} {error.cure}") for error in changed_privacy_units(ledger, new)
    )
    for dataset in new.datasets:
        try:
            ledger.check_caps(dataset.name, account_windows(new, dataset), caps(dataset.budget))
        except CeilingRaised as error:
            yield Change(FORBIDDEN, f"datasets.{dataset.name}.budget", f"{error.why} {error.hint}")


def _limit_changes(before: Dataset, after: Dataset) -> Iterator[Change]:
    """Find changes of prices, caps and replay age."""
    at = f"datasets.{after.name}"
    for name in ("rho", "delta"):
        yield from _number_change(
            "price", f"{at}.defaults.{name}", getattr(before.defaults, name), getattr(after.defaults, name)
        )
    for name in ("rho", "delta", "client_rho", "reserve_rho", "query_rho", "lifetime_rho"):
        yield from _number_change(
            "limit", f"{at}.budget.{name}", getattr(before.budget, name), getattr(after.budget, name)
        )
    if before.replay_days != after.replay_days:
        ages = ("for ever" if days is None else f"for {days} days" for days in (before.replay_days, after.replay_days))
        yield Change("replays", f"{at}.replay_max_age", f"stored numbers are repeated {' becomes '.join(ages)}.")
    if before.budget.static_budget != after.budget.static_budget:
        yield Change("limit", f"{at}.budget.static_rho", "the caps of tables without time are others.")


def _number_change(effect: str, key: str, before: Fraction | None, after: Fraction | None) -> Iterator[Change]:
    """Find the change of one number; none if it is the same."""
    if before != after:
        yield Change(effect, key, f"{_format_limit(before)} becomes {_format_limit(after)}.")


def _format_limit(number: Fraction | None) -> str:
    """Format a limit; None: no limit."""
    return "no limit" if number is None else f"{float(number):g}"


def _window_changes(current: Catalog, new: Catalog, before: Dataset, after: Dataset) -> Iterator[Change]:
    """Windows that are added, each with its own budget, and windows that can no longer be queried."""
    old, now = account_windows(current, before), account_windows(new, after)
    for names, effect in (
        (_difference(now, old), "new windows, each with a whole budget"),
        (_difference(old, now), "no more asked"),
    ):
        if names:
            span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}, {len(names)} windows"
            yield Change("windows", f"datasets.{after.name}.window", f"{span}: {effect}.")


def _difference(names: Iterable[str], excluded: Iterable[str]) -> list[str]:
    """List names that are not excluded, in order."""
    excluded_set = set(excluded)
    return [name for name in names if name not in excluded_set]


def _table_changes(current: Catalog, new: Catalog) -> Iterator[Change]:
    """Find new tables, removed tables, and tables with other clip bounds or limits."""
    before = {table.name: table for table in current.tables}
    for table in new.tables:
        if table.name not in before:
            yield Change("bounds", f"tables.{table.name}", "a new table.")
        elif _table_bounds(table) != _table_bounds(before[table.name]):
            yield Change(
                "bounds", f"tables.{table.name}", "norms or limits are others: noise and predicted bias change."
            )
    yield from (
        Change("bounds", f"tables.{name}", "is gone.")
        for name in _difference(before, (table.name for table in new.tables))
    )


def _table_bounds(table: Table) -> str:
    """Text of everything about a table that bounds contributions, to compare two catalogs."""
    columns = [
        (c.name, c.sum_clip_bound, c.centred_sum_clip_bound, c.centre, c.bounds, c.measures_bounds)
        for c in sorted(table.columns, key=lambda column: column.name)
    ]
    return repr((table.applied_clip_bounds, table.max_groups_per_person, table.max_rows_per_person, columns))


def _lost_replays(current: Catalog, new: Catalog, ledger: Ledger) -> Iterator[Change]:
    """Count the stored releases that no longer answer a repeated query, which would be charged again.

    A changed dataset loses all of them. A changed table loses those that read it: canonical texts name a table as
    `name#`. At least: other changes may lose more.
    """
    changed_tables = _changed_tables(current, new)
    for dataset in new.datasets:
        stored = ledger.canonical_queries(dataset.name)
        why, lost = f"of {', '.join(changed_tables)}", [t for t in stored if any(f"{n}#" in t for n in changed_tables)]
        if _dataset_version(current, dataset.name) != _dataset_version(new, dataset.name):
            why, lost = "the version of the data, or who is admitted, is another", list(stored)
        if lost:
            message = f"at least {len(lost)} of {len(stored)} stored releases are asked anew and cost again: {why}."
            yield Change("replays", f"datasets.{dataset.name}", message)


def _dataset_version(catalog: Catalog, name: str) -> str:
    """Text of everything about a dataset that all its release keys depend on, to compare two catalogs."""
    found = [dataset for dataset in catalog.datasets if dataset.name == name]
    return repr([(dataset.full_data_version, dataset.eligibility, dataset.window) for dataset in found])


def _changed_tables(current: Catalog, new: Catalog) -> list[str]:
    """Names of the tables whose meaning or bounds changed, and of those removed."""
    before = {table.name: table_definition(table, current) + _table_bounds(table) for table in current.tables}
    after = {table.name: table_definition(table, new) + _table_bounds(table) for table in new.tables}
    return sorted(name for name, meaning in before.items() if after.get(name) != meaning)
