"""Commands for stewards: catalog check, catalog diff, catalog new, catalog optimize."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from passersby.cli_options import Catalog, Form, Ledger, refusals
from passersby.making import shown_making
from passersby.opening import engine_face
from passersby.output import Format, console, write_json, write_rows

FINDING = ("file", "key", "why", "cure")
Named = Annotated[str | None, typer.Argument(metavar="NAME|FILE", help="The catalog; --catalog says the same.")]
OPTIMIZING = "Copying in the order of persons, and rolling up"
CHANGE = ("effect", "key", "told")
New = Annotated[str, typer.Argument(metavar="NEW", help="The new catalog's file.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", file_okay=False, exists=True, help="Where the files lie.")]
To = Annotated[
    Path | None, typer.Option("--to", metavar="FILE", help="Where to write.", show_default="catalog.toml in the folder")
]


def check(named: Named = None, catalog: Catalog = "operator", form: Form = Format.TABLE) -> None:
    """Check a catalog, and whether the files it names are as it says; exit code 1 where something is not."""
    from passersby.display_lists import show_findings

    where = named or catalog
    with refusals(form), engine_face() as engine:
        findings = engine.check_catalog_text(where)
        if findings or form is not Format.TABLE:
            write_rows(findings, show_findings, findings, form, FINDING)
        else:
            console().print(Text(f"{where}: the catalog is accepted, and the files are as it says.", "green"))
    raise typer.Exit(1 if findings else 0)


def diff(new: New, catalog: Catalog = "operator", ledger: Ledger = None, form: Form = Format.TABLE) -> None:
    """Tell what a new catalog would change, before it applies; exit code 1 where something of it is forbidden.

    It is held against the catalog in use (--catalog) and its ledger: prices, limits, windows, bounds, and the stored
    releases that would be asked anew. Opening the new catalog refuses what is forbidden, in the same words.
    """
    from passersby.display_lists import show_changes

    with refusals(form), engine_face() as engine:
        changes = engine.catalog_diff_told(catalog, new, ledger=ledger)
        write_rows(changes, show_changes, changes, form, CHANGE)
    raise typer.Exit(1 if any(change["effect"] == "forbidden" for change in changes) else 0)


def new(folder: Folder, to: To = None) -> None:
    """Write a commented catalog for the files of a folder: nothing can be asked until you declare it."""
    target = to or folder / "catalog.toml"
    with refusals(Format.TABLE), engine_face() as engine:
        text = engine.new_catalog_text(str(folder))
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise typer.BadParameter(f"{target} is there already; it is not overwritten.", param_hint="--to") from None
    console().print(Text(f"Written: {target}\nDeclare your tables in it, then: passersby catalog check {target}"))


def optimize(named: Named = None, catalog: Catalog = "operator", form: Form = Format.TABLE) -> None:
    """Build a copy of the data that is read faster, sorted by person, and the rollups that the catalog declares.

    It lies in the cache folder and is used by whatever opens the catalog from then on, until the data change. Answers
    are the same: no question becomes cheaper or dearer, and no stored answer is asked anew.
    """
    if form not in (Format.TABLE, Format.JSON):
        raise typer.BadParameter("An account is written as table or json.", param_hint="--format")
    where = named or catalog
    with refusals(form), engine_face() as engine, shown_making(OPTIMIZING, quiet=form is not Format.TABLE) as progress:
        account = engine.optimize_catalog(where, progress=progress)
    if form is Format.JSON:
        write_json(account)
        return
    before, after = (f"{account[key] / 1e6:,.1f} MB" for key in ("bytes_before", "bytes_after"))
    told = f"{where}: {after} beside {before} of data, {account['rollups']} rollups, in {account['seconds']:,.1f} s"
    console().print(Text(f"{told}\n{account['file']}"))
