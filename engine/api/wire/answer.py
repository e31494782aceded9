"""Wire shapes of answers and explanations: Arrow with a privacy card, and plain dicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from budgets import Loss, epsilon_at
from engine.api.wire.explained import bounds_told, columns_told, keys_told, thresholds_told
from engine.api.wire.notes import answer_notes, question_notes, texts_of
from engine.mechanism.intervals import Floats
from engine.pipeline.advice import MOST_CHARACTERS, NO_ADVICE, Advice
from engine.pipeline.answered import Answered
from engine.pipeline.bias import column_biases, column_clip_bounds, column_doubts, of_pairs
from engine.pipeline.explain import Explained
from engine.pipeline.notes import windows_told
from engine.pipeline.outlook import Ahead, outlook
from engine.pipeline.reliability import is_weak, not_negative, reliability
from engine.pricing.display_names import release_spoken
from engine.pricing.simultaneous import held_together
from engine.reuse.sources import Way

CARD = b"passersby"
CONVERSION_DELTA = Fraction(1, 10**9)  # delta at which the price of one query is also shown as epsilon

LARGEST = 2**63 - 1
LARGEST_FLOAT = 2.0**63 - 1024  # the largest float below 2^63


def answered(
    given: Answered,
    remaining: dict[str, Any],
    ahead: Ahead | None,
    advised: Callable[[], Advice] = lambda: NO_ADVICE,
    *,
    rehearsal: bool = False,
) -> pa.Table:
    """Build the answer's Arrow table, with the privacy card as JSON in the schema metadata.

    The card contains advice only where a column is mostly unreliable.
    """
    biases = column_biases(given.question, given.told)
    doubts = column_doubts(given.question, given.told)
    paired, counts = of_pairs(given.question, given.told), not_negative(given.question)
    words = reliability(given.answer, biases, doubts, paired, counts)
    card = {
        "intervals": {
            name: _pairs(*ends, whole=pa.types.is_integer(given.answer.table.column(name).type))
            for name, ends in given.answer.intervals.items()
        },
        "predicted_bias": biases,
        "bias_within": doubts,
        "reliability": {} if rehearsal else words,
        "advice": shortened(advice_told(advised())) if is_weak(words) else None,
        "confidence": given.confidence,
        "simultaneous": _simultaneous(given),
        "price": price(given.charged),
        "remaining": remaining,
        "outlook": ahead and outlook(ahead),
        "release_id": None if rehearsal else _first_release(given.ways),
        "made_from": made_from(given.ways),
        "replayed": bool(given.prepared) and given.charged == Loss(0, 0),
        "numbers_of": given.day,
        "windows": windows_told(given.prepared),
        "thresholds": thresholds_told(given.prepared),
        "clip_bounds": column_clip_bounds(given.question, given.told),
        **texts_of(answer_notes(given, rehearsal=rehearsal)),
    }
    if rehearsal:
        card["rehearsal"] = True
    return given.answer.table.replace_schema_metadata({CARD: json.dumps(card, allow_nan=False).encode()})


def _first_release(ways: tuple[Way, ...]) -> str | None:
    """Key of the release the first numbers come from, or of the first source they are derived from."""
    if not ways:
        return None
    return ways[0].bought.release_key if ways[0].bought is not None else ways[0].sources[0].release_key


def made_from(ways: tuple[Way, ...]) -> list[dict[str, Any]]:
    """List the stored releases that numbers were derived from, and how."""
    return [
        {
            "release": release_spoken(way.wanted.plan),
            "release_id": each.release_key,
            "settled_at": each.settled_at,
            "standing": each.standing,
            "groups": each.cells,
            "times": None if times is None else float(times),
            "how": each.how,
        }
        for way in ways
        for each, times in zip(way.sources, way.times or (None,) * len(way.sources), strict=False)
    ]


def advice_told(given: Advice) -> dict[str, Any] | None:
    """Why intervals are wide and which queries to submit instead; None where there is no advice."""
    if given == NO_ADVICE:
        return None
    instead = [
        {
            "change": str(each.change),
            "told": each.told,
            "sql": each.sql,
            "price": price(each.loss),
            "expected_error": dict(each.expected_error),
            "groups": each.groups,
            "relative_width": each.relative,
        }
        for each in given.instead
    ]
    return {"why": list(given.why), "instead": instead}


def shortened(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """Advice cut to the room that answers have, alternatives dropped before reasons. Explanations carry all of it."""
    kept = None if told is None else {part: list(told[part]) for part in ("why", "instead")}
    while kept is not None and len(json.dumps(kept)) > MOST_CHARACTERS:
        (kept["instead"] or kept["why"]).pop()
    return kept


def _simultaneous(given: Answered | Explained) -> dict[str, Any] | None:
    """Count the intervals that hold together, and at which confidence; None where each holds only by itself."""
    counts = [prepared.key_count for prepared in given.prepared]
    held = held_together(given.question, counts, given.confidence)
    return None if held is None else {"confidence": held.confidence, "numbers": held.numbers}


def _pairs(lower: Floats, upper: Floats, *, whole: bool) -> list[tuple[float, float] | None]:
    """Pair lower and upper interval ends. None where either is missing or infinite.

    As tuples: a million lists keep Python's collector busy for longer than everything else here takes.
    """
    found = np.isfinite(lower) & np.isfinite(upper)
    sides = [np.where(found, ends, 0.0) for ends in (lower, upper)]
    columns = [(_integers(ends) if whole else ends).tolist() for ends in sides]
    pairs: list[tuple[float, float] | None] = list(zip(*columns, strict=True))
    for place in np.flatnonzero(~found):
        pairs[place] = None
    return pairs


def _integers(ends: Floats) -> npt.NDArray[np.int64]:
    """Clamp integral interval ends to the range of int64, the type of their column."""
    kept = np.clip(ends, -(2.0**63), LARGEST_FLOAT).astype(np.int64)
    kept[ends > LARGEST_FLOAT] = LARGEST
    return kept


def price(loss: Loss) -> dict[str, Any]:
    """Write a loss as rho and delta, and as the epsilon of this query alone."""
    epsilon = epsilon_at(loss.rho, CONVERSION_DELTA) if loss.pico_rho else 0.0
    return {
        "rho": float(loss.rho),
        "delta": float(loss.delta),
        "epsilon_at_delta": {"epsilon": epsilon, "delta": float(CONVERSION_DELTA + loss.delta)},
    }


def explained(given: Explained, remaining: dict[str, Any]) -> dict[str, Any]:
    """Wire shape of an explanation: what a query would cost and return."""
    return {
        "columns": columns_told(given.question),
        "confidence": given.confidence,
        "simultaneous": _simultaneous(given),
        "price": price(given.loss),
        "remaining": remaining,
        "outlook": given.ahead and outlook(given.ahead),
        "replayed": given.replayed,
        "made_from": made_from(given.ways),
        "keys": keys_told(given.question, given.prepared),
        "bounds": bounds_told(given.told),
        "expected_error": given.expected_error,
        "predicted_bias": column_biases(given.question, given.told),
        "bias_within": column_doubts(given.question, given.told),
        "thresholds": thresholds_told(given.prepared),
        "advice": advice_told(given.advice),
        "windows": windows_told(given.prepared),
        "crossing": any(each.plan.touched.crossing for each in given.prepared),
        "sql": given.sql,
        "clip_bounds": column_clip_bounds(given.question, given.told),
        **texts_of(question_notes(given)),
    }
