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
from dialect.postprocess import with_centres
from engine.backends.protocol import Backend
from engine.mechanism.answer import Answer
from engine.mechanism.release import Release, measured_centres, release_from_bytes
from engine.pipeline.post_process import post_process, write_outer_sql
from engine.pricing.clip_bounds.profiles.compiled_profile import StoredProfile
from engine.pricing.compile_release import CompiledRelease, UnpricedRelease, price_release
from engine.pricing.query_terms import QueryTerms
from engine.pricing.target_error import (
    accuracy_target,
    median_half_widths,
    paid_prices,
    price_for_target,
    with_noise_at_price,
)
from engine.reuse.holdings import ReplayGenerations, load_paid_releases, with_current_keys


@dataclass(frozen=True)
class StoredAnswers:
    """Query with a target error, and where to find this client's stored answers to it."""

    catalog: Catalog
    backend: Backend
    ledger: Ledger
    question: Question
    unpriced: tuple[UnpricedRelease, ...]
    query_terms: QueryTerms
    client: str

    def prices(self) -> tuple[int, ...]:
        """Prices, in pico-rho, at which this client has the query's releases stored, of any age."""
        generations = ReplayGenerations(
            self.ledger, self.catalog.datasets_by_name[self.unpriced[0].plan.dataset]
        ).latest_key
        return paid_prices(self.unpriced, self.ledger.paid_releases(self.client), self.query_terms.delta, generations)

    def stored_answer(self, price: int) -> pa.Table:
        """Recompute the stored answer of a price."""
        return self._shown(*self._stored_at(price)).table

    def predict_widths(self, price: int, other_price: int) -> Mapping[str, float]:
        """Predict the interval widths at another price from the stored answer of a price."""
        return median_half_widths(self.predict_answer(price, other_price))

    def predict_answer(self, price: int, other_price: int) -> Answer:
        """Predict the answer at another price from the stored one of a price: its numbers, with other intervals."""
        compiled, releases = self._stored_at(price)
        rows = zip(releases, self.unpriced, compiled, strict=True)
        predicted = tuple(
            with_noise_at_price(release, unpriced, other_price, self._profile(each)) for release, unpriced, each in rows
        )
        return self._shown(compiled, predicted)

    def _shown(self, compiled: tuple[CompiledRelease, ...], releases: tuple[Release, ...]) -> Answer:
        """Post-process releases, about the centres that their averages were measured with."""
        question = with_centres(self.question, measured_centres(releases))
        return post_process(
            question, compiled, releases, self.query_terms.confidence, self.catalog, self.backend, write_outer_sql
        )

    def _profile(self, compiled: CompiledRelease) -> StoredProfile | None:
        """Load the profile that this client paid with a stored release; None if it has none."""
        if compiled.profile is None:
            return None
        key, dataset = compiled.profile.release_key, compiled.plan.dataset
        held = self.ledger.replay(self.client, dataset, {key}).get(key)
        return None if held is None else StoredProfile(compiled.profile, release_from_bytes(held.payload))

    def _stored_at(self, price: int) -> tuple[tuple[CompiledRelease, ...], tuple[Release, ...]]:
        """Load the releases that this client has stored at a price."""
        repriced = (
            price_release(unpriced, self.backend, Fraction(price, PICO), self.query_terms.delta)
            for unpriced in self.unpriced
        )
        compiled = with_current_keys(tuple(repriced), self.ledger, self.catalog, any_age=True)
        stored = load_paid_releases(compiled, self.ledger, self.client) or {}
        return compiled, tuple(release_from_bytes(stored[p.release_key]) for p in compiled)


def rho_for_target(answers: StoredAnswers) -> Fraction:
    """Compute the rho of each release that a target error needs. Raises Refusal with E_PARAM."""
    assert answers.query_terms.target is not None  # noqa: S101  checked by the caller
    accuracy = accuracy_target(
        answers.question, answers.unpriced, answers.query_terms.target, answers.query_terms.confidence
    )
    return Fraction(price_for_target(accuracy, answers.prices(), answers.stored_answer, answers.predict_widths), PICO)


def predicted_errors(answers: StoredAnswers, price: int) -> dict[str, float]:
    """Predict the errors that a price buys from a stored answer; empty if there is none or it can't predict."""
    prices = answers.prices()
    if not prices or any(min(each.shares(price)) < 1 for each in answers.unpriced):
        return {}
    return {name: width for name, width in answers.predict_widths(prices[-1], price).items() if width < math.inf}
