"""Workload planning: choose the queries to buy, and their prices, so that all others derive from them.

Used by `passersby plan`. It depends on prices, plans and public key sets; no data are read. Releases that are bought
make the derived ones free (engine/reuse/proofs.md#release-sources).

The choice is a facility-location search: a facility is a release that may be bought, and `needed` holds the price at
which it serves each wanted release. A facility costs the largest price that the releases it serves need. The result is
a local optimum: no purchase and no single move makes it cheaper (proofs.md#facilities). For example, the first query
serves the second at a somewhat higher price, which is cheaper than both:

    SELECT zone, hour, COUNT(*) FROM visit GROUP BY zone, hour;
    SELECT zone, COUNT(*) FROM visit GROUP BY zone
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa

from budgets import PICO
from dialect import Code, Question, Refusal
from dialect.planner.reuse import Told, derivation, told
from engine.errors import uncharged
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release
from engine.pipeline.engine import Engine
from engine.pricing.expected_error import expected_error, noise_of
from engine.pricing.prepare import Prepared, scales_of
from engine.pricing.terms import Asked
from engine.reuse.combine import made_of
from engine.reuse.sources import as_little_cut
from engine.reuse.view_lookup import public_keys

Needed = Sequence[Mapping[int, float]]  # per wanted release: facility -> price at which it serves the release
CLEARLY = 1e-9  # relative saving below which a move is no improvement


def chosen(needed: Needed) -> tuple[int, ...]:
    """Return the facility that serves each wanted release, by local search; each must have one of its own.

    Claim: never costlier than serving each by its cheapest one; no facility, opened at any price for all that it serves
    there, and no single reassignment, makes it cheaper. Symbols: none. Formula: best improvement, repeated. Raises:
    ValueError if a release has no facility. Proof: proofs.md#facilities
    """
    if not all(needed):
        raise ValueError("something is served by nothing")
    served = [min(each, key=lambda facility: (each[facility], facility)) for each in needed]
    while True:
        best = min(_moves(served, needed), key=lambda some: total(some, needed), default=served)
        if total(best, needed) >= total(served, needed) * (1 - CLEARLY):
            return tuple(served)
        served = best


def _moves(served: list[int], needed: Needed) -> list[list[int]]:
    """List the neighbouring assignments: one facility opened at one price, or one release reassigned."""
    facilities = sorted({facility for each in needed for facility in each})
    opened = [
        _opened(served, needed, facility, price)
        for facility in facilities
        for price in sorted({each[facility] for each in needed if facility in each})
    ]
    moved = [
        [*served[:i], facility, *served[i + 1 :]]
        for i, each in enumerate(needed)
        for facility in each
        if facility in served
    ]
    return opened + moved


def _opened(served: list[int], needed: Needed, facility: int, price: float) -> list[int]:
    """Assign one facility to all releases that it serves at a price."""
    return [
        facility if facility in each and each[facility] <= price else old
        for each, old in zip(needed, served, strict=True)
    ]


def prices(served: Sequence[int], needed: Needed) -> dict[int, float]:
    """Return the price of each opened facility, in rho: the largest that the releases it serves need."""
    found: dict[int, float] = {}
    for facility, each in zip(served, needed, strict=True):
        found[facility] = max(found.get(facility, 0.0), each[facility])
    return found


def total(served: Sequence[int], needed: Needed) -> float:
    """Return the total price of the opened facilities, in rho."""
    return sum(prices(served, needed).values())


MOST_QUESTIONS = 200
CANDIDATE = "-- candidate"  # prefix of a query that may be bought but is not requested
A_LITTLE_LESS = Fraction(999_999, 1_000_000)  # margin for rounding of prices


@dataclass(frozen=True)
class Planned:
    """The plan for one query of a workload."""

    sql: str
    asked: bool  # False: a candidate
    alone: Fraction  # price if each query is bought separately
    alone_error: dict[str, float | None]  # interval half-widths at that price
    price: Fraction  # 0: derived from other queries
    error: dict[str, float | None]  # interval half-widths at that price
    made_of: tuple[int, ...]  # positions of the queries from which it is derived


@dataclass(frozen=True)
class _Line:
    """A query of the workload, compiled at an equal share of the budget."""

    sql: str
    asked: bool
    question: Question
    prepared: tuple[Prepared, ...]
    told: tuple[Told, ...]
    keys: tuple[pa.Table | None, ...]  # public key set of each release; None: private keys


@dataclass(frozen=True)
class _Wanted:
    """A release that some query needs, bought or derived."""

    line: int
    prepared: Prepared
    told: Told
    keys: pa.Table | None


def plan_of(engine: Engine, texts: Sequence[str], rho: Fraction, asked: Asked) -> tuple[Planned, ...]:
    """Plan a workload for a total price.

    Claim: bought at these prices, which add up to at most `rho`, each query has at most the error that it has alone at
    rho / k, times sqrt(s), s <= 1 the share of rho that would suffice. Symbols: k requested queries. Formula: a price
    grows as variances shrink; choice by `choose_facilities`. Raises: Refusal. Proof: proofs.md#workload
    """
    count = sum(not text.lstrip().startswith(CANDIDATE) for text in texts)
    if not 0 < count <= len(texts) <= MOST_QUESTIONS:
        raise Refusal(Code.PARAM, f"A workload is 1 to {MOST_QUESTIONS} questions.", "questions with ; between them")
    each = Asked(asked.client, Fraction(int(rho / count * A_LITTLE_LESS * PICO), PICO), asked.confidence)
    with uncharged("The questions of this workload can't be compared"):
        lines = [_line(engine, text, each) for text in texts]
        wanted = [
            _Wanted(i, *each_of)
            for i, line in enumerate(lines)
            if line.asked
            for each_of in zip(line.prepared, line.told, line.keys, strict=True)
        ]
        needed = [_servers(engine, one, lines, each.rho or rho) for one in wanted]
    served = chosen(needed)
    bought = prices(served, needed)
    scale = float(rho) / sum(bought.values())
    ratios: dict[int, list[tuple[int, float]]] = {}
    for one, server, some in zip(wanted, served, needed, strict=True):
        ratios.setdefault(one.line, []).append((server, (some[server] / (bought[server] * scale)) ** 0.5))
    return tuple(
        _planned(engine, i, line, each, bought.get(i, 0.0) * scale, ratios.get(i, [])) for i, line in enumerate(lines)
    )


def _line(engine: Engine, text: str, each: Asked) -> _Line:
    """Compile one query of the workload, with its public key sets. Raises Refusal for a query over public tables."""
    question = engine.read(text, each.client)
    prepared = engine.prepare(question, each)
    if not prepared:
        raise Refusal(
            Code.PARAM, "A question of a workload asks about public tables alone.", "leave it out: it is free"
        )
    words = tuple(told(p.plan) for p in prepared)
    keys = tuple(None if p.plan.key_set is None else public_keys(p.plan, engine.backend) for p in prepared)
    return _Line(text, not text.lstrip().startswith(CANDIDATE), question, prepared, words, keys)


def _servers(engine: Engine, one: _Wanted, lines: Sequence[_Line], price: Fraction) -> dict[int, float]:
    """Map each query from which a release can be derived to the price at which it is as accurate as on its own."""
    found = {one.line: float(price)}
    for i, line in enumerate(lines):
        times = [_times(engine, one, *held) for held in zip(line.prepared, line.told, line.keys, strict=True)]
        enough = [some for some in times if some is not None]
        if i != one.line and enough:
            found[i] = float(price) * min(enough)
    return found


def _times(engine: Engine, one: _Wanted, held: Prepared, words: Told, listed: pa.Table | None) -> float | None:
    """Return the factor on its price at which a release serves a wanted one at equal error; None if it cannot.

    The wanted release is derived from a zero-valued one, to find the noise of each derived number.
    """
    if listed is None or one.keys is None:
        return None
    derived = derivation(one.told, words, engine.catalog)
    if derived is None:
        return None
    zeros = NoisyVector(np.zeros(listed.num_rows, dtype=np.int64))
    names = [f"k{i}" for i in range(len(held.plan.keys))]
    sigmas = tuple(max(cost.sigma, 1.0) for cost in held.cost.vectors)
    grains = tuple(bound.grain for bound in held.bounds.vectors)
    made = made_of(Release(listed.select(names), (zeros,) * len(grains), grains, sigmas), derived, one.keys)
    bounds = [held.bounds.vectors[place] for place in derived.vectors]
    if made is None or not as_little_cut(bounds, one.prepared.bounds.vectors):
        return None
    own = zip(one.prepared.cost.vectors, one.prepared.bounds.vectors, strict=True)
    return max(
        (noise / cost.deviation(bound)) ** 2 for noise, (cost, bound) in zip(made[0].deviations(), own, strict=True)
    )


def _planned(
    engine: Engine, place: int, line: _Line, each: Asked, price: float, ratios: Sequence[tuple[int, float]]
) -> Planned:
    """Build the plan of one query: prices and errors, bought alone and in the workload."""
    confidence = engine.confidence(line.question, each)
    alone = dict(expected_error(line.question, noise_of(line.question, scales_of(line.prepared)), confidence))
    worst = max((ratio for _, ratio in ratios), default=0.0)
    error = {name: None if width is None else width * worst for name, width in alone.items()}
    servers = tuple(sorted({server for server, _ in ratios} - {place}))
    amount = Fraction(int(price * PICO), PICO)
    return Planned(
        line.sql, line.asked, (each.rho or Fraction(0)) if line.asked else Fraction(0), alone, amount, error, servers
    )
