"""Commands for owners: object, objections list. No data are opened, and nothing tells who is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from passersby.cli.cli_options import Form, Ledger, Written, refusals
from passersby.cli.cli_owner_options import By, Dataset, KeptLedger, NamedCatalog, OwnCatalog, chosen, said
from passersby.cli.output import Document, Format, write_json, write_rows
from passersby.client.making import shown_making
from passersby.client.opening import engine_face, user_name

ACTS = ("act", "at", "recorded_by", "dataset", "kind", "reason")
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
    dataset: Dataset = None,
    catalog: NamedCatalog = None,
    by: By = None,
    ledger: Ledger = None,
    form: Written = Document.TABLE,
) -> None:
    """Record that a person objects: from the next question on they are in no new answer."""
    if (person is None) == (file is None):
        raise typer.BadParameter("Name one person, or a file of them.", param_hint="PERSON")
    where = chosen(catalog)
    with refusals(form), engine_face() as engine, shown_making(quiet=True) as progress:
        given = {"reason": reason, "by": by or user_name(), "dataset": dataset, "withdraw": withdraw}
        with engine.open_register(where, ledger=ledger, progress=progress) as register:
            if file is not None:
                act = register.object_file(str(file), progress=progress, **given)
            else:
                act = register.object(person, **given)
    if form is Document.TABLE:
        said(_told(act))
    else:
        write_json(act)


def listed(
    dataset: Dataset = None, catalog: OwnCatalog = "operator", ledger: KeptLedger = None, form: Form = Format.TABLE
) -> None:
    """List when objections were recorded, by whom and why: not whose, nor how many."""
    from passersby.result.display_lists import show_acts

    with refusals(form), engine_face() as engine:
        with engine.open_register(catalog, ledger=ledger, to_read=True) as register:
            acts = register.acts(dataset)
        write_rows(acts, show_acts, acts, form, ACTS)


def _told(act: dict[str, Any]) -> str:
    done = "Recorded" if act["kind"] == "object" else "Withdrawn"
    told = [f"{done} as act {act['act']} of dataset {act['dataset']}: it holds from the next question on."]
    if "persons" in act:
        more = "1 more line repeats" if act["repeated"] == 1 else f"{act['repeated']:,} more lines repeat"
        twice = f"; {more} one of them" if act["repeated"] else ""
        told.append(f"The file names {act['persons']:,} different persons{twice}.")
    return " ".join(told)
