"""Calibration: noisy histograms of per-person contributions, paid from the owner's budget and public from then on.

They are noted in the ledger's chain, loaded from stored releases and verified against their digests.

Terms:
    norm      L2 norm of one person's contributions to the groups of some keys
    bin       squared norms within a factor of two; a bin of means is a range of distances from the nearer bound
    subject   what a histogram counts: table, keys, quantity, column
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from budgets import OWNER, Entry, Ledger, UnsafeStore
from engine.mechanism.release import release_from_bytes

LOWEST_BIN, HIGHEST_BIN = -40, 40  # bins of sums: squared norms from 2^-40 to 2^41 units
HIGHEST_COUNT_BIN = 40  # bins of row or group counts: squared norms up to 2^41
# bins of a mean's distance from the nearer bound: 2^(bin/2) of the range, below half of it
LOWEST_DISTANCE_BIN, HIGHEST_DISTANCE_BIN = -16, -3
MEAN_BINS = 2 * (HIGHEST_DISTANCE_BIN - LOWEST_DISTANCE_BIN + 1)  # from both bounds
LOWEST_VALUE_BIN, HIGHEST_VALUE_BIN = -40, 79  # of largest absolute values: from 2^(bin/2), so 2^-20 to 2^40
VALUE_BINS = HIGHEST_VALUE_BIN - LOWEST_VALUE_BIN + 1  # and again for people with large negative values
MEAN_STEPS = 1024  # sensitivity of a bin of MEANS_BY_ROWS: largest integer that one person adds


class Quantity(StrEnum):
    """Which per-person quantity a calibration histogram counts."""

    ROWS = "rows"  # number of rows in each group
    PERSONS = "persons"  # 1 in each group with a row: the squared norm is the number of groups of a person
    SUMS = "sums"  # sum of a bounded column in each group
    CENTRED = "centred"  # sum of a bounded column minus its centre: read from older versions, not used
    MEANS_BY_ROWS = "leans"  # no norm: sum of people's means of a bounded column, by number of rows
    VALUES = "values"  # no norm: number of people by their largest absolute value of a column; negative ones apart
    MEANS = "means"  # no norm: number of people by mean of a bounded column, by place between the bounds


@dataclass(frozen=True)
class HistogramSubject:
    """Subject of a calibration histogram: table, group keys, quantity, column and unit."""

    table: str
    keys: tuple[str, ...]  # canonical texts of the keys; empty: no keys
    kind: Quantity
    column: str | None = None  # column of SUMS, MEANS_BY_ROWS, MEANS and VALUES
    unit: float = 1.0  # unit of norms: for sums the largest magnitude of a value, for means the range

    @property
    def bins(self) -> range:
        """Bin numbers: a squared norm of N units lies in bin floor(log2(N)); means count from lower to upper bound."""
        if self.kind is Quantity.MEANS:
            return range(MEAN_BINS)
        if self.kind is Quantity.VALUES:
            return range(2 * VALUE_BINS)
        counts_rows = self.column is None or self.kind is Quantity.MEANS_BY_ROWS
        return range(HIGHEST_COUNT_BIN + 1) if counts_rows else range(LOWEST_BIN, HIGHEST_BIN + 1)

    def __str__(self) -> str:
        what = self.kind.value if self.column is None else f"{self.kind}({self.column})"
        return f"{self.table}: {what} by {', '.join(self.keys)}" if self.keys else f"{self.table}: {what} in all"


@dataclass(frozen=True)
class ContributionHistogram:
    """Noisy number of people by contribution norm in one privacy window; one person moves one bin by 1.

    With Quantity.MEANS_BY_ROWS a count is the sum of people's means, in steps of 1/MEAN_STEPS of the range, and one
    person moves one bin by at most MEAN_STEPS.
    """

    subject: HistogramSubject
    counts: tuple[int, ...]  # noisy counts of `subject.bins`
    sigma: float  # noise scale of each count
    window: str
    made_on: date
    expires_on: date  # expired from this day on
    groups: int | None = None  # number of public groups of its keys; None: private keys, or an older version


@dataclass(frozen=True)
class Calibration:
    """Calibration histograms of one dataset, the newest of each subject."""

    histograms: tuple[ContributionHistogram, ...] = ()

    def valid_on(self, day: date) -> Calibration:
        """Return the histograms that are valid on a day; of values, which clamp, all: no other bounds replace them."""
        valid = (h for h in self.histograms if day < h.expires_on or h.subject.kind is Quantity.VALUES)
        return Calibration(tuple(valid))

    def find(
        self, table: str, key_texts: Iterable[str], kind: Quantity, column: str | None = None
    ) -> ContributionHistogram | None:
        """Histogram by the largest set of keys within the plan's; finer groups have smaller norms. None: there is none.

        `key_texts` = canonical texts of the plan's keys. Of equally large sets the last in alphabetical order is taken.
        """
        plan_keys = set(key_texts)
        candidates = (h for h in self.find_all(table, kind, column) if set(h.subject.keys) <= plan_keys)
        return max(candidates, key=lambda h: (len(h.subject.keys), h.subject.keys), default=None)

    def find_all(self, table: str, kind: Quantity, column: str | None = None) -> list[ContributionHistogram]:
        """Histograms of one quantity of a table, by any keys."""
        subject = (table, kind, column)
        return [h for h in self.histograms if (h.subject.table, h.subject.kind, h.subject.column) == subject]


NO_CALIBRATION = Calibration()


@dataclass(frozen=True)
class Calibrations:
    """Calibrations of all datasets."""

    by_dataset: Mapping[str, Calibration]

    def today(self, dataset: str) -> Calibration:
        """Return the valid calibration of a dataset today (UTC). The date is public, data do not matter."""
        return self.by_dataset.get(dataset, NO_CALIBRATION).valid_on(datetime.now(UTC).date())


class CalibrationProvider(Protocol):
    """Provider of valid calibrations."""

    def today(self, dataset: str) -> Calibration:
        """Return the valid calibration of a dataset today (UTC)."""


NO_CALIBRATIONS = Calibrations(MappingProxyType({}))


CALIBRATION_TOPIC = "calibration"
RELOAD_SECONDS = 10.0  # seconds between reloads
NOTE_FORMAT = 1  # version of the note's format


def load_calibrations(ledger: Ledger, datasets: Iterable[str]) -> Calibrations:
    """Load the calibrations of a ledger. Raises UnsafeStore if a histogram does not match its digest in the chain.

    Of each histogram the last one noted is valid. Needs and guarantees: engine/pricing/proofs.md#load_calibrations
    """
    wanted = set(datasets)
    histograms_by_dataset: dict[str, dict[tuple[Any, ...], ContributionHistogram]] = {}
    for entry in ledger.entries(kind=f"note_{CALIBRATION_TOPIC}"):
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
    notes = [entry for entry in ledger.entries(kind=f"note_{CALIBRATION_TOPIC}") if entry.dataset == dataset]
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
