"""Notes: sentences about what a query is charged to, and about the reliability and completeness of its numbers.

Of a query: its privacy windows (`proofs.md#windows`). Of an answer: its released numbers alone.

A constant that no row should have, by the public values of its column, gets a note where it is one of several that a
condition allows, as in IN, and a refusal before the charge where a condition that every row must meet has no other, or
leaves no date of a declared range: noise would be all that the price buys, and may look like a finding. Only catalog
and public tables are read: neighbouring datasets get the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from budgets import PICO
from dialect import Catalog, Question, Refusal, compile_query
from dialect.algebra import (
    Call,
    ChargedWindows,
    ClipRule,
    Expr,
    Field,
    Literal,
    Note,
    NoteCode,
    PrivatePlan,
    QueryVector,
    Ref,
    VectorBound,
    VectorKind,
    fields_of,
)
from dialect.analysis import (
    count_values,
    counts_time,
    excluded_ranges,
    format_value,
    public_lookup_constants,
    reduced_truncations,
)
from dialect.catalog import STATIC, ColumnValues, PrivacyWindow, SqlType, ValueList, ValueRange
from dialect.codegen.relations import write_rows
from dialect.diagnostics import first_names, near_names
from dialect.errors import Span, Suggestion
from dialect.functions import OVERLOADS, plain_text
from dialect.parser import CompileContext
from dialect.planner.keys import column_values
from dialect.postprocess import selection_by_noise
from engine.backends.protocol import Backend
from engine.errors import EngineKind, ExecutionFailed
from engine.pipeline.bias import has_fallback_clip_bounds, has_unmeasured_fan_out, has_unmeasured_pairs
from engine.pipeline.compiled_query import Answered, SourcedQuery
from engine.pipeline.reliability import may_be_nothing
from engine.pricing.clip_bounds.profiles.compiled_profile import only_selects_keys
from engine.pricing.compile_release import CompiledRelease

_MAX_LISTED_WINDOWS = 12  # windows listed by name


def charged_window_list(compiled: Sequence[CompiledRelease]) -> list[str]:
    """List the privacy windows that a query is charged to; a long list as first and last."""
    windows = dict.fromkeys(window for each in compiled for window in each.plan.charged_windows.windows)
    names = sorted(windows)
    if len(names) <= _MAX_LISTED_WINDOWS:
        return names
    return [f"{names[0]} to {names[-1]}, {len(names)} windows"]


def window_notes(compiled: Sequence[CompiledRelease], *, is_free: bool = False) -> tuple[Note, ...]:
    """Describe the charged privacy windows, why there are so many, and the loss over a person's whole history."""
    return tuple(dict.fromkeys(note for each in compiled for note in _release_window_notes(each, is_free)))


def _release_window_notes(compiled: CompiledRelease, is_free: bool) -> Iterator[Note]:
    """Describe the privacy windows of one release: which, why all of them, source windows, crossing, whole person.

    Crossing: rows of one window may decide what counts in another. A dataset with one permanent window needs no note.
    """
    charged_windows = compiled.plan.charged_windows
    if charged_windows.windows == (str(PrivacyWindow.FOREVER),):
        return
    charged = f"{'Paid for already' if is_free else 'Charged in full'}: {_window_list(charged_windows.windows)}."
    yield Note(NoteCode.WINDOWS, charged)
    if charged_windows.is_every_window and not is_free:
        yield Note(NoteCode.ALL_WINDOWS, "Without a condition on time all declared privacy windows are charged.")
    if charged_windows.derived_windows:
        more = "" if is_free else ", charged too"
        yield Note(
            NoteCode.DERIVED_WINDOWS,
            f"Some columns were computed from {_window_list(charged_windows.derived_windows)}{more}.",
        )
    if charged_windows.is_crossing:
        yield Note(
            NoteCode.CROSSING_WINDOWS,
            "Rows of one privacy window may decide what counts of another, so a person is bounded over all of them"
            " together, with more noise. A join or GROUP BY on the date as well keeps them apart.",
        )
    if len(charged_windows.windows) > 1:
        yield Note(NoteCode.WHOLE_PERSON, _whole_person_note(charged_windows, float(compiled.cost.loss.rho)))


def _whole_person_note(charged_windows: ChargedWindows, rho: float) -> str:
    """Note on the loss of one person over all charged windows together.

    With crossing windows a person is bounded over all of them: rho once. With the window among the keys a person's
    windows are in different groups, and losses add up: times the number n of windows. Else a person changes a group n
    times as much, which is n squared times rho.
    """
    windows = len(charged_windows.windows)
    multiplicity = (
        1 if charged_windows.is_crossing else windows if charged_windows.has_window_key else windows * windows
    )
    return f"Over one person's {windows} privacy windows together this release is at most rho {multiplicity * rho:.4g}."


def _window_list(names: Sequence[str]) -> str:
    """List windows in one text; a long list as first, last and number."""
    shown = [f"{name} (tables without time)" if name == STATIC else name for name in names]
    if len(shown) <= _MAX_LISTED_WINDOWS:
        return ", ".join(shown)
    return f"{shown[0]} to {shown[-1]}, {len(shown)} windows"


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
JOINED_ROWS_NOTE = (
    "A person's rows of a table are joined with others up to {}; further ones are left out by a hash, and are in no"
    " interval."
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
    "What one person adds{0} is limited. What the limit cuts off is estimated and added back, and intervals allow for"
    " the error of that (profile: rho {1:.6g} of {2:.6g}). They may miss what up to about {3:,} people add who"
    " contribute far more than others: noise hides these."
)
PROFILE_NOTE = (
    "A contribution profile{0} is bought with the question, rho {1:.6g} of {2:.6g}: it measures how much people add,"
    " and limits what one of them may add. Intervals will allow for what the limit cuts off, but may miss a few people"
    " who add far more than others."
)
OTHERS_TEXT = (
    " Their rows are in one group (others) for each public parent, by text keys '(others)', by other keys NULL."
)
FEW_ROWS_REASON = "too few rows, or values too alike. Coarser groups, a longer time or more rho may show them."
REHEARSAL_NOTE = (
    "Synthetic rows: the numbers mean nothing, and nothing is charged. The other notes are about the question."
)
SHRUNK_NOTE = (
    "{0}: {1:,} of {2:,} numbers are close to the noise: each is shown as such groups are on average; the sum stays."
)
SELECTED_NOTE = "Noise decides which rows are shown: intervals are wider, so that at most {0} of those shown miss."
WIDE_VALUES_NOTE = (
    "{0}: one person's value may be anything up to {1:,.0f}, and noise hides a value of that size. If hardly anybody"
    " has more than {2:,}, write least(x, {2}) for that column x: intervals are far narrower."
)
LENGTH_OF_TIME_NOTE = (
    "{0}: a length of time may be anything from {1:,.0f} to {2:,.0f} here, and noise hides one of that size. Ends of"
    " your own, as least(greatest(x, 0), {3:,}) for that length x, make intervals far narrower."
)
FEW_VALUES_NOTE = (
    "{0}: at most {1:,} values are declared, and noise hides more than that. For a mean per value, average over groups:"
    " SELECT avg(n) FROM (SELECT {2} AS x, count(*) AS n ... GROUP BY x)."
)
WIDE_VALUES = 10_000  # the largest value of a person from which on a narrower range is suggested
LEAST_LENGTH = 10  # the largest length of time, in its unit, from which on ends of one's own are suggested
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
    notes += [
        Note(NoteCode.SHRUNK, SHRUNK_NOTE.format(column, count, result.answer.table.num_rows))
        for column, count in result.answer.shrunk.items()
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
    if selection_by_noise(result.question) and not result.question.is_simultaneous:
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
    wide = {(value.name, vector.upper) for vector, value in _values_of_persons(prepared) if vector.upper >= WIDE_VALUES}
    yield from (
        Note(NoteCode.WIDE_VALUES, WIDE_VALUES_NOTE.format(name, most, _round_number(most / 100)))
        for name, most in sorted(wide, key=str)
    )
    yield from (
        Note(NoteCode.WIDE_VALUES, LENGTH_OF_TIME_NOTE.format(name, lower, upper, _round_number(upper / 10)))
        for name, lower, upper in _lengths_of_time(prepared)
    )
    yield from _few_values_notes(prepared)
    if has_unmeasured_pairs(prepared):
        yield Note(NoteCode.PAIRS, PERSON_PAIRS_NOTE)
    joined = sorted({(each.max_rows, each.window is not None) for each in reduced_truncations(prepared.plan.source)})
    if joined:
        limits = (f"{rows:,}" + " in each privacy window" * per_window for rows, per_window in joined)
        yield Note(NoteCode.JOINED_ROWS, JOINED_ROWS_NOTE.format(" and ".join(limits)))
    if has_unmeasured_fan_out(prepared):
        yield Note(NoteCode.FAN_OUT, JOIN_MULTIPLICITY_NOTE)
    if prepared.cost.threshold is not None:
        threshold_persons, groups = prepared.cost.threshold_persons, prepared.cost.max_groups
        weight = "" if groups == 1 else "; a person in several groups counts for less in each, 1/sqrt(k) in k groups"
        text = f"Groups{release_suffix} with fewer than about {threshold_persons:,} people are hidden{weight}."
        text += OTHERS_TEXT if prepared.plan.others is not None else ""
        yield Note(NoteCode.HIDDEN_GROUPS, text)


def _lengths_of_time(prepared: CompiledRelease) -> Iterator[tuple[str, float, float]]:
    """Find sums of lengths of time that may be negative, which analysts rarely mean: (value, lower end, upper end)."""
    for vector in prepared.plan.vectors:
        is_two_sided = vector.lower < 0 and vector.upper >= LEAST_LENGTH
        if is_two_sided and vector.value is not None and counts_time(vector.value.expression):
            yield plain_text(vector.value.expression), vector.lower, vector.upper


def _few_values_notes(prepared: CompiledRelease) -> Iterator[Note]:
    """Note COUNT(DISTINCT x) where the noise exceeds the number of declared values, such as the dates of a month.

    Values that are constant per person are left out: those of many people are not counted here.
    """
    rows = zip(prepared.plan.vectors, prepared.bounds.vectors, prepared.cost.vectors, strict=True)
    for vector, bound, price in rows:
        value = vector.value if vector.kind is VectorKind.DISTINCT and not vector.other_values else None
        if value is None or any(field.is_constant_per_person for field in fields_of(value.expression)):
            continue
        declared = count_values(value.expression, prepared.plan.source.predicates)
        if declared is not None and price.deviation(bound) > declared:
            values = vector.display_name.removeprefix("distinct(").removesuffix(")")
            text = FEW_VALUES_NOTE.format(f"count(distinct {values})", declared, values)
            yield Note(NoteCode.FEW_VALUES, text)


def _values_of_persons(prepared: CompiledRelease) -> Iterator[tuple[QueryVector, Field]]:
    """Vectors that sum a number computed of each person's rows, whose largest possible value decides the noise."""
    if prepared.plan.has_one_row_per_person:
        for vector, bound in zip(prepared.plan.vectors, prepared.bounds.vectors, strict=True):
            value = vector.value
            is_computed = value is not None and value.name and value.origin is None and value.definition is None
            if value is not None and is_computed and vector.is_sum and bound.rule is ClipRule.UNCLIPPED:
                yield vector, value


def _round_number(number: float) -> int:
    """Return the least 1, 2 or 5 times a power of ten that is not below a number of at least 1."""
    power = 10 ** math.floor(math.log10(number))
    return next(int(factor * power) for factor in (1, 2, 5, 10) if factor * power >= number)


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


MAX_PUBLIC_VALUES = 100_000  # values of one table
MAX_LISTED_VALUES = 8
YEAR, WRITTEN_DATE = re.compile(r"\b(?:19|20)\d\d\b"), re.compile(r"\b\d{4}-\d\d-\d\d\b")
MAX_COMPARED_VALUES = 2_000  # values searched for a similar one


def refuse_unlisted_values(question: Question, catalog: Catalog, backend: Backend) -> None:
    """Refuse a question that rows can only answer with values that their column should not have. Raises Refusal.

    Of its conditions those count that all rows of a release meet: `column = constant` and `column IN (constants)`, of
    texts and whole numbers. A function with few values, as dayname, has a list; another computed value, as
    trim(place_id), has none: it is not refused. All conditions on a time count together: none of the dates that the
    catalog declares may meet them.
    """
    read: dict[ColumnValues, tuple[object, ...]] = {}
    for plan in question.plans:
        for fact in plan.source.predicates:
            compared, constants = _required_constants(fact)
            if isinstance(compared, Call):
                _refuse_missing_result(question.sql, compared, constants)
            field = compared.field if isinstance(compared, Ref) else None
            domain = None if field is None else _domain(field, catalog)
            if field is None or domain is None:
                continue
            if isinstance(domain, ColumnValues) and domain not in read:
                read[domain] = _public_values(domain, catalog, backend)
            values = read[domain] if isinstance(domain, ColumnValues) else domain.values
            if values and not set(constants) & set(values):
                raise _refusal(question.sql, field, constants[0], values, domain)
        for time, dates in excluded_ranges(plan.source.predicates):
            raise _no_date_refusal(question.sql, time, dates, catalog)


def _required_constants(fact: Expr) -> tuple[Expr | None, Sequence[object]]:
    """Column or call that a condition compares by = or IN, and the only values that meet it; None for others."""
    if not isinstance(fact, Call) or fact.name not in ("=", "in"):
        return None, []
    compared = [part for part in fact.arguments if not isinstance(part, Literal)]
    constants = [part.value for part in fact.arguments if isinstance(part, Literal)]
    is_lookup = len(compared) == 1 and constants
    if not is_lookup or compared[0].type not in (SqlType.VARCHAR, SqlType.BIGINT) or None in constants:
        return None, []
    return compared[0], constants


def _refuse_missing_result(sql: str, call: Call, constants: Sequence[object]) -> None:
    """Refuse constants that a function with few values, such as dayname, never returns. Raises Refusal."""
    values = OVERLOADS[call.function].listed_values
    if not values or set(constants) & set(values):
        return
    place, written = _place(sql, constants[0])
    refusal = EngineKind.NO_RESULT.at(
        None if place < 0 else Span(place, place + len(written)), call=plain_text(call),
        value=format_value(constants[0]), values=first_names(list(map(format_value, values)), len(values)),
    )  # fmt: skip
    raise _with_similar_value(refusal, sql, constants[0], values)


def _place(sql: str, value: object) -> tuple[int, str]:
    """Return where a constant is written in the question, -1 if in no or several places, and as what."""
    written = f"'{value}'" if isinstance(value, str) else str(value)
    return sql.find(written) if sql.count(written) == 1 else -1, written


def _with_similar_value(refusal: Refusal, sql: str, value: object, values: Sequence[object]) -> Refusal:
    """Suggest the question about a similar value, if there is one and the constant is written once."""
    similar, (place, written) = _similar_values(value, values), _place(sql, value)
    if similar and place >= 0:
        other = similar[0].replace("'", "''")
        corrected = f"{sql[:place]}'{other}'{sql[place + len(written) :]}"
        refusal.suggestion = Suggestion(corrected, f"of {format_value(similar[0])}, a near value")
    return refusal


def _domain(field: Field, catalog: Catalog) -> ValueList | ColumnValues | None:
    """Values that a column should have: its declared ones, or those of the public table that it is a column of."""
    if isinstance(field.domain, ValueList | ColumnValues):
        return field.domain
    table = None if field.origin is None else catalog.tables_by_name.get(field.origin.table)
    if field.origin is None or table is None or table.private:
        return None
    return ColumnValues(table.name, field.origin.column)


def _refusal(
    sql: str, field: Field, value: object, values: Sequence[object], domain: ValueList | ColumnValues
) -> Refusal:
    """Refusal of a value, with the question about a similar one, or where the values are listed."""
    place, written = _place(sql, value)
    span = None if place < 0 else Span(place, place + len(written))
    column, shown, known = field.name or field.id, format_value(value), sorted(map(format_value, values))
    if isinstance(domain, ValueList):
        refusal = EngineKind.UNLISTED_VALUE.at(span, column=column, value=shown, values=first_names(known))
    elif len(values) <= MAX_LISTED_VALUES:
        refusal = EngineKind.UNKNOWN_VALUE.at(
            span, column=column, value=shown, listed=domain.column, table=domain.table, values=first_names(known)
        )
    else:
        refusal = EngineKind.UNKNOWN_VALUE_OF_MANY.at(
            span, column=column, value=shown, listed=domain.column, table=domain.table
        )
    return _with_similar_value(refusal, sql, value, values)


def _no_date_refusal(sql: str, field: Field, dates: ValueRange, catalog: Catalog) -> Refusal:
    """Refusal of conditions that no declared date meets, with the question about declared dates."""
    column = field.name or (field.id if field.origin is None else field.origin.column)
    outside = (found for found in WRITTEN_DATE.finditer(sql) if not str(dates.lower) <= found[0] <= str(dates.upper))
    span = next((Span(*found.span()) for found in outside), None)
    refusal = EngineKind.NO_DECLARED_DATE.at(span, column=column, first=dates.lower, last=dates.upper)
    for corrected, difference in _with_declared_dates(sql, dates):
        with suppress(Refusal):
            plans = compile_query(corrected, catalog).plans
            if not any(True for plan in plans for _ in excluded_ranges(plan.source.predicates)):
                refusal.suggestion = Suggestion(corrected, difference)
                break
    return refusal


def _with_declared_dates(sql: str, dates: ValueRange) -> Iterator[tuple[str, str]]:
    """Yield questions with other dates, and the difference: the same days of a declared year, else the whole range.

    One date beyond the range was meant as an end on its other side; of several the first is the first declared date.
    """
    first, last = str(dates.lower)[:10], str(dates.upper)[:10]
    yield YEAR.sub(last[:4], sql), f"in {last[:4]}"
    beyond = sorted({day for day in WRITTEN_DATE.findall(sql) if not first <= day <= last})
    ends = (
        {beyond[0]: first, beyond[-1]: last}
        if len(beyond) > 1
        else {day: first if day > last else last for day in beyond}
    )
    yield WRITTEN_DATE.sub(lambda found: ends.get(found[0], found[0]), sql), "of declared dates"


def unlisted_value_notes(question: Question, catalog: Catalog, backend: Backend) -> tuple[Note, ...]:
    """Lint constants that do not occur in the public table from which their column takes its values."""
    constants_by_column: dict[tuple[str, ColumnValues], dict[object, None]] = {}
    for field, constant in public_lookup_constants(tuple(plan.source for plan in question.plans)):
        assert isinstance(field.domain, ColumnValues)  # noqa: S101  looked up there
        constants_by_column.setdefault((field.name or field.domain.column, field.domain), {})[constant.value] = None
    return tuple(
        note
        for (name, domain), constants in constants_by_column.items()
        for note in _unlisted_notes(name, domain, list(constants), catalog, backend)
    )


def _unlisted_notes(
    name: str, domain: ColumnValues, constants: list[object], catalog: Catalog, backend: Backend
) -> Iterator[Note]:
    """Note constants that the public table does not have: MAX_LISTED_VALUES of them by value, then their number."""
    # empty: not known, so that no constant is reported
    values = _public_values(domain, catalog, backend)
    value_set = set(values)
    unlisted = [value for value in constants if values and value not in value_set]
    for value in unlisted[:MAX_LISTED_VALUES]:
        where = f"{format_value(value)} is no {domain.column} of {domain.table}"
        yield Note(NoteCode.UNKNOWN_VALUE, f"{name}: {where}{_suggestion(value, values)}: no row should match.")
    if len(unlisted) > MAX_LISTED_VALUES:
        more = f"{name}: {len(unlisted) - MAX_LISTED_VALUES} more are no {domain.column} of {domain.table} either."
        yield Note(NoteCode.UNKNOWN_VALUE, more)


def _public_values(domain: ColumnValues, catalog: Catalog, backend: Backend) -> tuple[object, ...]:
    """Values of a public column; empty if there are too many, or it can't be read now."""
    listed = column_values(domain, CompileContext(catalog, ""))
    rows = write_rows(listed, listed.fields, backend.target)
    with suppress(Refusal, ExecutionFailed):
        if backend.count(f"SELECT 1 AS one FROM ({rows}) AS l LIMIT {MAX_PUBLIC_VALUES + 1}") <= MAX_PUBLIC_VALUES:
            return backend.values(rows)
    return ()


def _suggestion(value: object, values: Sequence[object]) -> str:
    """Suggest the intended value: equal but for case, else a similar one, else all values of a short list."""
    texts = sorted(each for each in values if isinstance(each, str))
    similar = _similar_values(value, values)
    if similar and (len(texts) > MAX_LISTED_VALUES or similar[0].strip().casefold() == str(value).strip().casefold()):
        return f", which has {format_value(similar[0])}"
    return f", which has {', '.join(map(format_value, texts))}" if 0 < len(texts) <= MAX_LISTED_VALUES else ""


def _similar_values(value: object, values: Sequence[object]) -> list[str]:
    """Texts that are a value but for case, else a similar one."""
    texts = sorted(each for each in values if isinstance(each, str))
    if not isinstance(value, str):
        return []
    plain = value.strip().casefold()
    equal_ignoring_case = [each for each in texts if each.strip().casefold() == plain]
    if equal_ignoring_case or len(texts) > MAX_COMPARED_VALUES:
        return equal_ignoring_case
    return near_names(value, texts, min_similarity=0.7)
