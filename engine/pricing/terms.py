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

from budgets import (
    ATTO,
    LONGEST_WORDING,
    MINIMUM_RHO,
    PICO,
    Caps,
    Loss,
    chargeable,
    conversion_delta,
    epsilon_at,
    rho_for,
)
from dialect import Catalog, Code, Options, Question, Refusal
from dialect.catalog import Dataset
from dialect.parser import TargetError, target_error, uncommented

ANY_DELTA = 1 - Fraction(1, ATTO)  # for caps that limit rho alone


@dataclass(frozen=True)
class Asked:
    """Request of a client: price, confidence level and target error; None means the catalog's default."""

    client: str
    rho: Fraction | None = None  # of the whole query
    confidence: float | None = None
    request_id: str | None = None
    target_error: TargetError | None = None  # instead of a price


@dataclass(frozen=True)
class Terms:
    """Terms of every release of one query."""

    rho: Fraction  # per release, without a target error
    delta: Fraction  # per release with private keys
    confidence: float
    target: TargetError | None = None  # replaces the price


def terms(question: Question, asked: Asked, catalog: Catalog) -> Terms:
    """Resolve the terms of a query; shares are rounded down, never more than requested. Raises Refusal with E_PARAM.

    Claim: the losses of the releases add up to at most the requested rho, and at the dataset's conversion delta to at
    most the requested epsilon; their thresholds' deltas to at most the requested one. Symbols: k releases, n of them
    with private keys. Formula: rho/k and delta/n, in whole pico-rho and atto-delta; rho = largest with CKS20(rho,
    delta_conversion) <= epsilon. Source: budgets/accounting/proofs.md#conversion. Proof: proofs.md#terms
    """
    names = [plan.dataset for plan in question.plans] or [catalog.datasets[0].name]
    dataset, options = catalog.dataset(names[0]), question.options
    thresholded = sum(plan.key_set is None for plan in question.plans)
    rho = _asked_rho(options, asked, dataset)
    share = dataset.defaults.rho if rho is None else _share(rho, len(question.plans), PICO, options)
    delta = options.delta
    delta = dataset.defaults.delta if delta is None else _share(delta, thresholded, ATTO, options)
    return Terms(share, delta, _confidence(options, asked, dataset), _target(options, asked))


def _asked_rho(options: Options, asked: Asked, dataset: Dataset) -> Fraction | None:
    """Return the requested rho of the whole query; None if neither clause nor call names one."""
    rho, span = options.rho, options.span("rho", "epsilon")
    if options.epsilon is not None:
        rho = rho_for(options.epsilon, conversion_delta(caps(dataset).dataset))
    if rho is None:
        return asked.rho
    if rho < MINIMUM_RHO:
        least, epsilon = f"{float(MINIMUM_RHO):g}", epsilon_at(MINIMUM_RHO, conversion_delta(caps(dataset).dataset))
        why = f"A question costs at least rho {least}, which is epsilon {epsilon:.3g}."
        raise Refusal(Code.PARAM, why, f"rho = {least}, or more", span)
    return rho


def _target(options: Options, asked: Asked) -> TargetError | None:
    """Return the requested target error; a price in the clause overrides a target in the call."""
    named = options.rho is not None or options.epsilon is not None
    return options.target_error or (None if named else asked.target_error)


def _share(amount: Fraction, parts: int, units: int, options: Options) -> Fraction:
    """Equal share of an amount for each release, in whole units of the ledger. Raises Refusal if it is 0."""
    share = Fraction(int(amount * units) // max(1, parts), units)
    if share == 0:
        raise Refusal(Code.PARAM, f"This is too little for {parts} releases.", "rho = 0.005", options.span("rho"))
    return share


def _confidence(options: Options, asked: Asked, dataset: Dataset) -> float:
    level = options.confidence
    if level is None:
        level = dataset.defaults.confidence if asked.confidence is None else asked.confidence
    if type(level) not in (int, float) or not 0.5 <= level <= 0.999999:
        raise Refusal(Code.PARAM, "A confidence is a share from 0.5 to 0.999999.", _confidence_meant(level))
    return level


def _confidence_meant(level: object) -> str:
    """Suggested confidence level: a percentage rewritten as a share."""
    if isinstance(level, int | float) and 50 <= level < 100:
        return f"confidence {level / 100:g}, which is {level:g}%"
    return "confidence 0.95"


def caps(dataset: Dataset) -> Caps:
    """Budget caps of a dataset, from its catalog, rounded down."""
    budget = dataset.budget
    ceiling = Loss.within(budget.rho, budget.delta)
    static = None if budget.static is None else Loss.within(*budget.static)
    thresholds = chargeable(ceiling.larger_of(static or ceiling)).delta  # a single query is capped in rho alone
    return Caps(
        ceiling,
        Loss.within(budget.client_rho, budget.delta),
        reserve=Loss.within(budget.reserve_rho),
        static=static,
        query=None if budget.query_rho is None else Loss.within(budget.query_rho, thresholds),
        lifetime=None if budget.lifetime_rho is None else Loss.within(budget.lifetime_rho, ANY_DELTA),
    )


_CUT = " ..."

_asked_before = itertools.count()


def new_request_id() -> str:
    """Generate an id for a request without one: unique on this machine, not secret."""
    return f"{time.time_ns():x}-{os.getpid():x}-{next(_asked_before):x}"


def wording(sql: str) -> str:
    """Return the SQL text that the ledger keeps: without comments, truncated to LONGEST_WORDING characters."""
    text = uncommented(sql)
    return text if len(text) <= LONGEST_WORDING else text[: LONGEST_WORDING - len(_CUT)] + _CUT


def body_digest(sql: str, asked: Asked) -> str:
    """SHA-256 (hex) of a request: SQL text, price or target error, confidence level."""
    terms = (sql, *map(str, (asked.rho, asked.target_error)), asked.confidence)
    return hashlib.sha256(repr(terms).encode()).hexdigest()


def asked_error(text: str | None, rho: str | None) -> TargetError | None:
    """Parse the target error of a call. Raises Refusal with E_PARAM."""
    if text is None:
        return None
    if rho is not None:
        raise Refusal(Code.PARAM, "rho and target_error both decide what the question costs.", "one of them")
    target = target_error(str(text))
    if target is None:
        why = "A target error is an amount above 0, or a share of at most 100%."
        raise Refusal(Code.PARAM, why, "target_error 50, or 5%")
    return target
