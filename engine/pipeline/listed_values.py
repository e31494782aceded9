"""Constants that no row should have, by the public values of their columns: notes, and a refusal before the charge.

A note where a constant is one of several that a condition allows, as in IN; a refusal where a condition that every row
must meet has no other, or leaves no date of a declared range: noise would be all that the price buys, and may look
like a finding. Only catalog and public tables are read: neighbouring datasets get the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from dialect import Catalog, Question, Refusal, compile_query
from dialect.algebra import Call, Expr, Field, Literal, Note, NoteCode, Ref
from dialect.analysis import excluded_ranges, format_value, public_lookup_constants
from dialect.catalog import ColumnValues, SqlType, ValueList, ValueRange
from dialect.codegen.relations import write_rows
from dialect.diagnostics import first_names, near_names
from dialect.errors import Span, Suggestion
from dialect.functions import OVERLOADS, plain_text
from dialect.parser import CompileContext
from dialect.planner.keys import column_values
from engine.backends.protocol import Backend
from engine.errors import EngineKind, ExecutionFailed

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
