"""The command line: `passersby --help`."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from passersby.cli import (
    cli_about,
    cli_accounts,
    cli_admins,
    cli_calibration,
    cli_catalog,
    cli_ledger,
    cli_objections,
    cli_questions,
    cli_standing,
    cli_topups,
    cli_workload,
)
from passersby.cli import serve as cli_serve
from passersby.cli.cli_options import refusals
from passersby.cli.output import Format

EPILOG = (
    "Exit codes: 0 answered; 1 refused, out of budget, or something was found (ledger verify, catalog check, catalog "
    "diff); 2 not a command. SQL that is refused costs nothing."
)

app = typer.Typer(
    name="passersby",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ledger = typer.Typer()
catalog = typer.Typer(no_args_is_help=True, help="Write and check the catalog of your own files.")

app.command(rich_help_panel="Ask")(cli_questions.query)
app.command(rich_help_panel="Ask")(cli_questions.explain)
app.command(rich_help_panel="Ask")(cli_questions.rehearse)
app.command(rich_help_panel="Ask")(cli_workload.plan)
app.command(rich_help_panel="Ask")(cli_accounts.tables)
app.command(rich_help_panel="Account for it")(cli_accounts.budget)
app.command(rich_help_panel="Account for it")(cli_accounts.history)
app.add_typer(ledger, name="ledger", rich_help_panel="Account for it")
ledger.callback(invoke_without_command=True)(cli_ledger.rows)
ledger.command("verify")(cli_ledger.verify)
ledger.command("anchor")(cli_ledger.anchor)
ledger.command("audit")(cli_ledger.audit)
ledger.command("report")(cli_ledger.report)
ledger.command("export")(cli_ledger.export)
ledger.command("backup")(cli_ledger.backup)
ledger.command("restore")(cli_ledger.restore)
standing = typer.Typer(no_args_is_help=True, help="Questions that are asked of each new window, once for all.")
app.add_typer(standing, name="standing", rich_help_panel="Ask")
standing.command("run")(cli_standing.run)
standing.command("list")(cli_standing.listed)
standing.command("show")(cli_standing.show)
app.command("about-me", rich_help_panel="People")(cli_about.about_me)
objections = typer.Typer(no_args_is_help=True, help="See when objections were recorded.")
app.command("object", rich_help_panel="People")(cli_objections.object_)
app.add_typer(objections, name="objections", rich_help_panel="People")
objections.command("list")(cli_objections.listed)
client = typer.Typer(no_args_is_help=True, help="Say who may ask, and how much.")
app.add_typer(client, name="client", rich_help_panel="Admit and cap")
client.command("add")(cli_admins.add)
client.command("remove")(cli_admins.remove)
client.command("cap")(cli_admins.cap)
client.command("list")(cli_admins.clients)
app.command("freeze", rich_help_panel="Admit and cap")(cli_admins.freeze)
app.command("thaw", rich_help_panel="Admit and cap")(cli_admins.thaw)
app.command("frozen", rich_help_panel="Admit and cap")(cli_admins.frozen)
topup = typer.Typer(no_args_is_help=True, help="Ask for another cap, and decide such requests.")
app.add_typer(topup, name="topup", rich_help_panel="Admit and cap")
topup.command("request")(cli_topups.request)
topup.command("approve")(cli_topups.approve)
topup.command("decline")(cli_topups.decline)
topup.command("list")(cli_topups.listed)
app.add_typer(catalog, name="catalog", rich_help_panel="Set up")
app.command(rich_help_panel="Set up")(cli_catalog.ingest)
app.command(rich_help_panel="Serve")(cli_serve.serve)
app.command(rich_help_panel="Serve")(cli_serve.bootstrap)
catalog.command("check")(cli_catalog.check)
catalog.command("diff")(cli_catalog.diff)
catalog.command("new")(cli_catalog.new)
catalog.command("optimize")(cli_catalog.optimize)
catalog.command("forget")(cli_catalog.forget)
catalog.command("calibrate")(cli_calibration.calibrate)
catalog.command("calibration")(cli_calibration.calibration)


@app.command(rich_help_panel="Set up")
def demo() -> None:
    """Watch questions over a synthetic operator being answered: price, intervals, a refusal, what is left."""
    from passersby.cli.demo import demo as run  # late: the other commands do without it

    with refusals(Format.TABLE):
        run()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"passersby {metadata.version('passersby')}")
        raise typer.Exit


@app.callback()
def passersby(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Ask where people go, in SQL. Learn nothing about anyone.

    Numbers come back with noise and with intervals; every answer has a price, kept in a ledger.

    Begin with [bold]passersby demo[/bold], or [bold]passersby tables[/bold] and then
    [bold]passersby query "SELECT count(*) AS trips FROM trip"[/bold].
    """
    del version
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")  # a terminal without bars still shows the numbers
