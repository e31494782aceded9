"""Workflows in wire shapes: calibration, workload plans, shared numbers, scheduled queries.

Calibration: preview its cost, run it, list its histograms. Workload plans: plan a file of queries and buy what was
planned (`passersby plan`). Scheduled queries: release those due, show one, list those a client may see.

Shared numbers: a client shows an answer it has stored to another client, who pays for it on its own account;
everybody's account is not charged again. The release keys decide what may be shown (proofs.md#sharing).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from budgets import Charge, Forbidden, LedgerError, Loss, parse_amount
from dialect import Code, Refusal, read
from dialect.catalog import Catalog, Dataset
from dialect.parser import listed, several
from engine.accounts.window_accounts import least_left
from engine.api.session import ASKED_IN_VAIN, Desk, open_desk
from engine.api.wire import answer as wire
from engine.api.wire.answer import price
from engine.catalog.bundled import named_dataset
from engine.errors import CatalogError, untold
from engine.pipeline.engine import Engine
from engine.pricing.norms.histograms import Histogram, Kind, Measured
from engine.pricing.norms.means import lean_of
from engine.pricing.norms.stored import calibrations_in, due_on
from engine.pricing.norms.tails import believed
from engine.pricing.norms.values import peoples_means
from engine.pricing.prepare import Prepared, choices_of
from engine.pricing.terms import Asked
from engine.problems import Refused, problem
from engine.progress import Progress, ignore_progress
from engine.workflows.calibrate import CalibrationPlan, calibrate, plan_calibration
from engine.workflows.standing import Outcome, Standing, due, read_standing, run, shown, shown_to
from engine.workflows.workload import Planned, plan_of

ANYBODY = "anybody"  # client for pricing a usual query; never charged


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
    confirm: Callable[[dict[str, Any]], bool] = lambda preview: True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a dataset's contribution distribution with noise, at a price `confirm` sees first; raises Refused.

    `keys` are sets of group keys in addition to the catalog's usual ones, each as one text: "zone, hour(ts)". With
    `dry_run`, where no calibration is due, or where it is not confirmed, nothing is charged and `made` is false.
    """
    with open_desk(where, ledger=ledger, progress=progress) as desk:
        engine = desk.engine
        try:
            of = named_dataset(engine.catalog, dataset)
            amount = None if rho is None else parse_amount(rho, "rho")
            planned = plan_calibration(engine, of, window, amount, [listed(text) for text in keys])
            told = _calibration_shape(planned, due_on(engine.ledger, of.name))
            if dry_run or (if_due and not told["due"]) or not confirm(told):
                return told | {"made": False, "histograms": []}
            calibrate(engine, planned, progress or ignore_progress, by)
            return told | {"made": True, "histograms": histograms_told(engine, of)}
        except ASKED_IN_VAIN as error:
            raise Refused(problem(error, None)) from error


def calibration_told(where: str, *, ledger: str | None = None, dataset: str | None = None) -> list[dict[str, Any]]:
    """List the calibration histograms in force today; raises Refused."""
    with open_desk(where, ledger=ledger) as desk:
        try:
            return histograms_told(desk.engine, named_dataset(desk.engine.catalog, dataset))
        except LedgerError as error:
            raise Refused(problem(error, None)) from error


def histograms_told(engine: Engine, dataset: Dataset) -> list[dict[str, Any]]:
    """Each calibration histogram in force today, with the clip bound it implies for a usual query."""
    known = calibrations_in(engine.ledger, [dataset.name])
    calibrated = replace(engine, calibrations=known)
    return [_histogram(each, calibrated) for each in known.today(dataset.name).histograms]


def _calibration_shape(planned: CalibrationPlan, due: date | None) -> dict[str, Any]:
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
        people = np.zeros_like(people)  # these histograms count no people, or not by contribution
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
    """Centre that averages of a column are taken around; None where the noise hides people's means."""
    measured = histogram.measured
    table = engine.catalog.table(measured.table)
    column = None if table is None or measured.column is None else table.column(measured.column)
    if measured.kind is not Kind.MEANS or column is None:
        return None
    means = peoples_means(histogram, column)
    return None if means is None else means.centre


def _lean(histogram: Histogram, engine: Engine) -> float | None:
    """Least change of people's means with ln(rows); None for a histogram of contributions."""
    measured = histogram.measured
    table = engine.catalog.table(measured.table)
    if measured.kind is not Kind.LEANS or table is None:
        return None
    known = engine.calibrations.today(table.dataset)
    return lean_of(histogram, known.find(measured.table, (), Kind.ROWS)) * measured.unit


def _usual(measured: Measured, engine: Engine) -> dict[str, Any] | None:
    """Clip bound and bias of a query with these keys at the default price; None where no such query is possible."""
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


def plan_workload(
    desk: Desk, text: str, *, client: str, rho: str, confidence: float | None = None, apply: bool = False
) -> dict[str, Any]:
    """Plan the queries of a file for a total price in rho; with `apply`, buy what was planned. Raises Refused.

    Afterwards each query is free for this client at the price it would have alone (`ask_at_rho`), or less. If one
    query can't be bought or answered, `charged_rho` of the refusal is the total charged so far, including that query;
    planning the same file again continues there.
    """
    try:
        amount = parse_amount(rho, "rho")
        planned = plan_of(desk.engine, several(text), amount, Asked(client, confidence=confidence))
    except ASKED_IN_VAIN as error:
        raise Refused(problem(error, None)) from error
    charged = _buy(desk, [each for each in planned if each.price], client) if apply else Fraction(0)
    alone = next(each.alone for each in planned if each.asked)
    return {
        "rho": float(amount),
        "ask_at_rho": float(alone),
        "applied": apply,
        "charged_rho": float(charged),
        "questions": [_plan_shape(each) for each in planned],
    }


def _buy(desk: Desk, planned: Sequence[Planned], client: str) -> Fraction:
    """Buy queries one after another, and return the total charged in rho; raises Refused, with `charged_rho`."""
    charges = list[Charge]()
    engine = replace(desk.engine, heard=charges.append)
    for each in planned:
        try:
            engine.answer(each.sql, Asked(client, rho=each.price))
        except Exception as error:
            if not (charges or isinstance(error, ASKED_IN_VAIN)):
                raise  # a defect before any charge: not a refusal
            told = error if isinstance(error, ASKED_IN_VAIN) else untold(error)
            raise Refused(problem(told, each.sql) | {"charged_rho": float(_rho(charges))}) from told
    return _rho(charges)


def _rho(charges: Sequence[Charge]) -> Fraction:
    return sum((charge.loss.rho for charge in charges if not charge.repeated), Fraction(0))


def _plan_shape(planned: Planned) -> dict[str, Any]:
    return {
        "sql": planned.sql,
        "asked": planned.asked,
        "alone_rho": float(planned.alone),
        "alone_error": planned.alone_error,
        "rho": float(planned.price),
        "error": planned.error if planned.asked else {},
        "made_of": [place + 1 for place in planned.made_of],
    }


TOPIC = "shared"


def share(desk: Desk, sql: str, *, client: str, **terms: Any) -> dict[str, Any]:  # noqa: ANN401  terms of Session.query
    """Return the release keys of an answer the client has stored, and record that they are shared; raises Refused."""
    asked, engine = desk.asked(sql, client, **terms), desk.engine
    try:
        prepared = _prepared(engine, sql, asked)
        if engine.replay(prepared, asked) is None:
            why = "You do not hold the numbers of this question as they are."
            raise Refusal(Code.PARAM, why, "ask it first; if it was made of other answers of yours, share those")
        keys = sorted({each.release_key for each in prepared})
        dataset = prepared[0].plan.dataset
        engine.ledger.note(TOPIC, {"keys": keys}, actor=client, holder=client, dataset=dataset)
        return {"dataset": dataset, "keys": keys}
    except ASKED_IN_VAIN as error:
        raise Refused(problem(error, sql)) from error


def offer(desk: Desk, sql: str, *, keys: Sequence[str], client: str, **terms: Any) -> dict[str, Any]:  # noqa: ANN401
    """Price of shared numbers for a client who has not paid yet. Reads no data, charges nothing; raises Refused."""
    asked, engine = desk.asked(sql, client, **terms), desk.engine
    try:
        shared = _shared(engine, sql, asked, keys)
        loss = engine.ledger.preview(engine.request(sql, shared, asked))
        return {"price": price(loss), "paid": loss == Loss(0, 0)}
    except ASKED_IN_VAIN as error:
        raise Refused(problem(error, sql)) from error


def take(desk: Desk, sql: str, *, keys: Sequence[str], client: str, request_id: str, **terms: Any) -> pa.Table:  # noqa: ANN401
    """Charge a client for shared numbers, unless it has paid for them, and return them with their card; raises Refused.

    Claim: no data are read, and no account that all clients share is charged. Symbols: `keys` of stored releases.
    Formula: the client's path pays each once, as for a first repeat. Source: proofs.md#sharing.
    """
    asked, engine = desk.asked(sql, client, **terms), desk.engine
    try:
        shared = _shared(engine, sql, asked, keys)
        if engine.replay(shared, asked) is None:
            engine.charge(sql, shared, replace(asked, request_id=request_id))
    except ASKED_IN_VAIN as error:
        raise Refused(problem(error, sql)) from error
    return desk.query(sql, client=client, paid=shared, **terms)  # valid even past the replay age


def _shared(engine: Engine, sql: str, asked: Asked, keys: Sequence[str]) -> tuple[Prepared, ...]:
    """Compiled releases of a query, if exactly those stored under `keys`. Refuses others: they would be made anew."""
    prepared = _prepared(engine, sql, asked)
    wanted = {each.release_key for each in prepared}
    if wanted != set(keys) or not wanted <= engine.ledger.made(prepared[0].plan.dataset, wanted).keys():
        why = "These numbers are repeated no more: they are too old, or data or rules have changed since."
        raise Refusal(Code.PARAM, why, "the question itself, as a new one")
    return prepared


def _prepared(engine: Engine, sql: str, asked: Asked) -> tuple[Prepared, ...]:
    question = engine.read(sql, asked.client)
    if not question.plans:
        raise Refusal(Code.PARAM, "This question looks at public tables alone.", "anybody may ask it, for free")
    if engine.target(question, asked) is not None:
        why = "What a question for an error costs depends on who asks."
        raise Refusal(Code.PARAM, why, "the same question with the rho that it cost")
    return engine.prepare(question, asked)


def run_standing(desk: Desk, file: str, *, early: bool = False) -> list[dict[str, Any]]:
    """Release every scheduled query in each finished window where it is not released yet; `early`, in all windows.

    Raises Refused, with the `outcomes` so far, including that of a window which was charged and then failed.
    """
    outcomes: list[dict[str, Any]] = []
    today = None if early else datetime.now(UTC).date()
    try:
        found = read_standing(file, desk.engine)
        outcomes.extend(map(_outcome, run(found, desk.engine, today)))  # kept if a later one fails
    except (*ASKED_IN_VAIN, CatalogError) as error:
        raise Refused(problem(error, None) | {"outcomes": outcomes}) from error
    except Exception as error:
        if not outcomes:
            raise  # a defect, with no outcomes to report
        raise Refused(problem(told := untold(error), None) | {"outcomes": outcomes}) from told
    return outcomes


def show_standing(desk: Desk, file: str | None, name: str, *, client: str, window: str | None = None) -> pa.Table:
    """Answer of a scheduled query for an entitled client: of one window, or of the latest that is released.

    Raises Refused: for a client who is not entitled, for an undeclared window, and for what is not released yet.
    """
    try:
        found = _named(name, read_standing(file, desk.engine) if file else (), client)
        windows = [window] if window is not None else list(due(found, desk.engine))[::-1]
        for each in windows:
            _check_window(each, found, desk)
            answered = shown(found, each, desk.engine)
            if answered is not None:
                left = least_left(desk.engine.ledger, desk.engine.catalog, found.dataset, client, {each})
                return wire.answered(answered, left, None)
        why = f"{name} is not released {f'of {window} ' if window else ''}yet."
        raise Refusal(Code.PARAM, why, "passersby standing run, by whoever runs this dataset")
    except (*ASKED_IN_VAIN, CatalogError) as error:
        raise Refused(problem(error, None)) from error


def list_standing(desk: Desk, file: str | None, *, client: str) -> list[dict[str, Any]]:
    """List the scheduled queries that a client is entitled to, with the windows of each; raises Refused."""
    try:
        mine = [each for each in read_standing(file, desk.engine) if each.entitled(client)] if file else []
        return [{"name": s.name, "dataset": s.dataset, "windows": list(due(s, desk.engine))} for s in mine]
    except CatalogError as error:
        raise Refused(problem(error, None)) from error


def showing_standing(desk: Desk, file: str) -> Desk:
    """Session in which releases of scheduled queries count as holdings of the clients that the file entitles.

    The file is read again at each query.
    """
    engine = replace(desk.engine, showing=lambda client, dataset: shown_to(client, dataset, file, desk.engine))
    return replace(desk, engine=engine)


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {"name": outcome.name, "window": outcome.window, "rho": float(outcome.rho), "state": outcome.state}


def _named(name: str, standing: tuple[Standing, ...], client: str) -> Standing:
    """Scheduled query of that name, if the client is entitled. Others get the refusal of an unknown name."""
    mine = [each for each in standing if each.entitled(client)]
    found = next((each for each in mine if each.name == name), None)
    if found is None:
        names = ", ".join(each.name for each in mine)
        hint = f"one of {names}" if names else "whoever runs this dataset, who can entitle you"
        raise Forbidden(f"You are entitled to no standing question {name}.", f"{hint}.")
    return found


def _check_window(window: str, standing: Standing, desk: Desk) -> None:
    known = list(due(standing, desk.engine))
    if window not in known:
        why = f"{standing.name} is not asked of {window}, or that is no declared window."
        raise Refusal(Code.WINDOW, why, f"one of {known[0]} to {known[-1]}")
