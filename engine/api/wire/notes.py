"""Notes of an answer or explanation: sentences about the reliability and completeness of its numbers."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra import PrivatePlan, Question, Vector, VectorBound, VectorKind
from engine.pipeline.answered import Answered
from engine.pipeline.bias import unmeasured_pairs, unmeasured_spread
from engine.pipeline.explain import Explained
from engine.pricing.display_names import vector_spoken, which_release

NO_GROUP = (
    "No group is left: none of the private keys has enough people to be shown, or what stands above them leaves none;"
    " coarser keys, a longer time or more rho may show some."
)
NO_ROW = (
    "No group is left by what stands above the numbers, as HAVING does. They are made and paid for all the same: the"
    " same question without it is free, and shows them."
)
KEYS_ALONE = (
    "No number is shown or compared{0}: all values of a public list are shown, whether anybody is there or not. The"
    " price buys nothing here: a COUNT beside them says where people are, and the public table by itself costs nothing."
)
OF_PAIRS = (
    "A person's rows are joined with rows of the same person: who has many makes so many pairs that most of them may be"
    " cut away. Ask with EXISTS, which makes no pairs, or first group one side to one row a person."
)
OF_SPREAD = (
    "A row may meet several rows of the public table that it is joined with, and counts once for each: most of that may"
    " be cut away. Join by all of that table's primary key, as its steward declares it, or ask with IN or EXISTS, which"
    " count a row once."
)
OF_FEW_ROWS = (
    "because their groups have too few rows for the noise of a quantile's histogram; coarser groups, a longer time or"
    " more rho may show them."
)
REHEARSED = "Made-up rows: nothing here says anything about the data, nor is charged; other notes are of the question."
TOLD = 0.001  # the least share that is told as a number


def answer_notes(given: Answered, *, rehearsal: bool) -> list[str]:
    """Write the notes of an answer: about its numbers, and about those that are missing."""
    notes = [REHEARSED] if rehearsal else []
    if given.day is not None:
        notes.append(f"Numbers of {given.day}, from store: who objected since then still counts in them.")
    notes += [
        f"{column}: {count} value(s) are NULL because their denominator may be 0 within its noise."
        for column, count in given.answer.unstable.items()
    ]
    notes += [f"{column}: {count} value(s) are NULL {OF_FEW_ROWS}" for column, count in given.answer.sparse.items()]
    notes += [f"{column}: made from noisy numbers; no interval is known for it." for column in given.answer.unknown]
    if given.answer.table.num_rows == 0 and any(each.cost.threshold is not None for each in given.prepared):
        notes.append(NO_GROUP)
    elif given.answer.table.num_rows == 0 and not rehearsal and any(each.key_count for each in given.prepared):
        notes.append(NO_ROW)
    return notes + bounding_notes(given)


def bounding_notes(given: Answered | Explained) -> list[str]:
    """Write notes on clipping and on private keys. Intervals do not cover the clipping bias."""
    notes = [f"{note.removesuffix('.')}." for note in given.notes]
    plans = [prepared.plan for prepared in given.prepared]
    notes += [KEYS_ALONE.format(which_release(plan, plans)) for plan in _unread(given.question)]
    for prepared in given.told:
        which = which_release(prepared.plan, plans)
        for vector, bound in zip(prepared.plan.vectors, prepared.bounds.vectors, strict=True):
            if bound.predicted_bias != 0 or bound.bias_within:
                notes.append(f"{vector_spoken(vector)}{which}: {bound.why}; {_cut(vector, bound)}.")
        if unmeasured_pairs(prepared):
            notes.append(OF_PAIRS)
        if unmeasured_spread(prepared):
            notes.append(OF_SPREAD)
        if prepared.cost.threshold is not None:
            least = prepared.cost.threshold_persons
            notes.append(
                f"Keys{which} are private: shown where the noisy weight of persons (1/sqrt(k) in k) reaches {least}."
            )
    return [*notes, *given.not_counted]


def _unread(question: Question) -> Iterator[PrivatePlan]:
    """Plans with public keys none of whose numbers are used: the whole key set is shown, independent of the data."""
    for release in question.releases if not (question.sums or question.gathered) else ():
        plan = question.plans[release.plan]
        if not release.outputs and release.histogram is None and plan.key_set is not None:
            yield plan


def _cut(vector: Vector, bound: VectorBound) -> str:
    """Describe the expected clipping bias of a total, or the remaining error where the bias was corrected."""
    bias, within = bound.predicted_bias, bound.bias_within
    if within is not None and vector.kind is VectorKind.CENTRED:
        return f"an average may be off by some {within:.2g} by this, which intervals do not cover"
    if within is not None:
        off = max(within, TOLD)
        return f"most numbers are expected to be off by less than {off:.1%} by this, which intervals do not cover"
    if bias is None:
        return "how much this cuts away is not known, and intervals do not cover it"
    told = f"about {-bias:.1%}" if -bias >= TOLD else f"less than {TOLD:.1%}"
    return f"{told} of the total is expected to be cut away, which intervals do not cover"
