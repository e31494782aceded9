"""Ties: notes on orders in which rows of one person may be equal, so that a hash breaks the tie."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra.expressions import Expr, Field, Ref, fields_of
from dialect.algebra.relations import (
    Boundary,
    Distinct,
    Group,
    Measure,
    PerPerson,
    Relation,
    SetOperation,
    Unit,
    Window,
    WindowCall,
)
from dialect.algebra.traversal import all_below, expressions_of
from dialect.analysis.functional_dependencies import told_by_fewest
from dialect.analysis.uniqueness import EXACT_TYPES
from dialect.functions.window_functions import WINDOW_FUNCTIONS, RestsOn
from dialect.notes import Note, NoteCode

_NOTE = (
    "{} may find rows of one person that tie: a hash of the person and the row decides between them, evenly. ORDER BY"
    " more columns to decide it yourself."
)
_OF_VALUES = (
    "MODE may find several values of one person equally often: a hash of the person and the value decides between"
    " them, evenly."
)


_TIED = {"arg_min", "arg_max", "first", "last"}
_TIED_IN_ORDER = {"list", "string_agg"}  # only with an ORDER BY


def told_apart_by_hash(measure: Measure) -> bool:
    """Return whether an aggregate breaks ties by a hash of the person and the row; MODE, of the value."""
    if measure.function == "mode":
        return not measure.directions
    return measure.function in _TIED or (measure.function in _TIED_IN_ORDER and bool(measure.directions))


def tells_apart(call: WindowCall) -> bool:
    """Return whether the result of a window function can depend on the order of peer rows."""
    if call.function in WINDOW_FUNCTIONS:
        return WINDOW_FUNCTIONS[call.function].rests_on is not RestsOn.PEERS
    return by_rows(call)


def equal_by_order(call: WindowCall) -> list[Field]:
    """Plain columns of the PARTITION BY and ORDER BY: they have one value in all peer rows."""
    exprs = (*call.partition, *(key.expr for key in call.order))
    return [expr.field for expr in exprs if isinstance(expr, Ref) and expr.field.type in EXACT_TYPES]


def by_rows(call: WindowCall) -> bool:
    """Return whether a window function has a ROWS frame."""
    return call.frame is not None and call.frame.unit is Unit.ROWS


_ALSO = {"arg_min": ("argmin", "min_by"), "arg_max": ("argmax", "max_by"), "string_agg": ("listagg", "group_concat")}


def tie_notes(relation: Relation, sql: str) -> tuple[Note, ...]:
    """Return notes on functions whose visible result may depend on ties among one person's rows.

    Decided by the SQL text and the catalog alone. Functions that the query does not name, such as those that derive
    stays and homes, get no note.
    """
    rows = [each for each in all_below(relation) if isinstance(_source(each), PerPerson)]
    if not any(isinstance(each.operator, Window | Group) for each in rows):
        return ()
    read = _read(relation)
    tied = dict.fromkeys(function for each in rows for function in _tied(each, read))
    asked = [each for each in tied if any(word in sql.lower() for word in (each, *_ALSO.get(each, ())))]
    told = [each.upper() for each in asked if each != "mode"]
    notes = (Note(NoteCode.TIES, _NOTE.format(", ".join(told))),) if told else ()
    return (*notes, Note(NoteCode.TIES, _OF_VALUES)) if "mode" in asked else notes


def _source(relation: Relation) -> Relation | None:
    return getattr(relation.operator, "source", None)


def _read(relation: Relation) -> frozenset[Field]:
    """Fields that any operator reads. Other fields cannot reveal which of two tied rows came first."""
    read = {f for expr in expressions_of(relation) for f in fields_of(expr)} | set(relation.fields)
    for each in all_below(relation):
        operator = each.operator
        if isinstance(operator, Group | Distinct | Boundary):
            read |= set(operator.keys)
        elif isinstance(operator, SetOperation):
            read |= {f for columns in operator.columns for f in columns}
    return frozenset(read)


def _tied(relation: Relation, read: frozenset[Field]) -> Iterator[str]:
    """Names of the functions of one operator that may encounter ties."""
    operator = relation.operator
    if isinstance(operator, Window) and isinstance(operator.source, PerPerson):
        source = operator.source
        yield from (call.function for call in operator.calls if tells_apart(call) and _ties(source, call, read))
    elif isinstance(operator, Group) and isinstance(operator.source, PerPerson):
        for measure in operator.measures:
            if told_apart_by_hash(measure) and _differs(operator.source, operator.keys, measure):
                yield measure.function


def _ties(source: PerPerson, call: WindowCall, read: frozenset[Field]) -> bool:
    """Return whether peer rows of a window function can differ in a field that is read."""
    seen = {f for f in source.fields if f in read}
    return bool(told_by_fewest(source, (source.person, *equal_by_order(call)), seen))


def _differs(source: PerPerson, keys: tuple[Field, ...], measure: Measure) -> bool:
    """Return whether rows that are tied in an ordered aggregate can differ in the aggregated value."""
    value, order = measure.arguments[0], measure.arguments[1:]
    if value in order:
        return False
    known = (source.person, *keys, *_fields(order))
    return bool(told_by_fewest(source, known, {f for f in fields_of(value) if f in source.fields}))


def _fields(exprs: tuple[Expr, ...]) -> list[Field]:
    return [expr.field for expr in exprs if isinstance(expr, Ref)]
