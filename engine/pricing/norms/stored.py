"""Calibrations noted in the ledger's chain, loaded from stored releases and verified against their digests."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np

from budgets import OWNER, Entry, Ledger, UnsafeStore
from engine.mechanism.release import from_bytes
from engine.pricing.norms.histograms import Calibration, Calibrations, Histogram, Kind, Measured

TOPIC = "calibration"
LOOKED_EVERY = 10.0  # seconds between reloads
FORMAT = 1  # version of the note's format


def calibrations_in(ledger: Ledger, datasets: Iterable[str]) -> Calibrations:
    """Load the calibrations of a ledger. Raises UnsafeStore if a histogram does not match its digest in the chain.

    Of each histogram the last one noted is valid. Needs and guarantees: engine/pricing/proofs.md#calibrations_in
    """
    wanted = set(datasets)
    found: dict[str, dict[tuple[Any, ...], Histogram]] = {}
    for entry in ledger.audit(kind=f"note_{TOPIC}"):
        if entry.dataset in wanted and entry.said.get("format") == FORMAT:
            held = found.setdefault(entry.dataset, {})
            for histogram in _histograms(ledger, entry):
                measured = histogram.measured
                held[measured.table, frozenset(measured.keys), measured.kind, measured.column] = histogram
    return Calibrations(MappingProxyType({name: Calibration(tuple(held.values())) for name, held in found.items()}))


@dataclass
class Following:
    """Calibrations of an open ledger, reloaded periodically because another process may note a new one.

    Reloads depend on the clock alone. Raises as `load_calibrations` does.
    """

    ledger: Ledger
    datasets: tuple[str, ...]
    every_seconds: float = LOOKED_EVERY
    _found: Calibrations = field(init=False)
    _looked_at: float = field(init=False)

    def __post_init__(self) -> None:
        """Load the calibrations for the first time."""
        self._look(time.monotonic())

    def today(self, dataset: str) -> Calibration:
        """Return the valid calibration of a dataset today (UTC)."""
        now = time.monotonic()
        if now - self._looked_at >= self.every_seconds:
            self._look(now)
        return self._found.today(dataset)

    def _look(self, now: float) -> None:
        self._found, self._looked_at = calibrations_in(self.ledger, self.datasets), now


def due_on(ledger: Ledger, dataset: str) -> date | None:
    """Day from which the next calibration of a dataset is due; None if there was none."""
    noted = [entry for entry in ledger.audit(kind=f"note_{TOPIC}") if entry.dataset == dataset]
    return date.fromisoformat(noted[-1].said["due_on"]) if noted else None


def measured_said(measured: Measured) -> dict[str, Any]:
    """Serialize the subject of a histogram for a ledger note, as strings."""
    return {
        "table": measured.table,
        "keys": list(measured.keys),
        "kind": measured.kind.value,
        "column": measured.column or "",
        "unit": repr(measured.unit),
    }


def _histograms(ledger: Ledger, entry: Entry) -> Iterable[Histogram]:
    said = entry.said
    stored = ledger.replay(OWNER, entry.dataset, [each["key"] for each in said["histograms"]])
    days = date.fromisoformat(said["made_on"]), date.fromisoformat(said["expires_on"])
    for each in said["histograms"]:
        release = stored.get(each["key"])
        if release is None or hashlib.sha256(release.payload).hexdigest() != each["digest"]:
            raise UnsafeStore(
                f"A histogram of the calibration of {entry.dataset} is not what the chain says.",
                "passersby ledger verify, then a backup of the ledger.",
            )
        groups = int(each.get("groups") or 0) or None
        yield replace(_histogram(release.payload, _measured(each), said["window"], *days), groups=groups)


def _measured(said: Mapping[str, Any]) -> Measured:
    kind, column = Kind(said["kind"]), said["column"] or None
    return Measured(said["table"], tuple(said["keys"]), kind, column, float(said["unit"]))


def _histogram(payload: bytes, measured: Measured, window: str, made_on: date, expires_on: date) -> Histogram:
    """Histogram from a stored release: its counts in bin order."""
    release = from_bytes(payload)
    counts = np.zeros(len(measured.bins), dtype=np.int64)
    counts[np.asarray(release.keys.column(0)) - measured.bins[0]] = release.noisy[0]
    grain, sigma = release.grains[0], release.sigmas[0]
    return Histogram(measured, tuple(int(n * grain) for n in counts), sigma * grain, window, made_on, expires_on)
