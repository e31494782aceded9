"""Commands for analysts: query, explain, rehearse, budget, history, tables, standing; about-me.

Scheduled queries: `standing run` is for the owner of
the dataset, `standing list` and `standing show` are for the clients named in the file. `about-me` is for people in the
data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from passersby.cli import options as opt
from passersby.cli.output import (
    Document,
    Format,
    check_target,
    console,
    surface_of,
    write_document,
    write_page,
    write_result,
    write_rows,
)
from passersby.client.address import is_address
from passersby.client.connect import engine_module
from passersby.client.connection import Connection
from passersby.client.progress import show_waiting
from passersby.errors import PassersbyError
from passersby.result.terminal import table_of
from passersby.text.numbers import printable, rho_text

Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", dir_okay=False, help="Write the page there, for a web site.")
]


def about_me(
    html: Html = None,
    overwrite: opt.Overwrite = False,
    catalog: opt.OwnCatalog = "operator",
    ledger: opt.ExistingLedger = None,
) -> None:
    """Explain to people in the data what is computed about them, the worst case, and how to object; opens no data."""
    check_target(html, overwrite=overwrite)
    with opt.refusals(Format.TABLE), engine_module() as engine:
        page = engine.write_person_report(catalog, ledger=ledger, html=html is not None)
        write_page(page, html)


Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The table to see in full.")]


def budget(
    catalog: opt.Catalog = "operator",
    client: opt.Client = None,
    ledger: opt.Ledger = None,
    verbose: opt.Verbose = False,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """Show what is left of your budget and of all clients' together, in questions and in rho."""
    from passersby.result.terminal_lists import show_budget

    with opt.open_connection(catalog, client, ledger, form) as connection:
        seen = connection.budget()
        write_rows(seen.accounts, partial(show_budget, details=verbose, more=surface_of("budget").details), seen, form)


def history(
    catalog: opt.Catalog = "operator",
    client: opt.Client = None,
    ledger: opt.Ledger = None,
    verbose: opt.Verbose = False,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """List the releases you have paid for, with their SQL; asking again is free while the data stay the same."""
    from passersby.result.terminal_lists import show_history

    with opt.open_connection(catalog, client, ledger, form) as connection:
        releases = connection.history()
        if not releases and form is Format.TABLE and not is_address(catalog):
            console().print(Text(_no_history(connection)))
            return
        show = partial(show_history, details=verbose, more=surface_of("history").details)
        write_rows(releases, show, releases, form, releases.NAMES)


def _no_history(connection: Connection) -> str:
    """Name the client without releases, and the others of a ledger that the caller can read anyway."""
    others = sorted({row["asked_by"] for row in connection.ledger() if row["kind"] == "charged"} - {connection.client})
    hint = f" Other clients of this ledger: {', '.join(others)}. Try: --client {others[0]}" if others else ""
    return printable(f"Client {connection.client} has asked nothing yet.{hint}")


def tables(
    name: Name = None,
    catalog: opt.Catalog = "operator",
    client: opt.Client = None,
    ledger: opt.Ledger = None,
    verbose: opt.Verbose = False,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """List the tables you may query; with a NAME, show the columns of one table."""
    from passersby.result.terminal_lists import show_tables

    with opt.open_connection(catalog, client, ledger, form) as connection:
        known, more = connection.tables(name), surface_of("tables" if name is None else f"tables {name}").details
        write_rows(known.columns(), partial(show_tables, details=verbose, more=more), known, form)


RequestId = Annotated[
    str | None, typer.Option("--request-id", metavar="ID", help="Of this request: the same one is never charged twice.")
]

Generated = Annotated[bool, typer.Option("--sql", help="Show the SQL over the data too.")]


def query(
    sql: opt.Sql = None,
    file: opt.SqlFile = None,
    rho: opt.Rho = None,
    target_error: opt.TargetError = None,
    confidence: opt.Confidence = None,
    request_id: RequestId = None,
    catalog: opt.Catalog = "operator",
    client: opt.Client = None,
    ledger: opt.Ledger = None,
    verbose: opt.Verbose = False,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """Ask a question and pay for it; what was asked before is answered from store, for free.

    passersby query "SELECT mode, count(*) AS trips FROM trip GROUP BY mode"
    """
    text = opt.question(sql, file)
    with opt.open_connection(catalog, client, ledger, form) as connection:
        with show_waiting():
            answer = connection.query(
                text, rho=rho, target_error=target_error, confidence=confidence, request_id=request_id
            )
        write_result(answer, form, details=verbose)


def explain(
    sql: opt.Sql = None,
    file: opt.SqlFile = None,
    generated: Generated = False,
    rho: opt.Rho = None,
    target_error: opt.TargetError = None,
    confidence: opt.Confidence = None,
    catalog: opt.Catalog = "operator",
    client: opt.Client = None,
    ledger: opt.Ledger = None,
    verbose: opt.Verbose = False,
    form: opt.DocumentOption = Document.TABLE,
) -> None:
    """Show price, expected error and bias of a question: no data is read, nothing is charged."""
    from passersby.result.terminal import show_explanation

    text = opt.question(sql, file)
    with opt.open_connection(catalog, client, ledger, form) as connection:
        explanation = connection.explain(text, rho=rho, target_error=target_error, confidence=confidence)
        shown = show_explanation(explanation, details=verbose, sql=generated, surface=surface_of("explain"))
        write_document(explanation.to_wire(), lambda _: shown, form)


def rehearse(
    sql: opt.Sql = None,
    file: opt.SqlFile = None,
    rho: opt.Rho = None,
    target_error: opt.TargetError = None,
    confidence: opt.Confidence = None,
    catalog: opt.Catalog = "operator",
    client: opt.Client = None,
    ledger: opt.Ledger = None,
    verbose: opt.Verbose = False,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """Run a question for free on synthetic rows: the shape of the answer is real, its numbers mean nothing."""
    text = opt.question(sql, file)
    with opt.open_connection(catalog, client, ledger, form) as connection:
        with show_waiting("Rehearsing on synthetic rows"):
            answer = connection.rehearse(text, rho=rho, target_error=target_error, confidence=confidence)
        write_result(answer, form, details=verbose, command="rehearse")


File = Annotated[
    Path,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Standing questions, as docs/standing.md says."),
]
Named = Annotated[str, typer.Argument(metavar="NAME", help="Which question.")]
Window = Annotated[
    str | None, typer.Option("--window", metavar="NAME", help="Of which window.", show_default="the last released one")
]
Early = Annotated[bool, typer.Option("--early", help="Also windows that are not over: later rows will be in none.")]


def run(
    file: File,
    early: Early = False,
    catalog: opt.NamedCatalog = None,
    ledger: opt.Ledger = None,
    form: opt.DocumentOption = Document.TABLE,
) -> None:
    """Release each scheduled query in each window that has ended and has no release yet; made for a timetable (cron).

    The charge goes to the whole dataset's budget, once per window, and counts as seen by every client.
    """
    with opt.open_connection(opt.named_catalog(catalog), "owner", ledger, form) as connection:
        try:
            with show_waiting("Releasing what is due"):
                outcomes = connection.run_standing(str(file), early=early)
        except PassersbyError as refused:
            write_document(refused.details.get("outcomes", []), _outcomes_table, form)
            raise
        write_document(outcomes, _outcomes_table, form)


def _outcomes_table(outcomes: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Table of what became of each scheduled query in each window."""
    rows = [{**each, "question": each["name"], "rho": rho_text(each["rho"])} for each in outcomes]
    return table_of(rows, ("question", "window", "rho", "state")) if rows else "Nothing was done."


def listed(
    file: File,
    catalog: opt.Catalog = "operator",
    client: opt.Client = None,
    ledger: opt.Ledger = None,
    form: opt.DocumentOption = Document.TABLE,
) -> None:
    """List the scheduled queries that you may see, and the windows of each."""
    with opt.open_connection(catalog, client, ledger, form) as connection:
        write_document(connection.standings(file=file), _standings_table, form)


def _standings_table(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Table of scheduled queries and their windows."""
    rows = [{**each, "question": each["name"], "windows": ", ".join(each["windows"])} for each in found]
    return table_of(rows, ("question", "dataset", "windows")) if rows else "None is meant for you."


def show(
    file: File,
    name: Named,
    window: Window = None,
    catalog: opt.Catalog = "operator",
    client: opt.Client = None,
    ledger: opt.Ledger = None,
    verbose: opt.Verbose = False,
    form: opt.FormatOption = Format.TABLE,
) -> None:
    """Show the answer of a scheduled query that you may see: free, and charged to no account of yours."""
    with opt.open_connection(catalog, client, ledger, form) as connection:
        answer = connection.standing(name, file=file, window=window)
        write_result(answer, form, details=verbose, command="standing show")
