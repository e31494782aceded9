"""Verbs of the worker: the closed list of calls that the process holding the data accepts, each with a wire shape."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from budgets import Ledger, LedgerError, failure_cause
from dialect import Catalog
from engine.accounts.alerts import passed_alerts
from engine.accounts.audit_log import audit_log, record_key_event
from engine.accounts.stored_releases import list_stored_releases
from engine.api import sharing
from engine.api.admin import Admin
from engine.api.auditor import verify_open_ledger, write_report
from engine.api.maps import outlines
from engine.api.objection_counts import release_objection_count, released_counts
from engine.api.scheduled import list_scheduled, show_scheduled, with_scheduled_holdings
from engine.api.session import RequestTerms, Session
from engine.api.wire import statements
from engine.data.objections import CatalogObjections
from engine.errors import refusals
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.histograms import calibration_due_on
from engine.progress import ignore_progress
from engine.server.worker.frames import Result
from engine.server.worker.pacing import PacedEngine


@dataclass(frozen=True)
class VerbHandler:
    """Handler of the verbs, over one session with its ledger and its register."""

    session: Session
    standing: str | None = None  # file of scheduled queries
    admin: Admin = field(init=False)

    def __post_init__(self) -> None:
        """Open the admin's view of the ledger, and count scheduled releases as holdings of the entitled clients."""
        if self.standing is not None:
            object.__setattr__(self, "session", with_scheduled_holdings(self.session, self.standing))
        object.__setattr__(self, "admin", Admin(self.catalog, self.ledger))

    def run(self, verb: str, arguments: Mapping[str, Any]) -> Result:
        """Run a verb; raises Refused, and KeyError for an unknown verb."""
        function = VERBS[verb]
        with refusals():
            result = function(self, **arguments)
        return arrow_stream(result) if isinstance(result, pa.Table) else result

    @property
    def engine(self) -> Engine:
        """Engine of the session."""
        return self.session.engine

    @property
    def ledger(self) -> Ledger:
        """Ledger of the session."""
        return self.session.engine.ledger

    @property
    def catalog(self) -> Catalog:
        """Catalog of the session."""
        return self.session.engine.catalog

    @property
    def register(self) -> CatalogObjections:
        """Opt-out register of the catalog's ledger."""
        assert self.session.register is not None  # noqa: S101  only a rehearsal has none
        return self.session.register


def arrow_stream(table: pa.Table) -> bytes:
    """Arrow IPC stream of a table, as bytes."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def _query(
    handler: VerbHandler, sql: str, *, place: str | None = None, is_job: bool = False, **given: Unpack[RequestTerms]
) -> pa.Table:
    """Answer a query, which can be withdrawn from the queue by the name `place`."""
    engine = handler.engine
    named = engine.pace.named_query(given["client"], place, is_job=is_job) if isinstance(engine, PacedEngine) else None
    with named or nullcontext():
        return handler.session.query(sql, **given)


def _withdraw(handler: VerbHandler, **given: str) -> bool:
    return isinstance(handler.engine, PacedEngine) and handler.engine.pace.scheduler.withdraw(**given)


def _probe(handler: VerbHandler) -> str | None:
    """Test a commit to the ledger, as a charge does; return the cause of a failure. Also writes past hours' replays."""
    handler.ledger.write_repeats()
    try:
        handler.ledger.probe()
    except LedgerError as failure:
        return failure_cause(failure)
    return None


def _object_many(handler: VerbHandler, *, persons: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401  of object_file
    """Record a list of objections, with the same rules and messages as for a file of them."""
    with tempfile.TemporaryDirectory(prefix="passersby-objections-") as folder:
        path = Path(folder) / "persons.csv"
        path.touch(mode=0o600)
        path.write_text(persons, encoding="utf-8")
        return handler.register.object_file(str(path), progress=ignore_progress, **given)


def _calibrations_due(handler: VerbHandler) -> list[dict[str, Any]]:
    """Return each dataset, when its calibration is due (None: it has none), and whether clip bounds are declared."""
    declared = {table.dataset for table in handler.catalog.tables if table.clip_bounds is not None}
    found = ((of.name, calibration_due_on(handler.ledger, of.name)) for of in handler.catalog.datasets)
    return [
        {"dataset": name, "due_on": None if due is None else due.isoformat(), "declares": name in declared}
        for name, due in found
    ]


def _rollups(handler: VerbHandler) -> dict[str, int]:
    """Count the declared materialized rollups, and those that existed when the data was opened."""
    declared = sum(len(of.rollups) for of in handler.catalog.datasets)
    return {"declared": declared, "read": len(handler.engine.backend.target.rollups)}


def _method(name: str) -> Callable[..., Any]:
    """Make a verb of a method, named by its path from the handler."""
    get = attrgetter(name)
    return lambda handler, **given: get(handler)(**given)


_SESSION_VERBS = ("rehearse", "explain", "budget", "history", "tables", "ledger")
_ADMIN_VERBS = (
    *("add_client", "remove_client", "cap_client", "clients", "freeze", "thaw", "frozen"),
    *("request_top_up", "approve_top_up", "decline_top_up", "top_ups"),
)
VERBS: Mapping[str, Callable[..., Any]] = {
    "query": _query,
    "give_up": _method("session.record_failure"),
    "withdraw": _withdraw,
    "calibrations_due": _calibrations_due,
    "rollups": _rollups,
    "check_standing": lambda handler, **given: handler.ledger.check_standing(**given),
    "stored_releases": lambda handler: list_stored_releases(handler.ledger, handler.catalog),
    "marks": lambda handler: passed_alerts(handler.ledger, handler.catalog),
    "share": lambda handler, **given: sharing.share(handler.session, **given),
    "offer": lambda handler, **given: sharing.offer(handler.session, **given),
    "take": lambda handler, **given: sharing.take(handler.session, **given),
    "standings": lambda handler, **given: list_scheduled(handler.session, handler.standing, **given),
    "standing": lambda handler, **given: show_scheduled(handler.session, handler.standing, **given),
    "outlines": lambda handler, name: outlines(handler.session, name),
    "functions": lambda handler: statements.function_rows(),
    "audit": lambda handler, **given: audit_log(handler.ledger.entries(), **given),
    "note_key": lambda handler, **given: record_key_event(handler.ledger, **given),
    "probe": _probe,
    "anchor": lambda handler: handler.ledger.anchor().to_json(),
    "verify": lambda handler, **given: verify_open_ledger(handler.ledger, **given),
    "report": lambda handler, **given: write_report(handler.catalog, handler.ledger, **given),
    "figures": lambda handler, **given: released_counts(handler.engine, **given),
    "release_figure": lambda handler, **given: release_objection_count(handler.engine, **given),
    "object": _method("register.object"),
    "object_many": _object_many,
    "objections": _method("register.events"),
    **{name: _method(f"session.{name}") for name in _SESSION_VERBS},
    **{name: _method(f"admin.{name}") for name in _ADMIN_VERBS},
}
