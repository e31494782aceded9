"""Standing questions in wire shapes: release what is due, show one, and list those of a server's client."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from budgets import Forbidden
from dialect import Code, Refusal
from engine.accounts.problems import Refused, problem
from engine.accounts.window_accounts import least_left
from engine.api.session import ASKED_IN_VAIN, Desk
from engine.api.wire import answer as wire
from engine.errors import CatalogError, untold
from engine.workflows.standing import Outcome, Standing, due, read_standing, run, shown, shown_to


def run_standing(desk: Desk, file: str, *, early: bool = False) -> list[dict[str, Any]]:
    """Release every standing question in every window that is over and in which it is not yet; `early`, in all windows.

    Raises Refused, with the `outcomes` that there were before, and that of a window which was charged and then failed.
    """
    outcomes: list[dict[str, Any]] = []
    today = None if early else datetime.now(UTC).date()
    try:
        found = read_standing(file, desk.engine)
        outcomes.extend(map(_outcome, run(found, desk.engine, today)))  # each as it comes about
    except (*ASKED_IN_VAIN, CatalogError) as error:
        raise Refused(problem(error, None) | {"outcomes": outcomes}) from error
    except Exception as error:
        if not outcomes:
            raise  # a defect, and nothing to tell beside it
        raise Refused(problem(told := untold(error), None) | {"outcomes": outcomes}) from told
    return outcomes


def show_standing(desk: Desk, file: str | None, name: str, *, client: str, window: str | None = None) -> pa.Table:
    """Show a standing question to a client who is entitled: of a window, or of the last that is released.

    Raises Refused: to whoever is not entitled, of a window that is not declared, and of what is not released yet.
    """
    try:
        found = _named(name, read_standing(file, desk.engine) if file else (), client)
        windows = [window] if window is not None else list(due(found, desk.engine))[::-1]
        for each in windows:
            _check_window(each, found, desk)
            answered = shown(found, each, desk.engine)
            if answered is not None:
                left = least_left(desk.engine.ledger, desk.engine.catalog, found.dataset, client, {each})
                return wire.answered(answered, left, None)
        why = f"{name} is not released {f'of {window} ' if window else ''}yet."
        raise Refusal(Code.PARAM, why, "passersby standing run, by whoever runs this dataset")
    except (*ASKED_IN_VAIN, CatalogError) as error:
        raise Refused(problem(error, None)) from error


def list_standing(desk: Desk, file: str | None, *, client: str) -> list[dict[str, Any]]:
    """List the standing questions that a client is entitled to, with the windows of each; raises Refused."""
    try:
        mine = [each for each in read_standing(file, desk.engine) if each.entitled(client)] if file else []
        return [{"name": s.name, "dataset": s.dataset, "windows": list(due(s, desk.engine))} for s in mine]
    except CatalogError as error:
        raise Refused(problem(error, None)) from error


def showing_standing(desk: Desk, file: str) -> Desk:
    """Let releases of standing questions count as held by whom the file, read at each question, entitles."""
    engine = replace(desk.engine, showing=lambda client, dataset: shown_to(client, dataset, file, desk.engine))
    return replace(desk, engine=engine)


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {"name": outcome.name, "window": outcome.window, "rho": float(outcome.rho), "state": outcome.state}


def _named(name: str, standing: tuple[Standing, ...], client: str) -> Standing:
    """Find a standing question that a client is entitled to see: others are not told apart from none."""
    mine = [each for each in standing if each.entitled(client)]
    found = next((each for each in mine if each.name == name), None)
    if found is None:
        names = ", ".join(each.name for each in mine)
        hint = f"one of {names}" if names else "whoever runs this dataset, who can entitle you"
        raise Forbidden(f"You are entitled to no standing question {name}.", f"{hint}.")
    return found


def _check_window(window: str, standing: Standing, desk: Desk) -> None:
    known = list(due(standing, desk.engine))
    if window not in known:
        why = f"{standing.name} is not asked of {window}, or that is no declared window."
        raise Refusal(Code.WINDOW, why, f"one of {known[0]} to {known[-1]}")
