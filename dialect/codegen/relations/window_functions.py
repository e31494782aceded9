"""Window functions as SQL: total forms over totally ordered rows, the same in every run.

A call may distinguish rows that its own ORDER BY leaves equal, so further columns are appended until the order is
total. Of a person's rows, columns that nothing reads or that earlier columns determine are left out. Proof:
`dialect/codegen/proofs.md#windows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dialect.algebra.expressions import Field, fields_of
from dialect.algebra.relations import (
    Frame,
    FrameEnd,
    OrderKey,
    PerPerson,
    Relation,
    Released,
    Window,
    WindowCall,
    read_by,
)
from dialect.algebra.target import Target
from dialect.analysis.functional_dependencies import told_by_fewest
from dialect.analysis.ties import by_rows, equal_by_order, tells_apart
from dialect.catalog.model import EngineName, SqlType
from dialect.codegen.engine_syntax import words
from dialect.codegen.relations.values import select_list
from dialect.codegen.spark.window_functions import window_in_spark
from dialect.functions.aggregates import AGGREGATES, fixed_point_grain, inside_sql, over_sql
from dialect.functions.emitter import quote, write_expr, write_term
from dialect.functions.scalar.time import EARLIEST, LATEST
from dialect.functions.tie_order import TieOrder
from dialect.functions.window_functions import WINDOW_FUNCTIONS, RestsOn

PLACE = "place"  # column with a row's unique position, the last term of a total order
BEGUN = "hash_of_person"  # column with the hash state after the person key
_HASH = "hash_of_{}"  # column with the hash of another column

# sort keys of frames with value offsets, in a type in which no offset overflows
_DISTANT = {
    SqlType.BIGINT: "CAST({} AS HUGEINT)",
    SqlType.TIMESTAMP: "CASE WHEN {0} BETWEEN " + f"TIMESTAMP '{EARLIEST}' AND TIMESTAMP '{LATEST}' THEN {{0}} END",
}


def ends_in_place(call: WindowCall) -> bool:
    """Return whether a call breaks ties at the end of its own ORDER BY, not within each frame."""
    made_of_peers = call.function in WINDOW_FUNCTIONS and WINDOW_FUNCTIONS[call.function].rests_on is RestsOn.FRAME
    return not made_of_peers or by_rows(call)


def hashed_row(source: Relation, row: Sequence[Field], rows: str, engine: EngineName) -> tuple[str, list[str]]:
    """Add tie-breaking hashes to a person's rows; also return the terms of the resulting total order.

    Rows without a person are ordered by their columns directly.
    """
    if not isinstance(source, PerPerson):
        return rows, [f.id for f in row]
    ties = TieOrder(source.person, engine, begun=BEGUN)
    hashes = {f: ties.hashed(f.id, f.type) for f in row if f != source.person}
    made = [f"{text} AS {_HASH.format(f.id)}" for f, text in hashes.items() if text is not None]
    terms = [term for f in row for term in ([_HASH.format(f.id), f.id] if hashes.get(f) is not None else [f.id])]
    if not made:
        return rows, terms
    return f"SELECT *, {ties.of_person()} AS {BEGUN}, {', '.join(made)} FROM ({rows}) AS h", terms


def place_of(source: Relation, ties: Sequence[str], nulls: str = "") -> str:
    """Write a row's position among its person's rows, or among all rows; identical rows are interchangeable.

    `nulls_last` is the suffix of ORDER BY terms in engines in which NULLs do not stand last by default.
    """
    by = f"PARTITION BY {source.person.id} " if isinstance(source, PerPerson) else ""
    return f"row_number() OVER ({by}ORDER BY {', '.join(term + nulls for term in ties)})"


def write_call(call: WindowCall, source: Relation, ties: Sequence[str] = (PLACE,)) -> str:
    """Write a window call; `ties` are the terms that make its order total, by default the row's position."""
    arguments = [write_expr(argument) for argument in call.arguments]
    condition = None if call.condition is None else write_expr(call.condition)
    terms = [_term(key, call.frame) for key in call.order]
    if call.function in WINDOW_FUNCTIONS:
        return _own(call, arguments, terms, ties)
    aggregate, types = AGGREGATES[call.function], [argument.type for argument in call.arguments]
    over = " " + _over(call, [*terms, *ties] if by_rows(call) else terms)
    if isinstance(source, Released):
        return over_sql(aggregate, arguments, types, condition, over)
    grain = fixed_point_grain(call.arguments[0]) if arguments else 1
    return inside_sql(aggregate, arguments, types, condition, grain, over)


def _own(call: WindowCall, arguments: Sequence[str], terms: list[str], ties: Sequence[str]) -> str:
    """Write a window function that is not an aggregate; ties within a frame are broken by `ties`, peers stay peers."""
    rests_on = WINDOW_FUNCTIONS[call.function].rests_on
    nulls = " IGNORE NULLS" if call.ignore_nulls else ""
    if rests_on is RestsOn.FRAME and not by_rows(call):
        within = f"{', '.join(arguments)} ORDER BY {', '.join([*terms, *ties])}{nulls}"
        return f"{call.function}({within}) {_over(call, terms)}"
    placed = terms if rests_on is RestsOn.PEERS else [*terms, *ties]
    return f"{call.function}({', '.join(arguments)}{nulls}) {_over(call, placed)}"


def _over(call: WindowCall, terms: Sequence[str]) -> str:
    parts = [f"PARTITION BY {', '.join(write_expr(part) for part in call.partition)}"] if call.partition else []
    parts += [f"ORDER BY {', '.join(terms)}"] if terms else []
    parts += [_frame(call.frame, call.order)] if call.frame is not None else []
    return f"OVER ({' '.join(parts)})"


def _term(key: OrderKey, frame: Frame | None) -> str:
    if frame is None or not frame.is_distant:
        return write_term(key.expr, key.descending, key.nulls_first)
    written = write_expr(key.expr)
    term = write_term(key.expr, key.descending, key.nulls_first)
    return _DISTANT.get(key.expr.type, "{0}").format(written) + term[len(written) :]


def _frame(frame: Frame, order: Sequence[OrderKey]) -> str:
    wide = frame.is_distant and order[0].expr.type is SqlType.BIGINT
    return f"{frame.unit} BETWEEN {_end(frame.start, wide)} AND {_end(frame.end, wide)}"


def _end(end: FrameEnd, wide: bool) -> str:
    if end.side == "current row":
        return "CURRENT ROW"
    offset = "UNBOUNDED" if end.offset is None else quote(end.offset)
    if end.offset is not None and wide:
        offset = f"CAST({offset} AS HUGEINT)"
    return f"{offset} {end.side.upper()}"


_Write = Callable[[Relation, Iterable[Field], Target], str]
_FEW = 3  # columns of a tie-breaking order up to which each call repeats them


@dataclass(frozen=True)
class _Order:
    """Columns that make an order total, and whether calls order by them or by a row number computed from them."""

    row: Sequence[Field]
    placed: bool


def write_windows(window: Window, needed: frozenset[Field], target: Target, write: _Write) -> str:
    """Write window calls over rows with a total order: by a row number, or by the calls' own common order."""
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
    """Choose the tie-breaking columns of calls; calls with one common order sort by it once, without a row number."""
    if not telling:
        return _Order((), placed=False)
    one = {(call.partition, call.order) for call in telling}
    if target.engine is EngineName.DUCKDB and len(one) == 1 and all(map(ends_in_place, telling)):
        row = _row(source, read, equal_by_order(telling[0]))
        if len(row) <= _FEW:
            return _Order(row, placed=False)
    return _Order(_row(source, read), placed=True)


def _row(source: Relation, read: frozenset[Field], known: Sequence[Field] = ()) -> list[Field]:
    """Choose the fields of a total order of rows: for a person's rows, those that determine the fields read."""
    if not isinstance(source, PerPerson):
        return told_by_fewest(source) or list(source.fields[:1])
    return told_by_fewest(source, (source.person, *known), read) or [source.person]
