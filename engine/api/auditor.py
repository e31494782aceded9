"""Operations of an auditor on a ledger, without the data: verify the hash chain, anchor it, export its rows."""

from __future__ import annotations

import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from budgets import Anchor, Entry, Ledger, ObjectionRegister, ParamError, register_address, shown_address
from dialect.catalog import Catalog
from engine.accounts.audit_log import audit_log
from engine.accounts.ledger_binding import bound_anchors, exists_or_needs_no_file
from engine.accounts.open_ledger import ledger_address, opened_for_audit
from engine.api.csv_cells import write_cells
from engine.catalog.bundled import find_catalog
from engine.catalog.folders import ledger_bindings_folder
from engine.errors import refusals

COLUMNS = ("sequence", "at", "kind", "dataset", "holder", "actor", "request_id", "body", "previous_hash", "row_hash")
SCHEMA = pa.schema([(name, pa.int64() if name == "sequence" else pa.string()) for name in COLUMNS])


def verify_ledger(catalog_source: str, *, ledger: str | None = None, anchor: str | None = None) -> dict[str, Any]:
    """Verify a ledger's hash chain, and that it extends an anchor where one is given; raises Refused."""
    with opened_for_audit(catalog_source, ledger) as opened_ledger:
        return verify_open_ledger(opened_ledger, anchor)


def verify_open_ledger(ledger: Ledger, anchor: str | None = None) -> dict[str, Any]:
    """End of an open ledger's chain and every integrity violation in it; raises ParamError for an invalid anchor."""
    exported_anchor = None if anchor is None else Anchor.from_json(anchor)
    found = list(ledger.verify(exported_anchor))
    clock_steps, chain_end = list(ledger.clock_regressions()), ledger.anchor()
    return {
        "ledger": chain_end.ledger_id,
        "sequence": chain_end.sequence,
        "row_hash": chain_end.row_hash,
        "found": found,
        "clock": clock_steps,
    }


def anchor_ledger(catalog_source: str, *, ledger: str | None = None) -> str:
    """Anchor of a ledger: last sequence number and hash of its chain, as one JSON line; raises Refused."""
    with opened_for_audit(catalog_source, ledger) as opened_ledger:
        return opened_ledger.anchor().to_json()


def export_ledger(catalog_source: str, *, ledger: str | None = None) -> pa.Table:
    """Return every row of a ledger's chain in full, hashes in hex; raises Refused."""
    with opened_for_audit(catalog_source, ledger) as opened_ledger:
        rows = [export_row(entry) for entry in opened_ledger.entries()]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def audit_ledger(
    catalog_source: str,
    *,
    ledger: str | None = None,
    kind: str | None = None,
    client: str | None = None,
    since: str | None = None,
) -> list[dict[str, Any]]:
    """Return the audit log: who submitted which query when, its price, and what admins did; raises Refused."""
    with opened_for_audit(catalog_source, ledger) as opened_ledger:
        return audit_log(opened_ledger.entries(), kind=kind, client=client, since=since)


def report_ledger(catalog_source: str, *, ledger: str | None = None, html: bool = False) -> str:
    """Write the report for a regulator, from catalog and ledger alone, as HTML or as text; raises Refused."""
    with opened_for_audit(catalog_source, ledger) as opened_ledger:
        return write_report(find_catalog(catalog_source), opened_ledger, html=html)


def write_report(catalog: Catalog, ledger: Ledger, *, html: bool = False) -> str:
    """Write the regulator's report of a catalog and an open ledger, as HTML or as text."""
    from engine.api.reports.regulator import ledger_report, report_html, report_text  # late: rarely used

    regulator_report = ledger_report(catalog, ledger)
    return report_html(regulator_report) if html else report_text(regulator_report)


def backup_ledger(catalog_source: str, destination: str, *, ledger: str | None = None) -> list[str]:
    """Back up a whole ledger, then its register of objections, to a place where nothing is yet; raises Refused.

    Each backup is a consistent snapshot, the register's no earlier than the ledger's: a ledger that records later
    objections than its register would not open. Returns the addresses written; without a register, the ledger's alone.
    """
    with opened_for_audit(catalog_source, ledger) as opened_ledger:
        opened_ledger.backup(destination)
        address = ledger_address(catalog_source, ledger)
        if not exists_or_needs_no_file(register_address(address)):
            return [destination]
        with closing(ObjectionRegister.open_for_ledger(address)) as register:
            register.backup(destination)
        return list(dict.fromkeys((destination, register_address(destination))))


def restore_ledger(catalog_source: str, backup: str, *, ledger: str | None = None, anchor: str | None = None) -> str:
    """Restore a backup to a place without a ledger, and return its address; raises Refused for an outdated backup.

    A backup is outdated if an exported anchor, or a binding among the user's data files, shows a longer chain.
    """
    with opened_for_audit(catalog_source, backup) as opened_backup:
        ledger_id = opened_backup.anchor().ledger_id
    with refusals():
        address = ledger_address(catalog_source, ledger)
        exported_anchors = [] if anchor is None else [Anchor.from_json(anchor)]
        Ledger.restore(backup, address, [*exported_anchors, *bound_anchors(ledger_bindings_folder(), ledger_id)])
        return shown_address(address)


@refusals()
def write_export(rows: pa.Table, path: str) -> None:
    """Write an export as CSV, JSON or Parquet, chosen by the file's suffix; raises Refused for another suffix."""
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in ("csv", "json", "parquet"):
        why = f"{path} is no kind of export."
        raise ParamError(why, "a name that ends in .csv, .json or .parquet")
    Path(path).write_bytes(export_bytes(rows, ending))


def export_bytes(rows: pa.Table, ending: str) -> bytes:
    """Contents of an exported file by its ending: csv without formulas that a spreadsheet would run, json, parquet."""
    if ending == "parquet":
        import pyarrow.parquet as parquet

        written = io.BytesIO()
        parquet.write_table(rows, written)
        return written.getvalue()
    if ending == "json":
        return f"{json.dumps(rows.to_pylist(), ensure_ascii=False, indent=1)}\n".encode()
    text = io.StringIO()
    write_cells(text, rows.column_names, (list(row.values()) for row in rows.to_pylist()))
    return text.getvalue().encode()


def export_row(entry: Entry) -> dict[str, Any]:
    """One ledger row in full, hashes in hex."""
    row: dict[str, Any] = {name: getattr(entry, name) for name in COLUMNS}
    return row | {name: row[name].hex() for name in ("previous_hash", "row_hash")}
