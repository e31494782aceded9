"""Commands that account: budget, history, tables."""

from __future__ import annotations

from typing import Annotated

import typer

from passersby.cli.cli_options import Catalog, Client, Form, Ledger, opened
from passersby.cli.output import Format, write_json, write_rows

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The table to see in full.")]


def budget(
    catalog: Catalog = "operator",
    client: Client = None,
    ledger: Ledger = None,
    form: Form = Format.TABLE,
) -> None:
    """See what is spent and left, of your account and of all clients' together."""
    from passersby.result.display_lists import show_budget

    with opened(catalog, client, ledger, form) as connection:
        seen = connection.budget()
        if form is Format.JSON:
            write_json(dict(seen))
        else:
            write_rows(seen.accounts, show_budget, seen, form)


def history(
    catalog: Catalog = "operator",
    client: Client = None,
    ledger: Ledger = None,
    form: Form = Format.TABLE,
) -> None:
    """List the releases you have paid for; asking again is free, as long as the data are of the same version."""
    from passersby.result.display_lists import show_history

    with opened(catalog, client, ledger, form) as connection:
        releases = connection.history()
        write_rows(releases, show_history, releases, form, releases.NAMES)


def tables(
    name: Name = None,
    catalog: Catalog = "operator",
    client: Client = None,
    ledger: Ledger = None,
    form: Form = Format.TABLE,
) -> None:
    """List the tables and columns that may be asked about; with a NAME, see everything declared of that table."""
    from passersby.result.display_lists import show_tables

    with opened(catalog, client, ledger, form) as connection:
        known = connection.tables(name)
        if form is Format.JSON:
            write_json(known)
        else:
            write_rows(known.columns(), show_tables, known, form)
