"""Ties: notes on orders in which rows of one person may be equal, so that a hash breaks the tie.

Rows tie if an ORDER BY does not decide between them. Peer rows are rows of one window partition that tie.
"""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra.expressions import Expr, Field, Ref, fields_of
from dialect.algebra.properties import Properties
from dialect.algebra.relations import (
    AggregateCall,
    Distinct,
    FrameUnit,
    Group,
    PerPerson,
    Relation,
    ReleasePoint,
    SetOperation,
    Window,
    WindowCall,
    walk_expressions,
)
from dialect.algebra.traversal import walk
from dialect.analysis.uniqueness import EXACT_TYPES, minimal_ordering_fields
from dialect.functions.aggregates import AGGREGATES, Order
from dialect.functions.window_functions import WINDOW_FUNCTIONS, DeterminedBy
from dialect.notes import Note, NoteCode

_NOTE = (
    "{} may find rows of one person that tie: a hash of the person and the row decides between them, evenly. ORDER BY"
    " more columns to decide it yourself."
)
_MODE_NOTE = (
    "MODE may find several values of one person equally often: a hash of the person and the value decides between"
    " them, evenly."
)


def breaks_ties_by_hash(measure: AggregateCall) -> bool:
    """Return whether an aggregate breaks ties by a hash of the person and the row; MODE, of the value.

    LIST and STRING_AGG do only with an ORDER BY, and MODE only without one.
    """
    return AGGREGATES[measure.function].breaks_ties(bool(measure.sort_directions))


def depends_on_peer_order(call: WindowCall) -> bool:
    """Return whether the result of a window function can depend on the order of peer rows.

    It can if it takes a position or a row of the frame, and for aggregates only with a ROWS frame, as other frames
    contain all peers or none.
    """
    if call.function in WINDOW_FUNCTIONS:
        return WINDOW_FUNCTIONS[call.function].determined_by is not DeterminedBy.PEERS
    return has_rows_frame(call)


def peer_columns(call: WindowCall) -> list[Field]:
    """Return the plain columns of the PARTITION BY and ORDER BY: they have one value in all peer rows."""
    exprs = (*call.partition, *(key.expr for key in call.order))
    return [expr.field for expr in exprs if isinstance(expr, Ref) and expr.field.type in EXACT_TYPES]


def has_rows_frame(call: WindowCall) -> bool:
    """Return whether a window function has a ROWS frame."""
    return call.frame is not None and call.frame.unit is FrameUnit.ROWS


def tie_notes(relation: Relation, sql: str, known: Properties) -> tuple[Note, ...]:
    """Return notes on functions whose visible result may depend on ties among one person's rows.

    Decided by the SQL text and the catalog alone. Functions that the query does not name, such as those that derive
    stays and homes, get no note.
    """
    rows = [each for each in walk(relation) if isinstance(_source(each), PerPerson)]
    if not any(isinstance(each.operator, Window | Group) for each in rows):
        return ()
    read = _fields_read(relation)
    functions = dict.fromkeys(function for each in rows for function in _tie_prone_functions(each, read, known))
    named = [each for each in functions if any(word in sql.lower() for word in (each, *_other_names(each)))]
    by_frequency = [each for each in named if each in AGGREGATES and AGGREGATES[each].order is Order.BY_FREQUENCY]
    ordered = [each.upper() for each in named if each not in by_frequency]
    notes = (Note(NoteCode.TIES, _NOTE.format(", ".join(ordered))),) if ordered else ()
    return (*notes, Note(NoteCode.TIES, _MODE_NOTE)) if by_frequency else notes


def _other_names(function: str) -> tuple[str, ...]:
    """Return the other names of an aggregate; none of a window function."""
    return AGGREGATES[function].other_names if function in AGGREGATES else ()


def _source(relation: Relation) -> Relation | None:
    """Return the source of an operator with a single source; None for other operators."""
    return getattr(relation.operator, "source", None)


def _fields_read(relation: Relation) -> frozenset[Field]:
    """Collect the fields that any operator reads. Other fields cannot reveal which of two tied rows came first."""
    read = {f for expr in walk_expressions(relation) for f in fields_of(expr)} | set(relation.fields)
    for each in walk(relation):
        operator = each.operator
        if isinstance(operator, Group | Distinct | ReleasePoint):
            read |= set(operator.keys)
        elif isinstance(operator, SetOperation):
            read |= {f for columns in operator.columns for f in columns}
    return frozenset(read)


def _tie_prone_functions(relation: Relation, read: frozenset[Field], known: Properties) -> Iterator[str]:
    """Yield the names of the functions of one operator that may encounter ties.

    `read` are the fields that any operator reads.
    """
    operator = relation.operator
    if isinstance(operator, Window) and isinstance(operator.source, PerPerson):
        source = operator.source
        yield from (
            call.function
            for call in operator.calls
            if depends_on_peer_order(call) and _may_tie(source, call, read, known)
        )
    elif isinstance(operator, Group) and isinstance(operator.source, PerPerson):
        for measure in operator.aggregates:
            if breaks_ties_by_hash(measure) and _may_differ(operator.source, operator.keys, measure, known):
                yield measure.function


def _may_tie(source: PerPerson, call: WindowCall, read: frozenset[Field], known: Properties) -> bool:
    """Return whether peer rows of a window function can differ in a field that is read.

    They cannot if the person and the ordering columns determine all of these: no field is left to order by.
    """
    seen = {f for f in source.fields if f in read}
    return bool(minimal_ordering_fields(source, known, (source.person, *peer_columns(call)), seen))


def _may_differ(source: PerPerson, keys: tuple[Field, ...], measure: AggregateCall, known: Properties) -> bool:
    """Return whether rows that are tied in an ordered aggregate can differ in the aggregated value."""
    value, order = measure.arguments[0], measure.arguments[1:]
    if value in order:
        return False
    fixed = (source.person, *keys, *_plain_fields(order))
    return bool(minimal_ordering_fields(source, known, fixed, {f for f in fields_of(value) if f in source.fields}))


def _plain_fields(exprs: tuple[Expr, ...]) -> list[Field]:
    """Return the fields of the expressions that are plain columns."""
    return [expr.field for expr in exprs if isinstance(expr, Ref)]
