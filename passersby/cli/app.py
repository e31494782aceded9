"""The command line: `passersby --help`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Annotated

import typer

from passersby.cli import admin, analyst, steward
from passersby.cli import ledger as cli_ledger
from passersby.cli import serve as cli_serve
from passersby.cli.options import refusals
from passersby.cli.output import Format

EPILOG = (
    "Rho is the privacy loss of an answer, and adds up over questions: a budget is an amount of rho. Epsilon, at a "
    "small delta, is the same loss as it is usually quoted; epsilons do not add up (docs/reading.md). "
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


def _add(group: typer.Typer, *commands: Callable[..., None], panel: str | None = None) -> None:
    """Add commands that have the names of their functions."""
    for command in commands:
        group.command(rich_help_panel=panel)(command)


def _add_list(group: typer.Typer, command: Callable[..., None]) -> None:
    """Add a command as `list`, and as what a group does where no command is named."""
    group.callback(invoke_without_command=True)(command)
    group.command("list")(command)


_add(app, analyst.query, analyst.explain, analyst.rehearse, analyst.tables, panel="Ask")
_add(app, analyst.budget, analyst.history, panel="Account for it")
app.add_typer(ledger, name="ledger", rich_help_panel="Account for it")
ledger.callback(invoke_without_command=True)(cli_ledger.rows)
_add(ledger, cli_ledger.verify, cli_ledger.anchor, cli_ledger.audit, cli_ledger.report)
_add(ledger, cli_ledger.export, cli_ledger.backup, cli_ledger.restore)
standing = typer.Typer(no_args_is_help=True, help="Questions that are asked of each new window, once for all.")
app.add_typer(standing, name="standing", rich_help_panel="Ask")
_add(standing, analyst.run)
standing.command("list")(analyst.listed)
_add(standing, analyst.show)
app.command("about-me", rich_help_panel="People")(analyst.about_me)
objections = typer.Typer(help="See when objections were recorded.")
app.command("object", rich_help_panel="People")(steward.object_)
app.add_typer(objections, name="objections", rich_help_panel="People")
_add_list(objections, steward.listed)
client = typer.Typer(help="Say who may ask, and how much.")
app.add_typer(client, name="client", rich_help_panel="Admit and cap")
_add(client, admin.add, admin.remove, admin.cap)
_add_list(client, admin.clients)
_add(app, admin.freeze, admin.thaw, admin.frozen, panel="Admit and cap")
topup = typer.Typer(help="Ask for another cap, and decide such requests.")
app.add_typer(topup, name="topup", rich_help_panel="Admit and cap")
_add(topup, admin.request, admin.approve, admin.decline)
_add_list(topup, admin.listed)
app.add_typer(catalog, name="catalog", rich_help_panel="Set up")
_add(app, steward.ingest, panel="Set up")
_add(app, cli_serve.serve, cli_serve.bootstrap, panel="Serve")
_add(catalog, steward.check, steward.diff, steward.convert, steward.new, steward.keys, steward.optimize, steward.forget)
_add(catalog, steward.calibrate, steward.calibration)


@app.command(rich_help_panel="Set up")
def demo() -> None:
    """Watch a demonstration on a synthetic operator: price, answers with intervals, a refusal, what is left."""
    from passersby.cli.demo import demo as run  # late: the other commands do without it

    with refusals(Format.TABLE):
        run()


def _set_help(group: typer.Typer) -> None:
    """Take the help of commands from their docstrings, with lines joined: a terminal breaks them at its own width."""
    for command in group.registered_commands:
        command.help = _joined(command.callback)
    if group.registered_callback is not None and not group.info.help:
        group.registered_callback.help = _joined(group.registered_callback.callback)


def _joined(command: object) -> str:
    """Docstring with the lines of each paragraph joined."""
    return "\n\n".join(each.replace("\n", " ") for each in (inspect.getdoc(command) or "").split("\n\n"))


def _version(wanted: bool) -> None:
    """Print the version and exit, if asked to."""
    if wanted:
        typer.echo(f"passersby {metadata.version('passersby')}")
        raise typer.Exit


@app.callback()
def passersby(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Ask where people go, in SQL. Learn about crowds, and little about anyone.

    Numbers come back with noise and intervals; every answer has a price, kept in a ledger.

    Begin with [bold]passersby demo[/bold], or [bold]passersby tables[/bold] and then
    [bold]passersby query "SELECT count(*) AS trips FROM trip"[/bold].
    """
    del version
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")  # a terminal without bars still shows the numbers


for each in (app, *(found.typer_instance for found in app.registered_groups)):
    if each is not None:
        _set_help(each)
