"""Commands for stewards: catalog check, diff, new, optimize, forget; ingest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from passersby.cli.cli_options import Form, Ledger, Written, refusals
from passersby.cli.cli_owner_options import KeptLedger, Named, NamedCatalog, OwnCatalog, chosen
from passersby.cli.output import Document, Format, console, write_json, write_rows
from passersby.client.making import shown_making
from passersby.client.opening import engine_face

FINDING = ("file", "key", "why", "cure")
ADDING = "Adding new rows"
OPTIMIZING = "Copying in the order of persons, and rolling up"
CHANGE = ("effect", "key", "told")
New = Annotated[str, typer.Argument(metavar="NEW", help="The new catalog's file.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", file_okay=False, exists=True, help="Where the files lie.")]
To = Annotated[
    Path | None, typer.Option("--to", metavar="FILE", help="Where to write.", show_default="catalog.toml in the folder")
]

Table = Annotated[str, typer.Argument(metavar="TABLE", help="The private table that the rows are added to.")]
Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Parquet or CSV with a header: files, patterns or folders, also of an object store: s3://, gs://, abfss://.",
    ),
]
Late = Annotated[bool, typer.Option("--late", help="Add rows also to windows of which answers were given.")]
Windows = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        metavar="NAME",
        help="What the delivery is of: 2026-11, or 2026-11..2026-12; may be repeated. Other rows are refused.",
    ),
]
Optimize = Annotated[
    bool, typer.Option("--optimize", help="Make a layout afterwards; one that is there is brought up to date anyhow.")
]


def check(named: Named = None, catalog: OwnCatalog = "operator", form: Form = Format.TABLE) -> None:
    """Check a catalog, and whether the files it names are as it says; exit code 1 where something is not."""
    from passersby.result.display_lists import show_findings

    where = named or catalog
    with refusals(form), engine_face() as engine:
        findings = engine.check_catalog_text(where)
        if findings or form is not Format.TABLE:
            write_rows(findings, show_findings, findings, form, FINDING)
        else:
            console().print(Text(f"{where}: the catalog is accepted, and the files are as it says.", "green"))
            console().print(Text(f"See what analysts will see: passersby tables --catalog {where}"))
    raise typer.Exit(1 if findings else 0)


def diff(new: New, catalog: OwnCatalog = "operator", ledger: KeptLedger = None, form: Form = Format.TABLE) -> None:
    """Tell what a new catalog would change, before it applies; exit code 1 where something of it is forbidden.

    It is held against the catalog in use (--catalog) and its ledger: prices, limits, windows, bounds, and the stored
    releases that would be asked anew. Opening the new catalog refuses what is forbidden, in the same words.
    """
    from passersby.result.display_lists import show_changes

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
            why = f"{target} is there already, and is not overwritten. Name another file with --to."
            raise typer.BadParameter(why, param_hint=None if to is None else "--to") from None
    console().print(Text(f"Written: {target}\nDeclare your tables in it, then: passersby catalog check {target}"))


def optimize(named: Named = None, catalog: NamedCatalog = None, form: Written = Document.TABLE) -> None:
    """Build a copy of the data that is read faster, sorted by person, and the rollups that the catalog declares.

    Of people's tables in a lake the rollups alone are kept beside it, which are read there once.

    It lies in the cache folder and is used by whatever opens the catalog from then on, until the data change. Answers
    are the same: no question becomes cheaper or dearer, and no stored answer is asked anew.
    """
    where = chosen(named, catalog)
    with (
        refusals(form),
        engine_face() as engine,
        shown_making(OPTIMIZING, quiet=form is not Document.TABLE) as progress,
    ):
        account = engine.optimize_catalog(where, progress=progress)
    if form is Document.JSON:
        write_json(account)
        return
    before = "a lake" if account["bytes_before"] is None else f"{account['bytes_before'] / 1e6:,.1f} MB of data"
    after, rollups = f"{account['bytes_after'] / 1e6:,.1f} MB", _many(account["rollups"], "rollup")
    told = f"{where}: {after} beside {before}, {rollups}, in {account['seconds']:,.1f} s"
    console().print(Text(f"{told}\n{account['file']}"))


def forget(named: Named = None, catalog: NamedCatalog = None, form: Written = Document.TABLE) -> None:
    """Remove every copy of the data's private files from the cache folder, layouts too.

    For when somebody was erased from the files. What is opened next reads the files themselves; a server that runs
    goes on with what it has open until it is restarted.
    """
    where = chosen(named, catalog)
    with refusals(form), engine_face() as engine:
        removed = engine.forget_copies(where)
    if form is Document.JSON:
        write_json(removed)
        return
    size = f"{removed['bytes'] / 1e6:,.1f} MB"
    copies = "1 copy is" if removed["copies"] == 1 else f"{removed['copies']} copies are"
    told = [f"{where}: {copies} removed, {size}, from {removed['folder']}"]
    if not removed["copies"]:
        told.append("A service's copies lie where its PASSERSBY_CACHE says: run this with the same, as its user.")
    console().print(Text("\n".join(told)))


def ingest(
    table: Table,
    files: Files,
    catalog: NamedCatalog = None,
    ledger: Ledger = None,
    window: Windows = None,
    late: Late = False,
    optimize: Optimize = False,
    form: Written = Document.TABLE,
) -> None:
    """Add files of new rows to a private table, in one step: all that it takes, or nothing.

    Rows that are not as the catalog declares are refused, counted, and kept in a file of their own beside the data.
    Files that are in already are left out, so that a run that was cut off is run again. Exit code 1 where no row
    was taken.
    """
    where = chosen(catalog)
    with refusals(form), engine_face() as engine:
        with shown_making(ADDING, quiet=form is not Document.TABLE) as progress:
            done = engine.ingest_files(
                where, table, files, ledger=ledger, late=late, windows=window or (), progress=progress
            )
        if optimize or done["laid_out"]:
            try:
                with shown_making(OPTIMIZING, quiet=form is not Document.TABLE) as progress:
                    made = engine.optimize_catalog(where, anew=False, progress=progress)
                done |= {"optimized": made["file"], "renewed": made["renewed"], "laid_out": False}
            except engine.Refused:
                if optimize:
                    raise  # it was asked for; else the rows are in, and that is said
    if form is Document.JSON:
        write_json(done)
    else:
        console().print(Text("\n".join(_told(table, done))))
    raise typer.Exit(0 if done["rows"] else 1)


def _told(table: str, done: dict[str, Any]) -> Iterator[str]:
    """Say what became of files; no value of a row is in it."""
    many, files = _many(done["rows"], "row"), _many(done["files"], "file")
    verb = "is" if done["rows"] == 1 else "are"
    yield f"{table}: {many} of {files} {verb} in; the data's version is {done['version']}."
    if done["already"]:
        were = "was" if done["already"] == 1 else "were"
        yield f"{_many(done['already'], 'file')} {were} in already, or given twice: nothing of that was added."
    if done["refused"]:
        refused = sum(done["refused"].values())
        were, lie = ("was", "lies") if refused == 1 else ("were", "lie")
        yield f"{_many(refused, 'row')} {were} refused, and {lie} in {done['quarantine']}"
        yield from (f"  {rows:,}: {reason}" for reason, rows in done["refused"].items())
    if done["rows"]:
        yield "A server, or a session that is open, reads them when it is opened again."
        yield "Questions of this version are new ones: who asks again what was answered before is charged again."
    if done["undeclared"]:
        yield "Of which windows it is was not declared (--window), so that they can't be calibrated by it."
    if done["laid_out"]:
        yield "The layout is of the data as they were: run passersby catalog optimize, which says why it stayed so."
    if "optimized" in done:
        yield f"The layout is of the data as they are now, {'brought up to date' if done['renewed'] else 'made anew'}."


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
