"""Protocols of an answer, an explanation and a budget: renderers read these, and import no class that they render.

`result`, `explanation` and `listing` implement them, and import their renderers late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow

Interval = tuple[float, float]  # low end, high end


class Answer(Protocol):
    """An answer: rows with intervals, and a card with their price. `passersby.Result` is one."""

    card: dict[str, Any]

    @property
    def columns(self) -> list[str]:
        """Return the columns' names."""

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as Python values."""

    @property
    def intervals(self) -> dict[str, list[Interval | None]]:
        """Return the ends of each noisy number, by column and row."""

    @property
    def reliability(self) -> dict[str, list[str | None]]:
        """Return the reliability of each noisy number, by column and row."""

    @property
    def advice(self) -> dict[str, Any]:
        """Return why intervals are wide, and questions with narrower ones."""

    @property
    def confidence(self) -> float | None:
        """Return the level of the intervals."""

    @property
    def price(self) -> dict[str, Any]:
        """Return the privacy loss that was charged."""

    @property
    def remaining(self) -> dict[str, Any]:
        """Return the budget left of the accounts."""

    @property
    def outlook(self) -> dict[str, Any]:
        """Return how many more questions fit."""

    @property
    def release_id(self) -> str | None:
        """Return the name of the stored release."""

    @property
    def replayed(self) -> bool:
        """Return whether the answer came from store, and is free."""

    @property
    def made_from(self) -> list[dict[str, Any]]:
        """Return the stored releases that the numbers are derived from."""

    @property
    def rehearsal(self) -> bool:
        """Return whether the rows were synthetic."""

    @property
    def notes(self) -> list[str]:
        """Return the notes on these numbers, as sentences."""

    @property
    def note_codes(self) -> list[str]:
        """Return the stable codes of the notes, in their order; fewer where an older server sends none."""

    @property
    def thresholds(self) -> list[dict[str, Any]]:
        """Return the number of people that private keys have to reach, by release."""

    @property
    def clip_bounds(self) -> dict[str, float | None]:
        """Return the clip bound (L2, per person) of each clipped column; None where several are combined."""

    @property
    def predicted_bias(self) -> dict[str, float | None]:
        """Return the expected clipping bias, by column."""

    @property
    def bias_within(self) -> dict[str, dict[str, float]]:
        """Return how far numbers may still be off after the correction, by column."""

    def arrow(self) -> pyarrow.Table:
        """Return the columns as Arrow, the card in the schema's metadata."""

    def flat(self, *, intervals: bool = True) -> pyarrow.Table:
        """Return an Arrow table without metadata, the ends of intervals as columns."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...


class Explained(Protocol):
    """Price and expected errors of a query. `passersby.Explanation` is one."""

    @property
    def columns(self) -> list[str]:
        """Return the columns' names."""

    @property
    def price(self) -> dict[str, Any]:
        """Return the privacy loss that the query would cost."""

    @property
    def replayed(self) -> bool:
        """Return whether the answer is stored, and free."""

    @property
    def remaining(self) -> dict[str, Any]:
        """Return the budget left of the accounts."""

    @property
    def outlook(self) -> dict[str, Any]:
        """Return how many more questions fit."""

    @property
    def confidence(self) -> float | None:
        """Return the level of the intervals."""

    @property
    def expected_error(self) -> dict[str, float | None]:
        """Return the half-width of the intervals, by column."""

    @property
    def advice(self) -> dict[str, Any]:
        """Return why intervals are wide, and questions with narrower ones."""

    @property
    def predicted_bias(self) -> dict[str, float | None]:
        """Return the expected clipping bias, by column."""

    @property
    def bias_within(self) -> dict[str, dict[str, float]]:
        """Return how far numbers may still be off after the correction, by column."""

    @property
    def keys(self) -> list[dict[str, Any]]:
        """Return the group keys."""

    @property
    def bounds(self) -> list[dict[str, Any]]:
        """Return the contribution bounds of each released vector."""

    @property
    def sql(self) -> str:
        """Return the generated SQL."""

    @property
    def notes(self) -> list[str]:
        """Return the notes on the answer, as sentences."""

    @property
    def note_codes(self) -> list[str]:
        """Return the stable codes of the notes, in their order; fewer where an older server sends none."""

    @property
    def thresholds(self) -> list[dict[str, Any]]:
        """Return the number of people that private keys have to reach, by release."""

    @property
    def clip_bounds(self) -> dict[str, float | None]:
        """Return the clip bound (L2, per person) of each clipped column; None where several are combined."""

    @property
    def made_from(self) -> list[dict[str, Any]]:
        """Return the stored releases that the numbers would be derived from."""

    def to_wire(self) -> dict[str, Any]:
        """Convert the explanation to the JSON shape that docs/answers.md documents."""


class Accounts(Protocol):
    """Spent and remaining budget. `passersby.result.listing.Budget` is one."""

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """Return the accounts."""

    @property
    def ahead(self) -> dict[str, list[str]]:
        """Return how long budgets last, by dataset."""

    def query_rho(self, account: dict[str, Any]) -> float | None:
        """Return the default price of a query in an account's dataset."""
