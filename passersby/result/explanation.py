"""What a question would cost and show, told before anything is read or charged."""

from __future__ import annotations

from typing import Any

from passersby.result.wire import plain


class Explanation:
    """Price, expected error, keys, bounds and generated SQL of one question."""

    def __init__(self, told: dict[str, Any]) -> None:
        """Keep the wire shape; what is known only after an answer is empty in it."""
        empty: dict[str, Any] = {"intervals": {}, "release_id": None, "numbers_of": None}
        self._told = {**empty, **told}

    @property
    def columns(self) -> list[str]:
        """Give the names of the columns that the answer would have."""
        return [column["name"] for column in self._told["columns"]]

    @property
    def price(self) -> dict[str, Any]:
        """Give what the question would cost now: rho, delta, and epsilon at a delta."""
        return dict(self._told["price"])

    @property
    def replayed(self) -> bool:
        """Tell whether the answer is stored and paid for: then asking is free."""
        return bool(self._told["replayed"])

    @property
    def remaining(self) -> dict[str, Any]:
        """Give what is left before the question is asked."""
        return dict(self._told["remaining"])

    @property
    def outlook(self) -> dict[str, Any]:
        """Tell how many more questions like this one fit, how long that lasts, and what fits if this one does not."""
        return dict(self._told.get("outlook") or {})

    @property
    def confidence(self) -> float | None:
        """Give how often the intervals would hold the true value, clipping apart."""
        level: float | None = self._told["confidence"]
        return level

    @property
    def expected_error(self) -> dict[str, float | None]:
        """Give, for each noisy column, the half-width of its intervals; None where it depends on the answer."""
        return dict(self._told["expected_error"])

    @property
    def advice(self) -> dict[str, Any]:
        """Tell why intervals are wide, and up to three questions to ask instead, with their error and price."""
        return dict(self._told.get("advice") or {})

    @property
    def predicted_bias(self) -> dict[str, float | None]:
        """Give, for each noisy column, the share expected to be cut away, at most 0; None where that is not known."""
        return dict(self._told.get("predicted_bias") or {})

    @property
    def bias_within(self) -> dict[str, dict[str, float]]:
        """Give, for columns whose cut is given back and for averages, how far most numbers may still be off by it.

        As a `share` of the number, or for an average as an `amount` in its unit.
        """
        return dict(self._told.get("bias_within") or {})

    @property
    def keys(self) -> list[dict[str, Any]]:
        """Give the group keys: public ones all appear, private ones have to reach a threshold."""
        return list(self._told["keys"])

    @property
    def bounds(self) -> list[dict[str, Any]]:
        """Give, for each released vector, how one person's influence is cut, why, and the noise that this asks for."""
        return list(self._told["bounds"])

    @property
    def thresholds(self) -> list[dict[str, Any]]:
        """Give the noisy counts of persons that private keys have to reach."""
        return list(self._told["thresholds"])

    @property
    def sql(self) -> str:
        """Give the SQL that would run over the data: one row per group leaves it, and no person."""
        return str(self._told["sql"])

    @property
    def notes(self) -> list[str]:
        """Give what a reader of the answer should know."""
        return list(self._told["notes"])

    def to_wire(self) -> dict[str, Any]:
        """Give the documented JSON shape."""
        return {key: plain(value) for key, value in self._told.items()}

    def __repr__(self) -> str:
        from passersby.result.terminal import as_text, show_explanation

        return as_text(show_explanation, self)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import explanation_html

        return explanation_html(self)
