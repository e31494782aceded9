"""Work bound of a plan: time for the whole table, and the most that one privacy unit adds, from public facts alone.

Response time is a side channel. It is closed by answering only after a fixed time that covers both, and by refusing
plans in which one unit may add much (`proofs.md#work`).

Steps count the work: one step is the time in which one stored row is read. The fan-out of a public relation is the
largest number of its rows that agree in some fields. Every estimate exists twice: typical (for the work of the whole
table) and maximum (for one privacy unit).

The length of generated SQL is bounded too, before it is written: a form that repeats a slot writes that argument
several times, so nested calls may grow exponentially. Lengths are in characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Case, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.properties import Properties
from dialect.algebra.relations import call_expressions, expressions_of
from dialect.algebra.release_plan import PrivatePlan, VectorKind
from dialect.algebra.traversal import fold, walk
from dialect.analysis.person_rows import (
    MAX_COMPUTED_TEXT,
    MAX_DECLARED_TEXT,
    Cost,
    Extent,
    TextSizes,
    aggregate_cost,
    buffered_bytes,
    list_extent,
    max_compared_pairs,
    max_matching_rows,
    row_bounds,
    row_cost,
    window_cost,
)
from dialect.analysis.predicates import times_written
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.functions.aggregates import AGGREGATES, ReleasedAs
from dialect.functions.emitter import DUCKDB, Emitter
from dialect.functions.registry import OVERLOADS
from dialect.functions.tie_order import hash_text_length, value_occurrences

IsShort = Callable[[rel.Public, Field], bool]

STEP_NANOSECONDS = 250.0  # nanoseconds to read one row: the unit of work, so that a machine's speed is one number
UNDECLARED_TABLE_ROWS = 1e7  # assumed rows of a private table without a declared size class
_TYPICAL_TEXT = 30  # characters of a typical stored text, for the work of the whole table

# nanoseconds per row or per pair of rows
_READ_COST, _PROJECT_COST, _COMPARE_COST, _GROUP_COST, _SORT_COST = STEP_NANOSECONDS, 25.0, 25.0, 100.0, 800.0
_BOUNDING_COST, _PER_VECTOR = 60.0, 25.0
_PARTIAL_COST, _PER_MEASURED_NUMBER = 160.0, 50.0  # of a partial aggregate, and of each vector or histogram over it
_PER_PRODUCT = 300.0  # of a partial aggregate, for each vector of products: they are moved in integers of 128 bits
_PER_KEY_CHARACTER = 1.7  # of group keys
_PER_COMPARED_CHARACTER = 2.6  # of DISTINCT or join keys
_PER_SET_CHARACTER = 7.0  # of rows compared by a set operation
_PER_CARRIED_CHARACTER = 0.5  # of payload columns carried with a sorted row
_DISTINCT_COST = 400.0  # per row of a COUNT(DISTINCT)
_ROW_BYTES = 100.0


@dataclass(frozen=True)
class Work:
    """Work of a release, in steps; a step is the time in which one stored row is read."""

    steps: float = 0.0  # of the whole table, at declared sizes and typical rows per person
    max_unit_steps: float = 0.0  # most that one unit with the maximum number of rows adds
    max_unit_bytes: float = 0.0  # peak memory for one unit
    scan_steps: float = 0.0  # part of `steps` that reads stored rows

    def __add__(self, other: Work) -> Work:
        """Work of both, one after the other: steps add up, memory is the larger one."""
        return Work(
            self.steps + other.steps,
            self.max_unit_steps + other.max_unit_steps,
            max(self.max_unit_bytes, other.max_unit_bytes),
            self.scan_steps + other.scan_steps,
        )

    def times(self, often: int) -> Work:
        """Work of `often` repetitions."""
        return Work(self.steps * often, self.max_unit_steps * often, self.max_unit_bytes, self.scan_steps * often)


NO_WORK = Work()


@dataclass(frozen=True)
class _RowCounts:
    """Row counts of a relation (in total, typical per unit, maximum per unit) and the work done to produce it.

    The total counts the rows of all people at declared sizes; a unit is one person, or one person in one privacy
    window. There are at most `units` with rows.
    """

    total: float
    typical: float
    maximum: float
    units: float = 0.0
    work: Work = NO_WORK


def work_bound(plan: PrivatePlan, known: Properties, is_short: IsShort = lambda _, __: False) -> Work:
    """Work bound of one pass over the rows of a plan.

    Claim: the steps of one unit are no fewer than the rows that any operator below the release point gives it, each
    times the cost of the SQL per row. Symbols: R, windows and fan-outs as in row_bounds; size classes; clip
    bounds; row costs. Formula: the sum over operators of rows times cost. Fan-outs, and `is_short` (has no text of a
    field more than MAX_DECLARED_TEXT characters?), are called for public relations alone. Source: proofs.md#work.
    Raises nothing of its own.
    """
    walk = _WorkTraversal(known, is_short)
    shown = {f for vector in plan.vectors for f in vector.fields} | {key.field for key in plan.keys}
    rows = walk.visit(plan.source, frozenset(shown))
    distinct_vectors = sum(vector.kind is VectorKind.DISTINCT for vector in plan.vectors)
    cost_per_row = _BOUNDING_COST + _PER_VECTOR * len(plan.vectors) + _DISTINCT_COST * distinct_vectors
    distinct_characters = sum(
        walk.max_sizes.field_characters(f) for v in plan.vectors if v.kind is VectorKind.DISTINCT for f in v.fields
    )
    keys = sum(walk.max_sizes.field_characters(key.field) for key in plan.keys)
    held_bytes_per_row = (_ROW_BYTES + buffered_bytes(distinct_characters)) * bool(distinct_vectors) + buffered_bytes(
        keys if plan.key_set is None else 0.0
    )
    return walk.add_cost(
        rows,
        Cost(cost_per_row),
        Cost(cost_per_row + distinct_characters + _PER_KEY_CHARACTER * keys, held_bytes_per_row),
    ).work


def partials_work(plan: PrivatePlan, known: Properties, key_count: int | None, numbers: int) -> Work:
    """Work bound of one statement over the partial aggregates of a plan.

    Claim: one person adds no more steps. Symbols: `key_count`, public groups, None if keys are private; `numbers`,
    vectors or histograms of the statement. Formula: `partial_counts` times the cost of a partial. Source:
    proofs.md#work. Raises nothing of its own.
    """
    max_sizes = TextSizes(MAX_COMPUTED_TEXT)
    characters = sum(max_sizes.field_characters(key.field) for key in plan.keys)
    products = sum(vector.factor is not None for vector in plan.vectors)
    cost = _PARTIAL_COST + _PER_MEASURED_NUMBER * numbers + _PER_PRODUCT * products
    total, of_person = partial_counts(plan, known, key_count)
    max_cost = cost + _PER_KEY_CHARACTER * characters
    return Work(total * cost / STEP_NANOSECONDS, of_person * max_cost / STEP_NANOSECONDS)


def partial_counts(plan: PrivatePlan, known: Properties, key_count: int | None) -> tuple[float, float]:
    """Bound the number of partial aggregates of a plan: of all people together, and of one person.

    Claim: a person has at most one for each charged window and group, and no more than rows. Symbols: `key_count`, as
    in `partials_work`. Formula: the lesser of rows, and of units times groups and windows. Source: proofs.md#work.
    Raises nothing.
    """
    rows = _WorkTraversal(known, lambda _, __: False).visit(plan.source, frozenset())
    if key_count is None:
        return rows.total, rows.maximum
    most = float(key_count * len(plan.charged_windows.windows))  # a unit of a static table is in several windows
    return min(rows.total, rows.units * most), min(rows.maximum, most)


class _WorkTraversal:
    """One traversal of a plan, which tracks the text sizes of the fields computed so far.

    `max_sizes` and `typical_sizes` are upper bounds for one unit and typical sizes for the whole table.
    """

    def __init__(self, known: Properties, is_short: IsShort) -> None:
        """Start without computed fields; for the parameters see `work_bound`."""
        self._known, self._is_short = known, is_short
        self.max_sizes, self.typical_sizes = TextSizes(MAX_COMPUTED_TEXT), TextSizes(_TYPICAL_TEXT)

    def visit(self, relation: rel.Relation, needed: frozenset[Field]) -> _RowCounts:
        """Rows and work of a relation, bottom-up; fields that no operator above needs are not read."""
        operator = relation.operator
        if not isinstance(relation, rel.PerPerson):
            return _RowCounts(1.0, 1.0, 1.0)
        read = needed | _fields_read(operator)
        if isinstance(operator, rel.Join | rel.SemiJoin):
            return self._join(relation, operator, read)
        below = [self.visit(source, read) for source in relation.children if isinstance(source, rel.PerPerson)]
        if not below:
            return self._scan(relation)
        if isinstance(operator, rel.SetOperation):
            return self._set_operation(relation, operator, *below)
        return self._unary(relation, below[0], read)

    def add_cost(
        self, rows: _RowCounts, typical_cost: Cost, max_cost: Cost, counts: tuple[float, float] | None = None
    ) -> _RowCounts:
        """Add the cost of an operator to the work of its rows.

        `typical_cost` is per row of the whole table, `max_cost` per row of one unit; both are in nanoseconds and bytes.
        `counts` replaces the (total, unit) row counts, for joins, which cost by compared pairs.
        """
        (total, unit), before = counts or (rows.total, rows.maximum), rows.work
        work = Work(
            before.steps + total * typical_cost.nanoseconds / STEP_NANOSECONDS,
            before.max_unit_steps + unit * max_cost.nanoseconds / STEP_NANOSECONDS,
            before.max_unit_bytes + unit * max_cost.bytes,
            before.scan_steps,
        )
        return _RowCounts(rows.total, rows.typical, rows.maximum, rows.units, work)

    def _scan(self, relation: rel.PerPerson) -> _RowCounts:
        """Row counts of a stored table, and the work of reading it.

        The total is the declared size class. The typical number of rows per person is the clip bound of rows, declared
        or a fallback, as most people are within it.
        """
        maximum = float(self._known.of(row_bounds, relation).total)
        scans = [relation.operator] if isinstance(relation.operator, rel.Scan) else []
        table = scans[0].table if scans else None
        size = float(table.size_class) if table is not None and table.size_class is not None else UNDECLARED_TABLE_ROWS
        clip_bound = maximum if table is None else table.applied_clip_bounds.rows
        typical = 1.0 if relation.has_one_row_per_person else max(1.0, min(maximum, clip_bound))
        return self.add_cost(
            _RowCounts(size, typical, maximum, size, Work(scan_steps=size)), Cost(_READ_COST), Cost(_READ_COST)
        )

    def _unary(self, relation: rel.PerPerson, below: _RowCounts, read: frozenset[Field]) -> _RowCounts:
        """Rows and work of an operator with one source; it may reduce the maximum, but is assumed to keep the total."""
        maximum = min(below.maximum, float(self._known.of(row_bounds, relation).total))
        estimates = ((self.typical_sizes, below.typical), (self.max_sizes, below.maximum))
        typical_cost, max_cost = (self._cost(relation.operator, sizes, rows, read) for sizes, rows in estimates)
        # few persons exceed the limit
        typical_cost = Cost(_GROUP_COST) if isinstance(relation.operator, rel.RowTruncation) else typical_cost
        counted = self.add_cost(below, typical_cost, max_cost)
        return replace(counted, maximum=maximum, typical=min(counted.typical, maximum))

    def _cost(self, operator: rel.Operator, sizes: TextSizes, rows: float, read: frozenset[Field]) -> Cost:
        """Cost of an operator per source row; records the sizes of the texts that it computes."""
        if isinstance(operator, rel.Window):
            costs = [window_cost(call, rows, sizes) for call in operator.calls]
            sizes.record(
                (c.result, Extent.largest(map(sizes.extent, c.arguments))) for c in operator.calls if c.arguments
            )
            carried = sizes.row_characters(operator.source, read)
            return Cost(
                sum(c.nanoseconds for c in costs) + _PER_CARRIED_CHARACTER * carried,
                sum(c.bytes for c in costs) + _ROW_BYTES + buffered_bytes(carried),
            )
        if isinstance(operator, rel.Group):
            costs = [aggregate_cost(measure, sizes) for measure in operator.aggregates]
            keys = sum(sizes.field_characters(f) for f in operator.keys)
            sizes.record(_aggregate_extents(operator, sizes, rows))
            return Cost(
                _GROUP_COST + _PER_KEY_CHARACTER * keys + sum(c.nanoseconds for c in costs),
                buffered_bytes(keys) + sum(c.bytes for c in costs),
            )
        if isinstance(operator, rel.Distinct):
            width = sum(map(sizes.field_characters, operator.keys))
            return Cost(2 * _GROUP_COST + _PER_COMPARED_CHARACTER * width, _ROW_BYTES + buffered_bytes(width))
        if isinstance(operator, rel.RowTruncation):
            width = sizes.row_characters(operator.source, read)
            return Cost(_SORT_COST + _PER_COMPARED_CHARACTER * width, _ROW_BYTES + buffered_bytes(width))
        computed = [row_cost(expr, sizes) for expr in expressions_of(operator)]
        if isinstance(operator, rel.Project):
            sizes.record((f, sizes.extent(expr)) for f, expr in operator.computed)
        return Cost(sum(computed) if computed else _PROJECT_COST)

    def _set_operation(
        self, relation: rel.Relation, operator: rel.SetOperation, left: _RowCounts, right: _RowCounts
    ) -> _RowCounts:
        """Rows and work of a set operation: both sides are added, and both are in memory at the same time."""
        combined = _RowCounts(
            left.total + right.total,
            left.typical + right.typical,
            float(self._known.of(row_bounds, relation).total),
            left.units + right.units,
            left.work + right.work,
        )
        buffered = replace(combined.work, max_unit_bytes=left.work.max_unit_bytes + right.work.max_unit_bytes)
        typical_cost, max_cost = (
            self._set_operation_cost(operator, sizes) for sizes in (self.typical_sizes, self.max_sizes)
        )
        return self.add_cost(replace(combined, work=buffered), typical_cost, max_cost)

    @staticmethod
    def _set_operation_cost(operator: rel.SetOperation, sizes: TextSizes) -> Cost:
        """Cost of a set operation per row: whole rows are compared, except by UNION ALL."""
        sizes.record((output, Extent.largest(map(sizes.field_extent, sides))) for *sides, output in operator.columns)
        if operator.kind == "union" and not operator.is_distinct:
            return Cost(_PROJECT_COST)
        width = sum(sizes.field_characters(output) for _, _, output in operator.columns)
        return Cost(2 * _GROUP_COST + _PER_SET_CHARACTER * width, _ROW_BYTES + 2 * buffered_bytes(width))

    def _join(self, relation: rel.PerPerson, join: rel.Join | rel.SemiJoin, read: frozenset[Field]) -> _RowCounts:
        """Rows and work of a join, which compares pairs. A semi-join outputs left rows only.

        In the whole table each private row is compared with the typical number of rows of its own person.
        """
        left, right = (self._side(side, join.condition, read) for side in (join.left, join.right))
        persons = isinstance(join.left, rel.PerPerson) and isinstance(join.right, rel.PerPerson)
        total_pairs = (
            min(left.total * right.typical, left.typical * right.total) if persons else left.total * right.total
        )
        # a single conjunct is the equality of persons: the existence of a row is tested, and no pairs are compared
        is_existence_test = isinstance(join, rel.SemiJoin) and persons and len(conjuncts(join.condition)) == 1
        max_unit_pairs = (
            left.maximum + right.maximum
            if is_existence_test
            else float(max_compared_pairs(relation, join, self._known))
        )
        work = replace(left.work + right.work, max_unit_bytes=left.work.max_unit_bytes + right.work.max_unit_bytes)
        if is_existence_test:
            total_pairs = left.total + right.total
        typical_cost, max_cost = (
            Cost(_COMPARE_COST + row_cost(join.condition, sizes)) for sizes in (self.typical_sizes, self.max_sizes)
        )
        maximum = float(self._known.of(row_bounds, relation).total)
        total = left.total if isinstance(join, rel.SemiJoin) else total_pairs
        typical = left.typical if isinstance(join, rel.SemiJoin) else left.typical * right.typical
        rows = _RowCounts(total, min(typical, maximum), maximum, _units_of_join(join, left.units, right.units), work)
        return self.add_cost(rows, typical_cost, max_cost, (total_pairs, max_unit_pairs))

    def _side(self, side: rel.Relation, condition: Expr, fields_read: frozenset[Field]) -> _RowCounts:
        """Rows and work of one join side: private rows are hashed on the compared fields and may be buffered."""
        if isinstance(side, rel.Public):
            texts = [f for f in side.fields if f in fields_read and f.type is SqlType.VARCHAR and f.domain is None]
            short = [f for f in texts if self._is_short(side, f)]
            self.max_sizes.record((f, Extent(float(MAX_DECLARED_TEXT))) for f in short)
            matches = float(max_matching_rows(side, condition, self._known))
            return _RowCounts(matches, matches, matches)
        rows, compared = self.visit(side, fields_read), frozenset(fields_of(condition))
        typical_cost, max_cost = (
            Cost(
                _PER_COMPARED_CHARACTER * sizes.row_characters(side, compared)
                + _PER_CARRIED_CHARACTER * sizes.row_characters(side, fields_read),
                _ROW_BYTES + buffered_bytes(sizes.row_characters(side, fields_read)),
            )
            for sizes in (self.typical_sizes, self.max_sizes)
        )
        return self.add_cost(rows, typical_cost, max_cost)


def _units_of_join(join: rel.Join | rel.SemiJoin, left: float, right: float) -> float:
    """Most units with rows in a join, from those of its inputs; 0 for public ones. Rows of nobody are as one unit."""
    if isinstance(join, rel.SemiJoin):
        return left
    if isinstance(join.left, rel.PerPerson) and isinstance(join.right, rel.PerPerson):
        return {"inner": min(left, right), "left": left}.get(join.kind, left + right)
    return left + right + 1


def _fields_read(operator: rel.Operator) -> frozenset[Field]:
    """Fields that an operator reads from its source; row truncation reads whole rows."""
    if isinstance(operator, rel.RowTruncation):
        return frozenset(operator.source.fields)
    read = frozenset(f for expr in expressions_of(operator) for f in fields_of(expr))
    return read.union(_fields(tuple(vars(operator).values())))


def _fields(part: object) -> Iterator[Field]:
    """Yield the fields in a value of nested tuples, as operators have them outside expressions (keys, columns)."""
    if isinstance(part, Field):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from _fields(each)


def _aggregate_extents(group: rel.Group, sizes: TextSizes, rows: float) -> Iterator[tuple[Field, Extent]]:
    """Sizes of the aggregates of a group; a list has one element per row of the group."""
    for measure in group.aggregates:
        if AGGREGATES[measure.function].returns_list:
            yield measure.result, list_extent(sizes.extent(measure.arguments[0]), max(1.0, rows))
        elif AGGREGATES[measure.function].result is SqlType.VARCHAR:
            yield measure.result, Extent(float(MAX_COMPUTED_TEXT))
        elif measure.arguments:
            yield measure.result, sizes.extent(measure.arguments[0])


MAX_SQL_CHARACTERS = 400_000  # characters of generated SQL per query
_PER_FIELD = 12  # an id, a comma and the surrounding syntax


def check_sql_size(*relations: rel.Relation, engine: Emitter = DUCKDB) -> None:
    """Refuse relations whose SQL could exceed MAX_SQL_CHARACTERS characters; raises Refusal with E_COMPLEX."""
    if sum(_relation_sql_size(relation, engine) for relation in relations) > MAX_SQL_CHARACTERS:
        raise Kind.SQL_TOO_LONG.at()


def expression_sql_size(expr: Expr, engine: Emitter = DUCKDB) -> int:
    """Upper bound on the length of an expression's SQL in characters; a total form may repeat its arguments."""

    def length(part: Expr, below: Sequence[int]) -> int:
        """Return the length of an expression from those of its parts; each counts as often as a form repeats it."""
        if isinstance(part, Literal):
            return 2 * len(str(part.value)) + 30
        if isinstance(part, Ref):
            return _PER_FIELD
        if isinstance(part, Case):
            return 16 + sum(each + 12 for each in below)
        form = engine.form_of(OVERLOADS[part.function], part.arguments) or ""
        return len(form) + sum((each + 5) * max(1, form.count(f"{{{place}}}")) for place, each in enumerate(below))

    return fold(expr, length)


def _relation_sql_size(relation: rel.Relation, engine: Emitter) -> int:
    """Upper bound on the SQL length of a relation and everything below it, or any length above the limit.

    A split join writes its sides several times. Counting stops at MAX_SQL_CHARACTERS, since repeated sides may be
    exponentially many.
    """
    pending, total = [relation], 0
    while pending and total <= MAX_SQL_CHARACTERS:
        current = pending.pop()
        total += (
            60
            + _PER_FIELD * len(current.fields)
            + sum(expression_sql_size(expr, engine) + _PER_FIELD for expr in _written_expressions(current))
        )
        total += _tie_breaking_sql_size(current, engine)
        if isinstance(current.operator, rel.Values):  # with a type for each constant
            total += sum(24 + 2 * len(str(cell.value)) for row in current.operator.rows for cell in row)
        pending += current.children * (times_written(current.operator) if isinstance(current.operator, rel.Join) else 1)
    return total


def _tie_breaking_sql_size(relation: rel.Relation, engine: Emitter) -> int:
    """Return the SQL length of the hashes that break ties among one person's rows.

    A window function hashes every field of its source; an aggregate, here any with an argument, hashes its value.
    """
    operator, tie_hash = relation.operator, engine.tie_hash
    if isinstance(operator, rel.Window):
        # the hash, and its name again in the ORDER BY of each call
        return sum(
            hash_text_length(f.type, tie_hash) + value_occurrences(f.type, tie_hash) * _PER_FIELD + 120
            for f in operator.source.fields
        )
    measures = [each for each in operator.aggregates if each.arguments] if isinstance(operator, rel.Group) else []
    values = [each.arguments[0] for each in measures]
    return sum(
        hash_text_length(v.type, tie_hash) + value_occurrences(v.type, tie_hash) * (expression_sql_size(v, engine) + 5)
        for v in values
    )


def expressions_below(relation: rel.Relation) -> Iterator[Expr]:
    """Yield the expressions of a relation and of everything below it; shared ones appear more than once."""
    return (expr for each in walk(relation) for expr in _written_expressions(each))


def _written_expressions(relation: rel.Relation) -> Iterator[Expr]:
    """Yield the expressions that an operator writes, repeated as often as it writes them."""
    operator = relation.operator
    if isinstance(operator, rel.SetOperation):
        yield from (Ref(f) for columns in operator.columns for f in columns)
    elif isinstance(operator, rel.Window):
        yield from (expr for call in operator.calls for expr in call_expressions(call) * 3)  # as ordered aggregates
        yield from (Ref(call.result) for call in operator.calls for _ in range(13))  # OVER, frame, tie-breaking order
        yield from map(Ref, operator.source.fields)  # tie-breaking fields
    elif isinstance(operator, rel.Group):
        yield from (expr for measure in operator.aggregates for expr in _aggregate_expressions(measure))
    elif not isinstance(operator, rel.Values | rel.Series | rel.ReleasePoint):  # split off, or counted apart
        yield from expressions_of(operator)


def _aggregate_expressions(measure: rel.AggregateCall) -> tuple[Expr, ...]:
    """Expressions that an aggregate writes: ordered ones write their arguments three times, a mean six times."""
    times = 6 if AGGREGATES[measure.function].released_as is ReleasedAs.MEAN else 3
    condition = (measure.condition,) if measure.condition is not None else ()
    return measure.arguments * times + condition * times
