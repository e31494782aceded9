"""Commands for admins: client add, remove, cap, list; freeze, thaw, frozen; topup request, approve, decline, list.

They open the ledger, and no data.
"""

from __future__ import annotations

import shlex
from fractions import Fraction
from typing import Annotated

import typer

from passersby.cli.options import (
    Amount,
    By,
    Client,
    Dataset,
    ExistingLedger,
    FormatOption,
    Ledger,
    Lifetime,
    NamedCatalog,
    OwnCatalog,
    Query,
    Reason,
    Window,
    change_ledger,
    confirm,
    named_catalog,
    refusals,
    scope_of,
)
from passersby.cli.output import Format, write_rows
from passersby.client.connect import engine_module, user_name

CLIENTS = (
    *("client", "group", "state", "dataset", "window", "spent_rho", "cap_rho"),
    *("lifetime_spent_rho", "lifetime_cap_rho", "query_cap_rho"),
)
FROZEN = ("client", "dataset", "window", "since", "by", "reason")
Name = Annotated[
    str, typer.Argument(metavar="CLIENT", help="A client's name, or a path: organisation/project/analyst.")
]
ClientArgument = Annotated[str | None, typer.Argument(metavar="[CLIENT]", help="A client, or a group with all in it.")]
SCOPE_TEXTS = {"each": "in each window", "lifetime": "over all windows together", "query": "for one question"}
ClientOption = Annotated[str | None, typer.Option("--client", metavar="CLIENT", help="The same as the argument.")]
DatasetFilter = Annotated[
    str | None, typer.Option("--dataset", metavar="NAME", help="Only of this dataset; or the dataset itself.")
]


def add(client: Name, reason: Reason, by: By = None, catalog: NamedCatalog = None, ledger: Ledger = None) -> None:
    """Add a client, so that it may query; a client that was removed returns with everything it has spent."""
    change_ledger(catalog, ledger, lambda admin: admin.add_client(client, by=by or user_name(), reason=reason))
    confirm(f"Client {client} may ask.")


def remove(client: Name, reason: Reason, by: By = None, catalog: NamedCatalog = None, ledger: Ledger = None) -> None:
    """Remove a client, or a group with all its clients, so that it may no longer query; what it spent stays spent."""
    change_ledger(catalog, ledger, lambda admin: admin.remove_client(client, by=by or user_name(), reason=reason))
    confirm(f"Client {client} was removed, and its accounts stay as they are.")


def cap(
    client: Name,
    rho: Amount,
    reason: Reason,
    dataset: Dataset = None,
    window: Window = None,
    lifetime: Lifetime = False,
    one_question: Query = False,
    by: By = None,
    catalog: NamedCatalog = None,
    ledger: Ledger = None,
) -> None:
    """Cap a client or a group, in the place of the catalog's cap: in each window, unless an option says otherwise.

    It holds from the next question on. A cap below what is spent blocks; nothing is given back. No cap lifts a client
    above what the dataset has left.
    """
    scope = scope_of(window, lifetime, one_question)
    decision = {"by": by or user_name(), "reason": reason, "dataset": dataset, "scope": scope}
    allowed: Fraction | None = change_ledger(
        catalog, ledger, lambda admin: admin.cap_client(client, rho, **decision) and admin.max_cap_rho(dataset, scope)
    )
    confirm(f"Client {client} is capped at rho {rho} {SCOPE_TEXTS.get(scope, f'in window {window}')}.")
    if allowed is not None and allowed < Fraction(rho):
        confirm(
            f"The dataset allows all clients together rho {float(allowed):g} in a window: the cap is never reached."
        )


def clients(
    context: typer.Context,
    catalog: OwnCatalog = "operator",
    ledger: ExistingLedger = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List clients and groups: may they query, their caps, and their spending in the window with least left."""
    if context.invoked_subcommand is not None:
        return
    from passersby.result.terminal_admin import show_clients

    with refusals(form), engine_module() as engine, engine.open_admin(catalog, ledger=ledger, read_only=True) as admin:
        rows = admin.clients()
        write_rows(rows, show_clients, rows, form, CLIENTS)


def freeze(
    reason: Reason,
    client: ClientArgument = None,
    same_client: ClientOption = None,
    dataset: DatasetFilter = None,
    window: Window = None,
    by: By = None,
    catalog: NamedCatalog = None,
    ledger: Ledger = None,
) -> None:
    """Stop all charges until a thaw: for a client, a group, a dataset, a window, or a client in a window."""
    place = _freeze_scope(client, same_client, dataset, window)
    change_ledger(catalog, ledger, lambda admin: admin.freeze(by=by or user_name(), reason=reason, **place))
    confirm(f"Frozen: {_scope_text(place)}.")


def thaw(
    reason: Reason,
    client: ClientArgument = None,
    same_client: ClientOption = None,
    dataset: DatasetFilter = None,
    window: Window = None,
    by: By = None,
    catalog: NamedCatalog = None,
    ledger: Ledger = None,
) -> None:
    """Undo a freeze, named as it was frozen; failed executions are counted from 0 again."""
    place = _freeze_scope(client, same_client, dataset, window)
    change_ledger(catalog, ledger, lambda admin: admin.thaw(by=by or user_name(), reason=reason, **place))
    confirm(f"Thawed: {_scope_text(place)}.")


def frozen(catalog: OwnCatalog = "operator", ledger: ExistingLedger = None, form: FormatOption = Format.TABLE) -> None:
    """List what is frozen now: since when, by whom and why."""
    from passersby.result.terminal_admin import show_frozen

    with refusals(form), engine_module() as engine, engine.open_admin(catalog, ledger=ledger, read_only=True) as admin:
        rows = admin.frozen()
        write_rows(rows, show_frozen, rows, form, FROZEN)


def _freeze_scope(
    client: str | None, same_client: str | None, dataset: str | None, window: str | None
) -> dict[str, str | None]:
    """Scope of a freeze: client, dataset and window; raises BadParameter if none is named, or two clients are."""
    if client is not None and same_client not in (None, client):
        raise typer.BadParameter("Name one client.", param_hint="--client")
    place = {"client": client or same_client, "dataset": dataset, "window": window}
    if all(name is None for name in place.values()):
        raise typer.BadParameter("Name a client, a --dataset or a --window.", param_hint="CLIENT")
    return place


def _scope_text(place: dict[str, str | None]) -> str:
    """Scope of a freeze in words: `client acme, window 2026-10`."""
    return ", ".join(f"{part} {name}" for part, name in place.items() if name)


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
    """Request another cap for yourself: in each window, unless an option names another scope; an admin decides."""
    wanted = {"dataset": dataset, "scope": scope_of(window, lifetime, one_question), "reason": reason}
    where = named_catalog(catalog)
    with refusals(Format.TABLE), engine_module() as engine, engine.open_admin(where, ledger=ledger) as admin:
        requested = admin.request_top_up(client or user_name(), rho, **wanted)
    number = requested["request"]
    # a URL may hold a password
    ledger_option = f" --ledger {shlex.quote(ledger)}" if ledger and "://" not in ledger else ""
    command = f'passersby topup approve {number} --reason "as agreed" --catalog {shlex.quote(where)}{ledger_option}'
    confirm(f"Request {number}: an admin decides, with `{command}`, or decline in the place of approve.")


def approve(number: Number, reason: Reason, by: By = None, catalog: NamedCatalog = None, ledger: Ledger = None) -> None:
    """Grant a requested cap; it applies from the next query on."""
    change_ledger(catalog, ledger, lambda admin: admin.approve_top_up(number, by=by or user_name(), reason=reason))
    confirm(f"Request {number} is approved.")


def decline(number: Number, reason: Reason, by: By = None, catalog: NamedCatalog = None, ledger: Ledger = None) -> None:
    """Decline a requested cap; the present cap stays."""
    change_ledger(catalog, ledger, lambda admin: admin.decline_top_up(number, by=by or user_name(), reason=reason))
    confirm(f"Request {number} is declined.")


def listed(
    context: typer.Context,
    undecided: Open = False,
    catalog: OwnCatalog = "operator",
    ledger: ExistingLedger = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List cap requests, oldest first, with the decision on each."""
    if context.invoked_subcommand is not None:
        return
    from passersby.result.terminal_admin import show_top_ups

    with refusals(form), engine_module() as engine, engine.open_admin(catalog, ledger=ledger, read_only=True) as admin:
        rows = admin.top_ups(open_only=undecided)
        write_rows(rows, show_top_ups, rows, form, TOP_UPS)
