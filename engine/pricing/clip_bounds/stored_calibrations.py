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
from engine.mechanism.release import release_from_bytes
from engine.pricing.clip_bounds.histograms import (
    Calibration,
    Calibrations,
    ContributionHistogram,
    HistogramSubject,
    Quantity,
)

CALIBRATION_TOPIC = "calibration"
RELOAD_SECONDS = 10.0  # seconds between reloads
NOTE_FORMAT = 1  # version of the note's format


def load_calibrations(ledger: Ledger, datasets: Iterable[str]) -> Calibrations:
    """Load the calibrations of a ledger. Raises UnsafeStore if a histogram does not match its digest in the chain.

    Of each histogram the last one noted is valid. Needs and guarantees: engine/pricing/proofs.md#load_calibrations
    """
    wanted = set(datasets)
    histograms_by_dataset: dict[str, dict[tuple[Any, ...], ContributionHistogram]] = {}
    for entry in ledger.find_entries(kind=f"note_{CALIBRATION_TOPIC}"):
        if entry.dataset in wanted and entry.content.get("format") == NOTE_FORMAT:
            histograms = histograms_by_dataset.setdefault(entry.dataset, {})
            for histogram in _histograms(ledger, entry):
                subject = histogram.subject
                histograms[subject.table, frozenset(subject.keys), subject.kind, subject.column] = histogram
    return Calibrations(
        MappingProxyType(
            {name: Calibration(tuple(histograms.values())) for name, histograms in histograms_by_dataset.items()}
        )
    )


@dataclass
class ReloadedCalibrations:
    """Calibrations of an open ledger, reloaded periodically because another process may note a new one.

    Reloads depend on the clock alone. Raises as `load_calibrations` does.
    """

    ledger: Ledger
    datasets: tuple[str, ...]
    every_seconds: float = RELOAD_SECONDS
    _calibrations: Calibrations = field(init=False)
    _loaded_at: float = field(init=False)

    def __post_init__(self) -> None:
        """Load the calibrations for the first time."""
        self._reload(time.monotonic())

    def today(self, dataset: str) -> Calibration:
        """Return the valid calibration of a dataset today (UTC)."""
        now = time.monotonic()
        if now - self._loaded_at >= self.every_seconds:
            self._reload(now)
        return self._calibrations.today(dataset)

    def _reload(self, now: float) -> None:
        """Load the calibrations at a reading of the monotonic clock, from which the next reload is counted."""
        self._calibrations, self._loaded_at = load_calibrations(self.ledger, self.datasets), now


def calibration_due_on(ledger: Ledger, dataset: str) -> date | None:
    """Day from which the next calibration of a dataset is due; None if there was none."""
    notes = [entry for entry in ledger.find_entries(kind=f"note_{CALIBRATION_TOPIC}") if entry.dataset == dataset]
    return date.fromisoformat(notes[-1].content["due_on"]) if notes else None


def subject_to_json(subject: HistogramSubject) -> dict[str, Any]:
    """Serialize the subject of a histogram for a ledger note, as strings."""
    return {
        "table": subject.table,
        "keys": list(subject.keys),
        "kind": subject.kind.value,
        "column": subject.column or "",
        "unit": repr(subject.unit),
    }


def _histograms(ledger: Ledger, entry: Entry) -> Iterable[ContributionHistogram]:
    """Histograms of one calibration note, from the stored releases that it names.

    A note without `groups` is of private keys, or of an older version. Raises UnsafeStore if a stored histogram is
    missing or has another digest than the chain records.
    """
    content = entry.content
    stored = ledger.replay(OWNER, entry.dataset, [each["key"] for each in content["histograms"]])
    days = date.fromisoformat(content["made_on"]), date.fromisoformat(content["expires_on"])
    for each in content["histograms"]:
        release = stored.get(each["key"])
        if release is None or hashlib.sha256(release.payload).hexdigest() != each["digest"]:
            raise UnsafeStore(
                f"A histogram of the calibration of {entry.dataset} is not what the chain says.",
                "passersby ledger verify, then a backup of the ledger.",
            )
        groups = int(each.get("groups") or 0) or None
        yield replace(
            _histogram_from_release(release.payload, _subject_from_json(each), content["window"], *days), groups=groups
        )


def _subject_from_json(content: Mapping[str, Any]) -> HistogramSubject:
    """Subject of a histogram from a ledger note, as `subject_to_json` wrote it; an empty column means none."""
    kind, column = Quantity(content["kind"]), content["column"] or None
    return HistogramSubject(content["table"], tuple(content["keys"]), kind, column, float(content["unit"]))


def _histogram_from_release(
    payload: bytes, subject: HistogramSubject, window: str, made_on: date, expires_on: date
) -> ContributionHistogram:
    """Histogram from a stored release: its counts in bin order."""
    release = release_from_bytes(payload)
    counts = np.zeros(len(subject.bins), dtype=np.int64)
    counts[np.asarray(release.keys.column(0)) - subject.bins[0]] = release.noisy[0]
    grain, sigma = release.grains[0], release.sigmas[0]
    return ContributionHistogram(
        subject, tuple(int(n * grain) for n in counts), sigma * grain, window, made_on, expires_on
    )
