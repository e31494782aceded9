"""Calibration in wire shapes: preview its cost, run it, list its histograms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from budgets import parse_positive_amount
from dialect import Refusal, compile_query
from dialect.catalog import Catalog, Dataset, SqlType
from dialect.parser import split_list
from engine.api.session import open_session
from engine.api.wire.answer import price
from engine.catalog.bundled import find_dataset
from engine.errors import refusals
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.column_means import mean_distribution
from engine.pricing.clip_bounds.histograms import (
    ContributionHistogram,
    HistogramSubject,
    Quantity,
    calibration_due_on,
    load_calibrations,
)
from engine.pricing.clip_bounds.means import measured_mean_slope
from engine.pricing.clip_bounds.tails import denoised_people
from engine.pricing.clip_bounds.value_bounds import bounds_of_values
from engine.pricing.compile_release import clip_bound_alternatives
from engine.pricing.query_terms import Request
from engine.progress import Progress, ignore_progress
from engine.workflows.calibrate import CalibrationPlan, calibrate, plan_calibration

PRICING_CLIENT = "anybody"  # client for pricing a usual query; never charged


def calibrate_catalog(
    catalog_source: str,
    *,
    by: str,
    ledger: str | None = None,
    dataset: str | None = None,
    window: str | None = None,
    rho: str | None = None,
    keys: Sequence[str] = (),
    only_bounds: bool = False,
    dry_run: bool = False,
    if_due: bool = False,
    confirm: Callable[[dict[str, Any]], bool] = lambda preview: True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a dataset's contribution distribution with noise, at a price `confirm` sees first; raises Refused.

    `keys` are sets of group keys in addition to the catalog's usual ones, each as one text: "zone, hour(ts)".
    `only_bounds` measures nothing but the columns that declare bounds = "measure". With `dry_run`, where no calibration
    is due, or where it is not confirmed, nothing is charged and `made` is false.
    """
    with open_session(catalog_source, ledger=ledger, progress=progress) as session:
        engine = session.engine
        with refusals():
            declared = find_dataset(engine.catalog, dataset)
            amount = None if rho is None else parse_positive_amount(rho, "rho")
            more_keys = [split_list(text) for text in keys]
            planned = plan_calibration(engine, declared, window, amount, more_keys, only_values=only_bounds)
            cost_preview = _calibration_shape(planned, calibration_due_on(engine.ledger, declared.name))
            if dry_run or (if_due and not cost_preview["due"]) or not confirm(cost_preview):
                return cost_preview | {"made": False, "histograms": []}
            calibrate(engine, planned, progress or ignore_progress, by)
            return cost_preview | {"made": True, "histograms": describe_histograms(engine, declared)}


def list_calibrations(
    catalog_source: str, *, ledger: str | None = None, dataset: str | None = None
) -> list[dict[str, Any]]:
    """List the calibration histograms in force today; raises Refused."""
    with open_session(catalog_source, ledger=ledger) as session, refusals():
        return describe_histograms(session.engine, find_dataset(session.engine.catalog, dataset))


def describe_histograms(engine: Engine, dataset: Dataset) -> list[dict[str, Any]]:
    """Each calibration histogram in force today, with the clip bound it implies for a usual query."""
    calibrations = load_calibrations(engine.ledger, [dataset.name])
    calibrated_engine = replace(engine, calibrations=calibrations)
    return [_histogram_shape(each, calibrated_engine) for each in calibrations.today(dataset.name).histograms]


def _calibration_shape(planned: CalibrationPlan, due_date: date | None) -> dict[str, Any]:
    """Preview of a planned calibration in JSON form: windows, price, number of queries, due date, what is left out."""
    windows = sorted({window for each in planned.releases for window in each.plan.charged_windows.windows})
    return {
        "dataset": planned.dataset.name,
        "window": planned.window,
        "why_window": planned.window_reason,
        "windows": windows,
        "price": price(planned.loss),
        "share_of_ceiling": float(planned.loss.rho / planned.dataset.budget.rho),
        "asked": len(planned.questions),
        "due": due_date is None or due_date <= datetime.now(UTC).date(),
        "due_on": None if due_date is None else due_date.isoformat(),
        "left_out": [{"table": each.table, "keys": list(each.keys), "why": each.why} for each in planned.uncalibrated],
    }


def _histogram_shape(histogram: ContributionHistogram, engine: Engine) -> dict[str, Any]:
    """Calibration histogram in JSON form: denoised people per bin, and what it means for a usual query.

    The keys `norm`, `lean` and `usual_value` hold the upper end of a bin, the change of people's means with ln(rows),
    and the centre of averages; histograms of means have no people per bin.
    """
    measured, people = histogram.subject, denoised_people(histogram)
    if measured.kind in (Quantity.MEANS_BY_ROWS, Quantity.MEANS, Quantity.VALUES):
        people = np.zeros_like(people)  # these histograms count no people, or not by contribution
    occupied = [i for i, count in enumerate(people) if count > 0]
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
            for i in (range(occupied[0], occupied[-1] + 1) if occupied else ())
        ],
        "usual": None if measured.kind is Quantity.VALUES else _usual_query_bound(measured, engine),
        **_measured_facts(histogram, engine),
    }


def _measured_facts(histogram: ContributionHistogram, engine: Engine) -> dict[str, Any]:
    """Facts that a histogram measured, each None where it measured another, or where the noise hides it.

    Least change of people's means with ln(rows), centre that averages of a column are taken around, bounds of a column.
    """
    measured, facts = histogram.subject, dict.fromkeys(("lean", "usual_value", "measured_bounds"))
    table = engine.catalog.tables_by_name.get(measured.table)
    column = None if table is None or measured.column is None else table.columns_by_name.get(measured.column)
    if measured.kind is Quantity.MEANS_BY_ROWS and table is not None:
        rows = engine.calibrations.today(table.dataset).find(measured.table, (), Quantity.ROWS)
        return facts | {"lean": measured_mean_slope(histogram, rows) * measured.unit}
    if measured.kind is Quantity.MEANS and column is not None:
        means = mean_distribution(histogram, column)
        return facts | {"usual_value": None if means is None else means.centre}
    if measured.kind is Quantity.VALUES and column is not None:
        bounds = bounds_of_values(histogram, is_integer=column.type is SqlType.BIGINT)
        return facts | {"measured_bounds": [bounds.lower, bounds.upper]}
    return facts


def _usual_query_bound(measured: HistogramSubject, engine: Engine) -> dict[str, Any] | None:
    """Clip bound and bias of a query with these keys at the default price; None where no such query is possible."""
    if measured.kind in (Quantity.CENTRED, Quantity.MEANS_BY_ROWS, Quantity.MEANS):
        return None
    key_columns = "".join(f"{key}, " for key in measured.keys)
    group_by = f" GROUP BY {', '.join(map(str, range(1, len(measured.keys) + 1)))}" if measured.keys else ""
    sql = f"SELECT {key_columns}{_aggregate(measured, engine.catalog)} AS n FROM {measured.table}{group_by}"
    try:
        (compiled,) = engine.compile(compile_query(sql, engine.catalog), Request(PRICING_CLIENT)).releases
    except (Refusal, ValueError):
        return None
    for vector, bound, row in zip(
        compiled.plan.vectors, compiled.bounds.vectors, clip_bound_alternatives(compiled), strict=True
    ):
        if vector.kind.value == measured.kind or (measured.kind is Quantity.SUMS and vector.is_sum):
            return {
                "sql": sql,
                "norm": bound.clip_bound,
                "predicted_bias": bound.predicted_bias,
                "kept": bound.retained_share,
                "choices": [asdict(each) for each in row],
            }
    return None


def _aggregate(measured: HistogramSubject, catalog: Catalog) -> str:
    """Write the SQL aggregate of the quantity that a histogram measured."""
    if measured.kind is Quantity.ROWS:
        return "COUNT(*)"
    if measured.kind is Quantity.PERSONS:
        table = catalog.tables_by_name.get(measured.table)
        assert table is not None and table.person is not None  # noqa: S101  it was calibrated
        return f"COUNT(DISTINCT {table.person.column})"
    return f"SUM({measured.column})"
