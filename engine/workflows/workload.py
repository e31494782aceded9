"""Questions that will be asked -> which of them to buy first, at which prices, so that all follow: `passersby plan`.

Prices, plans and public lists decide; no data are read. What is bought makes the others free (proofs.md#ways).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa

from budgets import PICO
from dialect import Code, Question, Refusal
from dialect.planner.reuse.derivation import Told, derivation, told
from engine.errors import uncharged
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release
from engine.pipeline.engine import Engine
from engine.pricing.expected_error import expected_error, noise_of
from engine.pricing.prepare import Prepared, scales_of
from engine.pricing.terms import Asked
from engine.reuse.combine import made_of
from engine.reuse.find import public_keys
from engine.reuse.ways import as_little_cut
from engine.workflows.facilities import chosen, prices

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
