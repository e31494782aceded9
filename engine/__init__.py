"""Question -> answer: the only room that knows both SQL and money.

    text       dialect.read     Question   releases to make, and the part over them
    plan       prepare          Prepared   bounds, price, SQL, replay key: public facts only
    price      ledger.charge    Charge     durable; nothing was read yet
    SQL        backend.run      Exact      integers per group; the person is gone
    exact      add_noise, keys  Release    noisy integers; stored before they are sent
    releases   outer, answers   Answer     the question's own columns, with intervals

Why it keeps its promise: proofs.md#answers

`Engine.answer` strings them; `Desk` is the one face that gives wire shapes to every door.

Where what stands:

    the whole flow            pipeline  terms  requests  remembered  answered  errors  problems
    what is declared          catalogs  catalog_*  meant  operator  person_units  inherited_windows  folders
    files -> tables           open_data  snapshot  stored_files  csv_files  complete_lists  derived  polygons  layout
                              rollups  lake_layout  lake_optimize  lake_checks  declared_dates  unfit
                              snapshot_checks  cached  backends  scratch  marks  progress
    new files -> more rows    ingest  ingested  new_rows  csv_faults  deliveries  fetch  store_address  renew  durable
    who is read at all        admission  admission_notes  objections  register  persons
    what is known of people   calibration  calibrations  calibrate  calibration_questions  norm_spread  pairing
                              tails  usual_values
    plan -> Prepared          prepare  public_counts  norm_facts  mean_norms  choose_bounds  norm_origin  split
                              price  thresholds
    an error instead          aim  aiming  target
    exact -> noisy            exact  noise  keys  release
    stored, repeated, free    repeats  held  finding  ways  made_of  combining  weighing  shared_sources  versions
                              stored_releases  sharing
    releases -> answer        outer  finishing  answers  raw_noise  intervals  moments  quantiles  simultaneous
                              agreeing  least_squares  correction
    what to expect, and why   expected  biases  doubts  reliability  advice  value_notes  explain  spoken
    several questions         workload  facilities  planning  standing  standing_desk
    what is left              ledgers  outlook  window_accounts  window_notes  whole_person  owner_loss  alert_levels
                              worst_case
    rehearsed on made-up rows rehearsal  made_up  made_up_values
    faces for doors           desk  wire  wire_*  outlines  host  server
    faces for who runs it     admins  stewards  calibrating  auditor  audit_log  csv_cells  key_acts  objection_figure
    pages                     about  about_page  worst_words  ledger_words  ledger_report  ledger_report_page
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
