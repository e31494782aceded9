"""A private source -> the windows that its release is charged to (`proofs.md#charged-windows`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dialect.algebra.expressions import Field, Ref, fields_of
from dialect.algebra.relation_parts import all_below
from dialect.algebra.relations import Cut, Distinct, Group, PerPerson, Relation, Scan
from dialect.algebra.touched import Touched
from dialect.analysis.sql_size import expressions_below
from dialect.catalog.admission import kept_stretch
from dialect.catalog.catalog import Dataset
from dialect.catalog.privacy_windows import STATIC, window_name
from dialect.parser.context import Reading
from dialect.planner.person_windows import Walk
from dialect.planner.timed_scans import Rows
from dialect.stability.own_time import tells_window


def charged_windows(
    source: PerPerson, keys: Sequence[Field], read: Iterable[Field], reading: Reading
) -> tuple[PerPerson, Touched]:
    """Find the windows of a release, and read no others.

    Claim: data without one person's rows of a window that is not charged give the same rows; without those of one that
    is charged, the same rows but for that person's of that window, unless the release crosses. Needs: `keys`,
    those of the groups, and `read`, what else of the source is read. Raises: nothing. Proof: proofs.md#charged-windows
    """
    dataset = reading.catalog.dataset(source.dataset)
    stretch = kept_stretch(reading.catalog, dataset)
    if stretch is None:
        return source, Touched(dataset.windows)
    rows = Walk(stretch, reading).rows(source)
    assert isinstance(rows.relation, PerPerson)  # noqa: S101  rewriting keeps the kind
    derived = frozenset(_derived_from(source, (*keys, *read), reading))
    touched = _touched(rows, derived, dataset)
    if touched.window is not None:
        clocks = (*rows.clocks, touched.window)
        touched = replace(touched, keyed=any(tells_window(Ref(key), clocks, dataset.window) for key in keys))
    return _cut_over_all(rows.relation) if touched.crossing else rows.relation, touched


def _cut_over_all(source: PerPerson) -> PerPerson:
    """Let a question's own limit of rows be that of a person, where a person is bounded over all windows."""
    operator = source.operator
    return replace(source, operator=replace(operator, window=None)) if isinstance(operator, Cut) else source


def _touched(rows: Rows, derived: frozenset[str], dataset: Dataset) -> Touched:
    assert dataset.stretch is not None  # noqa: S101  the caller asks
    own = {window_name(dataset.stretch.window, begin) for begin in rows.begins}
    together = own | derived
    together |= _static(rows)
    windows = tuple(name for name in (*dataset.windows, STATIC) if name in together)
    apart = rows.unit is not None or not rows.begins
    crossing = not apart or (bool(derived) and len(windows) > 1)
    return Touched(
        windows, crossing, rows.unit if len(own) > 1 and not crossing else None,
        every=len(own) == len(dataset.windows) > 1,
        derived=tuple(name for name in dataset.windows if name in derived),
    )  # fmt: skip


def _static(rows: Rows) -> frozenset[str]:
    """Charge the rows of tables without time where one can count with none of a window beside it."""
    return frozenset() if rows.needed else frozenset({STATIC})


def _derived_from(source: PerPerson, read: Iterable[Field], reading: Reading) -> Iterator[str]:
    """Name the windows that the tables below, or columns that decide something, were computed from."""
    for field in {*read, *_deciding(source)}:
        found = None if field.origin is None else reading.catalog.column(field.origin.table, field.origin.column)
        yield from () if found is None else found.from_windows
    for relation in all_below(source):
        if isinstance(relation.operator, Scan):
            yield from relation.operator.table.from_windows


def _deciding(source: Relation) -> Iterator[Field]:
    """Walk the fields that some operator looks at, and all that it tells rows apart by."""
    for expr in expressions_below(source):
        yield from fields_of(expr)
    for relation in all_below(source):
        operator = relation.operator
        if isinstance(operator, Group | Distinct):
            yield from operator.keys
        elif isinstance(operator, Cut):
            yield from operator.source.fields
