"""What renderers read of an answer, an explanation and a budget: protocols; no renderer imports what it renders.

`result`, `explanation` and `listing` implement these and import their renderers late; imports never run back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow

Interval = tuple[float, float]  # low end, high end


class Answer(Protocol):
    """An answer: rows with their intervals, and the card that says what they cost. `passersby.Result` is one."""

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
        """Return a word for each noisy number."""

    @property
    def advice(self) -> dict[str, Any]:
        """Return what to ask instead."""

    @property
    def confidence(self) -> float | None:
        """Return the level of the intervals."""

    @property
    def price(self) -> dict[str, Any]:
        """Return what the question costs."""

    @property
    def remaining(self) -> dict[str, Any]:
        """Return what is left of the accounts."""

    @property
    def outlook(self) -> dict[str, Any]:
        """Return how many more questions fit."""

    @property
    def release_id(self) -> str | None:
        """Return the name of the stored release."""

    @property
    def replayed(self) -> bool:
        """Return whether the answer was stored, and free."""

    @property
    def made_from(self) -> list[dict[str, Any]]:
        """Return the stored releases that the numbers come from."""

    @property
    def rehearsal(self) -> bool:
        """Return whether the rows were synthetic."""

    @property
    def notes(self) -> list[str]:
        """Return what a reader should know."""

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
    """What a question would cost and show. `passersby.Explanation` is one."""

    @property
    def columns(self) -> list[str]:
        """Return the columns' names."""

    @property
    def price(self) -> dict[str, Any]:
        """Return what the question would cost."""

    @property
    def replayed(self) -> bool:
        """Return whether the answer is stored, and free."""

    @property
    def remaining(self) -> dict[str, Any]:
        """Return what is left of the accounts."""

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
        """Return what to ask instead."""

    @property
    def predicted_bias(self) -> dict[str, float | None]:
        """Return the share expected to be cut away, by column."""

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
        """Return the bounded SQL."""

    @property
    def notes(self) -> list[str]:
        """Return what a reader should know."""

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
        """Return the stored releases that the numbers would come from."""

    def to_wire(self) -> dict[str, Any]:
        """Return the documented JSON shape."""


class Accounts(Protocol):
    """What is spent and left. `passersby.result.listing.Budget` is one."""

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """Return the accounts."""

    @property
    def ahead(self) -> dict[str, list[str]]:
        """Return how long budgets last, by dataset."""

    def query_rho(self, account: dict[str, Any]) -> float | None:
        """Return the default price of a question in an account's dataset."""
