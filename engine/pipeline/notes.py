"""Notes of a query: constants missing from a column's public table, and the privacy windows it is charged to.

Only public tables are read: neighbouring datasets get the same notes. Windows: `proofs.md#windows`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches

from dialect import Catalog, Question, Refusal
from dialect.algebra import Note, NoteCode, Touched
from dialect.analysis import looked_up, shown_value
from dialect.catalog import ColumnOf, Window
from dialect.codegen.relations import write_rows
from dialect.parser import Reading
from dialect.planner.keys import column_values
from engine.backends.protocol import Backend
from engine.errors import ExecutionFailed
from engine.pricing.prepare import Prepared

MOST_LOOKED_UP = 100_000  # values of one table
MOST_TOLD = 8
MOST_COMPARED = 2_000  # values searched for a similar one


def value_notes(question: Question, catalog: Catalog, backend: Backend) -> tuple[Note, ...]:
    """Lint constants that do not occur in the public table from which their column takes its values."""
    asked: dict[tuple[str, ColumnOf], dict[object, None]] = {}
    for field, constant in looked_up(tuple(plan.source for plan in question.plans)):
        assert isinstance(field.domain, ColumnOf)  # noqa: S101  looked up there
        asked.setdefault((field.name or field.domain.column, field.domain), {})[constant.value] = None
    return tuple(
        note for (name, domain), odd in asked.items() for note in _missing(name, domain, list(odd), catalog, backend)
    )


def _missing(name: str, domain: ColumnOf, asked: list[object], catalog: Catalog, backend: Backend) -> Iterator[Note]:
    values = _values(domain, catalog, backend)
    held = set(values)
    odd = [value for value in asked if values and value not in held]
    for value in odd[:MOST_TOLD]:
        where = f"{shown_value(value)} is no {domain.column} of {domain.table}"
        yield Note(NoteCode.UNKNOWN_VALUE, f"{name}: {where}{_near(value, values)}: no row should match.")
    if len(odd) > MOST_TOLD:
        more = f"{name}: {len(odd) - MOST_TOLD} more are no {domain.column} of {domain.table} either."
        yield Note(NoteCode.UNKNOWN_VALUE, more)


def _values(domain: ColumnOf, catalog: Catalog, backend: Backend) -> tuple[object, ...]:
    """Values of a public column; empty if there are too many, or it can't be read now."""
    listed = column_values(domain, Reading(catalog, ""))
    rows = write_rows(listed, listed.fields, backend.target)
    with suppress(Refusal, ExecutionFailed):
        if backend.count(f"SELECT 1 AS one FROM ({rows}) AS l LIMIT {MOST_LOOKED_UP + 1}") <= MOST_LOOKED_UP:
            return backend.values(rows)
    return ()


def _near(value: object, values: Sequence[object]) -> str:
    """Suggest the intended value: equal but for case, else a similar one, else all values of a short list."""
    texts = sorted(each for each in values if isinstance(each, str))
    if isinstance(value, str):
        plain = value.strip().casefold()
        same = [each for each in texts if each.strip().casefold() == plain]
        if same or len(texts) <= MOST_COMPARED:
            found = same or get_close_matches(value, texts, n=1, cutoff=0.7)
            if (found and len(texts) > MOST_TOLD) or same:
                return f", which has {shown_value(found[0])}"
    return f", which has {', '.join(map(shown_value, texts))}" if 0 < len(texts) <= MOST_TOLD else ""


_MOST_NAMED = 12  # windows listed by name


def windows_told(prepared: Sequence[Prepared]) -> list[str]:
    """List the privacy windows that a query is charged to; a long list as first and last."""
    found = dict.fromkeys(window for each in prepared for window in each.plan.touched.windows)
    names = sorted(found)
    if len(names) <= _MOST_NAMED:
        return names
    return [f"{names[0]} to {names[-1]}, {len(names)} windows"]


def window_notes(prepared: Sequence[Prepared], *, free: bool = False) -> tuple[Note, ...]:
    """Describe the charged privacy windows, why there are so many, and the loss over a person's whole history."""
    return tuple(dict.fromkeys(note for each in prepared for note in _notes(each, free)))


def _notes(prepared: Prepared, free: bool) -> Iterator[Note]:
    touched = prepared.plan.touched
    if touched.windows == (str(Window.FOREVER),):
        return
    charged = f"{'Paid for already' if free else 'Charged in full'}: {_listed(touched.windows)}."
    yield Note(NoteCode.WINDOWS, charged)
    if touched.every and not free:
        yield Note(NoteCode.ALL_WINDOWS, "Without a condition on time all declared privacy windows are charged.")
    if touched.derived:
        more = "" if free else ", charged too"
        yield Note(NoteCode.DERIVED_WINDOWS, f"Some columns were computed from {_listed(touched.derived)}{more}.")
    if touched.crossing:
        yield Note(
            NoteCode.CROSSING_WINDOWS,
            "Rows of one privacy window may decide what counts of another, so a person is bounded over all of them"
            " together, with more noise. A join or GROUP BY on the date as well keeps them apart.",
        )
    if len(touched.windows) > 1:
        yield Note(NoteCode.WHOLE_PERSON, _whole_person(touched, float(prepared.cost.loss.rho)))


def _whole_person(touched: Touched, rho: float) -> str:
    windows = len(touched.windows)
    times = 1 if touched.crossing else windows if touched.keyed else windows * windows
    return f"Over one person's {windows} privacy windows together this release is at most rho {times * rho:.4g}."


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMED:
        return ", ".join(names)
    return f"{names[0]} to {names[-1]}, {len(names)} windows"
