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

from budgets import LedgerError, cause_of
from engine.accounts.alerts import levels_passed
from engine.accounts.audit_log import audit_log, note_key
from engine.accounts.stored_releases import stored_releases
from engine.api import workflows
from engine.api.admin import Admin
from engine.api.auditor import report, verified
from engine.api.maps import outlines
from engine.api.objection_count import figures, release_figure
from engine.api.session import Desk
from engine.api.wire import statements
from engine.api.workflows import list_standing, plan_workload, show_standing, showing_standing
from engine.data.objections import Register
from engine.pipeline.engine import Engine
from engine.pricing.norms.stored import due_on
from engine.problems import Refused, refusals
from engine.progress import ignore_progress
from engine.server.worker.pacing import PacedEngine
from engine.server.worker.scheduler import NoTurn


@dataclass(frozen=True)
class Reply:
    """Result of a verb."""

    told: Any = None  # JSON
    rows: bytes = b""  # an Arrow IPC stream


Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Clerk:
    """Handler of the verbs, over one session with its ledger and its register."""

    session: Desk
    standing: str | None = None  # file of scheduled queries
    admin: Admin = field(init=False)

    def __post_init__(self) -> None:
        """Open the admin's view of the ledger, and count scheduled releases as holdings of the entitled clients."""
        if self.standing is not None:
            object.__setattr__(self, "session", showing_standing(self.session, self.standing))
        object.__setattr__(self, "admin", Admin(self.session.engine.catalog, self.session.engine.ledger))

    def do(self, verb: str, arguments: Arguments) -> Reply:
        """Run a verb; raises Refused, and KeyError for an unknown verb."""
        done = VERBS[verb]
        try:
            with refusals():
                return done(self, arguments)
        except NoTurn as no:
            raise Refused(no.problem) from None

    def register(self) -> Register:
        """Return the register of objections."""
        assert self.session.register is not None  # noqa: S101  only a rehearsal has none
        return self.session.register


def _query(clerk: Clerk, asked: Arguments) -> Reply:
    terms = {name: asked[name] for name in asked if name not in ("place", "is_job")}
    with _place(clerk.session.engine, asked["client"], asked.get("place"), is_job=bool(asked.get("is_job"))):
        return Reply(rows=stream(clerk.session.query(**terms)))


def _place(engine: Engine, client: str, name: str | None, *, is_job: bool) -> AbstractContextManager[None]:
    return engine.pace.place(client, name, is_job=is_job) if isinstance(engine, PacedEngine) else nullcontext()


def _rehearse(clerk: Clerk, asked: Arguments) -> Reply:
    return Reply(rows=stream(clerk.session.rehearse(**asked)))


def stream(table: pa.Table) -> bytes:
    """Serialize a table as an Arrow IPC stream."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def _take(clerk: Clerk, asked: Arguments) -> Reply:
    return Reply(rows=stream(workflows.take(clerk.session, **asked)))


def _give_up(clerk: Clerk, asked: Arguments) -> Reply:
    clerk.session.give_up(asked["sql"], {name: value for name, value in asked.items() if name != "sql"})
    return Reply()


def _withdraw(clerk: Clerk, asked: Arguments) -> Reply:
    engine = clerk.session.engine
    return Reply(isinstance(engine, PacedEngine) and engine.pace.turns.withdraw(**asked))


def _note_key(clerk: Clerk, asked: Arguments) -> Reply:
    note_key(clerk.session.engine.ledger, **asked)
    return Reply()


def _probe(clerk: Clerk, asked: Arguments) -> Reply:
    """Test a commit to the ledger, as a charge does; return the cause of a failure. Also writes past hours' replays."""
    del asked
    clerk.session.engine.ledger.write_repeats()
    try:
        clerk.session.engine.ledger.probe()
    except LedgerError as failure:
        return Reply(cause_of(failure))
    return Reply()


def _object_many(clerk: Clerk, asked: Arguments) -> Reply:
    """Record a list of objections, with the same rules and messages as for a file of them."""
    with tempfile.TemporaryDirectory(prefix="passersby-objections-") as folder:
        path = Path(folder) / "persons.csv"
        path.touch(mode=0o600)
        path.write_text(asked["persons"], encoding="utf-8")
        rest = {name: value for name, value in asked.items() if name != "persons"}
        return Reply(clerk.register().object_file(str(path), progress=ignore_progress, **rest))


def _calibrations_due(clerk: Clerk) -> list[dict[str, str | None]]:
    engine = clerk.session.engine
    found = ((of.name, due_on(engine.ledger, of.name)) for of in engine.catalog.datasets)
    return [{"dataset": name, "due_on": None if due is None else due.isoformat()} for name, due in found]


def _rollups(clerk: Clerk) -> dict[str, int]:
    """Count the declared materialized rollups, and those that existed when the data was opened."""
    engine = clerk.session.engine
    declared = sum(len(of.rollups) for of in engine.catalog.datasets)
    return {"declared": declared, "read": len(engine.backend.target.rollups)}


def _admin(name: str) -> Callable[[Clerk, Arguments], Reply]:
    """Make a verb of the admin's method of the same name."""
    return lambda handler, arguments: Reply(getattr(handler.admin, name)(**arguments))


_ADMINS = (
    *("add_client", "remove_client", "cap_client", "clients", "freeze", "thaw", "frozen"),
    *("request_top_up", "approve_top_up", "decline_top_up", "top_ups"),
)
VERBS: Mapping[str, Callable[[Clerk, Arguments], Reply]] = {
    "query": _query,
    "rehearse": _rehearse,
    "give_up": _give_up,
    "withdraw": _withdraw,
    "explain": lambda handler, arguments: Reply(handler.session.explain(**arguments)),
    "calibrations_due": lambda handler, arguments: Reply(_calibrations_due(handler)),
    "rollups": lambda handler, arguments: Reply(_rollups(handler)),
    "stored_releases": lambda handler, arguments: Reply(
        stored_releases(handler.session.engine.ledger, handler.session.engine.catalog)
    ),
    "marks": lambda handler, arguments: Reply(
        levels_passed(handler.session.engine.ledger, handler.session.engine.catalog)
    ),
    "share": lambda handler, arguments: Reply(workflows.share(handler.session, **arguments)),
    "offer": lambda handler, arguments: Reply(workflows.offer(handler.session, **arguments)),
    "take": _take,
    "plan": lambda handler, arguments: Reply(plan_workload(handler.session, **arguments)),
    "standings": lambda handler, arguments: Reply(list_standing(handler.session, handler.standing, **arguments)),
    "standing": lambda handler, arguments: Reply(
        rows=stream(show_standing(handler.session, handler.standing, **arguments))
    ),
    "budget": lambda handler, arguments: Reply(handler.session.budget(arguments["client"])),
    "history": lambda handler, arguments: Reply(handler.session.history(arguments["client"])),
    "tables": lambda handler, arguments: Reply(handler.session.tables(arguments.get("name"))),
    "outlines": lambda handler, arguments: Reply(outlines(handler.session, arguments["name"])),
    "functions": lambda handler, arguments: Reply(statements.functions_told()),
    "ledger": lambda handler, arguments: Reply(handler.session.ledger(**arguments)),
    "audit": lambda handler, arguments: Reply(audit_log(handler.session.engine.ledger.entries(), **arguments)),
    "note_key": _note_key,
    "probe": _probe,
    "anchor": lambda handler, arguments: Reply(handler.session.engine.ledger.anchor().to_json()),
    "verify": lambda handler, arguments: Reply(verified(handler.session.engine.ledger, **arguments)),
    "report": lambda handler, arguments: Reply(
        report(handler.session.engine.catalog, handler.session.engine.ledger, **arguments)
    ),
    "figures": lambda handler, arguments: Reply(figures(handler.session.engine, **arguments)),
    "release_figure": lambda handler, arguments: Reply(release_figure(handler.session.engine, **arguments)),
    "object": lambda handler, arguments: Reply(handler.register().object(**arguments)),
    "object_many": _object_many,
    "objections": lambda handler, arguments: Reply(handler.register().acts(**arguments)),
    **{name: _admin(name) for name in _ADMINS},
}
