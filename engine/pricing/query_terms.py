"""QueryTerms and Request: rho and delta of each release, confidence level, request id, digest and target error.

The privacy clause overrides the call, and the call overrides the catalog's defaults. Every requested amount is for the
whole query; the defaults are for one release. A request without an id gets one.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from budgets import (
    ATTO,
    MAX_QUERY_TEXT_CHARS,
    MIN_QUERY_RHO,
    PICO,
    Caps,
    Loss,
    chargeable,
    conversion_delta,
    epsilon_from_rho,
    rho_from_epsilon,
)
from dialect import Catalog, Options, Question
from dialect.catalog import Budget, Dataset
from dialect.parser import TargetError, parse_target_error, strip_comments
from engine.errors import EngineKind

UNLIMITED_DELTA = 1 - Fraction(1, ATTO)  # for caps that limit rho alone


@dataclass(frozen=True)
class Request:
    """Request of a client: price, confidence level and target error; None means the catalog's default."""

    client: str
    rho: Fraction | None = None  # of the whole query
    confidence: float | None = None
    request_id: str | None = None
    target_error: TargetError | None = None  # instead of a price


@dataclass(frozen=True)
class QueryTerms:
    """Terms of every release of one query."""

    rho: Fraction  # per release, without a target error
    delta: Fraction  # per release with private keys
    confidence: float
    target: TargetError | None = None  # replaces the price


def resolve_terms(question: Question, request: Request, catalog: Catalog) -> QueryTerms:
    """Resolve the terms of a query; shares are rounded down, never more than requested. Raises Refusal with E_PARAM.

    Claim: the losses of the releases add up to at most the requested rho, and at the dataset's conversion delta to at
    most the requested epsilon; their thresholds' deltas to at most the requested one. Symbols: k releases, n of them
    with private keys. Formula: rho/k and delta/n, in whole pico-rho and atto-delta; rho = largest with CKS20(rho,
    delta_conversion) <= epsilon. Source: budgets/accounting/proofs.md#conversion. Proof: proofs.md#terms

    A query over public tables only has no release; its terms come from the catalog's first dataset.
    """
    names = [plan.dataset for plan in question.plans] or [catalog.datasets[0].name]
    dataset, options = catalog.datasets_by_name[names[0]], question.options
    thresholded = sum(plan.key_set is None for plan in question.plans)
    rho = _requested_rho(options, request, dataset)
    share = dataset.defaults.rho if rho is None else _share(rho, len(question.plans), PICO, options)
    delta = options.delta
    delta = dataset.defaults.delta if delta is None else _share(delta, thresholded, ATTO, options)
    return QueryTerms(share, delta, _confidence(options, request, dataset), _requested_target(options, request))


def _requested_rho(options: Options, request: Request, dataset: Dataset) -> Fraction | None:
    """Return the requested rho of the whole query; None if neither clause nor call names one."""
    rho = options.rho
    if options.epsilon is not None:
        rho = rho_from_epsilon(options.epsilon, conversion_delta(caps(dataset.budget).dataset))
    # only a price in the clause is checked here; one of the call was checked when it was parsed
    if rho is None:
        return request.rho
    if rho < MIN_QUERY_RHO:
        min_rho = f"{float(MIN_QUERY_RHO):g}"
        epsilon = epsilon_from_rho(MIN_QUERY_RHO, conversion_delta(caps(dataset.budget).dataset))
        raise EngineKind.RHO_TOO_SMALL.at(options.span("rho", "epsilon"), min_rho=min_rho, epsilon=epsilon)
    return rho


def _requested_target(options: Options, request: Request) -> TargetError | None:
    """Return the requested target error; a price in the clause overrides a target in the call."""
    has_price = options.rho is not None or options.epsilon is not None
    return options.target_error or (None if has_price else request.target_error)


def _share(amount: Fraction, parts: int, units: int, options: Options) -> Fraction:
    """Equal share of an amount for each release, in whole units of the ledger. Raises Refusal if it is 0."""
    share = Fraction(int(amount * units) // max(1, parts), units)
    if share == 0:
        raise EngineKind.RHO_TOO_SMALL_FOR_RELEASES.at(options.span("rho"), parts=parts)
    return share


def _confidence(options: Options, request: Request, dataset: Dataset) -> float:
    """Confidence level of the clause, else of the call, else the catalog's default.

    Raises Refusal if it is no number from 0.5 to 0.999999.
    """
    level = options.confidence
    if level is None:
        level = dataset.defaults.confidence if request.confidence is None else request.confidence
    # not isinstance: True and False are integers
    if type(level) not in (int, float) or not 0.5 <= level <= 0.999999:
        raise EngineKind.CONFIDENCE_RANGE.at(example=_suggested_confidence(level))
    return level


def _suggested_confidence(level: object) -> str:
    """Suggested confidence level: a percentage rewritten as a share."""
    if isinstance(level, int | float) and 50 <= level < 100:
        return f"confidence {level / 100:g}, which is {level:g}%"
    return "confidence 0.95"


@lru_cache(maxsize=64)
def caps(budget: Budget) -> Caps:
    """Return the caps of a dataset's budget, rounded down.

    A cap on a single query limits its rho alone: its delta is as large as any that the accounts could ever be charged.
    """
    ceiling = Loss.rounded_down(budget.rho, budget.delta)
    static = None if budget.static_budget is None else Loss.rounded_down(*budget.static_budget)
    thresholds = chargeable(ceiling.componentwise_max(static or ceiling)).delta  # a single query is capped in rho alone
    return Caps(
        ceiling,
        Loss.rounded_down(budget.client_rho, budget.delta),
        reserve=Loss.rounded_down(budget.reserve_rho),
        static=static,
        query=None if budget.query_rho is None else Loss.rounded_down(budget.query_rho, thresholds),
        lifetime=None if budget.lifetime_rho is None else Loss.rounded_down(budget.lifetime_rho, UNLIMITED_DELTA),
    )


_ELLIPSIS = " ..."  # marks a truncated text

_request_counter = itertools.count()


def new_request_id() -> str:
    """Generate an id for a request without one: unique on this machine, not secret."""
    return f"{time.time_ns():x}-{os.getpid():x}-{next(_request_counter):x}"


def ledger_text(sql: str) -> str:
    """Return the SQL text that the ledger keeps: without comments, truncated to MAX_QUERY_TEXT_CHARS characters."""
    text = strip_comments(sql)
    return text if len(text) <= MAX_QUERY_TEXT_CHARS else text[: MAX_QUERY_TEXT_CHARS - len(_ELLIPSIS)] + _ELLIPSIS


def request_digest(sql: str, request: Request) -> str:
    """SHA-256 (hex) of a request: SQL text, price or target error, confidence level."""
    digested = (sql, *map(str, (request.rho, request.target_error)), request.confidence)
    return hashlib.sha256(repr(digested).encode()).hexdigest()


def requested_error(text: str | None, rho: str | None) -> TargetError | None:
    """Parse the target error of a call. Raises Refusal with E_PARAM."""
    if text is None:
        return None
    if rho is not None:
        raise EngineKind.RHO_AND_TARGET.at()
    parsed = parse_target_error(str(text))
    if parsed is None:
        raise EngineKind.TARGET_RANGE.at()
    return parsed
