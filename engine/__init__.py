"""Question -> answer: the only package that knows both SQL and budgets.

    text       dialect.read                Question   releases to make, and the query over them
    plan       pricing/prepare.py          Prepared   bounds, price, SQL, release key: public facts only
    price      budgets: Ledger.charge      Charge     durable; nothing was read yet
    SQL        backends/protocol.py: run   Exact      integers per group; no person is left
    exact      mechanism/gaussian.py       Release    noisy integers; stored before they are sent
    releases   pipeline/finish.py          Answer     the question's own columns, with intervals

Why it keeps its promise: proofs.md#answers

`Engine.answer` (pipeline/engine.py) strings them; `Desk` (api/session.py) is the one face that gives wire shapes to
the server, the command line and Python alike.

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
