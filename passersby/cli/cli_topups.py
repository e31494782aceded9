"""Commands about requests for another cap: topup request, approve, decline, list. No data are opened."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from passersby.cli.cli_options import Client, Form, Ledger, refusals
from passersby.cli.cli_owner_options import (
    Amount,
    By,
    Dataset,
    KeptLedger,
    Lifetime,
    NamedCatalog,
    OwnCatalog,
    Query,
    Reason,
    Window,
    changed,
    chosen,
    said,
    scope_of,
)
from passersby.cli.output import Format, write_rows
from passersby.client.opening import engine_face, user_name

TOP_UPS = ("request", "client", "dataset", "scope", "cap_rho", "state", "reason")
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The request, as `topup list` numbers it.")]
Open = Annotated[bool, typer.Option("--open", help="Only those that nobody has decided.")]


def request(
    rho: Amount,
    reason: Reason,
    client: Client = None,
    dataset: Dataset = None,
    window: Window = None,
    lifetime: Lifetime = False,
    one_question: Query = False,
    catalog: NamedCatalog = None,
    ledger: Ledger = None,
) -> None:
    """Ask for another cap of yours: in each window, unless an option says otherwise; an admin decides."""
    given = {"dataset": dataset, "scope": scope_of(window, lifetime, one_question), "reason": reason}
    where = chosen(catalog)
    with refusals(Format.TABLE), engine_face() as engine, engine.open_admin(where, ledger=ledger) as admin:
        asked = admin.request_top_up(client or user_name(), rho, **given)
    number = asked["request"]
    kept = f" --ledger {shlex.quote(ledger)}" if ledger and "://" not in ledger else ""  # a URL may hold a password
    command = f'passersby topup approve {number} --reason "as agreed" --catalog {shlex.quote(where)}{kept}'
    said(f"Request {number}: an admin decides, with `{command}`, or decline in the place of approve.")


def approve(number: Number, reason: Reason, by: By = None, catalog: NamedCatalog = None, ledger: Ledger = None) -> None:
    """Grant the cap that a client has asked for; it holds from the next question on."""
    changed(catalog, ledger, lambda admin: admin.approve_top_up(number, by=by or user_name(), reason=reason))
    said(f"Request {number} is approved.")


def decline(number: Number, reason: Reason, by: By = None, catalog: NamedCatalog = None, ledger: Ledger = None) -> None:
    """Decline what a client has asked for; its cap stays."""
    changed(catalog, ledger, lambda admin: admin.decline_top_up(number, by=by or user_name(), reason=reason))
    said(f"Request {number} is declined.")


def listed(
    undecided: Open = False, catalog: OwnCatalog = "operator", ledger: KeptLedger = None, form: Form = Format.TABLE
) -> None:
    """List requests for other caps, oldest first, with what became of them."""
    from passersby.result.display_admin import show_top_ups

    with refusals(form), engine_face() as engine, engine.open_admin(catalog, ledger=ledger, to_read=True) as admin:
        rows = admin.top_ups(open_only=undecided)
        write_rows(rows, show_top_ups, rows, form, TOP_UPS)
