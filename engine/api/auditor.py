"""What an auditor asks of a ledger, without the data: is it as it was written, where does it end, all of its rows."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from budgets import Anchor, Entry, Ledger, ObjectionRegister, ParamError, register_address, shown_address
from dialect.catalog import Catalog
from engine.accounts.audit_log import audit_log
from engine.accounts.ledger_binding import is_there, marked_anchors
from engine.accounts.open import ledger_place, opened_if_there
from engine.api.csv_cells import write_cells
from engine.catalog.bundled import find_catalog
from engine.catalog.folders import marks_folder
from engine.problems import Refused, problem, refusals

COLUMNS = ("sequence", "at", "kind", "dataset", "holder", "actor", "request_id", "body", "previous_hash", "row_hash")
SCHEMA = pa.schema([(name, pa.int64() if name == "sequence" else pa.string()) for name in COLUMNS])


def verify_ledger(where: str, *, ledger: str | None = None, anchor: str | None = None) -> dict[str, Any]:
    """Say what of a ledger is not as it was written, beside an anchor where one is given; raises Refused."""
    with opened_if_there(where, ledger) as kept:
        return verified(kept, anchor)


def verified(ledger: Ledger, anchor: str | None = None) -> dict[str, Any]:
    """Say where a ledger that is open ends, and what is not as it was written; raises ParamError for no anchor."""
    before = None if anchor is None else Anchor.from_json(anchor)
    found = list(ledger.verify(before))
    clock, now = list(ledger.clock_steps()), ledger.anchor()
    return {"ledger": now.ledger_id, "sequence": now.sequence, "row_hash": now.row_hash, "found": found, "clock": clock}


def anchor_ledger(where: str, *, ledger: str | None = None) -> str:
    """Give the end of a ledger's chain as one line of JSON; raises Refused."""
    with opened_if_there(where, ledger) as kept:
        return kept.anchor().to_json()


def export_ledger(where: str, *, ledger: str | None = None) -> pa.Table:
    """Give every row of a ledger's chain, whole, hashes in hex; raises Refused."""
    with opened_if_there(where, ledger) as kept:
        rows = [exported(entry) for entry in kept.entries()]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def audit_ledger(
    where: str,
    *,
    ledger: str | None = None,
    kind: str | None = None,
    client: str | None = None,
    since: str | None = None,
) -> list[dict[str, Any]]:
    """Tell who asked what when, at which price, and what admins did; raises Refused."""
    with opened_if_there(where, ledger) as kept:
        return audit_log(kept.entries(), kind=kind, client=client, since=since)


def report_ledger(where: str, *, ledger: str | None = None, html: bool = False) -> str:
    """Write the report for a regulator, from catalog and ledger alone, as HTML or as text; raises Refused."""
    with opened_if_there(where, ledger) as kept:
        return report(find_catalog(where), kept, html=html)


def report(catalog: Catalog, ledger: Ledger, *, html: bool = False) -> str:
    """Write the report of a catalog and a ledger that is open, as HTML or as text."""
    from engine.api.reports.regulator import (
        ledger_report,  # late: few sessions show it
        report_html,
        report_text,
    )

    told = ledger_report(catalog, ledger)
    return report_html(told) if html else report_text(told)


def backup_ledger(where: str, to: str, *, ledger: str | None = None) -> list[str]:
    """Write a whole ledger and then its register of objections to where nothing is yet; raises Refused.

    Each is of one moment, the register's no earlier: a ledger that knows of later objections would not open with it.
    Returns what was written; no register where none is beside the ledger.
    """
    with opened_if_there(where, ledger) as kept:
        kept.backup(to)
        place = ledger_place(where, ledger)
        if not is_there(register_address(place)):
            return [to]
        with closing(ObjectionRegister.beside(place)) as register:
            register.backup(to)
        return list(dict.fromkeys((to, register_address(to))))


def restore_ledger(where: str, backup: str, *, ledger: str | None = None, anchor: str | None = None) -> str:
    """Write a backup to where no ledger is, and say where; raises Refused for one that is known to have gone on.

    What is known is an exported anchor, and the marks among the user's data.
    """
    with opened_if_there(where, backup) as kept:
        mine = kept.anchor().ledger_id
    with refusals():
        place = ledger_place(where, ledger)
        exported = [] if anchor is None else [Anchor.from_json(anchor)]
        Ledger.restore(backup, place, [*exported, *marked_anchors(marks_folder(), mine)])
        return shown_address(place)


def write_export(rows: pa.Table, path: str) -> None:
    """Write an export as CSV, JSON or Parquet, as the file's name ends; raises Refused for another end."""
    ending = Path(path).suffix.lower()
    if ending == ".parquet":
        import pyarrow.parquet as parquet

        parquet.write_table(rows, path)
    elif ending == ".csv":
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            write_cells(file, rows.column_names, ([row[name] for name in COLUMNS] for row in rows.to_pylist()))
    elif ending == ".json":
        Path(path).write_text(json.dumps(rows.to_pylist(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    else:
        why = f"{path} is no kind of export."
        raise Refused(problem(ParamError(why, "a name that ends in .csv, .json or .parquet"), None))


def exported(entry: Entry) -> dict[str, Any]:
    """Show a row whole; its hashes in hex."""
    row: dict[str, Any] = {name: getattr(entry, name) for name in COLUMNS}
    return row | {name: row[name].hex() for name in ("previous_hash", "row_hash")}
