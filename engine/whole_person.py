"""Ledger -> what a person lost over all windows together: what is shown where one window is what is protected."""

from __future__ import annotations

from dataclasses import dataclass

from budgets import EVERYBODY, Entry, EntryKind, EpsilonDelta, Loss, total
from dialect.catalog import Dataset
from engine.terms import caps


@dataclass(frozen=True)
class WholePerson:
    """What a person lost over all windows together, at the dataset's own delta."""

    spent: Loss
    cap: Loss

    @property
    def epsilon_delta(self) -> EpsilonDelta:
        """State it as people read it."""
        return EpsilonDelta.of(self.spent, self.cap)


def whole_person(entries: tuple[Entry, ...], dataset: Dataset) -> WholePerson:
    """Add up what all releases may tell of one person's whole history.

    Claim: removing everything of a person costs at most this. Symbols: a release that touches k windows at rho and
    delta in each. Formula: sum of k^2 rho, sum of k delta. Source: group privacy of zCDP, Bun and Steinke,
    arXiv 1605.02065, Proposition 1.9: k neighbours in a row multiply the distance by k. Proof: proofs.md#whole-person
    """
    charged = (e.said for e in entries if e.kind == EntryKind.CHARGED and e.dataset == dataset.name)
    paid = (
        _of_windows(Loss(*release["loss"]), len(said["windows"][release["windows"]]))
        for said in charged
        for release in said["releases"]
        if EVERYBODY in release["payers"]  # whoever asks first pays for everybody, once
    )
    return WholePerson(total(paid), caps(dataset).dataset)


def _of_windows(loss: Loss, windows: int) -> Loss:
    """Take a release over some windows as so many neighbours in a row."""
    return Loss(loss.pico_rho * windows**2, loss.atto_delta * windows)
