"""Window functions as SQL: total forms over totally ordered rows, the same in every run.

A call may distinguish rows that its own ORDER BY leaves equal, so further columns are appended until the order is
total. Of a person's rows, columns that nothing reads or that earlier columns determine are left out. Proof:
`dialect/codegen/proofs.md#windows`. Terms:

    peers       rows that a call's ORDER BY leaves equal
    ties        ORDER BY terms that distinguish peers: tie-breaking hashes and columns, or the position
    position    column `row_rank`: a row number by the ties, unique among a person's rows
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Field, fields_of
from dialect.algebra.properties import Properties
from dialect.algebra.relations import PerPerson, Relation, Window, WindowCall, call_expressions, has_rows_frame
from dialect.analysis.lints import depends_on_peer_order, peer_columns
from dialect.analysis.uniqueness import minimal_ordering_fields
from dialect.codegen.engines.dialects import ENGINE_DIALECTS, EngineDialect
from dialect.functions.emitter import NO_COLUMN
from dialect.functions.tie_order import TieOrder
from dialect.functions.window_functions import WINDOW_FUNCTIONS, DeterminedBy

POSITION = "row_rank"  # column with a row's unique position, the last term of a total order
PERSON_HASH = "person_hash"  # column with the hash state after the person key
_HASH_COLUMN = "{}_hash"  # column with the hash of another column


def breaks_ties_last(call: WindowCall) -> bool:
    """Return whether a call breaks ties at the end of its own ORDER BY, not within each frame.

    Functions that choose a row of the frame break them there, unless the frame is of ROWS: further terms of the
    window's ORDER BY would split peers, and so change frames of RANGE and GROUPS.
    """
    is_chosen_in_frame = (
        call.function in WINDOW_FUNCTIONS and WINDOW_FUNCTIONS[call.function].determined_by is DeterminedBy.FRAME
    )
    return not is_chosen_in_frame or has_rows_frame(call)


def with_tie_hashes(
    source: Relation, order_fields: Sequence[Field], rows: str, dialect: EngineDialect
) -> tuple[str, list[str]]:
    """Add tie-breaking hashes to a person's rows; also return the terms of the resulting total order.

    Each field is preceded by its hash, where its type has one: the order then differs from person to person. Rows
    without a person are ordered by their columns directly.
    """
    if not isinstance(source, PerPerson):
        return rows, [f.id for f in order_fields]
    ties = TieOrder(source.person, dialect.emitter.tie_hash, person_state=PERSON_HASH)
    hashes = {f: ties.hash_of(f.id, f.type) for f in order_fields if f != source.person}
    hash_columns = [f"{text} AS {_HASH_COLUMN.format(f.id)}" for f, text in hashes.items() if text is not None]
    order_terms = [
        term
        for f in order_fields
        for term in ([_HASH_COLUMN.format(f.id), f.id] if hashes.get(f) is not None else [f.id])
    ]
    if not hash_columns:
        return rows, order_terms
    return (
        f"SELECT *, {ties.hash_of_person()} AS {PERSON_HASH}, {', '.join(hash_columns)} FROM ({rows}) AS h",
        order_terms,
    )


def position_sql(source: Relation, ties: Sequence[str], nulls_last: str = "") -> str:
    """Write a row's position among its person's rows, or among all rows; identical rows are interchangeable.

    `nulls_last` is the suffix of ORDER BY terms in engines in which NULLs do not stand last by default.
    """
    partition = f"PARTITION BY {source.person.id} " if isinstance(source, PerPerson) else ""
    return f"row_number() OVER ({partition}ORDER BY {', '.join(term + nulls_last for term in ties)})"


_Write = Callable[[Relation, Iterable[Field], Target], str]
_MAX_REPEATED_COLUMNS = 3  # columns of a tie-breaking order up to which each call repeats them


@dataclass(frozen=True)
class _TotalOrder:
    """Columns that make an order total, and whether calls order by them or by a row number computed from them."""

    fields: Sequence[Field]
    uses_position: bool


def write_windows(window: Window, needed: frozenset[Field], target: Target, write: _Write) -> str:
    """Write window calls over rows with a total order: by a row number, or by the calls' own common order.

    Columns that break ties, and the person, are read from the source even if nothing else needs them.
    """
    dialect = ENGINE_DIALECTS[target.engine]
    calls, source_fields = [call for call in window.calls if call.result in needed], set(window.source.fields)
    read_fields = (
        needed | {f for call in calls for expr in call_expressions(call) for f in fields_of(expr)}
    ) & source_fields
    order = _total_order(window.source, [call for call in calls if depends_on_peer_order(call)], read_fields, target)
    person = {window.source.person} if order.fields and isinstance(window.source, PerPerson) else set()
    source = write(window.source, read_fields | set(order.fields) | person, target)
    source, ties = with_tie_hashes(window.source, order.fields, source, dialect)
    if order.uses_position:
        position = position_sql(window.source, ties, dialect.nulls_last)
        source, ties = f"SELECT *, {position} AS {POSITION} FROM ({source}) AS w", [POSITION]
    columns = [f.id for f in window.source.fields if f in needed]
    columns += [f"{dialect.window_call(call, window.source, ties)} AS {call.result.id}" for call in calls]
    return f"SELECT {', '.join(columns) or NO_COLUMN} FROM ({source}) AS w"


def _total_order(
    source: Relation, order_sensitive: Sequence[WindowCall], read: frozenset[Field], target: Target
) -> _TotalOrder:
    """Choose the tie-breaking columns of calls; calls with one common order sort by it once, without a row number.

    `order_sensitive` are the calls that distinguish peers, `read` the fields that calls and the result read. Spark,
    several orders, and many tie-breaking columns use a row number (`row_rank`).
    """
    if not order_sensitive:
        return _TotalOrder((), uses_position=False)
    has_one_order = len({(call.partition, call.order) for call in order_sensitive}) == 1
    may_order_by_columns = ENGINE_DIALECTS[target.engine].orders_windows_by_columns and has_one_order
    if may_order_by_columns and all(map(breaks_ties_last, order_sensitive)):
        fields = _ordering_fields(source, read, peer_columns(order_sensitive[0]))
        if len(fields) <= _MAX_REPEATED_COLUMNS:
            return _TotalOrder(fields, uses_position=False)
    return _TotalOrder(_ordering_fields(source, read), uses_position=True)


def _ordering_fields(source: Relation, read: frozenset[Field], tied_fields: Sequence[Field] = ()) -> list[Field]:
    """Choose the fields of a total order of rows: for a person's rows, those that determine the fields read."""
    if not isinstance(source, PerPerson):
        return minimal_ordering_fields(source, Properties()) or list(source.fields[:1])
    return minimal_ordering_fields(source, Properties(), (source.person, *tied_fields), read) or [source.person]
