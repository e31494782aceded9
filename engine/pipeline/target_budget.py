"""Price of a target error: what each release costs when a query states its error, and what a price would buy.

Stored answers of the client are read as they are, and with the noise of another price; no private row is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import pyarrow as pa

from budgets import PICO, Ledger
from dialect import Catalog, Question
from engine.backends.protocol import Backend
from engine.mechanism.release import Release, from_bytes
from engine.pipeline.finish import finish
from engine.pricing.prepare import Prepared, Sized, priced
from engine.pricing.target_error import aim_of, aimed_price, at_price, held_prices, typical_widths
from engine.pricing.terms import Terms
from engine.reuse.replay import Repeats, latest, replayed


@dataclass(frozen=True)
class Holding:
    """Query with a target error, and where to find this client's stored answers to it."""

    catalog: Catalog
    backend: Backend
    ledger: Ledger
    question: Question
    made: tuple[Sized, ...]
    settled: Terms
    client: str

    def prices(self) -> tuple[int, ...]:
        """Prices, in pico-rho, at which this client has the query's releases stored, of any age."""
        named = Repeats(self.ledger, self.catalog.dataset(self.made[0].plan.dataset)).latest
        return held_prices(self.made, self.ledger.releases(self.client), self.settled.delta, named)

    def shown(self, price: int) -> pa.Table:
        """Recompute the stored answer of a price."""
        return finish(self.question, *self._held_at(price), self.settled.confidence, self.catalog, self.backend).table

    def foresee(self, price: int, instead: int) -> Mapping[str, float]:
        """Predict the interval widths at another price from the stored answer of a price."""
        paid, releases = self._held_at(price)
        seen = tuple(at_price(*each, instead) for each in zip(releases, self.made, strict=True))
        return typical_widths(finish(self.question, paid, seen, self.settled.confidence, self.catalog, self.backend))

    def _held_at(self, price: int) -> tuple[tuple[Prepared, ...], tuple[Release, ...]]:
        """Load the releases that this client has stored at a price."""
        at = (priced(m, self.backend, Fraction(price, PICO), self.settled.delta) for m in self.made)
        paid = latest(tuple(at), self.ledger, self.catalog)
        stored = replayed(paid, self.ledger, self.client) or {}
        return paid, tuple(from_bytes(stored[p.release_key]) for p in paid)


def aimed_rho(of: Holding) -> Fraction:
    """Compute the rho of each release that a target error needs. Raises Refusal with E_PARAM."""
    assert of.settled.target is not None  # noqa: S101  checked by the caller
    aim = aim_of(of.question, of.made, of.settled.target, of.settled.confidence)
    return Fraction(aimed_price(aim, of.prices(), of.shown, of.foresee), PICO)


def foreseen_errors(of: Holding, price: int) -> dict[str, float]:
    """Predict the errors that a price buys from a stored answer; empty if there is none or it can't predict."""
    held = of.prices()
    if not held or any(min(each.shares(price)) < 1 for each in of.made):
        return {}
    return {name: width for name, width in of.foresee(held[-1], price).items() if width < math.inf}
