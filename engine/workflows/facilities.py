"""Which releases to buy so that all that is wanted is made of them, for little: a search, from prices alone.

Each thing may be opened at a price; at some price it serves others (`needed`). What is opened costs the largest price
that those it serves need. Found is a choice that no opening and no single move makes cheaper (proofs.md#facilities).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
