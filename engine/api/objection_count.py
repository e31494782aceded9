"""Noisy number of people who object. The data owner pays for it, from everybody's account in every window.

The exact number is private and is shown nowhere (proofs.md#objection-figure).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from budgets import OWNER, Charge, ChargeRequest, Item, Loss, parse_amount
from dialect.catalog import Dataset
from engine.accounts.window_accounts import windows_of
from engine.backends.exact import Int64Vector
from engine.catalog.bundled import named_dataset
from engine.errors import untold
from engine.mechanism.gaussian import gaussian_scale
from engine.mechanism.intervals import half_width
from engine.mechanism.release import Release, from_bytes, to_bytes
from engine.pipeline.engine import Engine
from engine.pricing.terms import caps, new_request_id
from engine.reuse.replay import versions

TOPIC = "objection_figure"
MOST = 1  # change of the number by one person's objection
LEVEL = 0.95


def release_figure(engine: Engine, *, rho: str, by: str, dataset: str | None = None) -> dict[str, Any]:
    """Release the number of objectors with noise. The same rho on the same day replays the stored number for free.

    Claim: for one person's objection this is rho-zCDP, and it is a function of no row. Symbols: `rho`, charged in
    every window before the register is read. Formula: n + Z, Z a discrete Gaussian of scale 1 / sqrt(2 rho).
    Source: proofs.md#objection-figure. Raises LedgerError; ExecutionFailed, after which the charge stays.
    """
    of = named_dataset(engine.catalog, dataset)
    loss, day = Loss.of(parse_amount(rho, "rho"), Fraction(0)), datetime.now(UTC).date().isoformat()
    question = f"{of.name}: persons who object, on {day}, rho {float(loss.rho)!r}"
    key = hashlib.sha256(f"objections\n{of.name}\n{day}\n{loss.pico_rho}".encode()).hexdigest()
    request = _request(engine, of, Item(key, loss, question, windows_of(engine.catalog, of)))
    if not any(entry.said["key"] == key for entry in engine.ledger.audit(kind=f"note_{TOPIC}")):
        engine.ledger.note(TOPIC, {"key": key, "made_on": day}, actor=by, dataset=of.name)
    charge = engine.ledger.charge(request)  # durable, before any objection is read
    if charge.to_run:
        engine.ledger.settle(charge, {key: to_bytes(_made(engine, of.name, charge, loss.pico_rho))})
    return next(each for each in figures(engine, of.name) if each["release_id"] == key)


def _made(engine: Engine, dataset: str, charge: Charge, pico_rho: int) -> Release:
    """Count the objectors and add noise. An error is recorded as a failed charge and re-raised without details."""
    sigma = gaussian_scale(MOST, pico_rho)
    try:
        noisy = engine.add_noise(exact_figure(engine, dataset), MOST, sigma, pico_rho)
        return Release(pa.table({}), (noisy,), (1.0,), (sigma,))
    except Exception as error:
        failure = untold(error)  # raised outside the handler, so that no details are chained
    engine.ledger.failed(charge)
    raise failure


def exact_figure(engine: Engine, dataset: str) -> Int64Vector:
    """Exact number of people who object now, each counted once. Sensitivity 1."""
    return np.array([engine.objections(dataset).num_rows], dtype=np.int64)


def figures(engine: Engine, dataset: str | None = None) -> list[dict[str, Any]]:
    """List the released numbers, oldest first."""
    return [each for of in engine.catalog.datasets if dataset in (None, of.name) for each in _stored(engine, of.name)]


def _stored(engine: Engine, dataset: str) -> list[dict[str, Any]]:
    noted = [entry.said for entry in engine.ledger.audit(kind=f"note_{TOPIC}") if entry.dataset == dataset]
    stored = engine.ledger.replay(OWNER, dataset, [said["key"] for said in noted])
    rho = {each.release_key: each.loss for each in engine.ledger.releases(OWNER)}
    return [
        {"dataset": dataset, "release_id": key, "made_on": said["made_on"], "rho": float(rho[key].rho)}
        | _told(stored[key].payload)
        for said in noted
        if (key := said["key"]) in stored
    ]


def _told(payload: bytes) -> dict[str, Any]:
    release = from_bytes(payload)
    number, half = int(release.noisy[0][0]), int(half_width(release.sigmas[0], LEVEL))
    return {"persons": number, "low": number - half, "high": number + half, "confidence": LEVEL}


def _request(engine: Engine, of: Dataset, item: Item) -> ChargeRequest:
    digest = hashlib.sha256(item.release_key.encode()).hexdigest()
    noted = versions(engine.catalog, of)
    return ChargeRequest(OWNER, of.name, new_request_id(), digest, (item,), caps(of), noted, item.question)
