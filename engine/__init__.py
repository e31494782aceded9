"""Differentially private query execution: SQL text in, noisy answer out. The only package that knows SQL and budgets.

    text       dialect.read                Question         release plans, and the query over their results
    plan       pricing/prepare.py          CompiledRelease  bounds, price, SQL, release key: from public facts only
    price      budgets: Ledger.charge      Charge           durable, before any private row is read
    SQL        backends/protocol.py: run   Exact            exact integers per group, no per-person rows
    exact      mechanism/gaussian.py       Release          noisy integers, stored before they are sent
    releases   pipeline/finish.py          Answer           the query's own columns, with intervals

Privacy proof: proofs.md#answers

`Engine.answer` (pipeline/engine.py) runs these stages in order. `Session` (api/session.py) is the one interface with
wire shapes: HTTP server, command line and Python use it alike.

Modules, each before those that import it:

    errors, progress, catalog, backends, data, mechanism, pricing, problems, reuse, accounts, pipeline, workflows,
    api, server.
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
from engine.api.maps import outlines
from engine.api.session import Desk, open_desk
from engine.api.steward import (
    about_me,
    catalog_diff_told,
    check_catalog_text,
    forget_copies,
    ingest_files,
    new_catalog_text,
    open_register,
    optimize_catalog,
)
from engine.api.workflows import (
    calibrate_catalog,
    calibration_told,
    list_standing,
    plan_workload,
    run_standing,
    show_standing,
)
from engine.problems import Refused
from engine.server.host import bootstrap, check_there, serve

__all__ = [
    "Desk",
    "Refused",
    "about_me",
    "anchor_ledger",
    "audit_ledger",
    "backup_ledger",
    "bootstrap",
    "calibrate_catalog",
    "calibration_told",
    "catalog_diff_told",
    "check_catalog_text",
    "check_there",
    "export_ledger",
    "forget_copies",
    "ingest_files",
    "list_standing",
    "new_catalog_text",
    "open_admin",
    "open_desk",
    "open_register",
    "optimize_catalog",
    "outlines",
    "plan_workload",
    "report_ledger",
    "restore_ledger",
    "run_standing",
    "serve",
    "show_standing",
    "verify_ledger",
    "write_export",
]
