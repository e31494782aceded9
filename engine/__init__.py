"""Question -> answer: the only room that knows both SQL and money.

    text       dialect.read     Question   releases to make, and the part over them
    plan       prepare          Prepared   bounds, price, SQL, replay key: public facts only
    price      ledger.charge    Charge     durable; nothing was read yet
    SQL        backend.run      Exact      integers per group; the person is gone
    exact      add_noise, keys  Release    noisy integers; stored before they are sent
    releases   outer, answers   Answer     the question's own columns, with intervals

Why it keeps its promise: proofs.md#answers

`Engine.answer` strings them; `Desk` is the one face that gives wire shapes to every door.
"""

from __future__ import annotations

from engine.admins import open_admin
from engine.auditor import (
    anchor_ledger,
    audit_ledger,
    backup_ledger,
    export_ledger,
    report_ledger,
    restore_ledger,
    verify_ledger,
    write_export,
)
from engine.calibrating import calibrate_catalog, calibration_told
from engine.desk import Desk, Refused, open_desk
from engine.host import bootstrap, check_there, serve
from engine.outlines import outlines
from engine.planning import plan_workload
from engine.standing_desk import run_standing, show_standing
from engine.stewards import (
    about_me,
    catalog_diff_told,
    check_catalog_text,
    new_catalog_text,
    open_register,
    optimize_catalog,
)

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
