"""The command that plans: what to buy so that a file of questions costs least."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from passersby.cli.cli_options import Catalog, Client, Confidence, Ledger, Written, opened, text_of
from passersby.cli.output import Document, console, write_json
from passersby.client.waiting import shown_waiting
from passersby.errors import PassersbyError
from passersby.text.wording import printable

Workload = Annotated[
    Path,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Questions in SQL, with ; between them."),
]
Total = Annotated[str, typer.Option("--rho", metavar="AMOUNT", help="Privacy loss of all of them together.")]
Apply = Annotated[bool, typer.Option("--apply", help="Buy what is planned; then each question is free.")]
_LONGEST = 60  # characters of a question in the table


def plan(
    file: Workload,
    rho: Total,
    apply: Apply = False,
    confidence: Confidence = None,
    catalog: Catalog = "operator",
    client: Client = None,
    ledger: Ledger = None,
    form: Written = Document.TABLE,
) -> None:
    """Plan questions together: buy few releases from which all of them follow, instead of each for itself.

    A question behind a line `-- candidate` may be bought, though nobody asks it: finer groups often serve many.
    """
    text = text_of(file)
    with opened(catalog, client, ledger, form) as connection:
        try:
            with shown_waiting("Planning: what each question costs, and which answers say others"):
                told = connection.plan(text, rho=rho, confidence=confidence, apply=apply)
        except PassersbyError as refused:
            charged = refused.details.get("charged_rho")
            if charged and form is not Document.JSON:  # which has it itself
                sys.stderr.write(f"note: rho {charged:.4g} of the plan is bought; the same command goes on there\n")
            raise
        if form is Document.JSON:
            write_json(told)
        else:
            _show(told)


def _show(told: dict[str, Any]) -> None:
    table = Table("", "question", "alone: rho", "± alone", "planned: rho", "± planned", "made of")
    for i, each in enumerate(told["questions"], 1):
        sql = " ".join(printable(each["sql"]).split())
        shown = sql if len(sql) <= _LONGEST else sql[: _LONGEST - 1] + "…"
        alone = f"{each['alone_rho']:.4g}" if each["asked"] else "not asked"
        bought = f"{each['rho']:.4g}" if each["rho"] else "free"
        made_of = ", ".join(map(str, each["made_of"]))
        table.add_row(str(i), shown, alone, _errors(each["alone_error"]), bought, _errors(each["error"]), made_of)
    console().print(table)
    state = f"bought for rho {told['charged_rho']:.4g}" if told["applied"] else "nothing is bought yet: add --apply"
    console().print(f"{state}; afterwards each is free with --rho {told['ask_at_rho']:.6g}")


def _errors(errors: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {width:,.4g}" for name, width in errors.items() if width is not None) or "-"
