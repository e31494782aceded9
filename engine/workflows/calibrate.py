"""Catalog, data, ledger -> a calibration: priced, charged to everybody's account, read, noised, stored, noted.

The charge of all histograms is one, and durable before any of them is read (`proofs.md#calibration`).
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
    """What a calibration would ask, and at what price."""

    dataset: Dataset
    window: str
    why_window: str  # why that one is measured: it was named, or how it follows from the calendar
    asked: tuple[CalibrationQuestion, ...]
    prepared: tuple[Prepared, ...]
    left_out: tuple[Uncalibrated, ...]

    @property
    def loss(self) -> Loss:
        """Give the loss of all histograms, in each window that they touch."""
        return total(each.cost.loss for each in self.prepared)

    @property
    def sql(self) -> str:
        """Give everything that is asked."""
        return ";\n".join(each.sql for each in self.asked)


def plan_calibration(
    engine: Engine,
    dataset: Dataset,
    window: str | None = None,
    rho: Fraction | None = None,
    more_keys: Sequence[tuple[str, ...]] = (),
) -> CalibrationPlan:
    """Price a calibration of one window, the last delivered one that has ended unless named: no data, no charge.

    Raises ParamError, also for a window that is not declared as delivered (`proofs.md#delivered-windows`).
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
    """Choose the window to measure, and say why; raises ParamError for one that is not declared, or not delivered."""
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
    """Choose the window that is measured where none is named, and say why.

    Calendar and declared deliveries alone decide, never the data. Raises ParamError where none is delivered.
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
    """Say in how many parts of the price a histogram shares: a norm of persons, the root of a number, varies least."""
    return 1 if asked.measured.kind is Kind.PERSONS else 2


def _priced(engine: Engine, asked: CalibrationQuestion, pico_rho: int) -> Prepared:
    return prepare(asked.question.plans[0], engine.catalog, engine.backend, Fraction(pico_rho, PICO))


def _not_bought(engine: Engine, planned: CalibrationPlan) -> CalibrationPlan:
    """Ask what a client has bought for less: what that costs counts for the client alone (proofs.md#calibration)."""
    taken = {each.release_key for each in engine.ledger.releases(OWNER)}
    taken -= owner_keys(engine.ledger, planned.dataset.name)
    made = list(planned.prepared)
    for i, each in enumerate(planned.asked):
        while made[i].release_key in taken:
            made[i] = _priced(engine, each, made[i].cost.loss.pico_rho - 1)
    return replace(planned, prepared=tuple(made))


def _charged(engine: Engine, planned: CalibrationPlan) -> tuple[CalibrationPlan, Charge | None]:
    """Charge all histograms to everybody, none of which a client bought, not even just before the charge."""
    planned = _not_bought(engine, planned)
    while True:
        charge = engine.charge(planned.sql, planned.prepared, Asked(OWNER))
        paid, planned = planned, _not_bought(engine, planned)
        if paid == planned:
            return planned, charge


def calibrate(engine: Engine, planned: CalibrationPlan, progress: Progress, actor: str) -> Calibration:
    """Make a calibration and note it in the ledger's chain; what is stored already costs nothing again.

    Claim: the histograms together are rho-zCDP in the window, rho = what is charged. Symbols: `planned` = questions of
    one bin a person. Formula: the sum of the questions' prices. Source: proofs.md#calibration. Raises LedgerError,
    ExecutionFailed.
    """
    planned, charge = _charged(engine, planned)
    for place, (made, each) in enumerate(zip(planned.prepared, planned.asked, strict=True)):
        progress(f"measuring {each.measured}", place / len(planned.asked))
        engine.settle(each.question, (made,), charge)
    _note(engine, planned, actor)
    progress("measured", 1.0)
    return calibrations_in(engine.ledger, [planned.dataset.name]).by_dataset[planned.dataset.name]


def _note(engine: Engine, planned: CalibrationPlan, actor: str) -> None:
    """Write into the chain what was measured, when, until when it holds, and the digest of each histogram."""
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
    return asked.measured.table, *asked.measured.keys


def _groups(asked: CalibrationQuestion, engine: Engine) -> str:
    """Count the groups that its keys have, from public lists; nothing where they are private or too many."""
    try:
        return str(count_keys(asked.keyed, engine.backend) or "")
    except Refusal:
        return ""
