"""Calibration: measure contribution histograms under differential privacy, from which clip bounds are tuned.

Catalog, data, ledger -> a calibration, stored and recorded in the ledger's chain. It is charged to the owner, as part
of every client's loss. All histograms share one charge, which is durable before any of them is read
(`proofs.md#calibration`).

Delivered privacy windows are those that the steward declares complete, never inferred from rows: by `delivered_until`
in the catalog, and by `passersby ingest --window` (`proofs.md#delivered-windows`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from budgets import OWNER, PICO, Charge, Loss, ParamError, sum_losses
from dialect import Refusal
from dialect.catalog import Catalog, Dataset, Table, next_window_start, window_name
from engine.accounts.window_accounts import owner_keys
from engine.catalog.sources import ingest_folder
from engine.data.ingest.add_files import registered_windows
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.histograms import (
    CALIBRATION_TOPIC,
    NOTE_FORMAT,
    Calibration,
    Quantity,
    load_calibrations,
    subject_to_json,
)
from engine.pricing.compile_release import CompiledRelease, compile_release
from engine.pricing.query_terms import Request
from engine.pricing.work_limits import count_keys
from engine.progress import Progress
from engine.workflows.calibration_questions import CalibrationQuestion, Uncalibrated, calibration_questions


def delivered_windows(catalog: Catalog, dataset: Dataset) -> Mapping[str, frozenset[str]]:
    """Return the delivered windows of each private table that has a time column and is calibrated.

    Claim: the same for neighbouring data. Symbols: catalog and ingest register, both written by the steward. Formula:
    windows up to `delivered_until`, and those that an ingest into the table was declared for. Source:
    proofs.md#delivered-windows. Raises nothing.
    """
    timed = (t for t in catalog.private_tables(dataset.name) if t.time_column is not None)
    return {
        table.name: _windows_of_table(catalog, dataset, table) for table in timed if not table.has_one_row_per_person
    }


def _windows_of_table(catalog: Catalog, dataset: Dataset, table: Table) -> frozenset[str]:
    """Return the delivered windows of one table."""
    windows = dataset.window_names
    until = windows.index(dataset.delivered_until) + 1 if dataset.delivered_until else 0
    place = None if catalog.remote else ingest_folder(table)
    registered = frozenset() if place is None else registered_windows(place)
    return frozenset(windows[:until]) | (registered & set(windows))


DECLARE_CURE = (
    'delivered_until = "{window}" in [datasets.{dataset}] where its rows are there, or passersby ingest --window'
    " {window} with those that come"
)


@dataclass(frozen=True)
class CalibrationPlan:
    """A calibration before its charge: the queries of its histograms, and their price."""

    dataset: Dataset
    window: str
    window_reason: str  # reason: named, or how the calendar and deliveries determine it
    questions: tuple[CalibrationQuestion, ...]
    releases: tuple[CompiledRelease, ...]
    uncalibrated: tuple[Uncalibrated, ...]

    @property
    def loss(self) -> Loss:
        """Return the total loss of all histograms in each charged privacy window."""
        return sum_losses(each.cost.loss for each in self.releases)

    @property
    def sql(self) -> str:
        """Return the SQL of all histograms."""
        return ";\n".join(each.sql for each in self.questions)


def plan_calibration(
    engine: Engine,
    dataset: Dataset,
    window: str | None = None,
    rho: Fraction | None = None,
    more_keys: Sequence[tuple[str, ...]] = (),
    *,
    only_values: bool = False,
) -> CalibrationPlan:
    """Price a calibration of one privacy window, by default the last delivered one that has ended.

    `only_values`: only the bounds of columns that are to be measured. Reads no data and charges nothing. Raises
    ParamError, also for a window that is not declared as delivered (`proofs.md#delivered-windows`).
    """
    measured_window, why = _choose_window(engine.catalog, dataset, window, datetime.now(UTC).date())
    questions, uncalibrated = calibration_questions(engine.catalog, dataset, measured_window, more_keys)
    if only_values:
        questions, uncalibrated = tuple(each for each in questions if each.measured.kind is Quantity.VALUES), ()
    if not questions:
        raise ParamError(f"Nothing of {dataset.name} is to be calibrated.", "a table in which people have several rows")
    pico_rho_per_share = int((rho or dataset.calibration.rho) * PICO) // sum(_budget_shares(each) for each in questions)
    if pico_rho_per_share == 0:
        raise ParamError(f"This rho is too little for {len(questions)} histograms.", "rho 0.02")
    releases = [_compile(engine, each, _budget_shares(each) * pico_rho_per_share) for each in questions]
    return _avoid_client_releases(
        engine, CalibrationPlan(dataset, measured_window, why, questions, tuple(releases), uncalibrated)
    )


def _choose_window(catalog: Catalog, dataset: Dataset, requested: str | None, today: date) -> tuple[str, str]:
    """Return the window to measure, and the reason. Raises ParamError for an undeclared or undelivered window."""
    if requested is not None and requested not in dataset.window_names:
        raise ParamError(
            f"{dataset.name} has no window {requested}.",
            f"one from {dataset.window_names[0]} to {dataset.window_names[-1]}",
        )
    delivered_by_table = {} if dataset.window_range is None else delivered_windows(catalog, dataset)
    if requested is None:
        return default_window(
            dataset, today, [w for w in dataset.window_names if all(w in each for each in delivered_by_table.values())]
        )
    missing = [table for table, windows in delivered_by_table.items() if requested not in windows]
    if missing:
        tables = ", ".join(missing)
        raise ParamError(
            (
                f"Nothing declares that {tables} has rows in {requested}:"
                " measuring an empty window would spend its budget."
            ),
            DECLARE_CURE.format(window=requested, dataset=dataset.name),
        )
    return requested, "as named"


def default_window(dataset: Dataset, today: date, delivered: Sequence[str]) -> tuple[str, str]:
    """Return the default window to measure, and the reason.

    It depends on the calendar and on declared deliveries, never on the data. Raises ParamError where no window is
    declared as delivered.
    """
    stretch = dataset.window_range
    if stretch is None:
        return dataset.window_names[-1], "a whole history is one window"
    if not delivered:
        raise ParamError(
            f"Nothing declares which windows of {dataset.name} have rows: measuring an empty one would spend its"
            " budget.",
            DECLARE_CURE.format(window=dataset.window_names[0], dataset=dataset.name),
        )
    ended = {
        window_name(stretch.window, b) for b in stretch.first_days() if next_window_start(stretch.window, b) <= today
    }
    found = [window for window in delivered if window in ended]
    if not found:
        return delivered[0], f"the first delivered one: none of them has ended by {today}"
    return found[-1], f"the last delivered one that has ended by {today}"


def _budget_shares(question: CalibrationQuestion) -> int:
    """Return a histogram's share of the budget; norms of persons, roots of counts, vary least and need half."""
    return 1 if question.measured.kind is Quantity.PERSONS else 2


def _compile(engine: Engine, question: CalibrationQuestion, pico_rho: int) -> CompiledRelease:
    """Compile one histogram's query at a price, in pico-rho."""
    return compile_release(question.question.plans[0], engine.catalog, engine.backend, Fraction(pico_rho, PICO))


def _avoid_client_releases(engine: Engine, plan: CalibrationPlan) -> CalibrationPlan:
    """Lower the price of each histogram below any release that a client bought (proofs.md#calibration).

    A client's release is charged to that client alone, and must not be reused for everybody.
    """
    taken = {each.release_key for each in engine.ledger.paid_releases(OWNER)}
    taken -= owner_keys(engine.ledger, plan.dataset.name)
    releases = list(plan.releases)
    for i, each in enumerate(plan.questions):
        while releases[i].release_key in taken:
            releases[i] = _compile(engine, each, releases[i].cost.loss.pico_rho - 1)
    return replace(plan, releases=tuple(releases))


def _charge(engine: Engine, plan: CalibrationPlan) -> tuple[CalibrationPlan, Charge | None]:
    """Charge all histograms to the owner, at prices at which no client bought them up to the moment of the charge."""
    plan = _avoid_client_releases(engine, plan)
    while True:
        charge = engine.charge(plan.sql, plan.releases, Request(OWNER))
        paid, plan = plan, _avoid_client_releases(engine, plan)
        if paid == plan:
            return plan, charge


def calibrate(engine: Engine, plan: CalibrationPlan, progress: Progress, actor: str) -> Calibration:
    """Run a calibration and record it in the ledger's chain; stored histograms cost nothing again.

    Claim: the histograms together are rho-zCDP in the window, rho = the charge. Symbols: `plan` = histograms in
    which one person is in one bin. Formula: the sum of the queries' prices. Source: proofs.md#calibration. Raises
    LedgerError, ExecutionFailed.
    """
    plan, charge = _charge(engine, plan)
    for place, (release, each) in enumerate(zip(plan.releases, plan.questions, strict=True)):
        progress(f"measuring {each.measured}", place / len(plan.questions))
        engine.settle(each.question, (release,), charge)
    _note(engine, plan, actor)
    progress("measured", 1.0)
    return load_calibrations(engine.ledger, [plan.dataset.name]).by_dataset[plan.dataset.name]


def _note(engine: Engine, plan: CalibrationPlan, actor: str) -> None:
    """Record in the ledger's chain the measured window, the dates, and the digest of each histogram."""
    keys = [release.release_key for release in plan.releases]
    stored = engine.ledger.replay(OWNER, plan.dataset.name, keys)
    settled_on = max(date.fromisoformat(stored[key].settled_at[:10]) for key in keys)
    groups = {_table_and_keys(each): _count_groups(each, engine) for each in plan.questions}
    body: dict[str, Any] = {
        "format": NOTE_FORMAT,
        "made_on": settled_on.isoformat(),
        "due_on": (settled_on + timedelta(days=plan.dataset.calibration.interval_days)).isoformat(),
        "expires_on": (settled_on + timedelta(days=plan.dataset.calibration.expires_days)).isoformat(),
        "data_version": plan.dataset.data_version,
        "window": plan.window,
        "histograms": [
            subject_to_json(each.measured)
            | {
                "key": key,
                "digest": hashlib.sha256(stored[key].payload).hexdigest(),
                "groups": groups[_table_and_keys(each)],
            }
            for each, key in zip(plan.questions, keys, strict=True)
        ],
    }
    engine.ledger.note(CALIBRATION_TOPIC, body, actor=actor, dataset=plan.dataset.name)


def _table_and_keys(question: CalibrationQuestion) -> tuple[str, ...]:
    """Return the table and group keys of a histogram."""
    return question.measured.table, *question.measured.keys


def _count_groups(question: CalibrationQuestion, engine: Engine) -> str:
    """Count the possible groups of a histogram's keys from public key sets; '' if keys are private or too many."""
    try:
        return str(count_keys(question.count_plan, engine.backend) or "")
    except Refusal:
        return ""
