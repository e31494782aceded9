"""What a question would cost and show, computed before anything is read or charged."""

from __future__ import annotations

from functools import partial
from typing import Any

from passersby.result.wire import plain


class Explanation:
    """Price, expected error, keys, contribution bounds and generated SQL of one question.

    `print` shows a few lines, `details` everything.
    """

    def __init__(self, wire: dict[str, Any]) -> None:
        """Take the wire shape; fields that only an answer has are empty."""
        empty: dict[str, Any] = {"intervals": {}, "release_id": None, "numbers_of": None}
        self._wire = {**empty, **wire}

    @property
    def columns(self) -> list[str]:
        """Names of the columns that the answer would have."""
        return [column["name"] for column in self._wire["columns"]]

    @property
    def price(self) -> dict[str, Any]:
        """Privacy loss that the question would cost now: rho, delta, and epsilon at a delta."""
        return dict(self._wire["price"])

    @property
    def replayed(self) -> bool:
        """Is the answer stored and paid for? Then it is free."""
        return bool(self._wire["replayed"])

    @property
    def made_from(self) -> list[dict[str, Any]]:
        """Stored releases that the numbers would be derived from; empty for new releases."""
        return list(self._wire.get("made_from") or [])

    @property
    def remaining(self) -> dict[str, Any]:
        """Budget left before the question, of the client's account and of the dataset's."""
        return dict(self._wire["remaining"])

    @property
    def outlook(self) -> dict[str, Any]:
        """How many more questions like this one fit, how long that lasts, and what fits if this one does not."""
        return dict(self._wire.get("outlook") or {})

    @property
    def confidence(self) -> float | None:
        """Probability that an interval covers the clipped value, e.g. 0.95; clipping bias is not in it."""
        level: float | None = self._wire["confidence"]
        return level

    @property
    def expected_error(self) -> dict[str, float | None]:
        """Half-width of the intervals of each noisy column, in its unit; None where it depends on the answer."""
        return dict(self._wire["expected_error"])

    @property
    def advice(self) -> dict[str, Any]:
        """Why intervals are wide, and up to three questions with narrower ones, each with error and price."""
        return dict(self._wire.get("advice") or {})

    @property
    def predicted_bias(self) -> dict[str, float | None]:
        """Expected clipping bias of each noisy column as a share, at most 0; None where it is unknown."""
        return dict(self._wire.get("predicted_bias") or {})

    @property
    def bias_within(self) -> dict[str, dict[str, float]]:
        """How far most numbers may still be off by clipping, of bias-corrected columns and of averages.

        As a `share` of the number, or for an average as an `amount` in its unit.
        """
        return dict(self._wire.get("bias_within") or {})

    @property
    def clip_bounds(self) -> dict[str, float | None]:
        """Clip bound (L2, per person) of each clipped column; None where it combines several."""
        return dict(self._wire.get("clip_bounds") or {})

    @property
    def keys(self) -> list[dict[str, Any]]:
        """Group keys: public ones all appear, private ones have to reach a threshold."""
        return list(self._wire["keys"])

    @property
    def bounds(self) -> list[dict[str, Any]]:
        """Contribution bound of each released query vector: rule, clip bound, reason, and the noise it needs."""
        return list(self._wire["bounds"])

    @property
    def thresholds(self) -> list[dict[str, Any]]:
        """Noisy numbers of people that private keys have to reach, by release."""
        return list(self._wire["thresholds"])

    @property
    def sql(self) -> str:
        """SQL that would run over the data; it returns one row per group, and no person's row."""
        return str(self._wire["sql"])

    @property
    def notes(self) -> list[str]:
        """What a reader of the answer should know, as sentences."""
        return list(self._wire["notes"])

    @property
    def note_codes(self) -> list[str]:
        """Stable code of each note, in their order; empty where an older server sends none."""
        return list(self._wire.get("note_codes") or [])

    @property
    def details(self) -> str:
        """The long form as text: columns, keys, contribution bounds, thresholds, advice with its SQL."""
        from passersby.result.terminal import as_text, show_explanation

        return as_text(partial(show_explanation, details=True), self)

    def to_wire(self) -> dict[str, Any]:
        """Convert the explanation to the JSON shape that docs/answers.md documents."""
        return {key: plain(value) for key, value in self._wire.items()}

    def __repr__(self) -> str:
        from passersby.result.terminal import as_text, show_explanation

        return as_text(show_explanation, self)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import explanation_html

        return explanation_html(self)
