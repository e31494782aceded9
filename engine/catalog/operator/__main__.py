"""Synthetic mobile operator of any size: `python -m engine.catalog.operator --events 1e7`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from engine.catalog.operator.make import DEMO_EVENTS, MAX_EVENTS, Order, make_operator, operator_path


def _count(text: str) -> int:
    """Parse a number of events, in plain or scientific notation."""
    try:
        count = int(float(text))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter("write a number, e.g. 1e7.") from error
    if not 1 <= count <= MAX_EVENTS:
        raise typer.BadParameter(f"write a number from 1 to {MAX_EVENTS:.0e}.")
    return count


def make(
    events: Annotated[
        int, typer.Option(help="About how many events, e.g. 1e7.", metavar="NUMBER", parser=_count)
    ] = DEMO_EVENTS,
    order: Annotated[Order, typer.Option(help="Events sorted by person, or by time.")] = "person",
    into: Annotated[Path | None, typer.Option(help="Folder to write to; the user's cache where absent.")] = None,
) -> None:
    """Generate a synthetic mobile operator, operator.duckdb and catalog.toml, and print the path of its catalog."""
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("operator", total=1.0)

        def show(stage: str, fraction: float) -> None:
            bar.update(task, description=stage, completed=fraction)

        if into is None:
            catalog = operator_path(events, show, order=order)
        else:
            catalog = make_operator(into, events, show, order=order).with_name("catalog.toml")
    typer.echo(str(catalog))


if __name__ == "__main__":
    typer.run(make)
