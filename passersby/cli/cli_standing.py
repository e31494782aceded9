"""Commands of standing questions: run for whoever runs the dataset, list and show for whom they are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from passersby.cli.cli_options import Catalog, Client, Form, Ledger, Written, opened
from passersby.cli.cli_owner_options import NamedCatalog, chosen
from passersby.cli.output import Document, Format, console, write_json, write_result
from passersby.client.waiting import shown_waiting
from passersby.errors import PassersbyError
from passersby.result.display import table_of
from passersby.text.wording import amount

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
    catalog: NamedCatalog = None,
    ledger: Ledger = None,
    form: Written = Document.TABLE,
) -> None:
    """Release each standing question in each window that is over and has none yet; made for a timetable (cron).

    It is charged to the whole dataset's budget, once a window, and counts in what every client is reported.
    """
    with opened(chosen(catalog), "owner", ledger, form) as connection:
        try:
            with shown_waiting("Releasing what is due"):
                outcomes = connection.run_standing(str(file), early=early)
        except PassersbyError as refused:
            _show(refused.details.get("outcomes", []), form)
            raise
        _show(outcomes, form)


def _show(outcomes: Sequence[Mapping[str, Any]], form: Document) -> None:
    if form is Document.JSON:
        write_json(outcomes)
        return
    rows = [{**each, "question": each["name"], "rho": amount(each["rho"])} for each in outcomes]
    console().print(table_of(rows, ("question", "window", "rho", "state")) if rows else "Nothing was done.")


def listed(
    file: File,
    catalog: Catalog = "operator",
    client: Client = None,
    ledger: Ledger = None,
    form: Written = Document.TABLE,
) -> None:
    """List the standing questions that you are entitled to, and the windows that each is asked of."""
    with opened(catalog, client, ledger, form) as connection:
        found = connection.standings(file=file)
        if form is Document.JSON:
            write_json(found)
            return
        rows = [{**each, "question": each["name"], "windows": ", ".join(each["windows"])} for each in found]
        console().print(table_of(rows, ("question", "dataset", "windows")) if rows else "None is meant for you.")


def show(
    file: File,
    name: Named,
    window: Window = None,
    catalog: Catalog = "operator",
    client: Client = None,
    ledger: Ledger = None,
    form: Form = Format.TABLE,
) -> None:
    """See a standing question that you are entitled to: free, and debited to no account of yours."""
    with opened(catalog, client, ledger, form) as connection:
        write_result(connection.standing(name, file=file, window=window), form)
