"""Commands on the ledger: its rows; verify, anchor, audit, report and export for auditors; backup, restore.

An auditor reads a ledger on this machine, or at a server with the key of an admin or auditor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from passersby.cli import options as opt
from passersby.cli.output import Document, Format, check_target, console, surface_of, write_json, write_page, write_rows
from passersby.client.address import is_address
from passersby.client.connect import engine_module

if TYPE_CHECKING:
    from passersby.client.remote import RemoteSession


@contextmanager
def open_for_audit(catalog: str, ledger: str | None) -> Iterator[SimpleNamespace | RemoteSession]:
    """Open a ledger for an auditor: the named one, else the server's, else the catalog's; raises PassersbyError.

    One on this machine has the functions that a server offers an auditor. For a server no engine is loaded.
    """
    named_ledger = opt.ledger_of(catalog, ledger)
    if named_ledger is not None or not is_address(catalog):
        with engine_module() as engine:
            yield SimpleNamespace(
                verify=partial(engine.verify_ledger, catalog, ledger=named_ledger),
                audit=partial(engine.audit_ledger, catalog, ledger=named_ledger),
                report=partial(engine.report_ledger, catalog, ledger=named_ledger),
                anchor=partial(engine.anchor_ledger, catalog, ledger=named_ledger),
            )
        return
    from passersby.client.remote import connect_remote

    remote, _ = connect_remote(catalog, client=None, api_key=None)
    try:
        yield remote
    finally:
        remote.close()


Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the last so many rows.")]
Anchor = Annotated[
    Path | None,
    typer.Option("--anchor", metavar="FILE", exists=True, dir_okay=False, help="What `ledger anchor` wrote before."),
]
ClientFilter = Annotated[
    str | None,
    typer.Option(
        "--client",
        metavar="NAME",
        help="Only rows about this client.",
        show_default="all rows",
        rich_help_panel=opt.WHERE,
    ),
]
AUDIT = (
    *("sequence", "at", "by", "kind", "decision", "client", "dataset", "request_id"),
    *("rho", "delta", "windows", "sql", "questions", "versions", "reason"),
)
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="Only rows of this kind, e.g. charged, frozen, note_objection; a wrong one lists all kinds.",
    ),
]
HolderFilter = Annotated[
    str | None, typer.Option("--client", metavar="NAME", help="Only about a client, or all of a group.")
]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only from then on, in UTC: 2026-10-17.")]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", dir_okay=False, help="Write a page there that needs no other host."),
]
BackupTarget = Annotated[str, typer.Argument(metavar="FILE|URL", help="A new file, or an empty schema of a database.")]
Backup = Annotated[str, typer.Argument(metavar="FILE|URL", help="What `ledger backup` wrote.")]
To = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Ends in .csv, .json or .parquet.")]


def rows(
    context: typer.Context,
    limit: Limit = None,
    catalog: opt.Catalog = "operator",
    client: ClientFilter = None,
    ledger: opt.Ledger = None,
    verbose: opt.Verbose = False,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """List ledger rows, oldest first: accounts opened, charges, releases, what admins did; or verify, export them."""
    if context.invoked_subcommand is not None:
        return
    from passersby.result.terminal_lists import MOST_LEDGER_ROWS, show_ledger

    with opt.open_connection(catalog, client, ledger, form) as connection:
        found = connection.ledger(client=client, limit=limit)
        more, most = surface_of("ledger").details, limit or MOST_LEDGER_ROWS
        show = partial(show_ledger, client=client, details=verbose, more=more, most=most)
        write_rows(found, show, found, form, found.NAMES)


def verify(
    anchor: Anchor = None,
    catalog: opt.Catalog = "operator",
    ledger: opt.ExistingLedger = None,
    form: opt.DocumentOption = Document.TABLE,
) -> None:
    """Recompute every hash and table of the ledger and compare; exit code 1 if anything differs."""
    text = None if anchor is None else opt.text_of(anchor)
    with opt.refusals(form), open_for_audit(catalog, ledger) as opened:
        result = opened.verify(anchor=text)
    if form is Document.JSON:
        write_json(result)
    else:
        anchored = "" if text is None else f", and the anchor matches row {json.loads(text)['sequence']}"
        good = (
            f"{result['sequence']} rows: hashes and tables were recomputed from them and agree{anchored};"
            f" the last hash is {result['row_hash']}."
        )
        console().print(Text("\n".join(result["found"]), "red") if result["found"] else Text(good, "green"))
        if result.get("clock"):
            console().print(Text("\n".join(result["clock"]), "yellow"))
    raise typer.Exit(1 if result["found"] else 0)


def audit(
    kind: Kind = None,
    client: HolderFilter = None,
    since: Since = None,
    catalog: opt.Catalog = "operator",
    ledger: opt.ExistingLedger = None,
    verbose: opt.Verbose = False,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """List who queried what and when: decision, price, windows and data versions; no values, no persons."""
    from passersby.result.terminal_admin import show_audit

    with opt.refusals(form), open_for_audit(catalog, ledger) as opened:
        log = opened.audit(kind=kind, client=client, since=since)
        more = surface_of("ledger audit").details
        write_rows(log, partial(show_audit, details=verbose, more=more), log, form, AUDIT)


def report(
    html: Html = None,
    overwrite: opt.Overwrite = False,
    catalog: opt.Catalog = "operator",
    ledger: opt.ExistingLedger = None,
) -> None:
    """Write one page for a regulator: privacy units, limits, spending, the worst case, clients; opens no data."""
    check_target(html, overwrite=overwrite)
    with opt.refusals(Format.TABLE), open_for_audit(catalog, ledger) as opened:
        write_page(opened.report(html=html is not None), html)


def anchor(catalog: opt.Catalog = "operator", ledger: opt.ExistingLedger = None) -> None:
    """Print the present end of the ledger as one line of JSON; keep it out of reach of whoever can write the ledger."""
    with opt.refusals(Format.TABLE), open_for_audit(catalog, ledger) as opened:
        sys.stdout.write(opened.anchor() + "\n")


def export(
    to: To, overwrite: opt.Overwrite = False, catalog: opt.OwnCatalog = "operator", ledger: opt.ExistingLedger = None
) -> None:
    """Write every row of the ledger to a file, with its hashes."""
    check_target(to, overwrite=overwrite)
    with opt.refusals(Format.TABLE), engine_module() as engine:
        found = engine.export_ledger(catalog, ledger=opt.ledger_of(catalog, ledger))
        engine.write_export(found, str(to))
    console().print(Text(f"Written: {to}, {found.num_rows} rows"))


def backup(to: BackupTarget, catalog: opt.OwnCatalog = "operator", ledger: opt.ExistingLedger = None) -> None:
    """Write the whole ledger, and the objections, to an empty place; protect both like the ledger."""
    with opt.refusals(Format.TABLE), engine_module() as engine:
        written = engine.backup_ledger(catalog, to, ledger=opt.ledger_of(catalog, ledger))
    console().print(Text("\n".join(f"Written: {each}" for each in written)))


def restore(
    backup: Backup, anchor: Anchor = None, catalog: opt.OwnCatalog = "operator", ledger: opt.Ledger = None
) -> None:
    """Write a backup to a place without a ledger; refused if more is known to have been spent since."""
    with opt.refusals(Format.TABLE), engine_module() as engine:
        text = None if anchor is None else opt.text_of(anchor)
        place = engine.restore_ledger(catalog, backup, ledger=opt.ledger_of(catalog, ledger), anchor=text)
    console().print(Text(f"Restored: {place}"))
