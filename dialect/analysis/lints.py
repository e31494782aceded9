"""Lints: notes on predicates that no row satisfies, or that probably do not mean what was intended.

A lint is a function of a query, read from text and catalog alone; `LINTS` lists them, `lint` runs them.

A constant outside its declared domain: `gender = 'female'` where the domain has F and M; `day >= DATE '2027-01-01'`
where the range ends before.

A date compared with a timestamp, which means its midnight: `ts BETWEEN '2026-10-01' AND '2026-10-31'` ends when the
last day begins; `ts = '2026-10-10'` is true only at midnight.

A contradiction, by function ranges, declared bounds and the text itself: `hour(t) = 25`; `day >= DATE '2026-10-05'
AND day < DATE '2026-10-05'`.

A comparison with NULL: `place_id = NULL` is never true.

Conditions on time outside of every declared privacy window.

A comparison is the pair (operator, constant), with the column or expression on its left.

An order in which rows of one person may be equal, so that a hash breaks the tie. Rows tie if an ORDER BY does not
decide between them. Peer rows are rows of one window partition that tie.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import product

from dialect.algebra import relations as rel
from dialect.algebra.expressions import FLIPPED, Call, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.properties import Properties
from dialect.algebra.relations import walk_expressions
from dialect.algebra.traversal import walk
from dialect.analysis.uniqueness import EXACT_TYPES, minimal_ordering_fields
from dialect.catalog.model import Catalog, ColumnValues, SqlType, ValueList, ValueRange
from dialect.diagnostics.names import first_names
from dialect.functions.aggregates import AGGREGATES, Order
from dialect.functions.emitter import plain_text
from dialect.functions.literals import parse_timestamp
from dialect.functions.registry import range_of
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


def breaks_ties_by_hash(measure: rel.AggregateCall) -> bool:
    """Return whether an aggregate breaks ties by a hash of the person and the row; MODE, of the value.

    LIST and STRING_AGG do only with an ORDER BY, and MODE only without one.
    """
    return AGGREGATES[measure.function].breaks_ties(bool(measure.sort_directions))


def depends_on_peer_order(call: rel.WindowCall) -> bool:
    """Return whether the result of a window function can depend on the order of peer rows.

    It can if it takes a position or a row of the frame, and for aggregates only with a ROWS frame, as other frames
    contain all peers or none.
    """
    if call.function in WINDOW_FUNCTIONS:
        return WINDOW_FUNCTIONS[call.function].determined_by is not DeterminedBy.PEERS
    return rel.has_rows_frame(call)


def peer_columns(call: rel.WindowCall) -> list[Field]:
    """Return the plain columns of the PARTITION BY and ORDER BY: they have one value in all peer rows."""
    exprs = (*call.partition, *(key.expr for key in call.order))
    return [expr.field for expr in exprs if isinstance(expr, Ref) and expr.field.type in EXACT_TYPES]


def tie_notes(relation: rel.Relation, sql: str, known: Properties) -> tuple[Note, ...]:
    """Return notes on functions whose visible result may depend on ties among one person's rows.

    Decided by the SQL text and the catalog alone. Functions that the query does not name, such as those that derive
    stays and homes, get no note.
    """
    rows = [each for each in walk(relation) if isinstance(_source(each), rel.PerPerson)]
    if not any(isinstance(each.operator, rel.Window | rel.Group) for each in rows):
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


def _source(relation: rel.Relation) -> rel.Relation | None:
    """Return the source of an operator with a single source; None for other operators."""
    return getattr(relation.operator, "source", None)


def _fields_read(relation: rel.Relation) -> frozenset[Field]:
    """Collect the fields that any operator reads. Other fields cannot reveal which of two tied rows came first."""
    read = {f for expr in walk_expressions(relation) for f in fields_of(expr)} | set(relation.fields)
    for each in walk(relation):
        operator = each.operator
        if isinstance(operator, rel.Group | rel.Distinct | rel.ReleasePoint):
            read |= set(operator.keys)
        elif isinstance(operator, rel.SetOperation):
            read |= {f for columns in operator.columns for f in columns}
    return frozenset(read)


def _tie_prone_functions(relation: rel.Relation, read: frozenset[Field], known: Properties) -> Iterator[str]:
    """Yield the names of the functions of one operator that may encounter ties.

    `read` are the fields that any operator reads.
    """
    operator = relation.operator
    if isinstance(operator, rel.Window) and isinstance(operator.source, rel.PerPerson):
        source = operator.source
        yield from (
            call.function
            for call in operator.calls
            if depends_on_peer_order(call) and _may_tie(source, call, read, known)
        )
    elif isinstance(operator, rel.Group) and isinstance(operator.source, rel.PerPerson):
        for measure in operator.aggregates:
            if breaks_ties_by_hash(measure) and _may_differ(operator.source, operator.keys, measure, known):
                yield measure.function


def _may_tie(source: rel.PerPerson, call: rel.WindowCall, read: frozenset[Field], known: Properties) -> bool:
    """Return whether peer rows of a window function can differ in a field that is read.

    They cannot if the person and the ordering columns determine all of these: no field is left to order by.
    """
    seen = {f for f in source.fields if f in read}
    return bool(minimal_ordering_fields(source, known, (source.person, *peer_columns(call)), seen))


def _may_differ(source: rel.PerPerson, keys: tuple[Field, ...], measure: rel.AggregateCall, known: Properties) -> bool:
    """Return whether rows that are tied in an ordered aggregate can differ in the aggregated value."""
    value, order = measure.arguments[0], measure.arguments[1:]
    if value in order:
        return False
    fixed = (source.person, *keys, *[expr.field for expr in order if isinstance(expr, Ref)])
    return bool(minimal_ordering_fields(source, known, fixed, {f for f in fields_of(value) if f in source.fields}))


MAX_NOTES = 8
_MOMENTS = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)
_DATE_LITERAL = re.compile(r"'\s*(\d{4})-(\d\d?)-(\d\d?)\s*'", re.ASCII)
_TEXT = re.compile(r"'(?:[^']|'')*'")
_NULL_COMPARISON = re.compile(r"(==?|<>|!=) *NULL\b(?! *\))", re.IGNORECASE)
_NUMBER_OF_NAME = {"dayname": "isodow", "monthname": "month"}
_NAMES_NOTE = "ORDER BY {0}(...) sorts names as texts. Without ORDER BY they come by the calendar, as by {1}(...)."
_FLIPPED_AT_MIDNIGHT = {">=": "<=", "=": "=", "in": "in"}  # for a constant on the left


@dataclass(frozen=True)
class LintedQuery:
    """What lints read of a query."""

    relation: rel.Relation
    sql: str
    catalog: Catalog
    properties: Properties
    unreachable_tables: Mapping[str, tuple[str, str]]  # table outside its windows -> first and last declared window

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The calls of all its expressions, the innermost first."""
        return tuple(calls_of(self.relation))


def calls_of(part: object) -> Iterator[Call]:
    """Iterate over the calls of all expressions of a relation, or of a tuple of them, the innermost first."""
    return (call for expr in walk_expressions(part) for call in _calls(expr))


def _calls(expr: Expr) -> Iterator[Call]:
    """Iterate over the calls of an expression, the innermost first."""
    for part in expr.children:
        yield from _calls(part)
    if isinstance(expr, Call):
        yield expr


def midnights(query: LintedQuery) -> tuple[Note, ...]:
    """Note `<=`, `=` and IN between one timestamp column and a date, which compare with its midnight.

    Other operators are correct at midnight: `ts >= DATE` and `ts < DATE` split exactly at the beginning of the day.
    Only dates that the SQL writes without a time are noted; a written midnight is intended.
    """
    written = _DATE_LITERAL.findall(query.sql)
    date_texts = {f"{int(year):04}-{int(month):02}-{int(day):02}" for year, month, day in written}
    found: dict[Note, None] = {}
    for call in query.calls if date_texts else ():
        if len(call.arguments) < 2:
            continue
        sign = call.name if isinstance(call.arguments[0], Ref) else _FLIPPED_AT_MIDNIGHT.get(call.name)
        columns = [part.field for part in call.arguments if isinstance(part, Ref)]
        if sign not in ("<=", "=", "in") or len(columns) != 1 or columns[0].type not in _MOMENTS:
            continue
        days = [_midnight(part) for part in call.arguments if isinstance(part, Literal) and columns[0].origin]
        noted = [day for day in days if day is not None and day.isoformat() in date_texts]
        found |= dict.fromkeys(_midnight_note(columns[0].name or "a column", sign, day) for day in noted)
    return tuple(found)[:MAX_NOTES]


def _midnight(constant: Literal) -> date | None:
    """Return the date whose midnight a constant is; None for other constants."""
    if constant.type not in (SqlType.DATE, *_MOMENTS) or constant.value is None:
        return None
    try:
        at = parse_timestamp(str(constant.value))
    except ValueError:
        return None
    is_midnight = not (at.hour or at.minute or at.second or at.microsecond)
    return at.date() if is_midnight and at.date() < date.max else None


def _midnight_note(name: str, sign: str, day: date) -> Note:
    """Build the note on one comparison, with a predicate that covers the whole day."""
    after = day + timedelta(days=1)
    if sign == "<=":
        text = f"{name} <= '{day}' ends at midnight, when that day begins. For the whole day: {name} < '{after}'."
        return Note(NoteCode.MIDNIGHT, text)
    whole_day = f"{name} >= '{day}' AND {name} < '{after}'"
    return Note(NoteCode.MIDNIGHT, f"{name} = '{day}' matches midnight only. For the whole day: {whole_day}.")


def null_comparisons(query: LintedQuery) -> Iterator[Note]:
    """Note comparisons with a written NULL, which are never true."""
    if found := _NULL_COMPARISON.search(_TEXT.sub("''", query.sql)):
        test = "IS NULL" if found[1] in ("=", "==") else "IS NOT NULL"
        text = f"{found[0]} is never true, of NULL neither: {test} tests for a missing value."
        yield Note(NoteCode.FALSE_PREDICATE, text)


_LOWER_BOUNDS, _UPPER_BOUNDS = (">", ">=", "="), ("<", "<=", "=")
_EXCLUSIVE = ("<", ">")
_Comparison = tuple[str, Literal]  # comparison operator and constant


def contradictions(query: LintedQuery) -> Iterator[Note]:
    """Note values that a comparison, or two comparisons of one AND, can never satisfy."""
    for call in query.calls:
        yield from _contradictions(list(_comparisons(call)))


def _contradictions(comparisons: list[tuple[Expr, _Comparison]]) -> Iterator[Note]:
    """Yield notes on the values that some of these comparisons exclude; one per value."""
    for value in dict.fromkeys(value for value, _ in comparisons):
        of_value = [each for of, each in comparisons if of == value]
        beyond = next((each for each in of_value if _is_outside_range(value, each)), None)
        clash = next((pair for pair in product(of_value, of_value) if _are_disjoint(*pair)), None)
        if beyond is not None:
            within = range_of(value)
            ends = f"from {within.lower:g} to {within.upper:g}"
            yield Note(
                NoteCode.FALSE_PREDICATE, f"{plain_text(value)} is {ends}, and never {_comparison_text(beyond)}."
            )
        elif clash is not None:
            both = f"both {_comparison_text(clash[0])} and {_comparison_text(clash[1])}"
            yield Note(NoteCode.FALSE_PREDICATE, f"{plain_text(value)} is never {both}: no row matches.")


def _comparisons(expr: Call) -> Iterator[tuple[Expr, _Comparison]]:
    """Comparisons with constants in a single comparison or in the operands of an AND."""
    for value, sign, constant in (found for part in conjuncts(expr) for found in part.compared_constants):
        if not isinstance(value, Literal):
            yield value, (sign, constant)


def _is_outside_range(value: Expr, comparison: _Comparison) -> bool:
    """Return whether no value in the range of a function or a bounded column can satisfy a comparison."""
    within, at = range_of(value), _position(comparison[1])
    # a column without origin is computed: its range is inferred from rows that may be filtered
    if not isinstance(at, float) or not within.is_finite or (isinstance(value, Ref) and value.field.origin is None):
        return False
    return _exceeds((">=", float(within.lower)), (comparison[0], at)) or _exceeds(
        (comparison[0], at), ("<=", float(within.upper))
    )


def _are_disjoint(one: _Comparison, other: _Comparison) -> bool:
    """Return whether the first comparison is a lower bound above the second, an upper bound."""
    return _exceeds((one[0], _position(one[1])), (other[0], _position(other[1])))


def _exceeds(one: tuple[str, object], other: tuple[str, object]) -> bool:
    """Return whether a lower bound exceeds an upper bound; both are (operator, value).

    False for other operators, and for values of two types. At equal values it does if one of the bounds is exclusive.
    """
    (begins, low), (ends, high) = one, other
    if begins not in _LOWER_BOUNDS or ends not in _UPPER_BOUNDS:
        return False
    if isinstance(low, float) and isinstance(high, float):
        return low > high or (low == high and (begins in _EXCLUSIVE or ends in _EXCLUSIVE))
    if isinstance(low, datetime) and isinstance(high, datetime):
        return low > high or (low == high and (begins in _EXCLUSIVE or ends in _EXCLUSIVE))
    return False


def _position(constant: Literal) -> float | datetime | None:
    """Position of a constant: a number or a moment; None for other types."""
    value = constant.value
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return parse_timestamp(str(value)) if constant.type in ("DATE", "TIMESTAMP") else None
    except ValueError:
        return None


def _comparison_text(comparison: _Comparison) -> str:
    """Return a comparison as text, without its left side."""
    return f"{comparison[0]} {comparison[1].value}"


_COMPARE = {"=", "<>", "in", "is not distinct from", "is distinct from"}
_FLIPPED_OR_IN = FLIPPED | {"in": "in"}
_EMPTY_IF = {  # no value from lower to upper satisfies the comparison; phrase for the note
    "=": ("no {}", lambda lower, upper, at: not lower <= at <= upper),
    "in": ("no {}", lambda lower, upper, at: not lower <= at <= upper),
    "<": ("nothing before {}", lambda lower, upper, at: at <= lower),
    "<=": ("nothing up to {}", lambda lower, upper, at: at < lower),
    ">": ("nothing after {}", lambda lower, upper, at: at >= upper),
    ">=": ("nothing from {} on", lambda lower, upper, at: at > upper),
}
_MAX_LISTED_VALUES = 8  # values shown of a list


def undeclared_values(query: LintedQuery) -> Iterator[Note]:
    """Note constants that one column is compared with, and that are outside its declared domain.

    Nothing is noted unless all other operands are constants. A range is checked for every comparison, a list only for
    equality and IN, as the order of listed values means nothing.
    """
    for call in query.calls:
        columns = [part.field for part in call.arguments if isinstance(part, Ref)]
        constants = [part for part in call.arguments if isinstance(part, Literal)]
        if len(columns) != 1 or len(columns) + len(constants) < len(call.arguments):
            continue
        listed = columns[0].domain or _declared_time(columns[0], query.catalog)
        if isinstance(listed, ValueRange):
            sign = call.name if isinstance(call.arguments[0], Ref) else _FLIPPED_OR_IN.get(call.name, "")
            found = (_outside_domain_note(columns[0], listed, sign, part) for part in constants)
            yield from (note for note in found if note is not None)
        elif isinstance(listed, ValueList) and call.name in _COMPARE:
            undeclared = [part for part in constants if part.value is not None and part.value not in listed.values]
            yield from (_undeclared_value_note(columns[0].name or "a column", part, listed) for part in undeclared)


def _declared_time(column: Field, catalog: Catalog) -> ValueRange | None:
    """Date range of a table's event time, declared by its date column."""
    table = None if column.origin is None else catalog.tables_by_name.get(column.origin.table)
    if table is None or column.origin is None or column.origin.column != table.time_column or table.date_column is None:
        return None
    dates = table.columns_by_name.get(table.date_column)
    return dates.domain if dates is not None and isinstance(dates.domain, ValueRange) else None


def public_lookup_constants(part: object) -> Iterator[tuple[Field, Literal]]:
    """Constants that are compared with columns whose domain is a column of a public table."""
    for call in calls_of(part):
        columns = [argument.field for argument in call.arguments if isinstance(argument, Ref)]
        if call.name in _COMPARE and len(columns) == 1 and isinstance(columns[0].domain, ColumnValues):
            constants = (argument for argument in call.arguments if isinstance(argument, Literal))
            yield from ((columns[0], constant) for constant in constants if constant.value is not None)


def _undeclared_value_note(name: str, constant: Literal, listed: ValueList) -> Note:
    """Build the note on a constant that is not in a declared list; shows the first values of the list."""
    shown = first_names([format_value(value) for value in listed.values], _MAX_LISTED_VALUES)
    why = f"{format_value(constant.value)} is none of its declared values"
    return Note(NoteCode.UNLISTED_VALUE, f"{name}: {why}, {shown}: no row should match.")


def _outside_domain_note(column: Field, listed: ValueRange, sign: str, constant: Literal) -> Note | None:
    """Build the note that no value in a declared range satisfies the comparison; None if one may.

    `listed` is the declared range; `sign` is the operator with the column on the left, empty if it cannot be flipped.
    """
    words, is_beyond = _EMPTY_IF.get(sign, ("", lambda lower, upper, at: False))
    try:
        lower, upper, at = (_domain_position(end, column.type) for end in (listed.lower, listed.upper, constant.value))
    except ValueError:  # of another type than the column
        return None
    if column.type is SqlType.TIMESTAMP and isinstance(upper, datetime):  # the range is declared in whole days
        upper += timedelta(days=1, microseconds=-1)
    if not is_beyond(lower, upper, at):
        return None
    domain_text = f"its declared range, {listed.lower} to {listed.upper}, holds {words.format(constant.value)}"
    return Note(NoteCode.UNLISTED_VALUE, f"{column.name or 'a column'}: {domain_text}: no row should match.")


def _domain_position(value: object, kind: SqlType) -> float | datetime:
    """Position of a value of a declared range: a number or a moment. Raises ValueError for a value of another type."""
    if kind in (SqlType.DATE, SqlType.TIMESTAMP) and isinstance(value, str):
        return parse_timestamp(value)
    if kind in (SqlType.DATE, SqlType.TIMESTAMP) or isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return value


def format_value(value: object) -> str:
    """Return a declared value as text for a note: quoted, at most 40 characters."""
    return f"'{value[:40]}'" if isinstance(value, str) else str(value)


def outside_windows(query: LintedQuery) -> Iterator[Note]:
    """Note tables without a possible row in any declared privacy window; the first window is charged anyway."""
    for table, (first, last) in query.unreachable_tables.items():
        declared = first if first == last else f"{first} to {last}"
        text = f"{table}: no row of the declared windows, {declared}, can match: {first} is charged for nothing."
        yield Note(NoteCode.OUTSIDE_WINDOWS, text)


def ties(query: LintedQuery) -> tuple[Note, ...]:
    """Note functions whose result may depend on ties among one person's rows."""
    return tie_notes(query.relation, query.sql, query.properties)


def names_in_order(query: LintedQuery) -> Iterator[Note]:
    """Note names of weekdays and months in the last ORDER BY, which sorts them as texts: Friday before Monday."""
    order: tuple[rel.OrderKey, ...] = ()
    computed: dict[Field, Expr] = {}
    relation: rel.Relation | None = query.relation
    while relation is not None:
        operator = relation.operator
        order = operator.order if isinstance(operator, rel.Sort) and not order else order
        computed |= operator.computed if isinstance(operator, rel.Project) else ()
        relation = getattr(operator, "source", None)
    for key in order:
        written = computed.get(key.expr.field) if isinstance(key.expr, Ref) else key.expr
        number = _NUMBER_OF_NAME.get(written.name) if isinstance(written, Call) else None
        if isinstance(written, Call) and number is not None:
            yield Note(NoteCode.NAMES_AS_TEXT, _NAMES_NOTE.format(written.name, number))


Lint = Callable[[LintedQuery], Iterable[Note]]
LINTS: tuple[Lint, ...] = (
    undeclared_values,
    contradictions,
    null_comparisons,
    midnights,
    ties,
    outside_windows,
    names_in_order,
)


def lint(query: LintedQuery) -> tuple[Note, ...]:
    """Run all lints over a query; each note once, in the order of the lints."""
    return tuple(dict.fromkeys(note for each in LINTS for note in each(query)))
