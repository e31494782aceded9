"""Notes of an answer or explanation: sentences about the reliability and completeness of its numbers."""

from __future__ import annotations

from collections.abc import Iterator

from budgets import PICO
from dialect import Question
from dialect.algebra import Note, NoteCode, PrivatePlan, QueryVector, VectorBound, VectorKind
from dialect.parser import IntervalCoverage
from dialect.postprocess import selection_by_noise
from engine.pipeline.bias import has_unmeasured_fan_out, has_unmeasured_pairs
from engine.pipeline.compiled_query import Answered, SourcedQuery
from engine.pipeline.reliability import may_be_nothing
from engine.pricing.clip_bound_origin import has_fallback_clip_bounds
from engine.pricing.clip_bounds.profiles.compiled_profile import only_selects_keys
from engine.pricing.compile_release import CompiledRelease

NO_GROUPS_NOTE = (
    "No group is left: none has enough people to be shown, or a later condition removes them all. Coarser keys, a"
    " longer time or more rho may show some."
)
NO_ROWS_NOTE = (
    "No row is left after a condition on the numbers, such as HAVING. They are charged all the same: the same question"
    " without the condition shows them, and is free unless it counts people."
)
KEYS_ONLY_NOTE = (
    "No number is shown or compared{0}: all values of a public key set are shown, with or without people. The price"
    " buys nothing: add a COUNT, or query the public table for free."
)
PERSON_PAIRS_NOTE = (
    "A person's rows are joined with each other: k rows make k^2 pairs, and most of them may be clipped. Use EXISTS,"
    " which makes no pairs, or first group one side to one row per person."
)
JOIN_MULTIPLICITY_NOTE = (
    "A row may match several rows of the joined public table, and counts once for each: most of that may be clipped."
    " Join on that table's whole primary key, as its steward declares it, or use IN or EXISTS, which count a row once."
)
PROFILED_NOTE = (
    "Clipping{0} is corrected; the intervals hold what is left of it (profile: rho {1:.6g} of {2:.6g}). Up to about"
    " {3:,} people who contribute far more than others can't be seen in it."
)
PROFILE_NOTE = (
    "A contribution profile{0} is bought with the question, rho {1:.6g} of {2:.6g}: it chooses clip bounds,"
    " and the intervals will hold what clipping leaves."
)
OTHERS_TEXT = (
    " Their rows are in one group (others) for each public parent, by text keys '(others)', by other keys NULL."
)
FEW_ROWS_REASON = "too few rows, or values too alike. Coarser groups, a longer time or more rho may show them."
REHEARSAL_NOTE = (
    "Synthetic rows: the numbers mean nothing, and nothing is charged. The other notes are about the question."
)
SELECTED_NOTE = "Noise decides which rows are shown: intervals are wider, so that at most {0} of those shown miss."
MIN_SHOWN_BIAS = 0.001  # a smaller bias is shown as "below" it


def answer_notes(result: Answered, *, rehearsal: bool) -> list[Note]:
    """Write the notes of an answer: about its numbers, and about those that are missing."""
    notes = [Note(NoteCode.REHEARSAL, REHEARSAL_NOTE)] if rehearsal else []
    if result.oldest_day is not None:
        text = f"Numbers of {result.oldest_day}, from store: who objected since then still counts in them."
        notes.append(Note(NoteCode.STORED, text))
    notes += [
        Note(NoteCode.NULL_RATIO, f"{column}: {_null_count_text(count)}: the denominator may be 0 within its noise.")
        for column, count in result.answer.unstable.items()
    ]
    notes += [
        Note(NoteCode.NULL_QUANTILE, f"{column}: {_null_count_text(count)}: {FEW_ROWS_REASON}")
        for column, count in result.answer.null_quantiles.items()
    ]
    notes += [
        Note(NoteCode.NO_INTERVAL, f"{column}: computed from noisy numbers, without a known interval.")
        for column in result.answer.without_interval
    ]
    marks = may_be_nothing(result.question, result.answer)
    if any(marks):
        text = f"{sum(marks):,} of {len(marks):,} rows may be nothing: no count of theirs is clearly above 0."
        notes.append(Note(NoteCode.MAY_BE_NOTHING, text))
    if result.answer.table.num_rows == 0 and any(each.cost.threshold is not None for each in result.prepared):
        notes.append(Note(NoteCode.NO_GROUP, NO_GROUPS_NOTE))
    elif result.answer.table.num_rows == 0 and not rehearsal and any(each.key_count for each in result.prepared):
        notes.append(Note(NoteCode.NO_ROW, NO_ROWS_NOTE))
    return notes + question_notes(result)


def question_notes(result: SourcedQuery) -> list[Note]:
    """Write the notes known before an answer: the query's own, clipping, hidden groups, people not counted."""
    notes, has_several = list(result.notes), len(result.prepared) > 1
    if selection_by_noise(result.question) and result.question.options.intervals is not IntervalCoverage.SIMULTANEOUS:
        misses = f"{100 * (1 - result.query.terms.confidence):.3g}%"
        notes.append(Note(NoteCode.SELECTED, SELECTED_NOTE.format(misses)))
    notes += [
        Note(NoteCode.NO_NUMBER, KEYS_ONLY_NOTE.format(f" {plan.display_name}" if has_several else ""))
        for plan in _plans_without_numbers(result.question)
    ]
    for source in result.sources:
        prepared, suffix = source.reported, f" {source.wanted.plan.display_name}" if has_several else ""
        if prepared.profile is not None:
            text = PROFILE_NOTE if source.measured is None else PROFILED_NOTE
            rho = prepared.cost.loss.rho
            facts = (prepared.profile.pico_rho / PICO, float(rho), prepared.profile.hidden_units)
            notes.append(Note(NoteCode.PROFILE, text.format(suffix, *facts)))
        notes += _release_notes(prepared, suffix)
    return [*notes, *(Note(NoteCode.NOT_COUNTED, text) for text in result.excluded_consent)]


def _null_count_text(count: int) -> str:
    return f"{count:,} value{' is' if count == 1 else 's are'} NULL"


def _release_notes(prepared: CompiledRelease, release_suffix: str) -> Iterator[Note]:
    """Write the notes of one release. Query vectors with the same clip bound and bias share a note."""
    clipped: dict[str, list[str]] = {}
    fallbacks = has_fallback_clip_bounds(prepared)
    selected = None if prepared.selection is None else prepared.unpriced_release.shown_alone
    models = prepared.unpriced_release.clip_error_models
    rows = zip(prepared.plan.vectors, prepared.bounds.vectors, fallbacks, models, strict=True)
    for i, (vector, bound, is_fallback, model) in enumerate(rows):
        if (bound.predicted_bias != 0 or bound.residual_bias_bound) and not only_selects_keys(
            i, prepared.plan, selected
        ):
            bias_text = _bias_text(vector, bound, is_fallback=is_fallback, is_tuned=model is not None)
            clipped.setdefault(f"{_bounding_text(bound)} {bias_text}", []).append(vector.display_name)
    for text, names in clipped.items():
        yield Note(NoteCode.CLIPPED, f"{', '.join(dict.fromkeys(names))}{release_suffix}: {text}")
    if has_unmeasured_pairs(prepared):
        yield Note(NoteCode.PAIRS, PERSON_PAIRS_NOTE)
    if has_unmeasured_fan_out(prepared):
        yield Note(NoteCode.FAN_OUT, JOIN_MULTIPLICITY_NOTE)
    if prepared.cost.threshold is not None:
        threshold_persons, groups = prepared.cost.threshold_persons, prepared.cost.max_groups
        weight = "" if groups == 1 else ", where a person in k groups counts 1/sqrt(k) in each"
        text = f"Groups{release_suffix} with fewer than about {threshold_persons:,} people are hidden{weight}."
        text += OTHERS_TEXT if prepared.plan.others is not None else ""
        yield Note(NoteCode.HIDDEN_GROUPS, text)


def _plans_without_numbers(question: Question) -> Iterator[PrivatePlan]:
    """Plans with public keys none of whose numbers are used: the whole key set is shown, independent of the data."""
    for release in question.releases if not (question.released_sums or question.union_columns) else ():
        plan = question.plans[release.plan_index]
        if not release.outputs and release.histogram is None and plan.key_set is not None:
            yield plan


def _bounding_text(bound: VectorBound) -> str:
    """Describe the contribution bounding of a query vector: its clip bound, or what is truncated."""
    if bound.rule.clips:
        return f"clipped at {bound.clip_bound:.6g} per person (L2)."
    return f"{bound.reason}."


def _bias_text(vector: QueryVector, bound: VectorBound, *, is_fallback: bool, is_tuned: bool) -> str:
    """Describe the expected clipping bias of a total, or the remaining error where the bias was corrected."""
    bias, bias_bound = bound.predicted_bias, bound.residual_bias_bound
    if bias_bound is not None and vector.kind is VectorKind.CENTRED:
        return f"The average is off by up to about {bias_bound:.2g}, not in the interval."
    if bias_bound is not None:
        return f"Corrected: off by up to {max(bias_bound, MIN_SHOWN_BIAS):.1%}, not in the interval."
    if bias is None:
        return f"Bias unknown{' (no bound is declared)' if is_fallback else ''}, not in the interval."
    least = f"less than {MIN_SHOWN_BIAS:.1%}"
    source = "" if is_tuned else " by limits that nobody measured"
    return f"Expected bias {f'{bias:.1%}' if -bias >= MIN_SHOWN_BIAS else least}{source}, not in the interval."
