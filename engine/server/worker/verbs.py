"""Verbs of the worker: the closed list of calls that the process holding the data accepts, each with a wire shape."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from budgets import LedgerError, failure_cause
from engine.accounts.alerts import passed_alerts
from engine.accounts.audit_log import audit_log, record_key_event
from engine.accounts.stored_releases import list_stored_releases
from engine.api import workflows
from engine.api.admin import Admin
from engine.api.auditor import verify_open_ledger, write_report
from engine.api.maps import outlines
from engine.api.objection_counts import release_objection_count, released_counts
from engine.api.session import Session
from engine.api.wire import statements
from engine.api.workflows import list_scheduled, plan_workload, show_scheduled, with_scheduled_holdings
from engine.data.objections import CatalogObjections
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.stored_calibrations import calibration_due_on
from engine.problems import refusals
from engine.progress import ignore_progress
from engine.server.worker.pacing import PacedEngine


@dataclass(frozen=True)
class Reply:
    """Result of a verb."""

    result: Any = None  # JSON
    rows: bytes = b""  # an Arrow IPC stream


Arguments = Mapping[str, Any]


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
        object.__setattr__(self, "admin", Admin(self.session.engine.catalog, self.session.engine.ledger))

    def run(self, verb: str, arguments: Arguments) -> Reply:
        """Run a verb; raises Refused, and KeyError for an unknown verb."""
        function = VERBS[verb]
        with refusals():
            return function(self, arguments)

    def register(self) -> CatalogObjections:
        """Opt-out register of the catalog's ledger, opened at first use."""
        assert self.session.register is not None  # noqa: S101  only a rehearsal has none
        return self.session.register


def _query(handler: VerbHandler, arguments: Arguments) -> Reply:
    terms = {name: arguments[name] for name in arguments if name not in ("place", "is_job")}
    with _named_query(
        handler.session.engine, arguments["client"], arguments.get("place"), is_job=bool(arguments.get("is_job"))
    ):
        return Reply(rows=arrow_stream(handler.session.query(**terms)))


def _named_query(engine: Engine, client: str, name: str | None, *, is_job: bool) -> AbstractContextManager[None]:
    return engine.pace.named_query(client, name, is_job=is_job) if isinstance(engine, PacedEngine) else nullcontext()


def _rehearse(handler: VerbHandler, arguments: Arguments) -> Reply:
    return Reply(rows=arrow_stream(handler.session.rehearse(**arguments)))


def arrow_stream(table: pa.Table) -> bytes:
    """Arrow IPC stream of a table, as bytes."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def _take(handler: VerbHandler, arguments: Arguments) -> Reply:
    return Reply(rows=arrow_stream(workflows.take(handler.session, **arguments)))


def _give_up(handler: VerbHandler, arguments: Arguments) -> Reply:
    handler.session.record_failure(**arguments)
    return Reply()


def _withdraw(handler: VerbHandler, arguments: Arguments) -> Reply:
    engine = handler.session.engine
    return Reply(isinstance(engine, PacedEngine) and engine.pace.scheduler.withdraw(**arguments))


def _note_key(handler: VerbHandler, arguments: Arguments) -> Reply:
    record_key_event(handler.session.engine.ledger, **arguments)
    return Reply()


def _probe(handler: VerbHandler, arguments: Arguments) -> Reply:
    """Test a commit to the ledger, as a charge does; return the cause of a failure. Also writes past hours' replays."""
    del arguments
    handler.session.engine.ledger.write_repeats()
    try:
        handler.session.engine.ledger.probe()
    except LedgerError as failure:
        return Reply(failure_cause(failure))
    return Reply()


def _object_many(handler: VerbHandler, arguments: Arguments) -> Reply:
    """Record a list of objections, with the same rules and messages as for a file of them."""
    with tempfile.TemporaryDirectory(prefix="passersby-objections-") as folder:
        path = Path(folder) / "persons.csv"
        path.touch(mode=0o600)
        path.write_text(arguments["persons"], encoding="utf-8")
        rest = {name: value for name, value in arguments.items() if name != "persons"}
        return Reply(handler.register().object_file(str(path), progress=ignore_progress, **rest))


def _calibrations_due(handler: VerbHandler) -> list[dict[str, str | None]]:
    engine = handler.session.engine
    found = ((of.name, calibration_due_on(engine.ledger, of.name)) for of in engine.catalog.datasets)
    return [{"dataset": name, "due_on": None if due is None else due.isoformat()} for name, due in found]


def _rollups(handler: VerbHandler) -> dict[str, int]:
    """Count the declared materialized rollups, and those that existed when the data was opened."""
    engine = handler.session.engine
    declared = sum(len(of.rollups) for of in engine.catalog.datasets)
    return {"declared": declared, "read": len(engine.backend.target.rollups)}


def _admin_verb(name: str) -> Callable[[VerbHandler, Arguments], Reply]:
    """Make a verb of the admin's method of the same name."""
    return lambda handler, arguments: Reply(getattr(handler.admin, name)(**arguments))


_ADMIN_VERBS = (
    *("add_client", "remove_client", "cap_client", "clients", "freeze", "thaw", "frozen"),
    *("request_top_up", "approve_top_up", "decline_top_up", "top_ups"),
)
VERBS: Mapping[str, Callable[[VerbHandler, Arguments], Reply]] = {
    "query": _query,
    "rehearse": _rehearse,
    "give_up": _give_up,
    "withdraw": _withdraw,
    "explain": lambda handler, arguments: Reply(handler.session.explain(**arguments)),
    "calibrations_due": lambda handler, arguments: Reply(_calibrations_due(handler)),
    "rollups": lambda handler, arguments: Reply(_rollups(handler)),
    "stored_releases": lambda handler, arguments: Reply(
        list_stored_releases(handler.session.engine.ledger, handler.session.engine.catalog)
    ),
    "marks": lambda handler, arguments: Reply(
        passed_alerts(handler.session.engine.ledger, handler.session.engine.catalog)
    ),
    "share": lambda handler, arguments: Reply(workflows.share(handler.session, **arguments)),
    "offer": lambda handler, arguments: Reply(workflows.offer(handler.session, **arguments)),
    "take": _take,
    "plan": lambda handler, arguments: Reply(plan_workload(handler.session, **arguments)),
    "standings": lambda handler, arguments: Reply(list_scheduled(handler.session, handler.standing, **arguments)),
    "standing": lambda handler, arguments: Reply(
        rows=arrow_stream(show_scheduled(handler.session, handler.standing, **arguments))
    ),
    "budget": lambda handler, arguments: Reply(handler.session.budget(arguments["client"])),
    "history": lambda handler, arguments: Reply(handler.session.history(arguments["client"])),
    "tables": lambda handler, arguments: Reply(handler.session.tables(arguments.get("name"))),
    "outlines": lambda handler, arguments: Reply(outlines(handler.session, arguments["name"])),
    "functions": lambda handler, arguments: Reply(statements.function_rows()),
    "ledger": lambda handler, arguments: Reply(handler.session.ledger(**arguments)),
    "audit": lambda handler, arguments: Reply(audit_log(handler.session.engine.ledger.entries(), **arguments)),
    "note_key": _note_key,
    "probe": _probe,
    "anchor": lambda handler, arguments: Reply(handler.session.engine.ledger.anchor().to_json()),
    "verify": lambda handler, arguments: Reply(verify_open_ledger(handler.session.engine.ledger, **arguments)),
    "report": lambda handler, arguments: Reply(
        write_report(handler.session.engine.catalog, handler.session.engine.ledger, **arguments)
    ),
    "figures": lambda handler, arguments: Reply(released_counts(handler.session.engine, **arguments)),
    "release_figure": lambda handler, arguments: Reply(release_objection_count(handler.session.engine, **arguments)),
    "object": lambda handler, arguments: Reply(handler.register().object(**arguments)),
    "object_many": _object_many,
    "objections": lambda handler, arguments: Reply(handler.register().events(**arguments)),
    **{name: _admin_verb(name) for name in _ADMIN_VERBS},
}
