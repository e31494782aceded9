"""One window call -> SQL for DuckDB, in total forms, the same in every run (`proofs.md#windows`)."""

from __future__ import annotations

from collections.abc import Sequence

from dialect.algebra.directions import OrderKey
from dialect.algebra.expressions import Field
from dialect.algebra.relations import PerPerson, Relation, Released
from dialect.algebra.window import Frame, FrameEnd, WindowCall
from dialect.analysis.tie_notes import by_rows
from dialect.catalog.catalog import SqlType
from dialect.catalog.engine_name import EngineName
from dialect.functions.aggregates import AGGREGATES, fixed_point_grain, inside_sql, over_sql
from dialect.functions.scalar.functions_time import EARLIEST, LATEST
from dialect.functions.tie_order import TieOrder
from dialect.functions.window_functions import WINDOW_FUNCTIONS, RestsOn
from dialect.functions.write_expr import quote, write_expr, write_term

PLACE = "place"  # of a row: what ends an order in which no two rows may be equal
BEGUN = "hash_of_person"  # what the hashes of a row begin with
_HASH = "hash_of_{}"  # of a column

# what an order by distance is written over: no distance from a value leaves its type
_DISTANT = {
    SqlType.BIGINT: "CAST({} AS HUGEINT)",
    SqlType.TIMESTAMP: "CASE WHEN {0} BETWEEN " + f"TIMESTAMP '{EARLIEST}' AND TIMESTAMP '{LATEST}' THEN {{0}} END",
}


def ends_in_place(call: WindowCall) -> bool:
    """Tell whether the place, where it is looked at, is the end of the window's own order."""
    made_of_peers = call.function in WINDOW_FUNCTIONS and WINDOW_FUNCTIONS[call.function].rests_on is RestsOn.FRAME
    return not made_of_peers or by_rows(call)


def hashed_row(source: Relation, row: Sequence[Field], rows: str, engine: EngineName) -> tuple[str, list[str]]:
    """Put the hash of each of a person's columns beside it; give the rows, and what tells rows apart in its order.

    Of rows without a person columns are told apart by themselves.
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
    """Write a row's place among its person's, or among all, by all its columns: equal rows are interchangeable.

    `nulls` says where NULLs stand in an engine in which they do not stand last.
    """
    by = f"PARTITION BY {source.person.id} " if isinstance(source, PerPerson) else ""
    return f"row_number() OVER ({by}ORDER BY {', '.join(term + nulls for term in ties)})"


def write_call(call: WindowCall, source: Relation, ties: Sequence[str] = (PLACE,)) -> str:
    """Write a call with its window over rows that have a place where it needs one, or other ends of its order."""
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
    """Write a window function proper; among equal rows of a frame the place decides, while they stay equal."""
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
