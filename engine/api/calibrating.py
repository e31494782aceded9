"""What an owner asks of a calibration, in wire shapes: what would it cost, make it, what does it say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from budgets import LedgerError, parse_amount
from dialect import Refusal, read
from dialect.catalog.catalog import Catalog, Dataset
from dialect.parser.tokens import listed
from engine.accounts.problems import Refused, problem
from engine.api.session import ASKED_IN_VAIN, open_desk
from engine.api.wire.answer import price
from engine.catalog.bundled import named_dataset
from engine.pipeline.engine import Engine
from engine.pricing.norms.histograms import Histogram, Kind, Measured
from engine.pricing.norms.means import lean_of
from engine.pricing.norms.stored import calibrations_in, due_on
from engine.pricing.norms.tails import believed
from engine.pricing.norms.values import peoples_means
from engine.pricing.prepare import choices_of
from engine.pricing.terms import Asked
from engine.progress import Progress, ignore_progress
from engine.workflows.calibrate import CalibrationPlan, calibrate, plan_calibration

ANYBODY = "anybody"  # on whose account a usual question is priced, and never charged


def calibrate_catalog(
    where: str,
    *,
    by: str,
    ledger: str | None = None,
    dataset: str | None = None,
    window: str | None = None,
    rho: str | None = None,
    keys: Sequence[str] = (),
    dry_run: bool = False,
    if_due: bool = False,
    confirm: Callable[[dict[str, Any]], bool] = lambda told: True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure how much people contribute, at a price that `confirm` sees first; raises Refused.

    `keys` are sets of group keys beside the catalog's usual ones, each as one text: "zone, hour(ts)". With `dry_run`,
    where none is due, or where it is not confirmed, nothing is charged and `made` is false.
    """
    with open_desk(where, ledger=ledger, progress=progress) as desk:
        engine = desk.engine
        try:
            of = named_dataset(engine.catalog, dataset)
            amount = None if rho is None else parse_amount(rho, "rho")
            planned = plan_calibration(engine, of, window, amount, [listed(text) for text in keys])
            told = _told(planned, due_on(engine.ledger, of.name))
            if dry_run or (if_due and not told["due"]) or not confirm(told):
                return told | {"made": False, "histograms": []}
            calibrate(engine, planned, progress or ignore_progress, by)
            return told | {"made": True, "histograms": histograms_told(engine, of)}
        except ASKED_IN_VAIN as error:
            raise Refused(problem(error, None)) from error


def calibration_told(where: str, *, ledger: str | None = None, dataset: str | None = None) -> list[dict[str, Any]]:
    """List the histograms that hold today; raises Refused."""
    with open_desk(where, ledger=ledger) as desk:
        try:
            return histograms_told(desk.engine, named_dataset(desk.engine.catalog, dataset))
        except LedgerError as error:
            raise Refused(problem(error, None)) from error


def histograms_told(engine: Engine, dataset: Dataset) -> list[dict[str, Any]]:
    """Tell each histogram that holds today, with the norm that a usual question would have by it."""
    known = calibrations_in(engine.ledger, [dataset.name])
    calibrated = replace(engine, calibrations=known)
    return [_histogram(each, calibrated) for each in known.today(dataset.name).histograms]


def _told(planned: CalibrationPlan, due: date | None) -> dict[str, Any]:
    windows = sorted({window for each in planned.prepared for window in each.plan.touched.windows})
    return {
        "dataset": planned.dataset.name,
        "window": planned.window,
        "why_window": planned.why_window,
        "windows": windows,
        "price": price(planned.loss),
        "share_of_ceiling": float(planned.loss.rho / planned.dataset.budget.rho),
        "asked": len(planned.asked),
        "due": due is None or due <= datetime.now(UTC).date(),
        "due_on": None if due is None else due.isoformat(),
        "left_out": [{"table": each.table, "keys": list(each.keys), "why": each.why} for each in planned.left_out],
    }


def _histogram(histogram: Histogram, engine: Engine) -> dict[str, Any]:
    measured, people = histogram.measured, believed(histogram)
    if measured.kind in (Kind.LEANS, Kind.MEANS):
        people = np.zeros_like(people)  # no people are counted, or not by a norm
    shown = [i for i, count in enumerate(people) if count > 0]
    bins = measured.bins
    return {
        "table": measured.table,
        "keys": list(measured.keys),
        "kind": measured.kind.value,
        "column": measured.column,
        "window": histogram.window,
        "made_on": histogram.made_on.isoformat(),
        "expires_on": histogram.expires_on.isoformat(),
        "sigma": histogram.sigma,
        "bins": [
            {"norm": 2.0 ** ((bins[i] + 1) / 2) * measured.unit, "people": int(people[i])}
            for i in (range(shown[0], shown[-1] + 1) if shown else ())
        ],
        "usual": _usual(measured, engine),
        "lean": _lean(histogram, engine),
        "usual_value": _usual_value(histogram, engine),
    }


def _usual_value(histogram: Histogram, engine: Engine) -> float | None:
    """Tell about which value averages of a column are taken; None where people's means are not clear of the noise."""
    measured = histogram.measured
    table = engine.catalog.table(measured.table)
    column = None if table is None or measured.column is None else table.column(measured.column)
    if measured.kind is not Kind.MEANS or column is None:
        return None
    means = peoples_means(histogram, column)
    return None if means is None else means.centre


def _lean(histogram: Histogram, engine: Engine) -> float | None:
    """Tell by how much means change with ln(rows), at least; None for a histogram of norms."""
    measured = histogram.measured
    table = engine.catalog.table(measured.table)
    if measured.kind is not Kind.LEANS or table is None:
        return None
    known = engine.calibrations.today(table.dataset)
    return lean_of(histogram, known.find(measured.table, (), Kind.ROWS)) * measured.unit


def _usual(measured: Measured, engine: Engine) -> dict[str, Any] | None:
    """Tell what a question by these keys is bounded to at the default price; None where none can be asked."""
    if measured.kind in (Kind.CENTRED, Kind.LEANS, Kind.MEANS):
        return None
    shown = "".join(f"{key}, " for key in measured.keys)
    by = f" GROUP BY {', '.join(map(str, range(1, len(measured.keys) + 1)))}" if measured.keys else ""
    sql = f"SELECT {shown}{_aggregate(measured, engine.catalog)} AS n FROM {measured.table}{by}"
    try:
        (made,) = engine.prepare(read(sql, engine.catalog), Asked(ANYBODY))
    except (Refusal, ValueError):
        return None
    for vector, bound, row in zip(made.plan.vectors, made.bounds.vectors, choices_of(made), strict=True):
        if vector.kind.value == measured.kind or (measured.kind is Kind.SUMS and vector.summed):
            return {
                "sql": sql,
                "norm": bound.norm,
                "predicted_bias": bound.predicted_bias,
                "kept": bound.kept,
                "choices": [asdict(each) for each in row],
            }
    return None


def _aggregate(measured: Measured, catalog: Catalog) -> str:
    if measured.kind is Kind.ROWS:
        return "COUNT(*)"
    if measured.kind is Kind.PERSONS:
        table = catalog.table(measured.table)
        assert table is not None and table.person is not None  # noqa: S101  it was calibrated
        return f"COUNT(DISTINCT {table.person.column})"
    return f"SUM({measured.column})"
