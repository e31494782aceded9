"""Answers, prices, accounts and problems -> the shapes that leave: plain dicts, and Arrow with a card."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from budgets import (
    AccountName,
    AccountView,
    BudgetRefused,
    Caps,
    Entry,
    Ledger,
    LedgerError,
    Loss,
    PaidRelease,
    epsilon_at,
)
from dialect import CatalogError, Refusal
from dialect.catalog import ColumnOf, Table, ValueList, ValueRange
from engine.errors import DataError, ExecutionFailed
from engine.explain import Explained
from engine.pipeline import Answered

CARD = b"passersby"
CONVERSION_DELTA = Fraction(1, 10**9)  # at which the price of one question is also given as epsilon


def answered(given: Answered, remaining: dict[str, Any], *, rehearsal: bool = False) -> pa.Table:
    """Give the shown columns, with the card in the schema's metadata."""
    card = {
        "intervals": {name: _pairs(*ends) for name, ends in given.answer.intervals.items()},
        "confidence": given.confidence,
        "price": price(given.charged),
        "remaining": remaining,
        "release_id": given.prepared[0].release_key if given.prepared else None,
        "replayed": bool(given.prepared) and given.charged == Loss(0, 0),
        "notes": _notes(given, rehearsal),
    }
    if rehearsal:
        card["rehearsal"] = True
    return given.answer.table.replace_schema_metadata({CARD: json.dumps(card).encode()})


def _pairs(lower: np.ndarray, upper: np.ndarray) -> list[list[float] | None]:
    return [None if math.isnan(lo) else [float(lo), float(hi)] for lo, hi in zip(lower, upper, strict=True)]


def _notes(given: Answered, rehearsal: bool) -> list[str]:
    notes = ["Made-up rows: nothing here says anything about the data."] if rehearsal else []
    notes += [
        f"{column}: {count} value(s) are NULL because their denominator may be 0 within its noise."
        for column, count in given.answer.unstable.items()
    ]
    return notes + bounding_notes(given)


def bounding_notes(given: Answered | Explained) -> list[str]:
    """Tell where one person's influence is cut, and that intervals do not cover what is lost by it."""
    notes = []
    for prepared in given.prepared:
        for vector, bound in zip(prepared.plan.vectors, prepared.bounds.vectors, strict=True):
            if bound.rule in ("scale", "clamp"):
                cut = f"about {-bound.predicted_bias:.1%} of the total is expected to be cut away"
                notes.append(f"{vector.text}: {bound.why}; {cut}, which intervals do not cover.")
        if prepared.cost.threshold is not None:
            notes.append(f"Keys are private: shown where the noisy count of persons reaches {prepared.cost.threshold}.")
    return notes


def price(loss: Loss) -> dict[str, Any]:
    """Give a price as rho and delta, and as the epsilon of this question alone."""
    epsilon = epsilon_at(loss.rho, CONVERSION_DELTA) if loss.pico_rho else 0.0
    return {
        "rho": float(loss.rho),
        "delta": float(loss.delta),
        "epsilon_at_delta": {"epsilon": epsilon, "delta": float(CONVERSION_DELTA + loss.delta)},
    }


def explained(given: Explained, remaining: dict[str, Any]) -> dict[str, Any]:
    """Give what a question would cost and show."""
    return {
        "columns": given.columns,
        "confidence": given.confidence,
        "price": price(given.loss),
        "remaining": remaining,
        "replayed": given.replayed,
        "keys": given.keys,
        "bounds": given.bounds,
        "expected_error": given.expected_error,
        "thresholds": given.thresholds,
        "sql": given.sql,
        "notes": bounding_notes(given),
    }


def accounts(
    ledger: Ledger, dataset: str, windows: tuple[str, ...], client: str | None, caps: Caps
) -> list[dict[str, Any]]:
    """Show a dataset's accounts: all clients together, then this client's."""
    shown = []
    for window in windows:
        shown.append(account(ledger.account(AccountName(dataset, window), caps.dataset)))
        if client is not None:
            shown.append(account(ledger.account(AccountName(dataset, window, client), caps.client)))
    return shown


def account(view: AccountView) -> dict[str, Any]:
    """Show one account, its spent loss also as (epsilon, delta)."""
    spent = view.spent_epsilon_delta
    return {
        "dataset": view.name.dataset,
        "window": view.name.window,
        "client": view.name.client,
        "cap_rho": float(view.cap.rho),
        "spent_rho": float(view.spent.rho),
        "remaining_rho": float(view.remaining.rho),
        "remaining_delta": float(view.remaining.delta),
        "epsilon": spent.epsilon,
        "delta": spent.delta,
        "cap_epsilon": view.cap_epsilon_delta.epsilon,
    }


def remaining(view: dict[str, Any]) -> dict[str, Any]:
    """Show what is left in an account, beside what was spent as epsilon."""
    return {
        "rho": view["remaining_rho"],
        "delta": view["remaining_delta"],
        "epsilon": view["epsilon"],
        "cap_rho": view["cap_rho"],
    }


def paid(release: PaidRelease) -> dict[str, Any]:
    """Show a release that a client has paid for."""
    return {
        "release_id": release.release_key,
        "dataset": release.dataset,
        "question": release.question,
        "rho": float(release.loss.rho),
        "delta": float(release.loss.delta),
        "settled_at": release.settled_at,
    }


def entry(row: Entry) -> dict[str, Any]:
    """Show one ledger row."""
    return {
        "sequence": row.sequence,
        "at": row.at,
        "kind": str(row.kind),
        "dataset": row.dataset,
        "window": row.window,
        "client": row.client,
        "asked_by": row.asked_by,
        "request_id": row.request_id,
        "release_key": row.release_key,
        "rho": float(row.loss.rho),
        "delta": float(row.loss.delta),
        "question": row.question,
    }


def table(declared: Table) -> dict[str, Any]:
    """Show what may be asked of a table: declared facts only."""
    columns = [c for c in declared.columns if c.visible]
    return {
        "name": declared.name,
        "kind": "private" if declared.private else "public",
        "dataset": declared.dataset,
        "person": declared.person.column if declared.person is not None else None,
        "size_class": declared.size_class,
        "columns": [{"name": c.name, "type": c.stored_type, **_domain(c.domain), **_bounds(c.bounds)} for c in columns],
    }


def _domain(domain: object) -> dict[str, Any]:
    if isinstance(domain, ValueList):
        return {"values": list(domain.values)}
    if isinstance(domain, ValueRange):
        return {"range": [domain.lower, domain.upper]}
    return {"values_of": f"{domain.table}.{domain.column}"} if isinstance(domain, ColumnOf) else {}


def _bounds(bounds: Any) -> dict[str, Any]:  # noqa: ANN401
    return {} if bounds is None else {"bounds": [bounds.lower, bounds.upper]}


def problem(error: Exception, sql: str | None) -> dict[str, Any]:
    """Give any refusal its one shape."""
    if isinstance(error, Refusal):
        span = None if error.span is None else [error.span.start, error.span.end]
        return {"code": str(error.code), "message": error.why, "hint": error.hint, "span": span, "sql": sql}
    if isinstance(error, CatalogError):
        message = f"{error.file}: {error.key}: {error.why}"
        return {
            "code": "E_CATALOG",
            "message": message,
            "hint": error.cure,
            "span": None,
            "sql": sql,
            "file": error.file,
            "key": error.key,
        }
    if isinstance(error, DataError):
        return {
            "code": "E_DATA",
            "message": f"{error.table}: {error.why}",
            "hint": error.cure,
            "span": None,
            "sql": sql,
        }
    if isinstance(error, ExecutionFailed):
        return {"code": error.code, "message": error.why, "hint": error.hint, "span": None, "sql": sql}
    assert isinstance(error, LedgerError)  # noqa: S101
    shape: dict[str, Any] = {
        "code": str(error.code or "E_LEDGER"),
        "message": error.why,
        "hint": error.hint,
        "span": None,
        "sql": sql,
    }
    if isinstance(error, BudgetRefused):
        shape |= {
            "requested_rho": float(error.requested.rho),
            "remaining_rho": float(error.remaining.rho),
            "short_by_rho": float(error.short_by.rho),
            "would_fit_rho": float(error.would_fit.rho),
        }
    return shape
