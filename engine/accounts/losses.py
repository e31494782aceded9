"""Privacy loss of one person over all windows together, and the loss of the owner's own releases.

The first is shown where the privacy unit is a person in one window. The second is shown to every client, for each
window: clients' budgets bear it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from budgets import ATTO, EVERYBODY, MAX_UNITS, OWNER, ZERO_LOSS, Entry, EntryKind, EpsilonDelta, Ledger, Loss
from dialect.catalog import Dataset
from engine.pricing.query_terms import caps


def owner_loss(ledger: Ledger, dataset: str) -> Mapping[str, Loss]:
    """Sum the losses charged to everybody for the owner, by window; windows without any are absent.

    Claim: a client's purchases and these together are all that the client is shown of a window by this engine. Proof:
    proofs.md#owner_loss
    """
    losses: defaultdict[str, Loss] = defaultdict(lambda: ZERO_LOSS)
    for _, windows, loss in _owner_charges(ledger, dataset):
        for window in windows:
            losses[window] += loss
    return losses


def owner_keys(ledger: Ledger, dataset: str) -> frozenset[str]:
    """Keys of the releases that the owner was charged for, without those that a client had bought before."""
    return frozenset(key for key, _, _ in _owner_charges(ledger, dataset))


def _owner_charges(ledger: Ledger, dataset: str) -> Iterator[tuple[str, Sequence[str], Loss]]:
    for entry in ledger.find_entries(kind=EntryKind.CHARGED, holder=OWNER):
        for release in entry.content["releases"] if entry.dataset == dataset else ():
            if EVERYBODY in release["payers"]:
                yield release["key"], entry.content["windows"][release["windows"]], Loss(*release["loss"])


@dataclass(frozen=True)
class WholePerson:
    """Loss of a person over all windows together, at the dataset's delta; it may exceed what an account can hold."""

    pico_rho: int
    atto_delta: int
    cap: Loss

    @property
    def epsilon_delta(self) -> EpsilonDelta | None:
        """The loss as (epsilon, delta); None if it is too large to be written, and bounds nothing."""
        if self.pico_rho > MAX_UNITS or self.atto_delta >= ATTO:
            return None
        return EpsilonDelta.from_loss(Loss(self.pico_rho, self.atto_delta), self.cap)


def whole_person_loss(entries: tuple[Entry, ...], dataset: Dataset) -> WholePerson:
    """Sum the losses of all releases for one person's whole history.

    Claim: removing everything of a person costs at most this. Symbols: a release that is charged to k windows at rho
    and delta in each. Formula: sum of k^2 rho, sum of k delta. Source: group privacy of zCDP, Bun and Steinke, arXiv
    1605.02065, Proposition 1.9: k neighbours in a row multiply the distance by k. Proof: proofs.md#whole-person
    """
    charged = (e.content for e in entries if e.kind == EntryKind.CHARGED and e.dataset == dataset.name)
    paid = [
        (len(content["windows"][release["windows"]]), Loss(*release["loss"]))
        for content in charged
        for release in content["releases"]
        if EVERYBODY in release["payers"]  # the first charge pays for everybody, once
    ]
    pico_rho, atto_delta = sum(k**2 * loss.pico_rho for k, loss in paid), sum(k * loss.atto_delta for k, loss in paid)
    return WholePerson(pico_rho, atto_delta, caps(dataset).dataset)
