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

from budgets import OWNER, Charge, ChargeRequest, Loss, PricedRelease, parse_positive_amount
from dialect.catalog import Dataset
from engine.accounts.window_accounts import account_windows
from engine.backends.exact import Int64Vector
from engine.catalog.bundled import find_dataset
from engine.errors import redact
from engine.mechanism.gaussian import gaussian_scale, privacy_loss
from engine.mechanism.intervals import half_width
from engine.mechanism.release import Release, release_from_bytes, release_to_bytes
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import check_prices
from engine.pricing.query_terms import caps, new_request_id
from engine.reuse.holdings import version_text

NOTE_TOPIC = "objection_figure"
SENSITIVITY = 1  # change of the number by one person's objection
CONFIDENCE = 0.95


def release_objection_count(engine: Engine, *, rho: str, by: str, dataset: str | None = None) -> dict[str, Any]:
    """Release the number of objectors with noise. The same rho on the same day replays the stored number for free.

    Claim: for one person's objection this is rho-zCDP, and it is a function of no row. Symbols: `rho`, charged in
    every window before the register is read. Formula: n + Z, Z a discrete Gaussian of scale 1 / sqrt(2 rho).
    Source: proofs.md#objection-figure. Raises LedgerError; NoiseRefused, before the charge; ExecutionFailed, after
    which the charge stays.
    """
    declared = find_dataset(engine.catalog, dataset)
    loss, day = Loss.rounded_up(parse_positive_amount(rho, "rho"), Fraction(0)), datetime.now(UTC).date().isoformat()
    question = f"{declared.name}: persons who object, on {day}, rho {float(loss.rho)!r}"
    key = hashlib.sha256(f"objections\n{declared.name}\n{day}\n{loss.pico_rho}".encode()).hexdigest()
    request = _charge_request(
        engine, declared, PricedRelease(key, loss, question, account_windows(engine.catalog, declared))
    )
    sigma = gaussian_scale(SENSITIVITY, loss.pico_rho)
    check_prices({key: privacy_loss(SENSITIVITY, sigma)}, request.releases)  # it costs no more than is charged for it
    if not any(entry.content["key"] == key for entry in engine.ledger.entries(kind=f"note_{NOTE_TOPIC}")):
        engine.ledger.note(NOTE_TOPIC, {"key": key, "made_on": day}, actor=by, dataset=declared.name)
    charge = engine.ledger.charge(request)  # durable, before any objection is read
    if charge.to_run:
        noisy = _noisy_count(engine, declared.name, charge, sigma, loss.pico_rho)
        engine.ledger.settle(charge, {key: release_to_bytes(noisy)})
    return next(each for each in released_counts(engine, declared.name) if each["release_id"] == key)


def _noisy_count(engine: Engine, dataset: str, charge: Charge, sigma: float, pico_rho: int) -> Release:
    """Count the objectors and add noise. An error is recorded as a failed charge and re-raised without details."""
    try:
        noisy = engine.add_noise(exact_count(engine, dataset), SENSITIVITY, sigma, pico_rho)
        return Release(pa.table({}), (noisy,), (1.0,), (sigma,))
    except Exception as error:
        redacted = redact(error)  # raised outside the handler, so that no details are chained
    engine.ledger.record_failure(charge)
    raise redacted


def exact_count(engine: Engine, dataset: str) -> Int64Vector:
    """Exact number of people who object now, each counted once. Sensitivity 1."""
    return np.array([engine.objections(dataset).num_rows], dtype=np.int64)


def released_counts(engine: Engine, dataset: str | None = None) -> list[dict[str, Any]]:
    """List the released numbers, oldest first."""
    return [
        each for of in engine.catalog.datasets if dataset in (None, of.name) for each in _stored_counts(engine, of.name)
    ]


def _stored_counts(engine: Engine, dataset: str) -> list[dict[str, Any]]:
    """Released numbers of one dataset, oldest first; of notes whose number was never stored there is none.

    A note with the release key is written before the charge, so that each number is found again.
    """
    notes = [entry.content for entry in engine.ledger.entries(kind=f"note_{NOTE_TOPIC}") if entry.dataset == dataset]
    stored = engine.ledger.replay(OWNER, dataset, [note["key"] for note in notes])
    rho = {each.release_key: each.loss for each in engine.ledger.paid_releases(OWNER)}
    return [
        {"dataset": dataset, "release_id": key, "made_on": note["made_on"], "rho": float(rho[key].rho)}
        | _count_with_interval(stored[key].payload)
        for note in notes
        if (key := note["key"]) in stored
    ]


def _count_with_interval(payload: bytes) -> dict[str, Any]:
    """Noisy number of a stored release, with its interval at CONFIDENCE."""
    release = release_from_bytes(payload)
    number, half = int(release.noisy[0][0]), int(half_width(release.sigmas[0], CONFIDENCE))
    return {"persons": number, "low": number - half, "high": number + half, "confidence": CONFIDENCE}


def _charge_request(engine: Engine, declared: Dataset, item: PricedRelease) -> ChargeRequest:
    """Charge request of the owner for one release.

    Each call has a request id of its own: a repeat is recognized by its release key, not by the request.
    """
    digest = hashlib.sha256(item.release_key.encode()).hexdigest()
    data_versions = version_text(engine.catalog, declared)
    return ChargeRequest(
        OWNER,
        declared.name,
        new_request_id(),
        digest,
        (item,),
        caps(declared.budget),
        data_versions,
        item.canonical_query,
    )
