"""The command for people in the data: about-me."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from passersby.cli.cli_options import refusals
from passersby.cli.cli_owner_options import KeptLedger, OwnCatalog
from passersby.cli.output import Format, write_page
from passersby.client.opening import engine_face

Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", dir_okay=False, help="Write the page there, for a web site."),
]


def about_me(html: Html = None, catalog: OwnCatalog = "operator", ledger: KeptLedger = None) -> None:
    """Tell people what is computed about them, what the worst case is, and how to object; no data are opened."""
    with refusals(Format.TABLE), engine_face() as engine:
        page = engine.about_me(catalog, ledger=ledger, html=html is not None)
        write_page(page, html)
