"""Workload planning: which questions of a file to buy first, at which prices, so that all follow: `passersby plan`.

Prices, plans and public lists decide; no data are read. What is bought makes the others free
(engine/reuse/proofs.md#ways).

The choice is a facility-location search. Each release may be bought at a price; at some price it serves others
(`needed`). What is bought costs the largest price that those it serves need. The search returns a choice that no
purchase and no single move makes cheaper (proofs.md#facilities).
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

Needed = Sequence[Mapping[int, float]]  # of each thing wanted: facility -> the price at which it is served by it
CLEARLY = 1e-9  # of the whole: what saves less is no improvement


def chosen(needed: Needed) -> tuple[int, ...]:
    """Choose for each thing the facility that serves it; each must have one of its own among those it names.

    Claim: never costlier than each by its cheapest own one; no facility, opened at any price for all whom that serves,
    and no single thing, served by another, makes it cheaper. Symbols: none. Formula: best improvement, repeated.
    Raises: ValueError where something is served by nothing. Proof: proofs.md#facilities
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
    """List what may be done next: open one facility at one price, or let one thing be served by another."""
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
    """Let one facility serve all whom it serves at a price."""
    return [
        facility if facility in each and each[facility] <= price else old
        for each, old in zip(needed, served, strict=True)
    ]


def prices(served: Sequence[int], needed: Needed) -> dict[int, float]:
    """Give what each opened facility costs, in the unit of the prices that are needed: rho."""
    found: dict[int, float] = {}
    for facility, each in zip(served, needed, strict=True):
        found[facility] = max(found.get(facility, 0.0), each[facility])
    return found


def total(served: Sequence[int], needed: Needed) -> float:
    """Add up what is opened, in rho."""
    return sum(prices(served, needed).values())


MOST_QUESTIONS = 200
CANDIDATE = "-- candidate"  # before a question that may be bought, though nobody asks it
A_LITTLE_LESS = Fraction(999_999, 1_000_000)  # so that what is bought at a price is enough for what is asked at it


@dataclass(frozen=True)
class Planned:
    """One question of a workload."""

    sql: str
    asked: bool  # False: it may only be bought
    alone: Fraction  # its price if each is bought for itself
    alone_error: dict[str, float | None]  # half-widths then
    price: Fraction  # at which it is bought; 0: it follows from others
    error: dict[str, float | None]  # half-widths then
    made_of: tuple[int, ...]  # positions of the questions that its numbers are made of


@dataclass(frozen=True)
class _Line:
    """A question, priced alone."""

    sql: str
    asked: bool
    question: Question
    prepared: tuple[Prepared, ...]
    told: tuple[Told, ...]
    keys: tuple[pa.Table | None, ...]  # public keys of each release; None where keys are private


@dataclass(frozen=True)
class _Wanted:
    """A release that must come about."""

    line: int
    prepared: Prepared
    told: Told
    keys: pa.Table | None


def plan_of(engine: Engine, texts: Sequence[str], rho: Fraction, asked: Asked) -> tuple[Planned, ...]:
    """Plan a workload for a total price.

    Claim: bought at these prices, which add up to at most `rho`, the questions all have at most the error that each has
    alone at rho / k, times sqrt(s), s <= 1 the share of rho that would do. Symbols: k questions that are asked.
    Formula: a price grows as variances shrink; choice by `chosen`. Raises: Refusal. Proof: proofs.md#workload
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
    """Find by which questions a release is served, and at what price of theirs."""
    found = {one.line: float(price)}
    for i, line in enumerate(lines):
        times = [_times(engine, one, *held) for held in zip(line.prepared, line.told, line.keys, strict=True)]
        enough = [some for some in times if some is not None]
        if i != one.line and enough:
            found[i] = float(price) * min(enough)
    return found


def _times(engine: Engine, one: _Wanted, held: Prepared, words: Told, listed: pa.Table | None) -> float | None:
    """Say how many times its price a release must cost to say a wanted one as exactly as its own would be."""
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
    confidence = engine.confidence(line.question, each)
    alone = dict(expected_error(line.question, noise_of(line.question, scales_of(line.prepared)), confidence))
    worst = max((ratio for _, ratio in ratios), default=0.0)
    error = {name: None if width is None else width * worst for name, width in alone.items()}
    servers = tuple(sorted({server for server, _ in ratios} - {place}))
    amount = Fraction(int(price * PICO), PICO)
    return Planned(
        line.sql, line.asked, (each.rho or Fraction(0)) if line.asked else Fraction(0), alone, amount, error, servers
    )
