"""Notes of a query: constants missing from a column's public table, and the privacy windows it is charged to.

Only public tables are read: neighbouring datasets get the same notes. Windows: `proofs.md#windows`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from dialect import Catalog, Question, Refusal
from dialect.algebra import ChargedWindows, Note, NoteCode
from dialect.analysis import format_value, public_lookup_constants
from dialect.catalog import STATIC, ColumnValues, PrivacyWindow
from dialect.codegen.relations import write_rows
from dialect.diagnostics import near_names
from dialect.parser import CompileContext
from dialect.planner.keys import column_values
from engine.backends.protocol import Backend
from engine.errors import ExecutionFailed
from engine.pricing.compile_release import CompiledRelease

MAX_PUBLIC_VALUES = 100_000  # values of one table
MAX_LISTED_VALUES = 8
MAX_COMPARED_VALUES = 2_000  # values searched for a similar one


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
    if isinstance(value, str):
        plain = value.strip().casefold()
        equal_ignoring_case = [each for each in texts if each.strip().casefold() == plain]
        if equal_ignoring_case or len(texts) <= MAX_COMPARED_VALUES:
            similar = equal_ignoring_case or near_names(value, texts, min_similarity=0.7)
            if (similar and len(texts) > MAX_LISTED_VALUES) or equal_ignoring_case:
                return f", which has {format_value(similar[0])}"
    return f", which has {', '.join(map(format_value, texts))}" if 0 < len(texts) <= MAX_LISTED_VALUES else ""


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
