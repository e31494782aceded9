"""Differentially private query execution: SQL text in, noisy answer out. The only package that knows SQL and budgets.

    text       dialect.compile_query       Question         release plans, and the query over their results
    plan       pricing/compile_release.py  CompiledRelease  bounds, price, SQL, release key: from public facts only
    price      budgets: Ledger.charge      Charge           durable, before any private row is read
    SQL        backends/protocol.py: run   Exact            exact integers per group, no per-person rows
    exact      mechanism/gaussian.py       Release          noisy integers, stored before they are sent
    releases   pipeline/post_process.py    Answer           the query's own columns, with intervals

Privacy proof: proofs.md#answers

`Engine.answer` (pipeline/engine.py) runs these stages in order. `Session` (api/session.py) is the one interface with
wire shapes: HTTP server, command line and Python use it alike.

Modules, each before those that import it:

    errors, progress, catalog, backends, data, mechanism, pricing, reuse, accounts, pipeline, workflows, api,
    server.
"""

from __future__ import annotations

from engine.api.admin import open_admin
from engine.api.auditor import (
    anchor_ledger,
    audit_ledger,
    backup_ledger,
    export_ledger,
    report_ledger,
    restore_ledger,
    verify_ledger,
    write_export,
)
from engine.api.calibrations import calibrate_catalog, list_calibrations
from engine.api.maps import outlines
from engine.api.scheduled import list_scheduled, run_scheduled, show_scheduled
from engine.api.session import Session, open_session
from engine.api.steward import (
    catalog_keys_text,
    convert_files,
    draft_catalog_text,
    find_catalog_errors,
    ingest_files,
    list_catalog_changes,
    list_undeclared,
    open_register,
    optimize_catalog,
    remove_cached_copies,
    write_person_report,
)
from engine.errors import Refused
from engine.server.host import bootstrap, ensure_catalog, serve

__all__ = [
    "Refused",
    "Session",
    "anchor_ledger",
    "audit_ledger",
    "backup_ledger",
    "bootstrap",
    "calibrate_catalog",
    "catalog_keys_text",
    "convert_files",
    "draft_catalog_text",
    "ensure_catalog",
    "export_ledger",
    "find_catalog_errors",
    "ingest_files",
    "list_calibrations",
    "list_catalog_changes",
    "list_scheduled",
    "list_undeclared",
    "open_admin",
    "open_register",
    "open_session",
    "optimize_catalog",
    "outlines",
    "remove_cached_copies",
    "report_ledger",
    "restore_ledger",
    "run_scheduled",
    "serve",
    "show_scheduled",
    "verify_ledger",
    "write_export",
    "write_person_report",
]
