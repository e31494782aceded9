"""Workflows in wire shapes: calibration, shared numbers, scheduled queries.

Calibration: preview its cost, run it, list its histograms. Scheduled queries: release those due, show one, list those a
client may see.

Shared numbers: a client shows an answer it has stored to another client, who pays for it on its own account;
everybody's account is not charged again. The release keys decide what may be shown (proofs.md#sharing).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from typing import Any, Unpack

import numpy as np
import pyarrow as pa

from budgets import Forbidden, Loss, parse_positive_amount
from dialect import Refusal, compile_query
from dialect.catalog import Catalog, Dataset, SqlType
from dialect.parser import split_list
from engine.accounts.window_accounts import least_remaining
from engine.api.session import RequestTerms, Session, open_session
from engine.api.wire import answer as wire_answer
from engine.api.wire.answer import price
from engine.catalog.bundled import find_dataset
from engine.errors import CatalogError, EngineKind, Refused, problem, redact, refusals
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
from engine.pricing.compile_release import CompiledRelease, clip_bound_alternatives
from engine.pricing.query_terms import Request, resolve_terms
from engine.progress import Progress, ignore_progress
from engine.workflows.calibrate import CalibrationPlan, calibrate, plan_calibration
from engine.workflows.scheduled_queries import (
    ScheduledQuery,
    read_scheduled_queries,
    run_scheduled_queries,
    scheduled_windows,
    stored_answer,
    visible_release_keys,
)

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


NOTE_TOPIC = "shared"


def share(session: Session, sql: str, **given: Unpack[RequestTerms]) -> dict[str, Any]:
    """Return the release keys of an answer the client has stored, and record that they are shared; raises Refused."""
    query_terms, engine, client = session.request_terms(sql, **given), session.engine, given["client"]
    with refusals(sql):
        prepared = _compile_shareable(engine, sql, query_terms)
        if engine.replay(prepared, query_terms) is None:
            raise EngineKind.NOT_HELD.at()
        keys = sorted({each.release_key for each in prepared})
        dataset = prepared[0].plan.dataset
        engine.ledger.note(NOTE_TOPIC, {"keys": keys}, actor=client, holder=client, dataset=dataset)
        return {"dataset": dataset, "keys": keys}


def offer(session: Session, sql: str, *, keys: Sequence[str], **given: Unpack[RequestTerms]) -> dict[str, Any]:
    """Price of shared numbers for a client who has not paid yet. Reads no data, charges nothing; raises Refused."""
    query_terms, engine = session.request_terms(sql, **given), session.engine
    with refusals(sql):
        shared = _shared_releases(engine, sql, query_terms, keys)
        loss = engine.ledger.preview(engine.charge_request(sql, shared, query_terms))
        return {"price": price(loss), "paid": loss == Loss(0, 0)}


def take(session: Session, sql: str, *, keys: Sequence[str], **given: Unpack[RequestTerms]) -> pa.Table:
    """Charge a client for shared numbers, unless it has paid for them, and return them with their card; raises Refused.

    Claim: no data are read, and no account that all clients share is charged. Symbols: `keys` of stored releases.
    Formula: the client's path pays each once, as for a first repeat. Source: proofs.md#sharing.
    """
    query_terms, engine = session.request_terms(sql, **given), session.engine
    with refusals(sql):
        shared = _shared_releases(engine, sql, query_terms, keys)
        if engine.replay(shared, query_terms) is None:
            engine.charge(sql, shared, query_terms)
    return session.query(sql, paid=shared, **given | {"request_id": None})  # valid even past the replay age


def _shared_releases(engine: Engine, sql: str, terms: Request, keys: Sequence[str]) -> tuple[CompiledRelease, ...]:
    """Compiled releases of a query, if exactly those stored under `keys`. Refuses others: they would be made anew."""
    prepared = _compile_shareable(engine, sql, terms)
    release_keys = {each.release_key for each in prepared}
    if (
        release_keys != set(keys)
        or not release_keys <= engine.ledger.release_ages(prepared[0].plan.dataset, release_keys).keys()
    ):
        raise EngineKind.REPEATED_NO_MORE.at()
    return prepared


def _compile_shareable(engine: Engine, sql: str, terms: Request) -> tuple[CompiledRelease, ...]:
    """Compile a query for sharing. Raises Refusal for one over public tables only, or with a target error.

    The price of a target error depends on the client's own stored answers, so two clients would have other releases.
    """
    question = engine.read(sql, terms.client)
    if not question.plans:
        raise EngineKind.ONLY_PUBLIC_TABLES.at()
    if resolve_terms(question, terms, engine.catalog).target is not None:
        raise EngineKind.SHARED_TARGET.at()
    return engine.compile(question, terms).releases


def run_scheduled(session: Session, file: str, *, early: bool = False) -> list[dict[str, Any]]:
    """Release every scheduled query in each finished window where it is not released yet; `early`, in all windows.

    Raises Refused, with the `outcomes` so far, including that of a window which was charged and then failed.
    """
    outcomes: list[dict[str, Any]] = []
    today = None if early else datetime.now(UTC).date()
    try:
        found = read_scheduled_queries(file, session.engine)
        outcomes.extend(  # kept if a later one fails
            {"name": each.name, "window": each.window, "rho": float(each.rho), "state": each.state}
            for each in run_scheduled_queries(found, session.engine, today)
        )
    except Exception as error:
        redacted = error if isinstance(error, Refusal | CatalogError) else redact(error)
        if redacted is not error and not outcomes:
            raise  # a defect, with no outcomes to report
        raise Refused(problem(redacted, None) | {"outcomes": outcomes}) from redacted
    return outcomes


def show_scheduled(
    session: Session, file: str | None, name: str, *, client: str, window: str | None = None
) -> pa.Table:
    """Answer of a scheduled query for an entitled client: of one window, or of the latest that is released.

    Raises Refused: for a client who is not entitled, for an undeclared window, and for what is not released yet.
    """
    with refusals():
        entitled = _entitled_queries(session, file, client)
        scheduled = next((each for each in entitled if each.name == name), None)
        if scheduled is None:  # also for a name that others are entitled to
            names = ", ".join(each.name for each in entitled)
            hint = f"one of {names}" if names else "whoever runs this dataset, who can entitle you"
            raise Forbidden(f"You are entitled to no standing question {name}.", f"{hint}.")
        windows = [window] if window is not None else list(scheduled_windows(scheduled, session.engine))[::-1]
        for each in windows:
            _check_window(each, scheduled, session)
            answered = stored_answer(scheduled, each, session.engine)
            if answered is not None:
                remaining = least_remaining(
                    session.engine.ledger, session.engine.catalog, scheduled.dataset, client, {each}
                )
                return wire_answer.answer_table(answered, remaining, None)
        if window:
            raise EngineKind.WINDOW_NOT_RELEASED_YET.at(name=name, window=window)
        raise EngineKind.NOT_RELEASED_YET.at(name=name)


def list_scheduled(session: Session, file: str | None, *, client: str) -> list[dict[str, Any]]:
    """List the scheduled queries that a client is entitled to, with the windows of each; raises Refused."""
    with refusals():
        return [
            {"name": s.name, "dataset": s.dataset, "windows": list(scheduled_windows(s, session.engine))}
            for s in _entitled_queries(session, file, client)
        ]


def _entitled_queries(session: Session, file: str | None, client: str) -> list[ScheduledQuery]:
    """Scheduled queries of a file that a client is entitled to."""
    found = read_scheduled_queries(file, session.engine) if file else ()
    return [each for each in found if each.is_visible_to(client)]


def with_scheduled_holdings(session: Session, file: str) -> Session:
    """Session in which releases of scheduled queries count as holdings of the clients that the file entitles.

    The file is read again at each query.
    """
    engine = replace(
        session.engine,
        scheduled_keys=lambda client, dataset: visible_release_keys(client, dataset, file, session.engine),
    )
    return replace(session, engine=engine)


def _check_window(window: str, scheduled: ScheduledQuery, session: Session) -> None:
    """Check that a window is one of a scheduled query's; raises Refusal."""
    known = list(scheduled_windows(scheduled, session.engine))
    if window not in known:
        raise EngineKind.NOT_A_WINDOW_OF.at(name=scheduled.name, window=window, first=known[0], last=known[-1])
