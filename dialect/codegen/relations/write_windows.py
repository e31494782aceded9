"""Window -> SELECT: rows in a total order, where calls may tell rows apart that their own order leaves equal.

Of a person's rows no column ends the order that nothing reads, nor one that earlier ones tell (`proofs.md#windows`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dialect.algebra.expressions import Field, fields_of
from dialect.algebra.relations import PerPerson, Relation
from dialect.algebra.target import Target
from dialect.algebra.window import Window, WindowCall, read_by
from dialect.analysis.functional_dependencies import told_by_fewest
from dialect.analysis.tie_notes import equal_by_order, tells_apart
from dialect.catalog.engine_name import EngineName
from dialect.codegen.engines import words
from dialect.codegen.relations.values import select_list
from dialect.codegen.relations.write_window import PLACE, ends_in_place, hashed_row, place_of, write_call
from dialect.codegen.spark.window_functions import window_in_spark

_Write = Callable[[Relation, Iterable[Field], Target], str]
_FEW = 3  # columns that each call may repeat


@dataclass(frozen=True)
class _Order:
    """The columns that tell rows apart, and whether calls end in them or in a place that is made of them first."""

    row: Sequence[Field]
    placed: bool


def write_windows(window: Window, needed: frozenset[Field], target: Target, write: _Write) -> str:
    """Write windows over rows that have a place of their own, or whose calls' one order tells them apart."""
    calls, held = [call for call in window.calls if call.field in needed], set(window.source.fields)
    read = (needed | {f for call in calls for expr in read_by(call) for f in fields_of(expr)}) & held
    order = _order(window.source, [call for call in calls if tells_apart(call)], read, target)
    person = {window.source.person} if order.row and isinstance(window.source, PerPerson) else set()
    source = write(window.source, read | set(order.row) | person, target)
    source, ties = hashed_row(window.source, order.row, source, target.engine)
    if order.placed:
        place = place_of(window.source, ties, words(target).nulls)
        source, ties = f"SELECT *, {place} AS {PLACE} FROM ({source}) AS w", [PLACE]
    columns = [f.id for f in window.source.fields if f in needed]
    columns += [f"{_written(call, window.source, target, ties)} AS {call.field.id}" for call in calls]
    return f"SELECT {select_list(columns)} FROM ({source}) AS w"


def _written(call: WindowCall, source: Relation, target: Target, ties: Sequence[str]) -> str:
    if target.engine is EngineName.SPARK:
        return window_in_spark(call, source)
    return write_call(call, source, ties)


def _order(source: Relation, telling: Sequence[WindowCall], read: frozenset[Field], target: Target) -> _Order:
    """Find what tells rows apart for some calls, who may all have one order, which is then sorted once."""
    if not telling:
        return _Order((), placed=False)
    one = {(call.partition, call.order) for call in telling}
    if target.engine is EngineName.DUCKDB and len(one) == 1 and all(map(ends_in_place, telling)):
        row = _row(source, read, equal_by_order(telling[0]))
        if len(row) <= _FEW:
            return _Order(row, placed=False)
    return _Order(_row(source, read), placed=True)


def _row(source: Relation, read: frozenset[Field], known: Sequence[Field] = ()) -> list[Field]:
    """List the fields by which rows are placed: of a person's, those that tell what is read of them."""
    if not isinstance(source, PerPerson):
        return told_by_fewest(source) or list(source.fields[:1])
    return told_by_fewest(source, (source.person, *known), read) or [source.person]
