"""Bounds on one person's rows: how many there can be below a release, and what each costs in generated SQL.

Costs (nanoseconds per row, length of texts) are static: they depend on the emitted form, the constants, and the
longest text that a row may contain. Figures were measured with DuckDB on one idle core, and rounded up
(`proofs.md#work`).

The extent of a value is an upper bound on its size: characters of a text, or elements of a list and characters per
element.

Row counts follow from declared limits and public row counts. Execution time that depends on one person's rows is a
side channel. It is bounded by refusing plans in which one person may have too many rows (`proofs.md#most-rows`).

A relation that contains every row of one stored table has that table's publicly declared cardinality; `is_full_scan`
decides which do.

Row bounds are upper bounds on one person's rows. The fan-out of a public relation is the largest number of its rows
that agree in some fields. A path is the foreign keys from a table to the table that has the person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, conjuncts
from dialect.algebra.properties import Properties
from dialect.algebra.relations import row_inputs
from dialect.algebra.traversal import walk
from dialect.analysis.uniqueness import covers_primary_key, exactly_equated_fields, path_steps, refers_to_one_row
from dialect.catalog.model import SqlType, ValueList
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.registry import OVERLOADS
from dialect.functions.scalar.patterns import is_linear_search, state_count
from dialect.functions.signatures import Cost as CallCost
from dialect.functions.signatures import Function, TextLength

MAX_COMPUTED_TEXT = 1_000  # characters; longer computed text is truncated
_BYTES = 4.0  # largest UTF-8 character
_LISTS = (SqlType.VARCHAR_LIST, SqlType.BIGINT_LIST)

_PER_CALL = CallCost.per_call  # and of a branch of CASE
_PER_STATE = 25.0  # per automaton state and character
_PER_RESTART = 2.5  # the same, where every match starts a search of the rest of the text
_PER_MATCH = 280.0
_PER_WRITTEN_CHARACTER = 5.0
# so few states give a deterministic automaton; cost per character
_MAX_DETERMINISTIC_STATES, _PER_CHARACTER_DETERMINISTIC = 12, 18.0
_PER_COPIED_CHARACTER, _PER_COPIED_OF_LIST = 0.5, 2.0
_STORED_ELEMENTS = 100  # most elements of a stored list
_ROWS_OF_CLASS = 10  # a table has at most so many times its order of magnitude of rows
_LIST_SLOT = 4.0  # size of one list slot, in characters
MAX_DECLARED_TEXT = 100  # most characters of a stored text with a declared domain, or of a short text
_FORMATTED_LENGTH = 64  # characters of a formatted number, time or name


@dataclass(frozen=True)
class Extent:
    """Upper bound on the size of a value: the length of a text, or the elements of a list and the size of each."""

    length: float = 1.0  # characters of a text, elements of a list, else 1
    element_size: float = 1.0  # average characters per element, including its list slot

    @property
    def characters(self) -> float:
        """Total characters, of up to four bytes each."""
        return self.length * self.element_size

    @classmethod
    def largest(cls, parts: Iterable[Extent]) -> Extent:
        """Bound on a value that may be any of these."""
        extents = tuple(parts)
        return cls(max(part.length for part in extents), max(part.element_size for part in extents))


_ONE = Extent()  # of a value that is neither text nor list


def list_extent(element: Extent, count: float) -> Extent:
    """Extent of a list of `count` elements."""
    return Extent(count, _LIST_SLOT + element.characters)


@dataclass(frozen=True)
class TextSizes:
    """Size estimates of texts and lists of the fields seen so far: upper bounds, or typical sizes."""

    stored_text: int  # characters of a stored text without a declared domain
    computed: dict[Field, Extent] = field(default_factory=dict)  # extents of computed fields

    def record(self, found: Iterable[tuple[Field, Extent]]) -> None:
        """Record the sizes of computed fields."""
        self.computed.update(list(found))

    def field_characters(self, read: Field) -> float:
        """Characters of a field's value; of a list, those of all its elements."""
        return self.field_extent(read).characters

    def row_characters(self, relation: rel.Relation, read: frozenset[Field]) -> float:
        """Characters per row in the fields that are read."""
        return sum(self.field_characters(f) for f in relation.fields if f in read)

    def extent(self, expr: Expr) -> Extent:
        """Extent of an expression's value. Everything but texts and lists counts as one character."""
        if isinstance(expr, Literal):
            return Extent(float(len(expr.value))) if isinstance(expr.value, str) else _ONE
        if isinstance(expr, Ref):
            return self.field_extent(expr.field)
        if isinstance(expr, Case):
            return Extent.largest(
                self.extent(part) for part in (*(value for _, value in expr.branches), expr.otherwise)
            )
        if expr.type in _LISTS:
            return self._list_extent(expr)
        return Extent(self._text_length(expr)) if expr.type is SqlType.VARCHAR else _ONE

    def field_extent(self, read: Field) -> Extent:
        """Extent of a field's values: as computed, as its declared values allow, or as assumed for stored text."""
        if read in self.computed:
            return self.computed[read]
        if read.type in _LISTS:
            element = Extent(float(self.stored_text)) if read.type is SqlType.VARCHAR_LIST else _ONE
            return list_extent(element, float(min(_STORED_ELEMENTS, self.stored_text)))
        if read.type is not SqlType.VARCHAR:
            return _ONE
        if read.domain_is_complete and isinstance(read.domain, ValueList):
            return Extent(float(max((len(str(each)) for each in read.domain.values), default=1)))
        return Extent(float(self.stored_text if read.domain is None else min(self.stored_text, MAX_DECLARED_TEXT)))

    def _list_extent(self, call: Call) -> Extent:
        """Extent of a call with a list as its result: that of its longest list, else of the text that it splits."""
        lists = [self.extent(each) for each in call.arguments if each.type in _LISTS]
        if not lists:  # all parts together are as long as the text
            return list_extent(Extent(), 1.0 + self.extent(call.arguments[0]).length)
        return Extent.largest(lists)

    def _text_length(self, call: Call) -> float:
        """Upper bound on the characters of a computed text, from those of the arguments."""
        parts, last = [self.extent(each).characters for each in call.arguments], call.arguments[-1]
        match OVERLOADS[call.function].text_length:
            case TextLength.TOTAL:
                return min(float(MAX_COMPUTED_TEXT), sum(parts))
            case TextLength.COUNT if isinstance(last, Literal) and isinstance(last.value, int) and last.value >= 0:
                return min(parts[0], float(last.value))
            case TextLength.WIDTH:
                (width,) = (each.value for each in call.arguments[1:2] if isinstance(each, Literal))
                return float(width or 1)
            case TextLength.COMPUTED:
                return float(MAX_COMPUTED_TEXT)
            case TextLength.ELEMENT:
                return min(float(MAX_COMPUTED_TEXT), parts[0])
            case TextLength.FORMATTED:
                return float(_FORMATTED_LENGTH)
        return max([1.0, *parts])


def row_cost(expr: Expr, sizes: TextSizes) -> float:
    """Upper bound on the nanoseconds of an expression per row. An argument counts each time its form repeats it.

    `sizes` are upper bounds or typical sizes of texts, which decides what kind of cost it is. Reading a field or a
    constant is free.
    """
    if isinstance(expr, Literal | Ref):
        return 0.0
    if isinstance(expr, Case):
        parts = (*(part for branch in expr.branches for part in branch), expr.otherwise)
        return sum(_PER_CALL + row_cost(part, sizes) for part in parts) + _copy_cost(sizes.extent(expr), expr.type)
    form = OVERLOADS[expr.function].duckdb
    repeats = [max(1, form.count(f"{{{place}}}")) for place in range(len(expr.arguments))]
    below = sum(times * row_cost(each, sizes) for times, each in zip(repeats, expr.arguments, strict=True))
    return below + _own_cost(expr, sizes)


def _copy_cost(size: Extent, kind: SqlType) -> float:
    """Cost of copying a text or list in nanoseconds; 0 for other types."""
    per_character = _PER_COPIED_OF_LIST if kind in _LISTS else _PER_COPIED_CHARACTER
    return per_character * size.characters if kind in (SqlType.VARCHAR, *_LISTS) else 0.0


def _own_cost(call: Call, sizes: TextSizes) -> float:
    """Cost of a call per row in nanoseconds, without that of its arguments.

    Calls on lists, regular expressions and texts have rules of their own, added to a cost per call.
    """
    row = OVERLOADS[call.function]
    per_call = row.cost.per_call + row.cost.per_argument * len(call.arguments)
    if not call.arguments:
        return per_call
    if row.takes("pattern!"):
        return per_call + _regexp_cost(call, sizes)
    if any(each.type in _LISTS for each in (*call.arguments, call)):
        return per_call + _list_cost(call, row.cost, sizes)
    return per_call + _text_cost(call, row, sizes)


def _list_cost(call: Call, cost: CallCost, sizes: TextSizes) -> float:
    """Cost of a list function: every element, and every character of every element; or of splitting a text."""
    size = Extent.largest(sizes.extent(each) for each in (*call.arguments, call) if each.type in _LISTS)
    is_split = not any(each.type in _LISTS for each in call.arguments)
    split = _text_cost(call, OVERLOADS[call.function], sizes) if is_split else 0.0
    return cost.per_element * size.length + cost.per_list_character * size.characters + split


def _text_cost(call: Call, row: Function, sizes: TextSizes) -> float:
    """Cost of a text function: reading its text arguments, and comparing them with a pattern."""
    lengths = [sizes.extent(each).length for each in call.arguments]
    is_text, width, cost = call.arguments[0].type is SqlType.VARCHAR, lengths[0], row.cost
    if cost.reads_all_texts:
        texts = (each for each in call.arguments if each.type is SqlType.VARCHAR)
        width = sum(sizes.extent(each).length for each in texts)
    if row.text_length is TextLength.WIDTH:
        width = max(width, sizes.extent(call).length)
    per_character = float(is_text) if cost.per_character is None else cost.per_character
    if cost.per_new_character:
        per_character += cost.per_new_character * lengths[2]
    compared = _compared_cost(call, cost, width) if cost.per_pair else 0.0
    return width * (per_character + compared) + cost.per_other_character * sum(lengths[1:])


def _compared_cost(call: Call, cost: CallCost, length: float) -> float:
    """Cost of comparing the pattern at one character of a text: of the bytes of its longest segment.

    Segments are separated by `%`, or `*` for GLOB. LIKE without `_` and without ESCAPE searches for a whole segment at
    once. A pattern in which `%` or `*` may be escaped or in brackets counts as one segment.
    """
    pattern = str(getattr(call.arguments[1], "value", ""))
    if cost.per_plain_pair is not None and "_" not in pattern:
        return cost.per_plain_pair * len(pattern.encode())
    is_one_segment = cost.any_text is None or (cost.any_text == "*" and any(sign in pattern for sign in "[\\"))
    segments = [pattern] if is_one_segment else pattern.split(cost.any_text)
    longest = float(max(len(segment.encode()) for segment in segments))
    # no comparison is longer than the text
    return cost.per_pair * (longest if is_one_segment else min(_BYTES * length, longest))


def _regexp_cost(call: Call, sizes: TextSizes) -> float:
    """Cost of a regular expression: RE2 runs one deterministic automaton, or simulates all states if it is large."""
    text, pattern = call.arguments[0], str(getattr(call.arguments[1], "value", ""))
    width, states = sizes.extent(text).length, float(state_count(pattern))
    once = width * max(
        _PER_CHARACTER_DETERMINISTIC, 0.0 if states <= _MAX_DETERMINISTIC_STATES else _PER_STATE * min(states, width)
    )
    if call.type is SqlType.BOOLEAN:
        return once
    captured = width * _PER_STATE * min(states, width)
    if OVERLOADS[call.function].text_length is not TextLength.COMPUTED:  # nothing is replaced
        return captured
    written = _PER_WRITTEN_CHARACTER * sizes.extent(call.arguments[2]).length
    if len(call.arguments) == 3:
        return captured + written * width  # only the first match is replaced, whose capture groups may be as long
    every = width * (_PER_MATCH + written)
    if is_linear_search(pattern):
        return every + captured
    return every + _PER_RESTART * width * width * min(states, width)


@dataclass(frozen=True)
class Cost:
    """Cost of one row: nanoseconds, and bytes that stay in memory until its group or partition is complete."""

    nanoseconds: float
    bytes: float = 0.0


def aggregate_cost(measure: rel.AggregateCall, sizes: TextSizes) -> Cost:
    """Upper bound on the cost that one row adds to one person's aggregate, with its arguments and FILTER."""
    aggregate = AGGREGATES[measure.function].cost
    read = (*measure.arguments, *((measure.condition,) if measure.condition is not None else ()))
    characters = _characters(measure.arguments, sizes)
    return Cost(
        aggregate.nanoseconds
        + aggregate.nanoseconds_per_character * characters
        + sum(row_cost(e, sizes) for e in read),
        aggregate.bytes + aggregate.bytes_per_character * _BYTES * characters,
    )


def window_cost(call: rel.WindowCall, rows: float, sizes: TextSizes) -> Cost:
    """Upper bound on the cost of a window function per row, in a partition of `rows` rows.

    Rows are sorted, and frames are evaluated in a segment tree. A GROUPS frame is scanned group by group, and IGNORE
    NULLS scans for values that are not NULL.
    """
    read = (*call.arguments, *call.partition, *(key.expr for key in call.order))
    condition = (call.condition,) if call.condition is not None else ()
    characters = _characters(read, sizes)
    nanoseconds = 800.0 + sum(row_cost(each, sizes) for each in (*read, *condition)) + 7.0 * characters
    if call.frame is not None:
        nanoseconds += 4_000.0 + 12.0 * characters
        if call.frame.unit is rel.FrameUnit.GROUPS:
            nanoseconds += 4.0 * rows
    if call.ignore_nulls:
        nanoseconds += 0.1 * rows
    return Cost(nanoseconds, 150.0 + 2.0 * _BYTES * characters)


def buffered_bytes(characters: float) -> float:
    """Upper bound on the bytes that characters take in memory."""
    return _BYTES * characters


def _characters(read: Iterable[Expr], sizes: TextSizes) -> float:
    """Total characters of the text and list expressions; others count 0."""
    return sum(sizes.extent(each).characters for each in read if each.type in (SqlType.VARCHAR, *_LISTS))


_TIME_PREDICATES = {"and", "<", "<=", ">", ">=", "=", "in"}
_TIMES = (SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)


def is_full_scan(relation: rel.Relation) -> bool:
    """Return whether a relation is a full table scan: each row of the scanned privacy windows exactly once.

    The only filter allowed is the privacy-window filter above every scan of a table with event time
    (`dialect.planner.window_charging`).
    """
    while isinstance(relation.operator, rel.Project):
        relation = relation.operator.source
    operator = relation.operator
    return isinstance(operator, rel.Scan) or (isinstance(operator, rel.Filter) and _is_windows_filter(operator))


def filters_time_only(relation: rel.Relation) -> bool:
    """Do all filters restrict event time only? Then the share of selected rows is about that of the selected time.

    Privacy-window filters above scans are of this kind. A semi-join selects rows by another table, so it is not.
    """
    return all(
        not isinstance(each.operator, rel.SemiJoin)
        and (
            not isinstance(each.operator, rel.Filter)
            or _is_windows_filter(each.operator)
            or _compares_time_only(each.operator.condition)
        )
        for each in walk(relation, row_inputs)
    )


def _is_windows_filter(operator: rel.Filter) -> bool:
    """Return whether a filter is the privacy-window filter above a scan."""
    return isinstance(scan := operator.source.operator, rel.Scan) and scan.reads_whole_windows


def _compares_time_only(condition: Expr) -> bool:
    """Return whether a condition compares only times with constants."""
    if isinstance(condition, Call) and condition.name in _TIME_PREDICATES:
        return all(map(_compares_time_only, condition.arguments))
    return isinstance(condition, Literal) or (isinstance(condition, Ref) and condition.field.type in _TIMES)


def has_stored_rows_only(relation: rel.Relation) -> bool:
    """Return whether each row is a stored row or a join of stored rows: no GROUP BY or DISTINCT below."""
    return not any(isinstance(each.operator, rel.Group | rel.Distinct) for each in walk(relation, row_inputs))


@dataclass(frozen=True)
class RowBounds:
    """Upper bounds on one person's rows: per privacy window, over all windows, and at any operator so far."""

    per_window: int
    total: int
    peak: int
    window_count: int = 0  # number of privacy windows the rows fall in; 0 without event time

    def truncated(self, rows: int, per_window: bool) -> RowBounds:
        """Return the bounds after row truncation to `rows` rows per person.

        `per_window`: the truncation is applied in each privacy window separately, so the total is that many times the
        number of windows. The peak stays, as the source has its rows before truncation.
        """
        window_rows = min(self.per_window, rows)
        return replace(
            self,
            per_window=window_rows,
            total=min(self.total, window_rows * max(1, self.window_count) if per_window else rows),
        )


def row_bounds(relation: rel.Relation, known: Properties) -> RowBounds:
    """Row bounds of one person in a relation; the peak also covers every operator below it.

    Public relations count as one row, since their rows are bounded at the join that reads them.

    Claim: no operator of the relation gives one person more rows than the peak, if no table holds more than its
    declared R rows of a person, in each privacy window for a table with event time, nor ten times as many rows as its
    declared order of magnitude. Fan-outs are asked of public
    relations only. Formula: R times the windows that are scanned, products at joins, 1 where one row per person is
    proved; the maximum over all operators. Raises nothing of its own. Proof: proofs.md#most-rows
    """
    operator = relation.operator
    if not isinstance(relation, rel.PerPerson):
        return RowBounds(1, 1, 1)
    if isinstance(operator, rel.Join):
        return _join_bounds(relation, operator, known)
    if isinstance(operator, rel.SemiJoin):
        return _semi_join_bounds(relation, operator, known)
    below = [known.of(row_bounds, source) for source in relation.children if isinstance(source, rel.PerPerson)]
    if not below:
        return _scan_bounds(relation)
    bounds = _set_operation_bounds(*below) if isinstance(operator, rel.SetOperation) else below[0]
    if isinstance(operator, rel.RowTruncation):
        return bounds.truncated(operator.max_rows, operator.window is not None)
    has_one_row = operator.row_origin is rel.RowOrigin.GROUPS and relation.has_one_row_per_person
    return bounds.truncated(1, False) if has_one_row else bounds


def truncation_of(side: rel.Relation) -> rel.RowTruncation | None:
    """Row truncation on top of a side of a join, below computed columns; None if there is none."""
    if isinstance(side.operator, rel.Project):
        return truncation_of(side.operator.source)
    return side.operator if isinstance(side.operator, rel.RowTruncation) else None


def reduced_truncations(relation: rel.Relation) -> Iterator[rel.RowTruncation]:
    """Yield the row truncations of sides of joins that keep fewer rows of a person than the catalog's limits do."""
    for each in walk(relation):
        for side in each.children if isinstance(each.operator, rel.Join | rel.SemiJoin) else ():
            limited = truncation_of(side)
            if limited is not None and isinstance(limited.source, rel.PerPerson):
                yield from (limited,) if limited.max_rows < _catalog_limit(limited, limited.source) else ()


def _catalog_limit(limited: rel.RowTruncation, source: rel.PerPerson) -> int:
    """Most rows of a person by the catalog's limits: of one privacy window if truncation is per window, or of all."""
    if limited.window is not None:
        return source.max_rows
    counts = [each.operator.window_count for each in walk(source) if isinstance(each.operator, rel.Scan)]
    return rel.row_bound_over_windows(source, max(1, *counts))


def _scan_bounds(relation: rel.PerPerson) -> RowBounds:
    """Row bounds of a stored table; its person may come from a foreign-key path.

    The declared limit R is per privacy window if the table has event time, else in total. A person has no more rows
    than the table, whose public order of magnitude bounds them too.
    """
    scans = [each.operator for each in walk(relation) if isinstance(each.operator, rel.Scan)]
    windows = max(scan.window_count for scan in scans) if relation.per_window_factors else 0
    most = max(map(_most_rows, scans), default=rel.MAX_ROW_BOUND)
    total = min(relation.max_rows * max(1, windows), most)
    return RowBounds(min(relation.max_rows, most), total, total, windows)


def _most_rows(scan: rel.Scan) -> int:
    """Most rows of a table: ten times its declared order of magnitude."""
    return _ROWS_OF_CLASS * int(float(scan.table.size_class)) if scan.table.size_class else rel.MAX_ROW_BOUND


def _set_operation_bounds(left: RowBounds, right: RowBounds) -> RowBounds:
    """Row bounds of a set operation: the sum of both sides, also for INTERSECT and EXCEPT.

    These compare the rows of both sides, and have no more rows than that.
    """
    total = left.total + right.total
    return RowBounds(
        left.per_window + right.per_window,
        total,
        max(left.peak, right.peak, total),
        left.window_count + right.window_count,
    )


def _join_bounds(relation: rel.Relation, join: rel.Join | rel.SemiJoin, known: Properties) -> RowBounds:
    """Row bounds of a join: products, per privacy window where the join equates the window.

    If both sides have windows, each row meets at most the other side's rows of its own window. A row with a foreign key
    on the way to its person meets at most the row that it refers to.
    """
    left, right = (_side_bounds(side, join.condition, known) for side in (join.left, join.right))
    unmatched = _unmatched_rows(join, left)
    if unmatched:
        right = replace(right, per_window=max(1, right.per_window), total=max(1, right.total))
    per_window, total = left.per_window * right.per_window, left.total * right.total
    if join.is_per_window and left.window_count and right.window_count:
        total = min(left.total * right.per_window, left.per_window * right.total + unmatched)
    for side in referencing_sides(join):
        if side is join.left:
            total, per_window = min(total, left.total), min(per_window, left.per_window)
        else:
            total = min(total, right.total + unmatched)
            per_window = min(per_window, right.per_window + min(unmatched, left.per_window))
    # the peak is set last, when the rows of the join are known
    joined = RowBounds(
        per_window if join.is_per_window else total, total, 1, max(left.window_count, right.window_count)
    )
    if isinstance(relation, rel.PerPerson) and relation.has_one_row_per_person:
        joined = joined.truncated(1, False)
    return replace(joined, peak=max(left.peak, right.peak, joined.total))


def _unmatched_rows(join: rel.Join | rel.SemiJoin, left: RowBounds) -> int:
    """Most rows of one person that a join keeps without a match: all left rows of a LEFT JOIN."""
    return left.total if isinstance(join, rel.Join) and join.kind == "left" else 0


def referencing_sides(join: rel.Join | rel.SemiJoin) -> Iterator[rel.Relation]:
    """Yield the sides of a join of people's rows each of whose rows meets at most one row of the other side."""
    if isinstance(join.left, rel.PerPerson) and isinstance(join.right, rel.PerPerson):
        steps = path_steps(join.left, join.right, join.condition)
        yield from (step.referencing for step in steps if refers_to_one_row(step))


def _side_bounds(side: rel.Relation, condition: Expr, known: Properties) -> RowBounds:
    """Row bounds of one join side; of a public side, the rows that one row can match."""
    if not isinstance(side, rel.Public):
        return known.of(row_bounds, side)
    rows = max_matching_rows(side, condition, known)
    return RowBounds(rows, rows, 1)


def max_matching_rows(public: rel.Public, condition: Expr, known: Properties) -> int:
    """Rows of a public relation that one row can match: 1 on its primary key, else the largest group of equal keys."""
    equated = exactly_equated_fields(public, condition)
    return (
        1 if covers_primary_key(public, equated) else known.fan_out(public, tuple(sorted(equated, key=lambda f: f.id)))
    )


def max_compared_pairs(relation: rel.Relation, join: rel.Join | rel.SemiJoin, known: Properties) -> int:
    """Upper bound on the pairs of one person's rows that a join compares, before its condition filters them.

    Each left row is read at least once, even if there is nothing to compare it with.
    """
    joined = _join_bounds(relation, join, known)
    return max(joined.total, known.of(row_bounds, join.left).total if isinstance(join.left, rel.PerPerson) else 0)


def _semi_join_bounds(relation: rel.Relation, join: rel.SemiJoin, known: Properties) -> RowBounds:
    """Row bounds of a semi-join: it compares pairs only if the condition has more than the person equality."""
    left = known.of(row_bounds, join.left)
    # a single conjunct is the equality of persons
    if isinstance(join.right, rel.PerPerson) and len(conjuncts(join.condition)) == 1:
        return replace(left, peak=max(left.peak, known.of(row_bounds, join.right).peak))
    return replace(left, peak=max(left.total, _join_bounds(relation, join, known).peak))
