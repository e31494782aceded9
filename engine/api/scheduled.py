"""Scheduled queries in wire shapes: release those due, show one, list those a client may see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from budgets import Forbidden
from dialect import Refusal
from engine.accounts.window_accounts import least_remaining
from engine.api.session import Session
from engine.api.wire import answer as wire_answer
from engine.errors import CatalogError, EngineKind, Refused, problem, redact, refusals
from engine.workflows.scheduled_queries import (
    ScheduledQuery,
    read_scheduled_queries,
    run_scheduled_queries,
    scheduled_windows,
    stored_answer,
    visible_release_keys,
)


def run_scheduled(session: Session, file: str, *, early: bool = False) -> list[dict[str, Any]]:
    """Release every scheduled query in each finished window where it is not released yet; `early`, in all windows.

    Raises Refused, with the `outcomes` so far, including that of a window which was charged and then failed.
    """
    outcomes: list[dict[str, Any]] = []
    today = None if early else datetime.now(UTC).date()
    try:
        found = read_scheduled_queries(file, session.engine)
        outcomes.extend(  # kept if a later one fails
            {"name": each.name, "window": each.window, "rho": float(each.rho), "state": each.state}
            for each in run_scheduled_queries(found, session.engine, today)
        )
    except Exception as error:
        redacted = error if isinstance(error, Refusal | CatalogError) else redact(error)
        if redacted is not error and not outcomes:
            raise  # a defect, with no outcomes to report
        raise Refused(problem(redacted, None) | {"outcomes": outcomes}) from redacted
    return outcomes


def show_scheduled(
    session: Session, file: str | None, name: str, *, client: str, window: str | None = None
) -> pa.Table:
    """Answer of a scheduled query for an entitled client: of one window, or of the latest that is released.

    Raises Refused: for a client who is not entitled, removed or frozen in all datasets, for an undeclared window, and
    for what is not released yet.
    """
    with refusals():
        entitled = _entitled_queries(session, file, client)
        scheduled = next((each for each in entitled if each.name == name), None)
        if scheduled is None:  # also for a name that others are entitled to
            names = ", ".join(each.name for each in entitled)
            hint = f"one of {names}" if names else "whoever runs this dataset, who can entitle you"
            raise Forbidden(f"You are entitled to no standing question {name}.", f"{hint}.")
        session.engine.ledger.check_standing(client)
        windows = [window] if window is not None else list(scheduled_windows(scheduled, session.engine))[::-1]
        for each in windows:
            _check_window(each, scheduled, session)
            answered = stored_answer(scheduled, each, session.engine)
            if answered is not None:
                remaining = least_remaining(
                    session.engine.ledger, session.engine.catalog, scheduled.dataset, client, {each}
                )
                return wire_answer.answer_table(answered, remaining, None)
        if window:
            raise EngineKind.WINDOW_NOT_RELEASED_YET.at(name=name, window=window)
        raise EngineKind.NOT_RELEASED_YET.at(name=name)


def list_scheduled(session: Session, file: str | None, *, client: str) -> list[dict[str, Any]]:
    """List the scheduled queries that a client is entitled to, with the windows of each; raises Refused."""
    with refusals():
        return [
            {"name": s.name, "dataset": s.dataset, "windows": list(scheduled_windows(s, session.engine))}
            for s in _entitled_queries(session, file, client)
        ]


def _entitled_queries(session: Session, file: str | None, client: str) -> list[ScheduledQuery]:
    """Scheduled queries of a file that a client is entitled to."""
    found = read_scheduled_queries(file, session.engine) if file else ()
    return [each for each in found if each.is_visible_to(client)]


def with_scheduled_holdings(session: Session, file: str) -> Session:
    """Session in which releases of scheduled queries count as holdings of the clients that the file entitles.

    The file is read again at each query.
    """
    engine = replace(
        session.engine,
        scheduled_keys=lambda client, dataset: visible_release_keys(client, dataset, file, session.engine),
    )
    return replace(session, engine=engine)


def _check_window(window: str, scheduled: ScheduledQuery, session: Session) -> None:
    """Check that a window is one of a scheduled query's; raises Refusal."""
    known = list(scheduled_windows(scheduled, session.engine))
    if window not in known:
        raise EngineKind.NOT_A_WINDOW_OF.at(name=scheduled.name, window=window, first=known[0], last=known[-1])
