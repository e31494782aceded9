"""Catalog and ledger -> what a regulator is shown: units, limits, what was spent, the worst case, who asks.

Every number is the ledger's own, or follows from it by the conversion that the ledger uses. No data are opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from budgets import NOTHING, AccountView, Anchor, EntryKind, Ledger
from dialect.catalog.catalog import Catalog, Dataset
from dialect.catalog.privacy_windows import Window
from engine.accounts.worst_case import Worst, everybodys, of_all, of_one
from engine.api.admin import Admin
from engine.api.reports.about import admission_said
from engine.catalog.catalog_version import catalog_version
from engine.pricing.prepare import MECHANISM
from engine.pricing.terms import caps
from engine.reuse.versions import code

UNITS = {
    Window.FOREVER: "everything of one person, over the whole time",
    Window.MONTH: "everything of one person in one calendar month",
    Window.WEEK: "everything of one person in one week",
    Window.DAY: "everything of one person on one day",
}


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
    today, accounts = caps(dataset), everybodys(catalog, ledger, dataset)
    charged = ledger.entries(dataset=dataset.name)
    return DatasetReport(
        name=dataset.name,
        unit=UNITS[dataset.window],
        window_count=len(accounts),
        accounts=accounts,
        questions=sum(row.kind == EntryKind.CHARGED for row in charged),
        worst=(of_one(accounts), of_all(ledger, dataset, accounts)),
        admission=admission_said(catalog, dataset),
        clients=tuple(row for row in clients if row["dataset"] == dataset.name),
        others={
            "cap_rho": float(today.client.rho),
            "lifetime_cap_rho": None if today.lifetime is None else float(today.lifetime.rho),
            "query_cap_rho": None if today.query is None else float(today.query.rho),
        },
    )
