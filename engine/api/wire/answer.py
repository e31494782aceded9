"""Wire shapes of answers and explanations: Arrow with a privacy card, and plain dicts with what bounds them.

Rows are ordered by keys where the question states no order, with the numbers in texts by size. Releases have their
rows in the order of their keys, texts by their characters: P10 before P2. People expect P2 first. Weekdays and months
are in the order of the week and the year.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from budgets import Loss, epsilon_from_rho
from dialect import Question
from dialect.algebra import Histogram, Note
from engine.mechanism.answer import Answer, interval_parts, project_intervals
from engine.mechanism.intervals import Floats
from engine.mechanism.shrinkage import shrink_numbers
from engine.pipeline.advice import MAX_ADVICE_CHARACTERS, NO_ADVICE, Advice
from engine.pipeline.bias import (
    clip_bound_origins,
    column_bias_bounds,
    column_biases,
    column_clip_bounds,
    unmeasured_bias_columns,
    unmeasured_pair_columns,
)
from engine.pipeline.compiled_query import Answered, SourcedQuery
from engine.pipeline.explain import Explained
from engine.pipeline.notes import answer_notes, charged_window_list, question_notes
from engine.pipeline.outlook import BudgetOutlook, outlook_json
from engine.pipeline.reliability import is_mostly_weak, may_be_nothing, non_negative_columns, rate_reliability
from engine.pricing.compile_release import CompiledRelease, clip_bound_alternatives
from engine.pricing.simultaneous import joint_confidence
from engine.reuse.sources import ReleaseSource

NUMBER = re.compile(r"(\d+(?:\.\d+)?)")
NAMES_IN_ORDER = [  # English names of weekdays and of months, and their short forms, with their places
    {name.casefold(): place for place, name in enumerate(names)}
    for names in (
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
         "December"),
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    )
]  # fmt: skip


def in_natural_order(answer: Answer, question: Question) -> Answer:
    """Sort the rows of an answer by its keys from left to right, NULL last.

    Weekdays and months sort by their place in the week and the year, other texts with the numbers in them by size.
    Keys that rows are in no order of stay out. An answer is unchanged if its question has ORDER BY or LIMIT.
    """
    names = [column.name for column in question.columns if not column.is_noisy]
    columns = {
        name: column.to_pylist() for name in names if not pa.types.is_nested((column := answer.table.column(name)).type)
    }
    if question.is_ordered or not columns or answer.table.num_rows < 2:
        return answer
    leading = set(_leading_keys(columns))
    natural = [_natural_keys(columns[name]) for name in columns if name in leading]
    order = sorted(range(answer.table.num_rows), key=lambda row: [column[row] for column in natural])
    return answer if order == list(range(len(order))) else _taken(answer, order)


def _leading_keys(columns: dict[str, list[Any]]) -> list[str]:
    """Keys that rows are in the order of, the first one first: each is sorted within equal values of those before."""
    found: list[str] = []
    rows = range(1, len(next(iter(columns.values()))))
    is_tied = [True for _ in rows]
    while further := next((name for name in columns if name not in found and _is_sorted(columns[name], is_tied)), None):
        found.append(further)
        values = columns[further]
        is_tied = [tied and values[row] == values[row - 1] for tied, row in zip(is_tied, rows, strict=True)]
    return found


def _is_sorted(values: Sequence[Any], is_tied: Sequence[bool]) -> bool:
    """Return whether no value is less than the one before it, where rows are tied; NULL is the largest."""
    return not any(
        tied and before != value and (before is None or (value is not None and value < before))
        for tied, before, value in zip(is_tied, values, values[1:], strict=False)
    )


def _natural_keys(values: Sequence[Any]) -> list[tuple[bool, Any]]:
    """Keys by which the values of a column sort: names of weekdays or months by their place, if there are no others."""
    names = {value.casefold() if isinstance(value, str) else "" for value in values if value is not None}
    places = next((each for each in NAMES_IN_ORDER if names and names <= each.keys()), None)
    if places is None:
        return list(map(_natural_key, values))
    return [(value is None, value if value is None else places[value.casefold()]) for value in values]


def _natural_key(value: object) -> tuple[bool, Any]:
    """Key by which values sort: NULL last, texts by their words and numbers in turn, other values as they are."""
    if not isinstance(value, str):
        return (value is None, value)
    parts = NUMBER.split(value)
    return (False, [float(part) if place % 2 else part for place, part in enumerate(parts)])


def _taken(answer: Answer, order: Sequence[int]) -> Answer:
    """Answer with its rows in another order: table, intervals and all else that has a value for each row."""
    rows = list(order)
    hidden = answer.hidden_count
    return replace(
        answer,
        table=answer.table.take(rows),
        intervals={name: (low[rows], high[rows]) for name, (low, high) in answer.intervals.items()},
        clipping_shares={name: shares[rows] for name, shares in answer.clipping_shares.items()},
        strict_lower={name: lower[rows] for name, lower in answer.strict_lower.items()},
        hidden_count=None if hidden is None else (hidden[0][rows], hidden[1][rows]),
    )


CARD = b"passersby"
EMPTY_CARD: Mapping[str, Any] = {  # fields of a card, in their order, as of an answer without noisy numbers
    "intervals": {}, "interval_parts": {}, "predicted_bias": {}, "bias_within": {}, "reliability": {}, "advice": None,
    "confidence": None, "simultaneous": None, "selection": None, "may_be_nothing": [],
    "price": {"rho": 0.0, "delta": 0.0, "epsilon_at_delta": {"epsilon": 0.0, "delta": 0.0}},
    "remaining": {}, "outlook": None, "release_id": None, "replayed": False, "made_from": [], "numbers_of": None,
    "windows": None, "thresholds": [], "clip_bounds": {}, "notes": [], "note_codes": [],
}  # fmt: skip
CONVERSION_DELTA = Fraction(1, 10**9)  # delta at which the price of one query is also shown as epsilon

MAX_INT64 = 2**63 - 1
MAX_INT64_FLOAT = 2.0**63 - 1024  # the largest float below 2^63


def answer_table(
    result: Answered,
    remaining: dict[str, Any],
    outlook_inputs: BudgetOutlook | None,
    get_advice: Callable[[], Advice] = lambda: NO_ADVICE,
    *,
    rehearsal: bool = False,
) -> pa.Table:
    """Build the answer's Arrow table, with the privacy card as JSON in the schema metadata.

    The card contains advice only where a column is mostly unreliable.
    """
    question, reported = result.question, result.reported
    answer = shrink_numbers(project_intervals(result.answer, question), question)
    answer = in_natural_order(answer, question)
    result, candidates = replace(result, answer=answer), answer.candidates
    shared = _shared_fields(result, result.charged_loss, outlook_inputs)
    reliabilities = rate_reliability(
        result.answer,
        shared["predicted_bias"],
        shared["bias_within"],
        unmeasured_pair_columns(question, reported),
        non_negative_columns(question),
        unmeasured_bias_columns(question, reported),
    )
    card = {
        **EMPTY_CARD,
        **shared,
        "intervals": {
            name: _interval_pairs(*ends, is_integral=pa.types.is_integer(result.answer.table.column(name).type))
            for name, ends in result.answer.intervals.items()
        },
        "interval_parts": interval_parts(result.answer),
        "reliability": {} if rehearsal else reliabilities,
        # the rows from which noise selected those of the answer
        "selection": None if candidates is None else {"candidates": candidates, "shown": answer.table.num_rows},
        "may_be_nothing": [] if rehearsal else may_be_nothing(question, answer),
        "advice": shorten_advice(advice_shape(get_advice())) if is_mostly_weak(reliabilities) else None,
        "remaining": remaining,
        "release_id": result.sources[0].release_key if result.sources and not rehearsal else None,
        "replayed": bool(result.prepared) and result.charged_loss == Loss(0, 0),
        "numbers_of": result.oldest_day,
        **notes_shape(answer_notes(result, rehearsal=rehearsal)),
    }
    return with_card(result.answer.table, {**card, "rehearsal": True} if rehearsal else card)


def with_card(table: pa.Table, card: Mapping[str, Any]) -> pa.Table:
    """Add a privacy card to the rows of an answer, as JSON in the schema metadata."""
    return table.replace_schema_metadata({CARD: json.dumps(card, allow_nan=False).encode()})


def read_answer(rows: bytes) -> tuple[pa.Table, dict[str, Any]]:
    """Read an answer from its Arrow stream: rows and card."""
    table = pa.ipc.open_stream(rows).read_all()
    return table, json.loads(table.schema.metadata[CARD])


def _shared_fields(result: SourcedQuery, loss: Loss, outlook: BudgetOutlook | None) -> dict[str, Any]:
    """Fields that the cards of answers and explanations share."""
    question, reported = result.question, result.reported
    return {
        "predicted_bias": column_biases(question, reported),
        "bias_within": column_bias_bounds(question, reported),
        "confidence": result.query.terms.confidence,
        "simultaneous": _simultaneous(result),
        "price": price(loss),
        "outlook": outlook and outlook_json(outlook),
        "made_from": derived_from(result.sources),
        "windows": charged_window_list(result.prepared),
        "thresholds": threshold_shapes(result.prepared),
        "clip_bounds": column_clip_bounds(question, reported),
    }


def notes_shape(notes: Sequence[Note]) -> dict[str, list[str]]:
    """Return the wire's two parallel lists: sentences, and their codes."""
    return {"notes": [note.text for note in notes], "note_codes": [str(note.code) for note in notes]}


def derived_from(sources: tuple[ReleaseSource, ...]) -> list[dict[str, Any]]:
    """List the stored releases that numbers were derived from, and how."""
    return [
        {
            "release": source.wanted.plan.display_name,
            "release_id": stored.release_key,
            "settled_at": stored.settled_at,
            "standing": stored.is_scheduled,
            "groups": stored.max_source_groups,
            "how": stored.derivation_text,
        }
        for source in sources
        if (stored := source.derived) is not None
    ]


def advice_shape(advice: Advice) -> dict[str, Any] | None:
    """Why intervals are wide and which queries to submit instead; None where there is no advice."""
    if advice == NO_ADVICE:
        return None
    alternatives = [
        {
            "change": str(each.change),
            "told": each.description,
            "sql": each.sql,
            "price": price(each.loss),
            "expected_error": dict(each.expected_error),
            "groups": each.groups,
            "relative_width": each.relative_error_ratio,
        }
        for each in advice.proposals
    ]
    return {"why": list(advice.reasons), "instead": alternatives}


def shorten_advice(advice: dict[str, Any] | None) -> dict[str, Any] | None:
    """Advice cut to the room that answers have, alternatives dropped before reasons. Explanations carry all of it."""
    shorter = None if advice is None else {part: list(advice[part]) for part in ("why", "instead")}
    while shorter is not None and len(json.dumps(shorter)) > MAX_ADVICE_CHARACTERS:
        (shorter["instead"] or shorter["why"]).pop()
    return shorter


def _simultaneous(result: SourcedQuery) -> dict[str, Any] | None:
    """Count the intervals that hold together, and at which confidence; None where each holds only by itself."""
    if not result.question.is_simultaneous:
        return None
    counts = [prepared.key_count for prepared in result.prepared]
    simultaneous = joint_confidence(result.question, counts, result.query.terms.confidence)
    return {"confidence": simultaneous.confidence, "numbers": simultaneous.interval_count}


def _interval_pairs(lower: Floats, upper: Floats, *, is_integral: bool) -> list[tuple[float, float] | None]:
    """Pair lower and upper interval ends. None where either is missing or infinite.

    As tuples: a million lists keep Python's collector busy for longer than everything else here takes.
    """
    found = np.isfinite(lower) & np.isfinite(upper)
    sides = [np.where(found, ends, 0.0) for ends in (lower, upper)]
    columns = [(_clamp_to_int64(ends) if is_integral else ends).tolist() for ends in sides]
    pairs: list[tuple[float, float] | None] = list(zip(*columns, strict=True))
    for place in np.flatnonzero(~found):
        pairs[place] = None
    return pairs


def _clamp_to_int64(ends: Floats) -> npt.NDArray[np.int64]:
    """Clamp integral interval ends to the range of int64, the type of their column."""
    integers = np.clip(ends, -(2.0**63), MAX_INT64_FLOAT).astype(np.int64)
    integers[ends > MAX_INT64_FLOAT] = MAX_INT64
    return integers


def price(loss: Loss) -> dict[str, Any]:
    """Write a loss as rho and delta, and as the epsilon of this query alone."""
    epsilon = epsilon_from_rho(loss.rho, CONVERSION_DELTA) if loss.pico_rho else 0.0
    return {
        "rho": float(loss.rho),
        "delta": float(loss.delta),
        "epsilon_at_delta": {"epsilon": epsilon, "delta": float(CONVERSION_DELTA + loss.delta)},
    }


def explanation_shape(explanation: Explained, remaining: dict[str, Any]) -> dict[str, Any]:
    """Wire shape of an explanation: what a query would cost and return."""
    return {
        "columns": column_shapes(explanation.question),
        **_shared_fields(explanation, explanation.loss, explanation.outlook),
        "remaining": remaining,
        "replayed": explanation.is_free,
        "keys": key_shapes(explanation.question, explanation.prepared),
        "bounds": bound_shapes(explanation.reported),
        "expected_error": explanation.expected_error,
        "expected_range": {name: list(ends) for name, ends in explanation.expected.ranges.items()},
        "expected_from": str(explanation.expected.source),
        "usual_rows": explanation.expected.usual_rows,
        "interval_parts": explanation.expected.parts,
        "advice": advice_shape(explanation.advice),
        "crossing": any(each.plan.charged_windows.is_crossing for each in explanation.prepared),
        "sql": explanation.sql,
        **notes_shape(question_notes(explanation)),
    }


def column_shapes(question: Question) -> list[dict[str, Any]]:
    """Names and types of the answer's columns."""
    return [{"name": shown.name, "type": str(shown.field.type)} for shown in question.columns]


def key_shapes(question: Question, prepared: tuple[CompiledRelease, ...]) -> list[dict[str, Any]]:
    """Group keys of each release: public or private, why, and the number of groups where it is public."""
    bins = {release.plan_index: release.histogram for release in question.releases}
    return [fact for place, each in enumerate(prepared) for fact in _key_rows(each, bins.get(place))]


def bound_shapes(compiled: tuple[CompiledRelease, ...]) -> list[dict[str, Any]]:
    """Contribution bound and noise of each query vector, in the unit of its column."""
    return [fact for each in compiled for fact in _bound_rows(each)]


def threshold_shapes(prepared: tuple[CompiledRelease, ...]) -> list[dict[str, Any]]:
    """Partition-selection threshold (in persons) of each release with private keys, and its delta."""
    return [
        {
            "threshold": each.cost.threshold_persons,
            "delta": float(each.cost.loss.delta),
            "max_groups_per_person": each.cost.max_groups,
            "release": each.plan.display_name,
        }
        for each in prepared
        if each.cost.threshold is not None
    ]


def _key_rows(prepared: CompiledRelease, histogram: Histogram | None) -> Iterator[dict[str, Any]]:
    """Group keys of one release. A histogram's bins are counted separately: they are no groups of the answer."""
    bins = 1 if histogram is None else histogram.bin_count
    kind = "private" if prepared.plan.key_set is None else "public"
    release = prepared.plan.display_name
    groups = None if prepared.key_count is None else prepared.key_count // bins
    for place, key in enumerate(prepared.plan.keys):
        is_bin = histogram is not None and place == histogram.key_index
        yield {
            "name": key.canonical_text,
            "kind": "bins" if is_bin else kind,
            "count": bins if is_bin else groups,
            "why": key.reason.removeprefix(f"{kind}: "),
            "release": release,
        }


def _bound_rows(prepared: CompiledRelease) -> Iterator[dict[str, Any]]:
    """Contribution bound of each query vector in JSON form: clip bound, noise, bias, alternatives.

    The keys `norm`, `kept` and `bias_within` hold the clip bound, the share that clipping leaves, and the residual
    bias.
    """
    parts = (prepared.plan.vectors, prepared.bounds.vectors, prepared.cost.vectors, clip_bound_alternatives(prepared))
    for vector, bound, cost, choices, origin in zip(*parts, clip_bound_origins(prepared), strict=True):
        yield {
            "vector": vector.display_name,
            "norm": bound.clip_bound,
            "rule": str(bound.rule),
            "why": bound.reason,
            "norm_from": origin,
            "sensitivity": bound.sensitivity * bound.grain_size,
            "sigma": cost.deviation(bound),
            "predicted_bias": bound.predicted_bias,
            "kept": bound.retained_share,
            "bias_within": bound.residual_bias_bound,
            "choices": [asdict(each) for each in choices],
            "release": prepared.plan.display_name,
        }
