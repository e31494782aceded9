"""The options and phrases that commands for owners, admins and stewards share, each said once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.text import Text

from passersby.cli.cli_options import LEDGER, WHERE, refusals
from passersby.cli.output import Format, console
from passersby.client.opening import engine_face

OwnCatalog = Annotated[
    str,
    typer.Option(
        "--catalog",
        "-c",
        metavar="NAME|FILE",
        envvar="PASSERSBY_CATALOG",
        help="operator (bundled, synthetic), mibici, or a catalog file, on this machine.",
        rich_help_panel=WHERE,
    ),
]
NamedCatalog = Annotated[
    str | None,
    typer.Option(
        "--catalog",
        "-c",
        metavar="NAME|FILE",
        envvar="PASSERSBY_CATALOG",
        help="Whose people it is about, always said: a catalog file on this machine, or a bundled one by name.",
        rich_help_panel=WHERE,
    ),
]
KeptLedger = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="FILE|URL",
        envvar=LEDGER,
        help="The ledger, where it is; none is made: a file, or postgresql://HOST/DATABASE.",
        show_default="the catalog's, in your data folder",
        rich_help_panel=WHERE,
    ),
]
Named = Annotated[str | None, typer.Argument(metavar="NAME|FILE", help="The catalog; --catalog says the same.")]
Dataset = Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="Where the catalog has several.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who decides, or records it.", show_default="your user name")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in a few words; the ledger keeps it.")]
Amount = Annotated[str, typer.Argument(metavar="RHO", help="The cap, e.g. 0.05: no less than 0.0001.")]
Window = Annotated[str | None, typer.Option("--window", metavar="NAME", help="In this window alone, e.g. 2026-10.")]
Lifetime = Annotated[bool, typer.Option("--lifetime", help="Over all windows together, instead of in each.")]
Query = Annotated[bool, typer.Option("--one-question", help="Of one question, instead of all in a window.")]


def scope_of(window: str | None, lifetime: bool, one_question: bool) -> str:
    """Say where a cap holds; at most one option decides."""
    if (window is not None) + lifetime + one_question > 1:
        raise typer.BadParameter("Give one of --window, --lifetime and --one-question.", param_hint="RHO")
    return window or ("lifetime" if lifetime else "query" if one_question else "each")


def chosen(*named: str | None) -> str:
    """Give the catalog that is named: what acts for owners acts on none by default."""
    found = next(filter(None, named), None)
    if found is None:
        why = "Say whose people it is about: a catalog file, or PASSERSBY_CATALOG; for the demo --catalog operator."
        raise typer.BadParameter(why, param_hint="--catalog")
    return found


def changed(catalog: str | None, ledger: str | None, change: Callable[[Any], Any]) -> Any:  # noqa: ANN401  of the engine's own
    """Make one change of the books, and give what it gives."""
    where = chosen(catalog)
    with refusals(Format.TABLE), engine_face() as engine, engine.open_admin(where, ledger=ledger) as admin:
        return change(admin)


def said(text: str) -> None:
    """Confirm a change."""
    console().print(Text(text, "green"))
