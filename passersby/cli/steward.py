"""Commands for stewards and owners: catalog (check, diff, new, optimize, forget, calibrate), ingest, object.

`catalog calibration` and `objections list` show what is stored. A calibration is charged to everybody's account, and
its price is shown first. Commands on objections open no data, and reveal nobody who is in them.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from passersby.cli import options as opt
from passersby.cli.output import Document, Format, console, write_document, write_json, write_rows
from passersby.client.connect import engine_module, user_name
from passersby.client.progress import show_copying

HISTOGRAM = ("table", "keys", "kind", "column", "window", "made_on", "expires_on", "sigma", "bins", "usual")
MEASURING = "Measuring how much people contribute"
CONVERTING = "Converting files"
Window = Annotated[
    str | None,
    typer.Option(
        "--window",
        metavar="NAME",
        help="Which window is measured.",
        show_default="the last delivered one that has ended by today",
    ),
]
Rho = Annotated[
    str | None,
    typer.Option("--rho", metavar="NUMBER", help="Loss of all of it.", show_default="the catalog's calibration.rho"),
]
Keys = Annotated[
    list[str] | None,
    typer.Option("--keys", metavar="LIST", help='More usual keys, e.g. "zone_id, hour(ts)"; may be repeated.'),
]
Details = Annotated[bool, typer.Option("--details", help="List every histogram, and every set of keys left out.")]
OnlyBounds = Annotated[bool, typer.Option("--bounds", help='Measure only columns that declare bounds = "measure".')]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would cost, and stop.")]
IfDue = Annotated[
    bool, typer.Option("--if-due", help="Do nothing where the timetable of the catalog asks for none yet.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Charge without asking.")]


def calibrate(
    named: opt.Named = None,
    rho: Rho = None,
    keys: Keys = None,
    window: Window = None,
    dataset: opt.Dataset = None,
    bounds: OnlyBounds = False,
    dry_run: DryRun = False,
    if_due: IfDue = False,
    yes: Yes = False,
    details: Details = False,
    catalog: opt.NamedCatalog = None,
    by: opt.By = None,
    ledger: opt.Ledger = None,
    form: opt.DocumentOption = Document.TABLE,
) -> None:
    """Measure with noise how much people contribute, to choose the clip bounds that lose least.

    The charge goes to the whole dataset's budget in one window, and counts as seen by every client. Its clip bounds are
    used until it expires; open connections and servers use them after they are opened again.
    """
    where = opt.named_catalog(named, catalog)
    options = {"ledger": ledger, "dataset": dataset, "window": window, "rho": rho, "keys": keys or ()}

    def confirmed(result: dict[str, Any]) -> bool:
        """Show the price, and ask for consent unless --yes was given."""
        if form is Document.TABLE:
            console().print(_price(result, details))
        return yes or typer.confirm("Charge it?")

    with (
        opt.refusals(form),
        engine_module() as engine,
        show_copying(MEASURING, quiet=form is not Document.TABLE) as progress,
    ):
        result = engine.calibrate_catalog(
            where, by=by or user_name(), only_bounds=bounds, dry_run=dry_run, if_due=if_due, confirm=confirmed,
            progress=progress, **options,
        )  # fmt: skip
    if form is not Document.TABLE:
        write_json(result)
    elif result["made"]:
        _show(result, details)
    else:
        console().print(_not_made_text(result, dry_run, if_due, details))


def calibration(
    named: opt.Named = None,
    dataset: opt.Dataset = None,
    catalog: opt.OwnCatalog = "operator",
    ledger: opt.Ledger = None,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """Show the calibration in force: the distribution of contributions, and the clip bounds chosen from it."""
    from passersby.result.terminal_admin import show_calibration

    with opt.refusals(form), engine_module() as engine:
        found = engine.list_calibrations(named or catalog, ledger=ledger, dataset=dataset)
        write_rows(found, show_calibration, found, form, HISTOGRAM)


def _show(result: dict[str, Any], details: bool) -> None:
    """Print the histograms of a new calibration, or their summary."""
    from passersby.result.terminal_admin import show_calibration, summarize_calibration

    console().print(show_calibration(result["histograms"]) if details else summarize_calibration(result))


def _price(estimate: dict[str, Any], details: bool) -> Text:
    """Price of a calibration and what it measures, in a few lines."""
    from passersby.result.terminal_admin import in_window

    loss, windows = estimate["price"], ", ".join(estimate["windows"])
    share = estimate["share_of_ceiling"]
    of_windows = "" if windows == estimate["window"] else f" of {windows}"
    lines = [
        (
            f"Measured is {estimate['dataset']}{in_window(estimate['window'])}, {estimate['why_window']};"
            " --window names another."
        ),
        (
            f"{estimate['asked']:,} histogram{'s' * (estimate['asked'] != 1)}{of_windows} for rho {loss['rho']:.4g},"
            f" {share:.1%} of the whole budget of that window, charged to everybody and for good."
        ),
        *_left_out(estimate["left_out"], details),
    ]
    return Text("\n".join(lines))


def _left_out(left_out: list[dict[str, Any]], details: bool) -> Iterator[str]:
    """Keys that can't be measured: each with its reason, or a number for each table."""
    if details:
        yield from (f"  left out: {each['table']} by {', '.join(each['keys'])}: {each['why']}" for each in left_out)
        return
    for table, count in Counter(each["table"] for each in left_out).items():
        yield f"  left out: {count:,} set{'s' * (count != 1)} of keys of {table}; --details says which and why"


def _not_made_text(estimate: dict[str, Any], dry_run: bool, if_due: bool, details: bool) -> Text:
    """Why no calibration was made: a dry run, or none is due."""
    if if_due and not estimate["due"]:
        return Text(f"Nothing was charged: the next calibration is due on {estimate['due_on']}.")
    why = "this was a dry run." if dry_run else "as you said."
    head = _price(estimate, details) if dry_run else Text()
    return Text.assemble(head, "\n" if dry_run else "", f"Nothing was charged: {why}")


MOST_HINTS = 6  # on an accepted catalog
FINDING = ("file", "key", "why", "cure")
ADDING = "Adding new rows"
OPTIMIZING = "Copying in the order of persons, and rolling up"
CHANGE = ("effect", "key", "told")
New = Annotated[str, typer.Argument(metavar="NEW", help="The new catalog's file.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", file_okay=False, exists=True, help="Where the files lie.")]
To = Annotated[
    Path | None, typer.Option("--to", metavar="FILE", help="Where to write.", show_default="catalog.toml in the folder")
]
NewFolder = Annotated[Path, typer.Option("--to", metavar="FOLDER", help="A new folder for the Parquet files.")]

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


def check(named: opt.Named = None, catalog: opt.OwnCatalog = "operator", form: opt.FormatOption = Format.TABLE) -> None:
    """Check a catalog against its files; exit code 1 if there is a finding."""
    from passersby.result.terminal_lists import show_findings

    where = named or catalog
    with opt.refusals(form), engine_module() as engine:
        findings = engine.find_catalog_errors(where)
        if findings or form is not Format.TABLE:
            write_rows(findings, show_findings, findings, form, FINDING)
        else:
            console().print(Text(f"{where}: the catalog is accepted, and the files are as it says.", "green"))
            for hint in engine.list_undeclared(where)[:MOST_HINTS]:
                console().print(Text(f"- {hint}", "yellow"))
            console().print(Text(f"See what analysts will see: passersby tables --catalog {shlex.quote(str(where))}"))
    raise typer.Exit(1 if findings else 0)


def diff(
    new: New,
    catalog: opt.OwnCatalog = "operator",
    ledger: opt.ExistingLedger = None,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """Compare a new catalog with the one in use before it applies; exit code 1 if a change is forbidden.

    The comparison covers prices, limits, windows, bounds, and stored releases that would be charged again, by the
    ledger of the catalog in use (--catalog). Opening the new catalog refuses forbidden changes, in the same words.
    """
    from passersby.result.terminal_lists import show_changes

    with opt.refusals(form), engine_module() as engine:
        changes = engine.list_catalog_changes(catalog, new, ledger=ledger)
        write_rows(changes, show_changes, changes, form, CHANGE)
    raise typer.Exit(1 if any(change["effect"] == "forbidden" for change in changes) else 0)


def new(folder: Folder, to: To = None) -> None:
    """Write a commented catalog for the files of a folder: nothing can be queried until you declare it."""
    target = to or folder / "catalog.toml"
    with opt.refusals(Format.TABLE), engine_module() as engine:
        text = engine.draft_catalog_text(str(folder))
        try:
            with target.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            why = f"{target} is there already, and is not overwritten. Name another file with --to."
            raise typer.BadParameter(why, param_hint=None if to is None else "--to") from None
    lines = (
        f"Written: {target}",
        '1. Edit it: take "# " off the lines of your tables, and fill in what is blank',
        f"2. passersby catalog check {shlex.quote(str(target))}",
        f"3. passersby tables --catalog {shlex.quote(str(target))}",
        "All keys of a catalog: passersby catalog keys",
    )
    console().print(Text("\n".join(lines)))


def convert(folder: Folder, to: NewFolder) -> None:
    """Convert files to Parquet that a catalog can declare: plain names, real numbers and times, UTF-8.

    The files stay as they are. Reads Parquet, CSV, TSV, JSON and DuckDB files of a folder and its subfolders.
    """
    with opt.refusals(Format.TABLE), engine_module() as engine, show_copying(CONVERTING) as progress:
        tables = engine.convert_files(str(folder), str(to), progress)
    lines = list[str]()
    for table in tables:
        lines.append(f"{table['path']}: {table['files']}" if table["path"] else f"Not converted: {table['files']}")
        lines += [f"  {change}" for change in table["changes"]]
    console().print(Text("\n".join([*lines, f"Next: passersby catalog new {shlex.quote(str(to))}"])))


def keys() -> None:
    """Explain every key of a catalog, with its default or an example."""
    with opt.refusals(Format.TABLE), engine_module() as engine:
        typer.echo(engine.catalog_keys_text())


def optimize(
    named: opt.Named = None, catalog: opt.NamedCatalog = None, form: opt.DocumentOption = Document.TABLE
) -> None:
    """Build a copy of the data that is read faster, sorted by person, and the rollups that the catalog declares.

    Of people's tables in a lake the rollups alone are kept beside it, which are read there once.

    It lies in the cache folder and is used by whatever opens the catalog from then on, until the data change. Answers
    are the same: no question becomes cheaper or dearer, and no stored answer is asked anew.
    """
    where = opt.named_catalog(named, catalog)
    with (
        opt.refusals(form),
        engine_module() as engine,
        show_copying(OPTIMIZING, quiet=form is not Document.TABLE) as progress,
    ):
        account = engine.optimize_catalog(where, progress=progress)
    before = "a lake" if account["bytes_before"] is None else f"{account['bytes_before'] / 1e6:,.1f} MB of data"
    after, rollups = f"{account['bytes_after'] / 1e6:,.1f} MB", _count_text(account["rollups"], "rollup")
    summary = f"{where}: {after} beside {before}, {rollups}, in {account['seconds']:,.1f} s"
    write_document(account, lambda _: Text(f"{summary}\n{account['file']}"), form)


def forget(
    named: opt.Named = None, catalog: opt.NamedCatalog = None, form: opt.DocumentOption = Document.TABLE
) -> None:
    """Delete every copy of the private files from the cache folder, optimized layouts too.

    Use it after a person was erased from the files. The next connection reads the files; a running server keeps what it
    has open until it restarts.
    """
    where = opt.named_catalog(named, catalog)
    with opt.refusals(form), engine_module() as engine:
        removed = engine.remove_cached_copies(where)
    size = f"{removed['bytes'] / 1e6:,.1f} MB"
    copies = "1 copy is" if removed["copies"] == 1 else f"{removed['copies']} copies are"
    lines = [f"{where}: {copies} removed, {size}, from {removed['folder']}"]
    if not removed["copies"]:
        lines.append("A service's copies lie where its PASSERSBY_CACHE says: run this with the same, as its user.")
    write_document(removed, lambda _: Text("\n".join(lines)), form)


def ingest(
    table: Table,
    files: Files,
    catalog: opt.NamedCatalog = None,
    ledger: opt.Ledger = None,
    window: Windows = None,
    late: Late = False,
    optimize: Optimize = False,
    form: opt.DocumentOption = Document.TABLE,
) -> None:
    """Add files of new rows to a private table, in one atomic step.

    Rows that violate the catalog are rejected, counted, and kept in a separate file. Files that were added before are
    skipped, so that an interrupted run can be repeated. Exit code 1 if no row was added.
    """
    where = opt.named_catalog(catalog)
    with opt.refusals(form), engine_module() as engine:
        with show_copying(ADDING, quiet=form is not Document.TABLE) as progress:
            outcome = engine.ingest_files(
                where, table, files, ledger=ledger, late=late, windows=window or (), progress=progress
            )
        if optimize or outcome["laid_out"]:
            try:
                with show_copying(OPTIMIZING, quiet=form is not Document.TABLE) as progress:
                    layout = engine.optimize_catalog(where, rebuild=False, progress=progress)
                outcome |= {"optimized": layout["file"], "renewed": layout["renewed"], "laid_out": False}
            except engine.Refused:
                if optimize:
                    raise  # it was asked for; else the rows are in, and that is said
    write_document(outcome, lambda shown: Text("\n".join(_ingest_lines(table, shown))), form)
    raise typer.Exit(0 if outcome["rows"] else 1)


def _ingest_lines(table: str, outcome: dict[str, Any]) -> Iterator[str]:
    """Outcome of an ingest, line by line; contains no value of a row."""
    many, files = _count_text(outcome["rows"], "row"), _count_text(outcome["files"], "file")
    verb = "is" if outcome["rows"] == 1 else "are"
    yield f"{table}: {many} of {files} {verb} in; the data's version is {outcome['version']}."
    if outcome["already"]:
        were = "was" if outcome["already"] == 1 else "were"
        yield f"{_count_text(outcome['already'], 'file')} {were} in already, or given twice: nothing of that was added."
    if outcome["refused"]:
        refused = sum(outcome["refused"].values())
        were, lie = ("was", "lies") if refused == 1 else ("were", "lie")
        yield f"{_count_text(refused, 'row')} {were} refused, and {lie} in {outcome['quarantine']}"
        yield from (f"  {rows:,}: {reason}" for reason, rows in outcome["refused"].items())
    if outcome["rows"]:
        yield "A server, or a session that is open, reads them when it is opened again."
        yield "Questions of this version are new ones: who asks again what was answered before is charged again."
    if outcome["undeclared"]:
        yield "Of which windows it is was not declared (--window), so that they can't be calibrated by it."
    if outcome["laid_out"]:
        yield "The layout is of the data as they were: run passersby catalog optimize, which says why it stayed so."
    if "optimized" in outcome:
        yield (
            f"The layout is of the data as they are now, {'brought up to date' if outcome['renewed'] else 'made anew'}."
        )


def _count_text(count: int, what: str) -> str:
    """Return the number with its noun, in the plural where needed."""
    return f"{count:,} {what}{'s' * (count != 1)}"


EVENT_COLUMNS = ("act", "at", "recorded_by", "dataset", "kind", "reason")
Person = Annotated[
    str | None, typer.Argument(metavar="PERSON", help="Who objects, as the data name them; --file for many.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Who asked and why, without naming the person; it is kept.")
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        exists=True,
        dir_okay=False,
        help="CSV or Parquet, one person a line; a bad line, or a comma too much, and nothing is recorded.",
    ),
]
Withdraw = Annotated[bool, typer.Option("--withdraw", help="The person objects no more.")]


def object_(
    reason: Reason,
    person: Person = None,
    file: File = None,
    withdraw: Withdraw = False,
    dataset: opt.Dataset = None,
    catalog: opt.NamedCatalog = None,
    by: opt.By = None,
    ledger: opt.Ledger = None,
    form: opt.DocumentOption = Document.TABLE,
) -> None:
    """Record a person's objection: from the next query on they are in no new answer."""
    if (person is None) == (file is None):
        raise typer.BadParameter("Name one person, or a file of them.", param_hint="PERSON")
    where = opt.named_catalog(catalog)
    with opt.refusals(form), engine_module() as engine, show_copying(quiet=True) as progress:
        options = {"reason": reason, "by": by or user_name(), "dataset": dataset, "withdraw": withdraw}
        with engine.open_register(where, ledger=ledger, progress=progress) as register:
            if file is not None:
                event = register.object_file(str(file), progress=progress, **options)
            else:
                event = register.object(person, **options)
    write_document(event, lambda recorded: Text(_event_text(recorded), "green"), form)


def listed(
    context: typer.Context,
    dataset: opt.Dataset = None,
    catalog: opt.OwnCatalog = "operator",
    ledger: opt.ExistingLedger = None,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """List when objections were recorded, by whom and why: neither whose nor how many."""
    if context.invoked_subcommand is not None:
        return
    from passersby.result.terminal_lists import show_objection_events

    with opt.refusals(form), engine_module() as engine:
        with engine.open_register(catalog, ledger=ledger, read_only=True) as register:
            events = register.events(dataset)
        write_rows(events, show_objection_events, events, form, EVENT_COLUMNS)


def _event_text(event: dict[str, Any]) -> str:
    """Return the confirmation of a recorded or withdrawn objection."""
    done = "Recorded" if event["kind"] == "object" else "Withdrawn"
    sentences = [f"{done} as entry {event['act']} of dataset {event['dataset']}: it holds from the next question on."]
    if "persons" in event:
        more = "1 more line repeats" if event["repeated"] == 1 else f"{event['repeated']:,} more lines repeat"
        twice = f"; {more} one of them" if event["repeated"] else ""
        sentences.append(f"The file names {event['persons']:,} different persons{twice}.")
    elif event["kind"] == "object":
        sentences.append("Whether the data name anybody so is not looked up: compare the spelling.")
    return " ".join(sentences)
