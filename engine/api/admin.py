"""Operations of an admin in wire shapes: clients and their caps, freezes, top-up requests. No data is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from budgets import (
    EACH_WINDOW,
    LIFETIME,
    MIN_QUERY_RHO,
    PER_QUERY,
    AccountName,
    ClientStatus,
    Ledger,
    Loss,
    ParamError,
    chargeable,
    parse_positive_amount,
)
from dialect.catalog import STATIC, Catalog, Dataset
from engine.accounts.open_ledger import opened_for_reading, opened_ledger
from engine.accounts.window_accounts import account_windows
from engine.catalog.bundled import find_dataset
from engine.catalog.toml_section import closest_word
from engine.pricing.query_terms import UNLIMITED_DELTA, caps

SCOPES = {"each": EACH_WINDOW, "lifetime": LIFETIME, "query": PER_QUERY}  # reserved: no window has these names
SCOPE_NAMES = {scope: word for word, scope in SCOPES.items()}


@contextmanager
def open_admin(catalog_source: str, *, ledger: str | None = None, read_only: bool = False) -> Iterator[Admin]:
    """Open a catalog's ledger for an admin. Errors inside are raised as Refused.

    With `read_only`, no ledger is created and nothing may be changed.
    """
    with (opened_for_reading if read_only else opened_ledger)(catalog_source, ledger) as opened_catalog:
        yield Admin(opened_catalog.catalog, opened_catalog.ledger)


@dataclass(frozen=True)
class Admin:
    """A catalog and its ledger, as admins use them. Every change records who made it and why, and is durable."""

    catalog: Catalog
    ledger: Ledger

    def add_client(self, client: str, *, by: str, reason: str) -> None:
        """Add a client. A removed client gets its accounts back unchanged."""
        self.ledger.add_client(client, actor=by, reason=reason)

    def remove_client(self, client: str, *, by: str, reason: str) -> None:
        """Remove a client, or a group with all its members: it can submit no more queries."""
        self.ledger.remove_client(self._check_known_client(client), actor=by, reason=reason)

    def cap_client(
        self, client: str, rho: str, *, by: str, reason: str, dataset: str | None = None, scope: str = "each"
    ) -> dict[str, Any]:
        """Cap a client or group: in `each` window, over its `lifetime`, per `query`, or in one window by name."""
        declared = find_dataset(self.catalog, dataset)
        ledger_scope, cap = self._ledger_scope(declared, scope), _parse_cap(declared, scope, rho)
        self.ledger.cap_client(
            self._check_known_client(client), declared.name, cap, actor=by, reason=reason, scope=ledger_scope
        )
        return {"client": client, "dataset": declared.name, "scope": scope, "cap_rho": float(cap.rho)}

    def max_cap_rho(self, dataset: str | None, scope: str) -> Fraction | None:
        """Largest useful cap (rho) of one client in a window, or of one query: the dataset's own limit.

        None for `lifetime`, which the dataset does not limit. A client's cap above this has no effect.
        """
        current_caps = caps(find_dataset(self.catalog, dataset).budget)
        if scope == "lifetime":
            return None
        return current_caps.ceiling(scope if scope == STATIC else "").excess_over(current_caps.reserve).rho

    def freeze(
        self, *, by: str, reason: str, client: str | None = None, dataset: str | None = None, window: str | None = None
    ) -> None:
        """Block all charges to a client or group, a dataset, a window, or a combination of these."""
        self.ledger.freeze(actor=by, reason=reason, **self._freeze_target(client, dataset, window))

    def thaw(
        self, *, by: str, reason: str, client: str | None = None, dataset: str | None = None, window: str | None = None
    ) -> None:
        """Lift a freeze of exactly this client, dataset and window. Raises ParamError where there is none."""
        place = self._freeze_target(client, dataset, window)
        if not any(_is_covered_by(asdict(frozen), place) for frozen in self.ledger.freezes()):
            raise ParamError("Nothing of this name is frozen.", "one of those that `passersby frozen` lists.")
        self.ledger.thaw(actor=by, reason=reason, **place)

    def frozen(self) -> list[dict[str, Any]]:
        """List the freezes in force: since when, by whom, why."""
        rows = {row.sequence: row for row in self.ledger.entries(kind="frozen")}
        return [
            {
                "client": frozen.client or None,
                "dataset": frozen.dataset or None,
                "window": frozen.window or None,
                "since": rows[frozen.sequence].at,
                "by": rows[frozen.sequence].actor,
                "reason": rows[frozen.sequence].content["reason"],
            }
            for frozen in self.ledger.freezes()
        ]

    def request_top_up(
        self, client: str, rho: str, *, reason: str, dataset: str | None = None, scope: str = "each"
    ) -> dict[str, Any]:
        """Request a higher cap, as a client."""
        declared = find_dataset(self.catalog, dataset)
        cap, ledger_scope = _parse_cap(declared, scope, rho), self._ledger_scope(declared, scope)
        row_id = self.ledger.request_top_up(
            self._check_known_client(client), declared.name, cap, reason=reason, scope=ledger_scope
        )
        number = self._top_up_ids().index(row_id) + 1
        return next(row for row in self.top_ups() if row["request"] == number)

    def approve_top_up(self, request: int, *, by: str, reason: str) -> None:
        """Grant the cap that a client requested; raises ParamError unless the request is open."""
        self.ledger.approve_top_up(self._open_top_up(request), actor=by, reason=reason)

    def decline_top_up(self, request: int, *, by: str, reason: str) -> None:
        """Decline a client's request; raises ParamError unless it is open."""
        self.ledger.decline_top_up(self._open_top_up(request), actor=by, reason=reason)

    def _top_up_ids(self) -> list[int]:
        """Ledger rows of the top-up requests, oldest first.

        People see the place in this list, from 1: a row number would tell analysts how many objections were recorded.
        """
        return [top_up.id for top_up in self.ledger.top_ups()]

    def _open_top_up(self, request: int) -> int:
        """Return the ledger row of an open request by its number; raises ParamError."""
        row = dict(enumerate(self._top_up_ids(), 1)).get(request)
        if row not in {top_up.id for top_up in self.ledger.top_ups(open_only=True)}:
            cure = "passersby topup list --open shows those that are."
            raise ParamError(f"There is no open request {request}.", cure)
        return row

    def top_ups(self, *, open_only: bool = False) -> list[dict[str, Any]]:
        """List the top-up requests, oldest first, with their numbers and reasons."""
        numbers = {id_: number for number, id_ in enumerate(self._top_up_ids(), 1)}
        reasons = {row.sequence: row.content["reason"] for row in self.ledger.entries(kind="top_up_requested")}
        return [
            {
                "request": numbers[top_up.id],
                "client": top_up.client,
                "dataset": top_up.dataset,
                "scope": SCOPE_NAMES.get(top_up.scope, top_up.scope),
                "cap_rho": float(top_up.cap.rho),
                "state": top_up.state,
                "reason": reasons.get(top_up.id),
            }
            for top_up in self.ledger.top_ups(open_only=open_only)
        ]

    def clients(self) -> list[dict[str, Any]]:
        """List every client and group per dataset, with its caps and what it has spent."""
        members = self.ledger.clients()
        return [self._client(member, dataset) for member in members for dataset in self.catalog.datasets]

    def _client(self, member: ClientStatus, dataset: Dataset) -> dict[str, Any]:
        """Row of a client or group in one dataset: state, caps, and the window with the least rho left.

        Caps include the admins' grants. The last account read is the lifetime account, which is no window.
        """
        current_caps = caps(dataset.budget)
        windows = (*account_windows(self.catalog, dataset), LIFETIME)
        names = [AccountName(dataset.name, window, member.client) for window in windows]
        holder = "" if member.is_group else member.client  # a group without a grant has the dataset's ceiling
        default = {name: current_caps.cap_of(name, holder) for name in names}
        *views, lifetime = self.ledger.accounts_with_caps(dataset.name, default)
        least = min(views, key=lambda view: view.remaining.pico_rho)
        granted = [g for g in self.ledger.grants(dataset.name) if g.holder == member.client and g.scope == PER_QUERY]
        query_cap = granted[0].cap if granted else current_caps.query
        return {
            "client": member.client,
            "group": member.is_group,
            "state": member.state,
            "dataset": dataset.name,
            "window": least.name.window,
            "spent_rho": float(least.spent.rho),
            "cap_rho": float(least.cap.rho),
            "lifetime_spent_rho": float(lifetime.spent.rho),
            "lifetime_cap_rho": float(lifetime.cap.rho) if lifetime.is_capped else None,
            "query_cap_rho": None if query_cap is None else float(query_cap.rho),
        }

    def _check_known_client(self, client: str) -> str:
        """Check that a client exists, by grant or use: a misspelt name would be frozen or capped to no effect."""
        known = [member.client for member in self.ledger.clients()]
        if client in known:
            return client
        close = closest_word(client, known)
        add = f"passersby client add {client}, if it is to be new."
        raise ParamError(f"There is no client {client!r}.", f"{close}, or {add}" if close else add)

    def _ledger_scope(self, dataset: Dataset, scope: str) -> str:
        """Scope of a cap in the ledger: a reserved word (each, lifetime, query) or a checked window."""
        return SCOPES[scope] if scope in SCOPES else self._check_window(dataset, scope)

    def _check_window(self, dataset: Dataset, window: str) -> str:
        """Check that a dataset has an account for a window; raises ParamError, naming the first and last window."""
        windows = account_windows(self.catalog, dataset)
        if window not in windows:
            timed = [each for each in windows if each != STATIC]
            few = [f"{timed[0]} to {timed[-1]}"] if len(timed) > 3 else timed
            known = ", or ".join([", ".join(few), *([STATIC] if STATIC in windows else [])])
            raise ParamError(f"Dataset {dataset.name!r} has no window {window!r}.", f"one of {known}.")
        return window

    def _freeze_target(self, client: str | None, dataset: str | None, window: str | None) -> dict[str, str]:
        """Validate the client, dataset and window that a freeze names."""
        declared = find_dataset(self.catalog, dataset) if dataset or window else None
        return {
            "client": self._check_known_client(client) if client else "",
            "dataset": declared.name if declared else "",
            "window": self._check_window(declared, window) if declared and window else "",
        }


def _parse_cap(dataset: Dataset, scope: str, rho: str) -> Loss:
    """Parse a cap. Its delta is the catalog's, or unlimited where the cap limits rho alone."""
    amount = parse_positive_amount(rho, "A cap's rho", floor=MIN_QUERY_RHO)
    current_caps = caps(dataset.budget)
    deltas: dict[str, Fraction] = {
        "lifetime": UNLIMITED_DELTA,
        "query": chargeable(current_caps.dataset).delta,
        "static": current_caps.ceiling("static").delta,
    }
    return Loss.rounded_down(amount, deltas.get(scope, current_caps.dataset.delta))


def _is_covered_by(frozen: dict[str, Any], place: dict[str, str]) -> bool:
    """Check whether a thaw lifts a freeze: same client and dataset, and the same window or any (empty)."""
    same = all(frozen[part] == place[part] for part in ("client", "dataset"))
    return same and place["window"] in ("", frozen["window"])
