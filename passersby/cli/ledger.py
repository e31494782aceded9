"""Commands on the ledger: its rows; verify, anchor, audit, report and export for auditors; backup, restore.

An auditor reads a ledger on this machine, or at a server with the key of an admin or auditor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from passersby.cli.options import (
    WHERE,
    Catalog,
    Form,
    KeptLedger,
    Ledger,
    OwnCatalog,
    Verbose,
    Written,
    ledger_of,
    opened,
    refusals,
    text_of,
)
from passersby.cli.output import Document, Format, console, write_json, write_page, write_rows
from passersby.client.address import is_address
from passersby.client.connect import engine_face

if TYPE_CHECKING:
    from passersby.client.remote import Remote


@dataclass(frozen=True)
class LedgerHere:
    """Ledger of a catalog on this machine, with the methods that a server offers an auditor."""

    engine: ModuleType
    where: str
    ledger: str | None

    def verify(self, anchor: str | None) -> dict[str, Any]:
        """Verify the hash chain: its end, and every difference between the rows and what was written."""
        told: dict[str, Any] = self.engine.verify_ledger(self.where, ledger=self.ledger, anchor=anchor)
        return told

    def audit(self, **chosen: str | None) -> list[dict[str, Any]]:
        """Audit log: who queried what and when, and what admins did."""
        told: list[dict[str, Any]] = self.engine.audit_ledger(self.where, ledger=self.ledger, **chosen)
        return told

    def report(self, *, html: bool) -> str:
        """Report for a regulator, as text or HTML."""
        return str(self.engine.report_ledger(self.where, ledger=self.ledger, html=html))

    def anchor(self) -> str:
        """Present end of the hash chain, as one line of JSON."""
        return str(self.engine.anchor_ledger(self.where, ledger=self.ledger))


@contextmanager
def audited(where: str, ledger: str | None) -> Iterator[LedgerHere | Remote]:
    """Open a ledger for an auditor: the named one, else the server's, else the catalog's; raises PassersbyError.

    For a server no engine is loaded.
    """
    named = ledger_of(where, ledger)
    if named is not None or not is_address(where):
        with engine_face() as engine:
            yield LedgerHere(engine, where, named)
        return
    from passersby.client.remote import reach

    far, _ = reach(where, client=None, api_key=None)
    try:
        yield far
    finally:
        far.close()


Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the last so many rows.")]
Anchor = Annotated[
    Path | None,
    typer.Option("--anchor", metavar="FILE", exists=True, dir_okay=False, help="What `ledger anchor` wrote before."),
]
About = Annotated[
    str | None,
    typer.Option(
        "--client",
        metavar="NAME",
        help="Only rows about this client.",
        show_default="all rows",
        rich_help_panel=WHERE,
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
Holder = Annotated[str | None, typer.Option("--client", metavar="NAME", help="Only about a client, or all of a group.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only from then on, in UTC: 2026-10-17.")]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", dir_okay=False, help="Write a page there that needs no other host."),
]
Place = Annotated[str, typer.Argument(metavar="FILE|URL", help="A new file, or an empty schema of a database.")]
Backup = Annotated[str, typer.Argument(metavar="FILE|URL", help="What `ledger backup` wrote.")]
To = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Ends in .csv, .json or .parquet.")]


def rows(
    context: typer.Context,
    limit: Limit = None,
    catalog: Catalog = "operator",
    client: About = None,
    ledger: Ledger = None,
    verbose: Verbose = False,
    form: Form = Format.TABLE,
) -> None:
    """List ledger rows, oldest first: accounts opened, charges, releases, what admins did; or verify, export them."""
    if context.invoked_subcommand is not None:
        return
    from passersby.result.terminal_lists import show_ledger

    with opened(catalog, client, ledger, form) as connection:
        found = connection.ledger(client=client, limit=limit)
        show = partial(show_ledger, client=client, details=verbose, more="details: passersby ledger --verbose")
        write_rows(found, show, found, form, found.NAMES)


def verify(
    anchor: Anchor = None,
    catalog: Catalog = "operator",
    ledger: KeptLedger = None,
    form: Written = Document.TABLE,
) -> None:
    """Recompute every hash and table of the ledger and compare; exit code 1 if anything differs."""
    text = None if anchor is None else text_of(anchor)
    with refusals(form), audited(catalog, ledger) as kept:
        told = kept.verify(text)
    if form is Document.JSON:
        write_json(told)
    else:
        beside = "" if text is None else f", and the anchor matches row {json.loads(text)['sequence']}"
        good = f"{told['sequence']} rows, each as it was written{beside}; the last has the hash {told['row_hash']}."
        console().print(Text("\n".join(told["found"]), "red") if told["found"] else Text(good, "green"))
        if told.get("clock"):
            console().print(Text("\n".join(told["clock"]), "yellow"))
    raise typer.Exit(1 if told["found"] else 0)


def audit(
    kind: Kind = None,
    client: Holder = None,
    since: Since = None,
    catalog: Catalog = "operator",
    ledger: KeptLedger = None,
    verbose: Verbose = False,
    form: Form = Format.TABLE,
) -> None:
    """List who queried what and when: decision, price, windows and data versions; no values, no persons."""
    from passersby.result.terminal_admin import show_audit

    with refusals(form), audited(catalog, ledger) as kept:
        log = kept.audit(kind=kind, client=client, since=since)
        write_rows(log, partial(show_audit, details=verbose), log, form, AUDIT)


def report(html: Html = None, catalog: Catalog = "operator", ledger: KeptLedger = None) -> None:
    """Write one page for a regulator: privacy units, limits, spending, the worst case, clients; opens no data."""
    with refusals(Format.TABLE), audited(catalog, ledger) as kept:
        write_page(kept.report(html=html is not None), html)


def anchor(catalog: Catalog = "operator", ledger: KeptLedger = None) -> None:
    """Print the present end of the ledger as one line of JSON; keep it out of reach of whoever can write the ledger."""
    with refusals(Format.TABLE), audited(catalog, ledger) as kept:
        sys.stdout.write(kept.anchor() + "\n")


def export(to: To, catalog: OwnCatalog = "operator", ledger: KeptLedger = None) -> None:
    """Write every row of the ledger to a file, with its hashes."""
    with refusals(Format.TABLE), engine_face() as engine:
        found = engine.export_ledger(catalog, ledger=ledger_of(catalog, ledger))
        engine.write_export(found, str(to))
    console().print(Text(f"Written: {to}, {found.num_rows} rows"))


def backup(to: Place, catalog: OwnCatalog = "operator", ledger: KeptLedger = None) -> None:
    """Write the whole ledger, and the objections, to an empty place; protect both like the ledger."""
    with refusals(Format.TABLE), engine_face() as engine:
        written = engine.backup_ledger(catalog, to, ledger=ledger_of(catalog, ledger))
    console().print(Text("\n".join(f"Written: {each}" for each in written)))


def restore(backup: Backup, anchor: Anchor = None, catalog: OwnCatalog = "operator", ledger: Ledger = None) -> None:
    """Write a backup to a place without a ledger; refused if more is known to have been spent since."""
    with refusals(Format.TABLE), engine_face() as engine:
        text = None if anchor is None else text_of(anchor)
        place = engine.restore_ledger(catalog, backup, ledger=ledger_of(catalog, ledger), anchor=text)
    console().print(Text(f"Restored: {place}"))
