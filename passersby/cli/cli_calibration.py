"""Commands for owners: catalog calibrate, catalog calibration. What is charged is everybody's, and said before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.text import Text

from passersby.cli.cli_options import Form, Ledger, Written, refusals
from passersby.cli.cli_owner_options import By, Dataset, Named, NamedCatalog, OwnCatalog, chosen
from passersby.cli.output import Document, Format, console, write_json, write_rows
from passersby.client.making import shown_making
from passersby.client.opening import engine_face, user_name

HISTOGRAM = ("table", "keys", "kind", "column", "window", "made_on", "expires_on", "sigma", "bins", "usual")
MEASURING = "Measuring how much people contribute"
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
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would cost, and stop.")]
IfDue = Annotated[
    bool, typer.Option("--if-due", help="Do nothing where the timetable of the catalog asks for none yet.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Charge without asking.")]


def calibrate(
    named: Named = None,
    rho: Rho = None,
    keys: Keys = None,
    window: Window = None,
    dataset: Dataset = None,
    dry_run: DryRun = False,
    if_due: IfDue = False,
    yes: Yes = False,
    details: Details = False,
    catalog: NamedCatalog = None,
    by: By = None,
    ledger: Ledger = None,
    form: Written = Document.TABLE,
) -> None:
    """Measure with noise how much people contribute, so that questions are bounded where least is lost.

    It is charged to the whole dataset's budget in one window, and counts in what every client is reported. Answers
    are bounded by it until it expires; open connections and servers know of it when they are opened anew.
    """
    where = chosen(named, catalog)
    given = {"ledger": ledger, "dataset": dataset, "window": window, "rho": rho, "keys": keys or ()}

    def confirmed(told: dict[str, Any]) -> bool:
        if form is Document.TABLE:
            console().print(_price(told, details))
        return yes or typer.confirm("Charge it?")

    with refusals(form), engine_face() as engine, shown_making(MEASURING, quiet=form is not Document.TABLE) as progress:
        told = engine.calibrate_catalog(
            where, by=by or user_name(), dry_run=dry_run, if_due=if_due, confirm=confirmed,
            progress=progress, **given,
        )  # fmt: skip
    if form is not Document.TABLE:
        write_json(told)
    elif told["made"]:
        _show(told, details)
    else:
        console().print(_unmade(told, dry_run, if_due, details))


def calibration(
    named: Named = None,
    dataset: Dataset = None,
    catalog: OwnCatalog = "operator",
    ledger: Ledger = None,
    form: Form = Format.TABLE,
) -> None:
    """Show the calibration that holds today: how many people have which norm, and the bounds that follow."""
    from passersby.result.display_calibration import show_calibration

    with refusals(form), engine_face() as engine:
        found = engine.calibration_told(named or catalog, ledger=ledger, dataset=dataset)
        write_rows(found, show_calibration, found, form, HISTOGRAM)


def _show(told: dict[str, Any], details: bool) -> None:
    from passersby.result.display_calibration import show_calibration, summarize_calibration

    console().print(show_calibration(told["histograms"]) if details else summarize_calibration(told))


def _price(told: dict[str, Any], details: bool) -> Text:
    loss = told["price"]
    lines = [
        f"Measured is {told['dataset']} in {told['window']}, {told['why_window']}; --window names another.",
        f"Histograms of {told['dataset']} in {', '.join(told['windows'])}: {told['asked']}, for rho {loss['rho']:.4g},",
        f"{told['share_of_ceiling']:.1%} of the whole budget of that window, charged to everybody and for good.",
        *_left_out(told["left_out"], details),
    ]
    return Text("\n".join(lines))


def _left_out(left_out: list[dict[str, Any]], details: bool) -> Iterator[str]:
    """Say which keys can't be measured: one by one and why, or how many of each table."""
    if details:
        yield from (f"  left out: {each['table']} by {', '.join(each['keys'])}: {each['why']}" for each in left_out)
        return
    for table, count in Counter(each["table"] for each in left_out).items():
        yield f"  left out: {count:,} set{'s' * (count != 1)} of keys of {table}; --details says which and why"


def _unmade(told: dict[str, Any], dry_run: bool, if_due: bool, details: bool) -> Text:
    if if_due and not told["due"]:
        return Text(f"Nothing was charged: the next calibration is due on {told['due_on']}.")
    why = "this was a dry run." if dry_run else "as you said."
    head = _price(told, details) if dry_run else Text()
    return Text.assemble(head, "\n" if dry_run else "", f"Nothing was charged: {why}")
