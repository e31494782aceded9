"""Catalog and ledger -> what a regulator is shown: units, limits, what was spent, the worst case, who asks.

Every number is the ledger's own, or follows from it by the conversion that the ledger uses. No data are opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from budgets import (
    EVERYBODY,
    NOTHING,
    AccountName,
    AccountView,
    Anchor,
    EntryKind,
    EpsilonDelta,
    Ledger,
    chargeable,
)
from dialect.catalog import Catalog, Dataset
from dialect.time_windows import Window
from engine.about import admission_said
from engine.admins import Admin
from engine.catalog_version import catalog_version
from engine.prepare import MECHANISM
from engine.terms import caps
from engine.versions import code
from engine.whole_person import WholePerson, whole_person
from engine.window_accounts import windows_of

UNITS = {
    Window.FOREVER: "everything of one person, over the whole time",
    Window.MONTH: "everything of one person in one calendar month",
    Window.WEEK: "everything of one person in one week",
    Window.DAY: "everything of one person on one day",
}


@dataclass(frozen=True)
class Worst:
    """What can be learned of one person at most: what was charged so far, what the limits allow."""

    spent: EpsilonDelta | None  # None: more than can be written
    limit: EpsilonDelta | None
    where: str


@dataclass(frozen=True)
class DatasetReport:
    """What stands of one dataset."""

    name: str
    unit: str
    window_count: int
    accounts: tuple[AccountView, ...]  # everybody's, of each window in order
    questions: int  # charges
    worst: tuple[Worst, ...]
    admission: tuple[str, ...]
    clients: tuple[dict[str, Any], ...]
    others: dict[str, float | None]  # caps of whoever is not among them, in rho, named as theirs

    @property
    def used(self) -> tuple[AccountView, ...]:
        """Give the windows of which something was spent."""
        return tuple(view for view in self.accounts if view.spent != NOTHING)


@dataclass(frozen=True)
class Report:
    """One page for a regulator."""

    catalog: str
    anchor: Anchor
    last: str  # when the last row was written
    found: tuple[str, ...]  # what is not as it was written
    versions: tuple[tuple[str, str], ...]
    datasets: tuple[DatasetReport, ...]
    frozen: tuple[dict[str, Any], ...]


def ledger_report(catalog: Catalog, ledger: Ledger) -> Report:
    """Write down how a ledger stands, and whether it is as it was written."""
    admin, rows = Admin(catalog, ledger), ledger.entries(limit=1)
    private = {table.dataset for table in catalog.tables if table.private}
    clients = admin.clients()
    return Report(
        catalog=catalog.name,
        anchor=ledger.anchor(),
        last=rows[-1].at if rows else "",
        found=ledger.verify(),
        versions=(("code", code()), ("catalog", catalog_version(catalog)), ("mechanism", MECHANISM)),
        datasets=tuple(_dataset(catalog, ledger, d, clients) for d in catalog.datasets if d.name in private),
        frozen=tuple(admin.frozen()),
    )


def _dataset(catalog: Catalog, ledger: Ledger, dataset: Dataset, clients: list[dict[str, Any]]) -> DatasetReport:
    today, windows = caps(dataset), windows_of(catalog, dataset)
    names = {AccountName(dataset.name, window, EVERYBODY): today.everybody(window) for window in windows}
    accounts = ledger.accounts_under(dataset.name, names)
    charged = ledger.entries(dataset=dataset.name)
    return DatasetReport(
        name=dataset.name,
        unit=UNITS[dataset.window],
        window_count=len(windows),
        accounts=accounts,
        questions=sum(row.kind == EntryKind.CHARGED for row in charged),
        worst=(_of_one(accounts), _of_all(ledger, dataset, accounts)),
        admission=admission_said(catalog, dataset),
        clients=tuple(row for row in clients if row["dataset"] == dataset.name),
        others={
            "cap_rho": float(today.client.rho),
            "lifetime_cap_rho": None if today.lifetime is None else float(today.lifetime.rho),
            "query_cap_rho": None if today.query is None else float(today.query.rho),
        },
    )


def _of_one(accounts: tuple[AccountView, ...]) -> Worst:
    """Find the window of which most was told, and the window whose limit allows most."""
    spent = max((view.spent_epsilon_delta for view in accounts), key=lambda told: told.epsilon)
    limit = max((view.cap_epsilon_delta for view in accounts), key=lambda told: told.epsilon)
    return Worst(spent, limit, "in one window")


def _of_all(ledger: Ledger, dataset: Dataset, accounts: tuple[AccountView, ...]) -> Worst:
    """Take all windows of a person together, as a release over k of them takes k neighbours in a row.

    Claim: removing everything of a person costs at most this, whatever is asked. Symbols: k windows, with ceilings
    rho_i and delta_i; releases over k_r <= k of them, at rho_r and delta_r in each. Formula: sum of k_r^2 rho_r <=
    k sum of k_r rho_r <= k sum of rho_i; sum of k_r delta_r <= sum of delta_i. Source: proofs.md#whole-person.
    """
    whole, k = whole_person(ledger.entries(), dataset), len(accounts)
    most = [chargeable(view.cap) for view in accounts]
    rho, delta = k * sum(each.pico_rho for each in most), sum(each.atto_delta for each in most)
    limit = WholePerson(rho, delta, whole.cap).epsilon_delta
    return Worst(whole.epsilon_delta, limit, f"over all {k} windows together" if k > 1 else "over the whole time")
