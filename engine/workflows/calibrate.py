"""Calibration: measure contribution histograms under differential privacy, from which clip bounds are tuned.

Catalog, data, ledger -> a calibration, stored and recorded in the ledger's chain. It is charged to the owner, as part
of every client's loss. All histograms share one charge, which is durable before any of them is read
(`proofs.md#calibration`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from budgets import OWNER, PICO, Charge, Loss, ParamError, total
from dialect import Refusal
from dialect.catalog import Catalog, Dataset, next_begin, window_name
from engine.accounts.losses import owner_keys
from engine.pipeline.engine import Engine
from engine.pricing.norms.histograms import Calibration, Kind
from engine.pricing.norms.stored import FORMAT, TOPIC, calibrations_in, measured_said
from engine.pricing.prepare import Prepared, prepare
from engine.pricing.terms import Asked
from engine.pricing.work_limits import count_keys
from engine.progress import Progress
from engine.workflows.calibration_questions import CalibrationQuestion, Uncalibrated, calibration_questions
from engine.workflows.delivered_windows import delivered_windows

DECLARE = (
    'delivered_until = "{window}" in [datasets.{dataset}] where its rows are there, or passersby ingest --window'
    " {window} with those that come"
)


@dataclass(frozen=True)
class CalibrationPlan:
    """A calibration before its charge: the queries of its histograms, and their price."""

    dataset: Dataset
    window: str
    why_window: str  # reason: named, or how the calendar and deliveries determine it
    asked: tuple[CalibrationQuestion, ...]
    prepared: tuple[Prepared, ...]
    left_out: tuple[Uncalibrated, ...]

    @property
    def loss(self) -> Loss:
        """Return the total loss of all histograms in each charged privacy window."""
        return total(each.cost.loss for each in self.prepared)

    @property
    def sql(self) -> str:
        """Return the SQL of all histograms."""
        return ";\n".join(each.sql for each in self.asked)


def plan_calibration(
    engine: Engine,
    dataset: Dataset,
    window: str | None = None,
    rho: Fraction | None = None,
    more_keys: Sequence[tuple[str, ...]] = (),
) -> CalibrationPlan:
    """Price a calibration of one privacy window, by default the last delivered one that has ended.

    Reads no data and charges nothing. Raises ParamError, also for a window that is not declared as delivered
    (`proofs.md#delivered-windows`).
    """
    named, why = _chosen_window(engine.catalog, dataset, window, datetime.now(UTC).date())
    asked, left_out = calibration_questions(engine.catalog, dataset, named, more_keys)
    if not asked:
        raise ParamError(f"Nothing of {dataset.name} is to be calibrated.", "a table in which people have several rows")
    part = int((rho or dataset.calibration.rho) * PICO) // sum(_parts(each) for each in asked)
    if part == 0:
        raise ParamError(f"This rho is too little for {len(asked)} histograms.", "rho 0.02")
    made = [_priced(engine, each, _parts(each) * part) for each in asked]
    return _not_bought(engine, CalibrationPlan(dataset, named, why, asked, tuple(made), left_out))


def _chosen_window(catalog: Catalog, dataset: Dataset, named: str | None, today: date) -> tuple[str, str]:
    """Return the window to measure, and the reason. Raises ParamError for an undeclared or undelivered window."""
    if named is not None and named not in dataset.windows:
        raise ParamError(
            f"{dataset.name} has no window {named}.", f"one from {dataset.windows[0]} to {dataset.windows[-1]}"
        )
    there = {} if dataset.stretch is None else delivered_windows(catalog, dataset)
    if named is None:
        return usual_window(dataset, today, [w for w in dataset.windows if all(w in each for each in there.values())])
    missing = [table for table, windows in there.items() if named not in windows]
    if missing:
        tables = ", ".join(missing)
        raise ParamError(
            f"Nothing declares that {tables} has rows in {named}: measuring an empty window would spend its budget.",
            DECLARE.format(window=named, dataset=dataset.name),
        )
    return named, "as named"


def usual_window(dataset: Dataset, today: date, delivered: Sequence[str]) -> tuple[str, str]:
    """Return the default window to measure, and the reason.

    It depends on the calendar and on declared deliveries, never on the data. Raises ParamError where no window is
    declared as delivered.
    """
    stretch = dataset.stretch
    if stretch is None:
        return dataset.windows[-1], "a whole history is one window"
    if not delivered:
        raise ParamError(
            f"Nothing declares which windows of {dataset.name} have rows: measuring an empty one would spend its"
            " budget.",
            DECLARE.format(window=dataset.windows[0], dataset=dataset.name),
        )
    ended = {window_name(stretch.window, b) for b in stretch.begins() if next_begin(stretch.window, b) <= today}
    found = [window for window in delivered if window in ended]
    if not found:
        return delivered[0], f"the first delivered one: none of them has ended by {today}"
    return found[-1], f"the last delivered one that has ended by {today}"


def _parts(asked: CalibrationQuestion) -> int:
    """Return a histogram's share of the budget; norms of persons, roots of counts, vary least and need half."""
    return 1 if asked.measured.kind is Kind.PERSONS else 2


def _priced(engine: Engine, asked: CalibrationQuestion, pico_rho: int) -> Prepared:
    """Compile one histogram's query at a price, in pico-rho."""
    return prepare(asked.question.plans[0], engine.catalog, engine.backend, Fraction(pico_rho, PICO))


def _not_bought(engine: Engine, planned: CalibrationPlan) -> CalibrationPlan:
    """Lower the price of each histogram below any release that a client bought (proofs.md#calibration).

    A client's release is charged to that client alone, and must not be reused for everybody.
    """
    taken = {each.release_key for each in engine.ledger.releases(OWNER)}
    taken -= owner_keys(engine.ledger, planned.dataset.name)
    made = list(planned.prepared)
    for i, each in enumerate(planned.asked):
        while made[i].release_key in taken:
            made[i] = _priced(engine, each, made[i].cost.loss.pico_rho - 1)
    return replace(planned, prepared=tuple(made))


def _charged(engine: Engine, planned: CalibrationPlan) -> tuple[CalibrationPlan, Charge | None]:
    """Charge all histograms to the owner, at prices at which no client bought them up to the moment of the charge."""
    planned = _not_bought(engine, planned)
    while True:
        charge = engine.charge(planned.sql, planned.prepared, Asked(OWNER))
        paid, planned = planned, _not_bought(engine, planned)
        if paid == planned:
            return planned, charge


def calibrate(engine: Engine, planned: CalibrationPlan, progress: Progress, actor: str) -> Calibration:
    """Run a calibration and record it in the ledger's chain; stored histograms cost nothing again.

    Claim: the histograms together are rho-zCDP in the window, rho = the charge. Symbols: `plan` = histograms in
    which one person is in one bin. Formula: the sum of the queries' prices. Source: proofs.md#calibration. Raises
    LedgerError, ExecutionFailed.
    """
    planned, charge = _charged(engine, planned)
    for place, (made, each) in enumerate(zip(planned.prepared, planned.asked, strict=True)):
        progress(f"measuring {each.measured}", place / len(planned.asked))
        engine.settle(each.question, (made,), charge)
    _note(engine, planned, actor)
    progress("measured", 1.0)
    return calibrations_in(engine.ledger, [planned.dataset.name]).by_dataset[planned.dataset.name]


def _note(engine: Engine, planned: CalibrationPlan, actor: str) -> None:
    """Record in the ledger's chain the measured window, the dates, and the digest of each histogram."""
    keys = [made.release_key for made in planned.prepared]
    stored = engine.ledger.replay(OWNER, planned.dataset.name, keys)
    made_on = max(date.fromisoformat(stored[key].settled_at[:10]) for key in keys)
    groups = {_keys(each): _groups(each, engine) for each in planned.asked}
    body: dict[str, Any] = {
        "format": FORMAT,
        "made_on": made_on.isoformat(),
        "due_on": (made_on + timedelta(days=planned.dataset.calibration.every_days)).isoformat(),
        "expires_on": (made_on + timedelta(days=planned.dataset.calibration.expires_days)).isoformat(),
        "data_version": planned.dataset.data_version,
        "window": planned.window,
        "histograms": [
            measured_said(each.measured)
            | {"key": key, "digest": hashlib.sha256(stored[key].payload).hexdigest(), "groups": groups[_keys(each)]}
            for each, key in zip(planned.asked, keys, strict=True)
        ],
    }
    engine.ledger.note(TOPIC, body, actor=actor, dataset=planned.dataset.name)


def _keys(asked: CalibrationQuestion) -> tuple[str, ...]:
    """Return the table and group keys of a histogram."""
    return asked.measured.table, *asked.measured.keys


def _groups(asked: CalibrationQuestion, engine: Engine) -> str:
    """Count the possible groups of a histogram's keys from public key sets; '' if keys are private or too many."""
    try:
        return str(count_keys(asked.keyed, engine.backend) or "")
    except Refusal:
        return ""
