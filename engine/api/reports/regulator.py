"""The regulator's report: privacy units, limits, budgets spent, the worst case, clients.

One HTML page that loads nothing from other hosts, and text for a terminal. Every number is the ledger's own, or
follows from it by the conversion that the ledger uses. No data is opened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from budgets import ZERO_LOSS, AccountView, Anchor, EntryKind, EpsilonDelta, Ledger
from dialect.catalog import Catalog, Dataset, PrivacyWindow
from engine.accounts.audit_log import format_delta, format_epsilon
from engine.accounts.window_accounts import WorstCase, ceiling_accounts, worst_over_all_windows, worst_window
from engine.api.admin import Admin
from engine.api.reports.person import TEMPLATES, eligibility_text
from engine.catalog.version import catalog_version
from engine.pricing.compile_release import MECHANISM_VERSION
from engine.pricing.query_terms import caps
from engine.reuse.holdings import code_version

UNIT_TEXTS = {
    PrivacyWindow.FOREVER: "everything of one person, over the whole time",
    PrivacyWindow.MONTH: "everything of one person in one calendar month",
    PrivacyWindow.WEEK: "everything of one person in one week",
    PrivacyWindow.DAY: "everything of one person on one day",
}


@dataclass(frozen=True)
class DatasetReport:
    """Report of one dataset."""

    name: str
    unit: str
    window_count: int
    accounts: tuple[AccountView, ...]  # everybody's account of each window, in order
    questions: int  # number of charges
    worst: tuple[WorstCase, ...]
    admission: tuple[str, ...]
    clients: tuple[dict[str, Any], ...]
    others: dict[str, float | None]  # caps (rho) of clients not listed, with the same keys

    @property
    def used(self) -> tuple[AccountView, ...]:
        """Accounts of the windows in which something was spent."""
        return tuple(view for view in self.accounts if view.spent != ZERO_LOSS)

    @property
    def usage(self) -> str:
        """Count of charges and of windows used, in words."""
        asked = f"{self.questions} {'question was' if self.questions == 1 else 'questions were'} charged"
        windows = "window" if self.window_count == 1 else "windows"
        verb = "was" if 1 in (len(self.used), self.window_count) else "were"
        return f"{asked}; {len(self.used)} of {self.window_count} {windows} {verb} used."


@dataclass(frozen=True)
class Report:
    """One page for a regulator."""

    catalog: str
    anchor: Anchor
    last: str  # time of the last row
    found: tuple[str, ...]  # integrity violations
    versions: tuple[tuple[str, str], ...]
    datasets: tuple[DatasetReport, ...]
    frozen: tuple[dict[str, Any], ...]


def ledger_report(catalog: Catalog, ledger: Ledger) -> Report:
    """Report of a ledger's state, including a verification of its hash chain."""
    admin, rows = Admin(catalog, ledger), ledger.entries(limit=1)
    private = {table.dataset for table in catalog.tables if table.private}
    clients = admin.clients()
    return Report(
        catalog=catalog.name,
        anchor=ledger.anchor(),
        last=rows[-1].at if rows else "",
        found=ledger.verify(),
        versions=(("code", code_version()), ("catalog", catalog_version(catalog)), ("mechanism", MECHANISM_VERSION)),
        datasets=tuple(_dataset_report(catalog, ledger, d, clients) for d in catalog.datasets if d.name in private),
        frozen=tuple(admin.frozen()),
    )


def _dataset_report(catalog: Catalog, ledger: Ledger, dataset: Dataset, clients: list[dict[str, Any]]) -> DatasetReport:
    """Report of one dataset; `clients` = rows of all datasets, of which its own are taken."""
    current_caps, accounts = caps(dataset.budget), ceiling_accounts(catalog, ledger, dataset)
    charged = ledger.entries(dataset=dataset.name)
    return DatasetReport(
        name=dataset.name,
        unit=UNIT_TEXTS[dataset.window],
        window_count=len(accounts),
        accounts=accounts,
        questions=sum(row.kind == EntryKind.CHARGED for row in charged),
        worst=(worst_window(accounts), worst_over_all_windows(ledger, dataset, accounts)),
        admission=eligibility_text(catalog, dataset),
        clients=tuple(row for row in clients if row["dataset"] == dataset.name),
        others={
            "cap_rho": float(current_caps.client.rho),
            "lifetime_cap_rho": None if current_caps.lifetime is None else float(current_caps.lifetime.rho),
            "query_cap_rho": None if current_caps.query is None else float(current_caps.query.rho),
        },
    )


RHO_TEXT = (
    "Rho measures the privacy loss; losses add up. Epsilon at a delta is the same in the unit that is usually quoted,"
    " and does not add up. A tenth of delta is used only where group names come from the data."
)
CHART_WIDTH, CHART_HEIGHT, MAX_BAR_WIDTH = 640.0, 120.0, 48.0


@dataclass(frozen=True)
class Bar:
    """One window in the chart: the share of its ceiling that is spent."""

    x: float
    width: float
    height: float  # of the spent share; the ceiling is the full chart height
    name: str


def report_html(report: Report) -> str:
    """Render the report as HTML."""
    return _render(report, "ledger_report_page.html.j2")


def report_text(report: Report) -> str:
    """Render the report as plain text of at most 80 columns."""
    return _render(report, "ledger_report.txt.j2")


def _render(report: Report, template: str) -> str:
    """Render the report by a template of this folder."""
    shown = {
        "report": report,
        "consistent": _consistent_text(report),
        "rho": RHO_TEXT,
        "forever": PrivacyWindow.FOREVER,
    }
    formats = {"account_row": account_row, "epsilon_delta": epsilon_delta_text, "rho_text": rho_text, "caps": caps_text}
    drawn = {"bars": bars, "chart": {"width": CHART_WIDTH, "height": CHART_HEIGHT}}
    return TEMPLATES.get_template(template).render(**shown, **formats, **drawn)


def account_row(view: AccountView) -> dict[str, str]:
    """One window: what is spent of its ceiling, in rho and as (epsilon, delta)."""
    return {
        "window": view.name.window,
        "spent": rho_text(view.spent.rho),
        "ceiling": rho_text(view.cap.rho),
        "share": f"{float(view.spent.rho / view.cap.rho):.1%}",
        "epsilon": epsilon_delta_text(view.spent_epsilon_delta),
        "limit": epsilon_delta_text(view.cap_epsilon_delta),
    }


def bars(accounts: tuple[AccountView, ...]) -> list[Bar]:
    """One bar per window, earliest first; few windows have no wider bars than many."""
    step = min(CHART_WIDTH / len(accounts), MAX_BAR_WIDTH)
    return [
        Bar(i * step, step * 0.9, CHART_HEIGHT * float(view.spent.rho / view.cap.rho), account_row(view)["window"])
        for i, view in enumerate(accounts)
    ]


def epsilon_delta_text(amount: EpsilonDelta | None) -> str:
    """Format (epsilon, delta), rounded up."""
    if amount is None:
        return "beyond any number that says something"
    return f"epsilon {format_epsilon(amount.epsilon, 3)} at delta {format_delta(float(amount.delta))}"


def rho_text(rho: Fraction | float) -> str:
    """Format rho, rounded up to a millionth: never below what was spent."""
    return f"{Decimal(math.ceil(round(Fraction(rho) * 10**6, 6))) / 10**6:.6f}".rstrip("0").rstrip(".")


def caps_text(row: Mapping[str, Any]) -> str:
    """Every cap of a client in words: per window, over all windows, and per query."""
    labels = {"cap_rho": "a window", "lifetime_cap_rho": "over all windows", "query_cap_rho": "a question"}
    return "rho " + ", ".join(f"{rho_text(row[cap])} {of}" for cap, of in labels.items() if row[cap] is not None)


def _consistent_text(report: Report) -> str:
    """State what a consistent hash chain shows, and what it does not."""
    rows = report.anchor.sequence
    return (
        f"The chain of hashes is consistent: {rows} {'row' if rows == 1 else 'rows'}."
        " Only a comparison with an anchor shows a rewrite."
    )
