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
    MINIMUM_RHO,
    PER_QUERY,
    AccountName,
    AccountView,
    Caps,
    Ledger,
    Loss,
    Member,
    ParamError,
    chargeable,
    parse_amount,
)
from dialect.catalog import STATIC, Catalog, Dataset
from engine.accounts.open import opened, opened_to_read
from engine.accounts.window_accounts import windows_of
from engine.catalog.bundled import named_dataset
from engine.catalog.toml_section import nearest
from engine.pricing.terms import ANY_DELTA, caps

SCOPES = {"each": EACH_WINDOW, "lifetime": LIFETIME, "query": PER_QUERY}  # reserved: no window has these names
SPOKEN = {scope: word for word, scope in SCOPES.items()}


@contextmanager
def open_admin(where: str, *, ledger: str | None = None, to_read: bool = False) -> Iterator[Admin]:
    """Open a catalog's ledger for an admin. Errors inside are raised as Refused.

    With `read_only`, no ledger is created and nothing may be changed.
    """
    with (opened_to_read if to_read else opened)(where, ledger) as books:
        yield Admin(books.catalog, books.ledger)


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
        self.ledger.remove_client(self._known(client), actor=by, reason=reason)

    def cap_client(
        self, client: str, rho: str, *, by: str, reason: str, dataset: str | None = None, scope: str = "each"
    ) -> dict[str, Any]:
        """Cap a client or group: in `each` window, over its `lifetime`, per `query`, or in one window by name."""
        of = named_dataset(self.catalog, dataset)
        named, cap = self._scope(of, scope), _cap(of, scope, rho)
        self.ledger.cap_client(self._known(client), of.name, cap, actor=by, reason=reason, scope=named)
        return {"client": client, "dataset": of.name, "scope": scope, "cap_rho": float(cap.rho)}

    def allowed(self, dataset: str | None, scope: str) -> Fraction | None:
        """Largest useful cap (rho) of one client in a window, or of one query: the dataset's own limit.

        None for `lifetime`, which the dataset does not limit. A client's cap above this has no effect.
        """
        today = caps(named_dataset(self.catalog, dataset))
        return (
            None if scope == "lifetime" else today.everybody(scope if scope == STATIC else "").beyond(today.reserve).rho
        )

    def freeze(
        self, *, by: str, reason: str, client: str | None = None, dataset: str | None = None, window: str | None = None
    ) -> None:
        """Block all charges to a client or group, a dataset, a window, or a combination of these."""
        self.ledger.freeze(actor=by, reason=reason, **self._place(client, dataset, window))

    def thaw(
        self, *, by: str, reason: str, client: str | None = None, dataset: str | None = None, window: str | None = None
    ) -> None:
        """Lift a freeze of exactly this client, dataset and window. Raises ParamError where there is none."""
        place = self._place(client, dataset, window)
        if not any(_is_under(asdict(frozen), place) for frozen in self.ledger.freezes()):
            raise ParamError("Nothing of this name is frozen.", "one of those that `passersby frozen` lists.")
        self.ledger.thaw(actor=by, reason=reason, **place)

    def frozen(self) -> list[dict[str, Any]]:
        """List the freezes in force: since when, by whom, why."""
        rows = {row.sequence: row for row in self.ledger.audit(kind="frozen")}
        return [
            {
                "client": frozen.client or None,
                "dataset": frozen.dataset or None,
                "window": frozen.window or None,
                "since": rows[frozen.sequence].at,
                "by": rows[frozen.sequence].actor,
                "reason": rows[frozen.sequence].said["reason"],
            }
            for frozen in self.ledger.freezes()
        ]

    def request_top_up(
        self, client: str, rho: str, *, reason: str, dataset: str | None = None, scope: str = "each"
    ) -> dict[str, Any]:
        """Request a higher cap, as a client."""
        of = named_dataset(self.catalog, dataset)
        cap, named = _cap(of, scope, rho), self._scope(of, scope)
        number = self.ledger.request_top_up(self._known(client), of.name, cap, reason=reason, scope=named)
        return next(row for row in self.top_ups() if row["request"] == number)

    def approve_top_up(self, request: int, *, by: str, reason: str) -> None:
        """Grant the cap that a client requested."""
        self.ledger.approve_top_up(request, actor=by, reason=reason)

    def decline_top_up(self, request: int, *, by: str, reason: str) -> None:
        """Decline a client's request."""
        self.ledger.decline_top_up(request, actor=by, reason=reason)

    def top_ups(self, *, open_only: bool = False) -> list[dict[str, Any]]:
        """List the top-up requests, oldest first, with their reasons."""
        reasons = {row.sequence: row.said["reason"] for row in self.ledger.audit(kind="top_up_requested")}
        return [
            {
                "request": asked.id,
                "client": asked.client,
                "dataset": asked.dataset,
                "scope": SPOKEN.get(asked.scope, asked.scope),
                "cap_rho": float(asked.cap.rho),
                "state": asked.state,
                "reason": reasons.get(asked.id),
            }
            for asked in self.ledger.top_ups(open_only=open_only)
        ]

    def clients(self) -> list[dict[str, Any]]:
        """List every client and group per dataset, with its caps and what it has spent."""
        members = self.ledger.clients()
        return [self._client(member, dataset) for member in members for dataset in self.catalog.datasets]

    def _client(self, member: Member, dataset: Dataset) -> dict[str, Any]:
        today = caps(dataset)
        windows = (*windows_of(self.catalog, dataset), LIFETIME)
        names = [AccountName(dataset.name, window, member.client) for window in windows]
        default = {name: _default(today, name, member) for name in names}
        *each, lifetime = self.ledger.accounts_under(dataset.name, default)
        granted = [g for g in self.ledger.grants(dataset.name) if g.holder == member.client and g.scope == PER_QUERY]
        query = granted[0].cap if granted else today.query
        return {
            "client": member.client,
            "group": member.is_group,
            "state": member.state,
            "dataset": dataset.name,
            **_most_spent(each),
            "lifetime_spent_rho": float(lifetime.spent.rho),
            "lifetime_cap_rho": float(lifetime.cap.rho) if lifetime.capped else None,
            "query_cap_rho": None if query is None else float(query.rho),
        }

    def _known(self, client: str) -> str:
        """Check that a client exists, by grant or use: a misspelt name would be frozen or capped to no effect."""
        known = [member.client for member in self.ledger.clients()]
        if client in known:
            return client
        close = nearest(client, known)
        add = f"passersby client add {client}, if it is to be new."
        raise ParamError(f"There is no client {client!r}.", f"{close}, or {add}" if close else add)

    def _scope(self, dataset: Dataset, scope: str) -> str:
        return SCOPES[scope] if scope in SCOPES else self._window(dataset, scope)

    def _window(self, dataset: Dataset, window: str) -> str:
        windows = windows_of(self.catalog, dataset)
        if window not in windows:
            timed = [each for each in windows if each != STATIC]
            few = [f"{timed[0]} to {timed[-1]}"] if len(timed) > 3 else timed
            known = ", or ".join([", ".join(few), *([STATIC] if STATIC in windows else [])])
            raise ParamError(f"Dataset {dataset.name!r} has no window {window!r}.", f"one of {known}.")
        return window

    def _place(self, client: str | None, dataset: str | None, window: str | None) -> dict[str, str]:
        """Validate the client, dataset and window that a freeze names."""
        of = named_dataset(self.catalog, dataset) if dataset or window else None
        return {
            "client": self._known(client) if client else "",
            "dataset": of.name if of else "",
            "window": self._window(of, window) if of and window else "",
        }


def _cap(dataset: Dataset, scope: str, rho: str) -> Loss:
    """Parse a cap. Its delta is the catalog's, or unlimited where the cap limits rho alone."""
    amount = parse_amount(rho, "A cap's rho", floor=MINIMUM_RHO)
    today = caps(dataset)
    deltas: dict[str, Fraction] = {
        "lifetime": ANY_DELTA,
        "query": chargeable(today.dataset).delta,
        "static": today.everybody("static").delta,
    }
    return Loss.within(amount, deltas.get(scope, today.dataset.delta))


def _default(today: Caps, name: AccountName, member: Member) -> Loss:
    """Cap without a grant: the catalog's for a client, the dataset's ceiling for a group."""
    return today.of(name, "" if member.is_group else member.client)


def _most_spent(views: list[AccountView]) -> dict[str, Any]:
    """Return the window with the least budget left."""
    view = min(views, key=lambda view: view.remaining.pico_rho)
    return {"window": view.name.window, "spent_rho": float(view.spent.rho), "cap_rho": float(view.cap.rho)}


def _is_under(frozen: dict[str, Any], place: dict[str, str]) -> bool:
    same = all(frozen[part] == place[part] for part in ("client", "dataset"))
    return same and place["window"] in ("", frozen["window"])
