"""A question -> notes of constants that the public table of a column's values does not hold.

Public tables alone are read: two worlds of people get the same notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches

from dialect import Catalog, Question, Refusal
from dialect.analysis.unlisted import looked_up, shown_value
from dialect.catalog.catalog import ColumnOf
from dialect.codegen.relations.relation import write_rows
from dialect.parser.context import Reading
from dialect.planner.keys.public_lists import column_values
from engine.backends.protocol import Backend
from engine.errors import ExecutionFailed

MOST_LOOKED_UP = 100_000  # values of one table
MOST_TOLD = 8
MOST_COMPARED = 2_000  # of which the nearest is looked for


def value_notes(question: Question, catalog: Catalog, backend: Backend) -> tuple[str, ...]:
    """Tell which constants no row of a public table holds that a column takes its values from."""
    asked: dict[tuple[str, ColumnOf], dict[object, None]] = {}
    for field, constant in looked_up(tuple(plan.source for plan in question.plans)):
        assert isinstance(field.domain, ColumnOf)  # noqa: S101  looked up there
        asked.setdefault((field.name or field.domain.column, field.domain), {})[constant.value] = None
    return tuple(
        note for (name, domain), odd in asked.items() for note in _missing(name, domain, list(odd), catalog, backend)
    )


def _missing(name: str, domain: ColumnOf, asked: list[object], catalog: Catalog, backend: Backend) -> Iterator[str]:
    values = _values(domain, catalog, backend)
    held = set(values)
    odd = [value for value in asked if values and value not in held]
    for value in odd[:MOST_TOLD]:
        where = f"{shown_value(value)} is no {domain.column} of {domain.table}"
        yield f"{name}: {where}{_near(value, values)}: no row should hold it"
    if len(odd) > MOST_TOLD:
        yield f"{name}: {len(odd) - MOST_TOLD} more are no {domain.column} of {domain.table} either"


def _values(domain: ColumnOf, catalog: Catalog, backend: Backend) -> tuple[object, ...]:
    """List the values of a public column; none where they are too many, or can't be read now."""
    listed = column_values(domain, Reading(catalog, ""))
    rows = write_rows(listed, listed.fields, backend.target)
    with suppress(Refusal, ExecutionFailed):
        if backend.count(f"SELECT 1 AS one FROM ({rows}) AS l LIMIT {MOST_LOOKED_UP + 1}") <= MOST_LOOKED_UP:
            return backend.values(rows)
    return ()


def _near(value: object, values: Sequence[object]) -> str:
    """Say what may have been meant: the same in other letters, else what is near, else all where these are few."""
    texts = sorted(each for each in values if isinstance(each, str))
    if isinstance(value, str):
        plain = value.strip().casefold()
        same = [each for each in texts if each.strip().casefold() == plain]
        if same or len(texts) <= MOST_COMPARED:
            found = same or get_close_matches(value, texts, n=1, cutoff=0.7)
            if (found and len(texts) > MOST_TOLD) or same:
                return f", which has {shown_value(found[0])}"
    return f", which has {', '.join(map(shown_value, texts))}" if 0 < len(texts) <= MOST_TOLD else ""
