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
from dialect.planner.reuse import CanonicalPlan, canonical_plan, find_derivation
from engine.errors import EngineKind, TooLarge, refuse_before_charge
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import Release
from engine.pipeline.compiled_query import CompiledQuery
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import CompiledRelease, noise_scales
from engine.pricing.expected_error import expected_error
from engine.pricing.query_terms import Request
from engine.reuse.derived_release import derive_release
from engine.reuse.source_selection import read_key_set
from engine.reuse.sources import has_similar_bias

ServingPrices = Sequence[Mapping[int, float]]  # per wanted release: facility -> price at which it serves the release
MIN_RELATIVE_SAVING = 1e-9  # relative saving below which a move is no improvement


def choose_facilities(needed: ServingPrices) -> tuple[int, ...]:
    """Return the facility that serves each wanted release, by local search; each must have one of its own.

    Claim: never costlier than serving each by its cheapest one; no facility, opened at any price for all that it serves
    there, and no single reassignment, makes it cheaper. Symbols: none. Formula: best improvement, repeated. Raises:
    ValueError if a release has no facility. Proof: proofs.md#facilities
    """
    if not all(needed):
        raise ValueError("something is served by nothing")
    served = [min(each, key=lambda facility: (each[facility], facility)) for each in needed]
    while True:
        best = min(_neighbours(served, needed), key=lambda some: total_price(some, needed), default=served)
        if total_price(best, needed) >= total_price(served, needed) * (1 - MIN_RELATIVE_SAVING):
            return tuple(served)
        served = best


def _neighbours(served: list[int], needed: ServingPrices) -> list[list[int]]:
    """List the neighbouring assignments: one facility opened at one price, or one release reassigned."""
    facilities = sorted({facility for each in needed for facility in each})
    opened = [
        _open_facility(served, needed, facility, price)
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


def _open_facility(served: list[int], needed: ServingPrices, facility: int, price: float) -> list[int]:
    """Assign one facility to all releases that it serves at a price."""
    return [
        facility if facility in each and each[facility] <= price else old
        for each, old in zip(needed, served, strict=True)
    ]


def facility_prices(served: Sequence[int], needed: ServingPrices) -> dict[int, float]:
    """Return the price of each opened facility, in rho: the largest that the releases it serves need."""
    found: dict[int, float] = {}
    for facility, each in zip(served, needed, strict=True):
        found[facility] = max(found.get(facility, 0.0), each[facility])
    return found


def total_price(served: Sequence[int], needed: ServingPrices) -> float:
    """Return the total price of the opened facilities, in rho."""
    return sum(facility_prices(served, needed).values())


MAX_QUERIES = 200
CANDIDATE_PREFIX = "-- candidate"  # prefix of a query that may be bought but is not requested
PRICE_MARGIN = Fraction(999_999, 1_000_000)  # margin for rounding of prices


@dataclass(frozen=True)
class PlannedQuery:
    """The plan for one query of a workload."""

    sql: str
    is_requested: bool  # False: a candidate
    separate_price: Fraction  # price if each query is bought separately
    separate_error: dict[str, float | None]  # interval half-widths at that price
    price: Fraction  # 0: derived from other queries
    error: dict[str, float | None]  # interval half-widths at that price
    derived_from: tuple[int, ...]  # positions of the queries from which it is derived


@dataclass(frozen=True)
class _CompiledQuery:
    """A query of the workload, compiled at an equal share of the budget."""

    sql: str
    is_requested: bool
    query: CompiledQuery
    definitions: tuple[CanonicalPlan, ...]
    keys: tuple[pa.Table | None, ...]  # public key set of each release; None: private keys


@dataclass(frozen=True)
class _WantedRelease:
    """A release that some query needs, bought or derived."""

    query_index: int
    prepared: CompiledRelease
    definition: CanonicalPlan
    keys: pa.Table | None


def plan_queries(engine: Engine, texts: Sequence[str], rho: Fraction, request: Request) -> tuple[PlannedQuery, ...]:
    """Plan a workload for a total price.

    Claim: bought at these prices, which add up to at most `rho`, each query has at most the error that it has alone at
    rho / k, times sqrt(s), s <= 1 the share of rho that would suffice. Symbols: k requested queries. Formula: a price
    grows as variances shrink; choice by `choose_facilities`. Raises: Refusal. Proof: proofs.md#workload
    """
    count = sum(not text.lstrip().startswith(CANDIDATE_PREFIX) for text in texts)
    if not 0 < count <= len(texts) <= MAX_QUERIES:
        raise EngineKind.WORKLOAD_SIZE.at(limit=MAX_QUERIES)
    request_per_query = Request(
        request.client, Fraction(int(rho / count * PRICE_MARGIN * PICO), PICO), request.confidence
    )
    with refuse_before_charge(TooLarge.WORKLOAD):
        lines = [_compile_query(engine, text, request_per_query) for text in texts]
        wanted_releases = [
            _WantedRelease(i, *each_of)
            for i, line in enumerate(lines)
            if line.is_requested
            for each_of in zip(line.query.releases, line.definitions, line.keys, strict=True)
        ]
        needed = [
            _serving_prices(engine, wanted_release, lines, request_per_query.rho or rho)
            for wanted_release in wanted_releases
        ]
    served = choose_facilities(needed)
    bought = facility_prices(served, needed)
    scale = float(rho) / sum(bought.values())
    ratios: dict[int, list[tuple[int, float]]] = {}
    for wanted_release, server, serving_prices in zip(wanted_releases, served, needed, strict=True):
        ratios.setdefault(wanted_release.query_index, []).append(
            (server, (serving_prices[server] / (bought[server] * scale)) ** 0.5)
        )
    return tuple(
        _plan_query(i, line, request_per_query, bought.get(i, 0.0) * scale, ratios.get(i, []))
        for i, line in enumerate(lines)
    )


def _compile_query(engine: Engine, text: str, request: Request) -> _CompiledQuery:
    """Compile one query of the workload, with its public key sets. Raises Refusal for a query over public tables."""
    question = engine.read(text, request.client)
    query = engine.compile(question, request)
    prepared = query.releases
    if not prepared:
        raise EngineKind.WORKLOAD_OF_PUBLIC_TABLES.at()
    definitions = tuple(canonical_plan(p.plan) for p in prepared)
    keys = tuple(None if p.plan.key_set is None else read_key_set(p.plan, engine.backend) for p in prepared)
    return _CompiledQuery(text, not text.lstrip().startswith(CANDIDATE_PREFIX), query, definitions, keys)


def _serving_prices(
    engine: Engine, wanted: _WantedRelease, lines: Sequence[_CompiledQuery], price: Fraction
) -> dict[int, float]:
    """Map each query from which a release can be derived to the price at which it is as accurate as on its own."""
    found = {wanted.query_index: float(price)}
    for i, line in enumerate(lines):
        factors = [
            _price_factor(engine, wanted, *release)
            for release in zip(line.query.releases, line.definitions, line.keys, strict=True)
        ]
        feasible = [some for some in factors if some is not None]
        if i != wanted.query_index and feasible:
            found[i] = float(price) * min(feasible)
    return found


def _price_factor(
    engine: Engine,
    wanted: _WantedRelease,
    server: CompiledRelease,
    definition: CanonicalPlan,
    public_keys: pa.Table | None,
) -> float | None:
    """Return the factor on its price at which a release serves a wanted one at equal error; None if it cannot.

    The wanted release is derived from a zero-valued one, to find the noise of each derived number.
    """
    if public_keys is None or wanted.keys is None:
        return None
    derived = find_derivation(wanted.definition, definition, engine.catalog)
    if derived is None:
        return None
    zeros = NoisyVector(np.zeros(public_keys.num_rows, dtype=np.int64))
    names = [f"k{i}" for i in range(len(server.plan.keys))]
    sigmas = tuple(max(cost.sigma, 1.0) for cost in server.cost.vectors)
    grains = tuple(bound.grain_size for bound in server.bounds.vectors)
    shared = tuple(c.shared_sigma(b) for c, b in zip(server.cost.vectors, server.bounds.vectors, strict=True))
    served = Release(public_keys.select(names), (zeros,) * len(grains), grains, sigmas, shared_sigmas=shared)
    is_by_group = wanted.prepared.unpriced_release.reads_single_groups
    derived_release = derive_release(served, derived, wanted.keys, reads_single_groups=is_by_group)
    bounds = [server.bounds.vectors[place] for place in derived.vectors]
    if derived_release is None or not has_similar_bias(bounds, wanted.prepared.bounds.vectors):
        return None
    own = zip(wanted.prepared.cost.vectors, wanted.prepared.bounds.vectors, strict=True)
    return max(
        (noise / cost.deviation(bound)) ** 2
        for noise, (cost, bound) in zip(derived_release[0].deviations(), own, strict=True)
    )


def _plan_query(
    place: int,
    line: _CompiledQuery,
    request: Request,
    price: float,
    ratios: Sequence[tuple[int, float]],
) -> PlannedQuery:
    """Build the plan of one query: prices and errors, bought alone and in the workload."""
    question = line.query.question
    separate = expected_error(question, noise_scales(line.query.releases), line.query.terms.confidence)
    worst = max((ratio for _, ratio in ratios), default=0.0)
    error = {name: None if width is None else width * worst for name, width in separate.items()}
    servers = tuple(sorted({server for server, _ in ratios} - {place}))
    amount = Fraction(int(price * PICO), PICO)
    return PlannedQuery(
        line.sql,
        line.is_requested,
        (request.rho or Fraction(0)) if line.is_requested else Fraction(0),
        separate,
        amount,
        error,
        servers,
    )
