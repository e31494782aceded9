"""Notes of an answer or explanation: sentences about the reliability and completeness of its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dialect.algebra import Note, NoteCode, PrivatePlan, Question, Rule, Vector, VectorBound, VectorKind
from engine.pipeline.answered import Answered
from engine.pipeline.bias import unmeasured_pairs, unmeasured_spread
from engine.pipeline.explain import Explained
from engine.pricing.display_names import vector_spoken, which_release
from engine.pricing.prepare import Prepared

NO_GROUP = (
    "No group is left: none has enough people to be shown, or a later condition removes them all. Coarser keys, a"
    " longer time or more rho may show some."
)
NO_ROW = (
    "No row is left after a condition on the numbers, such as HAVING. They are charged all the same: the same question"
    " without the condition is free, and shows them."
)
KEYS_ALONE = (
    "No number is shown or compared{0}: all values of a public key set are shown, with or without people. The price"
    " buys nothing: add a COUNT, or query the public table for free."
)
OF_PAIRS = (
    "A person's rows are joined with each other: k rows make k^2 pairs, and most of them may be clipped. Use EXISTS,"
    " which makes no pairs, or first group one side to one row per person."
)
OF_SPREAD = (
    "A row may match several rows of the joined public table, and counts once for each: most of that may be clipped."
    " Join on that table's whole primary key, as its steward declares it, or use IN or EXISTS, which count a row once."
)
OF_FEW_ROWS = "too few rows for a quantile's histogram. Coarser groups, a longer time or more rho may show them."
REHEARSED = "Synthetic rows: the numbers mean nothing, and nothing is charged. The other notes are about the question."
LEAST_BIAS = 0.001  # a smaller bias is shown as "below" it


def answer_notes(given: Answered, *, rehearsal: bool) -> list[Note]:
    """Write the notes of an answer: about its numbers, and about those that are missing."""
    notes = [Note(NoteCode.REHEARSAL, REHEARSED)] if rehearsal else []
    if given.day is not None:
        text = f"Numbers of {given.day}, from store: who objected since then still counts in them."
        notes.append(Note(NoteCode.STORED, text))
    notes += [
        Note(NoteCode.NULL_RATIO, f"{column}: {_nulls(count)}: the denominator may be 0 within its noise.")
        for column, count in given.answer.unstable.items()
    ]
    notes += [
        Note(NoteCode.NULL_QUANTILE, f"{column}: {_nulls(count)}: {OF_FEW_ROWS}")
        for column, count in given.answer.sparse.items()
    ]
    notes += [
        Note(NoteCode.NO_INTERVAL, f"{column}: computed from noisy numbers, without a known interval.")
        for column in given.answer.unknown
    ]
    if given.answer.table.num_rows == 0 and any(each.cost.threshold is not None for each in given.prepared):
        notes.append(Note(NoteCode.NO_GROUP, NO_GROUP))
    elif given.answer.table.num_rows == 0 and not rehearsal and any(each.key_count for each in given.prepared):
        notes.append(Note(NoteCode.NO_ROW, NO_ROW))
    return notes + question_notes(given)


def question_notes(given: Answered | Explained) -> list[Note]:
    """Write the notes known before an answer: the query's own, clipping, hidden groups, people not counted."""
    plans = [prepared.plan for prepared in given.prepared]
    notes = list(given.notes)
    notes += [
        Note(NoteCode.NO_NUMBER, KEYS_ALONE.format(which_release(plan, plans))) for plan in _unread(given.question)
    ]
    for prepared in given.told:
        notes += _release_notes(prepared, which_release(prepared.plan, plans))
    return [*notes, *(Note(NoteCode.NOT_COUNTED, text) for text in given.not_counted)]


def texts_of(notes: Sequence[Note]) -> dict[str, list[str]]:
    """Return the wire's two parallel lists: sentences, and their codes."""
    return {"notes": [note.text for note in notes], "note_codes": [str(note.code) for note in notes]}


def _nulls(count: int) -> str:
    return f"{count:,} value{' is' if count == 1 else 's are'} NULL"


def _release_notes(prepared: Prepared, which: str) -> Iterator[Note]:
    """Write the notes of one release. Query vectors with the same clip bound and bias share a note."""
    clipped: dict[str, list[str]] = {}
    for vector, bound in zip(prepared.plan.vectors, prepared.bounds.vectors, strict=True):
        if bound.predicted_bias != 0 or bound.bias_within:
            clipped.setdefault(f"{_rule(bound)} {_bias(vector, bound)}", []).append(vector_spoken(vector))
    for text, names in clipped.items():
        yield Note(NoteCode.CLIPPED, f"{', '.join(dict.fromkeys(names))}{which}: {text}")
    if unmeasured_pairs(prepared):
        yield Note(NoteCode.PAIRS, OF_PAIRS)
    if unmeasured_spread(prepared):
        yield Note(NoteCode.FAN_OUT, OF_SPREAD)
    if prepared.cost.threshold is not None:
        least, groups = prepared.cost.threshold_persons, prepared.cost.max_groups
        weight = "" if groups == 1 else ", where a person in k groups counts 1/sqrt(k) in each"
        text = f"Groups{which} with fewer than about {least:,} people are hidden{weight}."
        yield Note(NoteCode.HIDDEN_GROUPS, text)


def _unread(question: Question) -> Iterator[PrivatePlan]:
    """Plans with public keys none of whose numbers are used: the whole key set is shown, independent of the data."""
    for release in question.releases if not (question.sums or question.gathered) else ():
        plan = question.plans[release.plan]
        if not release.outputs and release.histogram is None and plan.key_set is not None:
            yield plan


def _rule(bound: VectorBound) -> str:
    """Describe the contribution bounding of a query vector: its clip bound, or what is truncated."""
    if bound.rule is Rule.SCALE or bound.rule is Rule.CLAMP:
        return f"clipped at {bound.norm:.6g} per person (L2)."
    return f"{bound.reason}."


def _bias(vector: Vector, bound: VectorBound) -> str:
    """Describe the expected clipping bias of a total, or the remaining error where the bias was corrected."""
    bias, within = bound.predicted_bias, bound.bias_within
    if within is not None and vector.kind is VectorKind.CENTRED:
        return f"The average may be off by about {within:.2g} by it, not in the interval."
    if within is not None:
        return f"Bias-corrected: most numbers are off by less than {max(within, LEAST_BIAS):.1%}, not in the interval."
    if bias is None:
        return "Its bias is unknown, and not in the interval."
    least = f"less than {LEAST_BIAS:.1%}"
    return f"Expected bias {f'{bias:.1%}' if -bias >= LEAST_BIAS else least}, not in the interval."
