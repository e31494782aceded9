"""Operations of an auditor on a ledger, without the data: verify the hash chain, anchor it, export its rows."""

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
    """Verify a ledger's hash chain, and that it extends an anchor where one is given; raises Refused."""
    with opened_if_there(where, ledger) as kept:
        return verified(kept, anchor)


def verified(ledger: Ledger, anchor: str | None = None) -> dict[str, Any]:
    """End of an open ledger's chain and every integrity violation in it; raises ParamError for an invalid anchor."""
    before = None if anchor is None else Anchor.from_json(anchor)
    found = list(ledger.verify(before))
    clock, now = list(ledger.clock_steps()), ledger.anchor()
    return {"ledger": now.ledger_id, "sequence": now.sequence, "row_hash": now.row_hash, "found": found, "clock": clock}


def anchor_ledger(where: str, *, ledger: str | None = None) -> str:
    """Return the end of a ledger's chain as one line of JSON; raises Refused."""
    with opened_if_there(where, ledger) as kept:
        return kept.anchor().to_json()


def export_ledger(where: str, *, ledger: str | None = None) -> pa.Table:
    """Return every row of a ledger's chain in full, hashes in hex; raises Refused."""
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
    """Return the audit log: who submitted which query when, its price, and what admins did; raises Refused."""
    with opened_if_there(where, ledger) as kept:
        return audit_log(kept.entries(), kind=kind, client=client, since=since)


def report_ledger(where: str, *, ledger: str | None = None, html: bool = False) -> str:
    """Write the report for a regulator, from catalog and ledger alone, as HTML or as text; raises Refused."""
    with opened_if_there(where, ledger) as kept:
        return report(find_catalog(where), kept, html=html)


def report(catalog: Catalog, ledger: Ledger, *, html: bool = False) -> str:
    """Write the regulator's report of a catalog and an open ledger, as HTML or as text."""
    from engine.api.reports.regulator import (
        ledger_report,  # late: rarely used
        report_html,
        report_text,
    )

    told = ledger_report(catalog, ledger)
    return report_html(told) if html else report_text(told)


def backup_ledger(where: str, to: str, *, ledger: str | None = None) -> list[str]:
    """Back up a whole ledger, then its register of objections, to a place where nothing is yet; raises Refused.

    Each backup is a consistent snapshot, the register's no earlier than the ledger's: a ledger that records later
    objections than its register would not open. Returns the addresses written; without a register, the ledger's alone.
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
    """Restore a backup to a place without a ledger, and return its address; raises Refused for an outdated backup.

    A backup is outdated if an exported anchor, or a binding among the user's data files, shows a longer chain.
    """
    with opened_if_there(where, backup) as kept:
        mine = kept.anchor().ledger_id
    with refusals():
        place = ledger_place(where, ledger)
        exported = [] if anchor is None else [Anchor.from_json(anchor)]
        Ledger.restore(backup, place, [*exported, *marked_anchors(marks_folder(), mine)])
        return shown_address(place)


def write_export(rows: pa.Table, path: str) -> None:
    """Write an export as CSV, JSON or Parquet, chosen by the file's suffix; raises Refused for another suffix."""
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
    """One ledger row in full, hashes in hex."""
    row: dict[str, Any] = {name: getattr(entry, name) for name in COLUMNS}
    return row | {name: row[name].hex() for name in ("previous_hash", "row_hash")}
