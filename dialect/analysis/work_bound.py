"""Work bound of a plan: time for the whole table, and the most that one privacy unit adds, from public facts alone.

Response time is a side channel. It is closed by answering only after a fixed time that covers both, and by refusing
plans in which one unit may add much (`proofs.md#work`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dialect.algebra.expressions import Expr, Field, Ref, conjuncts, fields_of
from dialect.algebra.relations import (
    Cut,
    Distinct,
    Filter,
    Group,
    Join,
    PerPerson,
    Project,
    Public,
    Relation,
    Scan,
    SemiJoin,
    SetOperation,
    Window,
)
from dialect.algebra.release_plan import PrivatePlan, VectorKind
from dialect.algebra.traversal import expressions_of, sources
from dialect.analysis.cardinality import Fan, Most, met_rows, most_at, pairs
from dialect.analysis.row_costs import (
    CUT,
    LISTED,
    Cost,
    Extent,
    Widths,
    held_bytes,
    list_of,
    measure_cost,
    row_cost,
    window_cost,
)
from dialect.catalog.model import SqlType

Short = Callable[[Public, Field], bool]

STEP = 250.0  # nanoseconds to read one row: the unit of work, so that a machine's speed is one number
UNDECLARED = 1e7  # assumed rows of a private table without a declared size class
_USUAL_TEXT = 30  # characters of a typical stored text, for the work of the whole table

_READ, _MADE, _MET, _GROUPED, _SORTED = STEP, 25.0, 25.0, 100.0, 800.0  # nanoseconds per row or per pair of rows
_BOUNDED, _PER_VECTOR = 60.0, 25.0
_PER_KEY_CHARACTER = 1.7  # of group keys
_PER_WHOLE_CHARACTER = 2.6  # of DISTINCT or join keys
_PER_SET_CHARACTER = 7.0  # of rows compared by a set operation
_PER_CARRIED_CHARACTER = 0.5  # of payload columns carried with a sorted row
_DIFFERENT = 400.0  # per row of a COUNT(DISTINCT)
_ROW_BYTES = 100.0


@dataclass(frozen=True)
class Work:
    """Work of a release, in steps; a step is the time in which one stored row is read."""

    steps: float = 0.0  # of the whole table, at declared sizes and typical rows per person
    unit_steps: float = 0.0  # most that one unit with the maximum number of rows adds
    unit_bytes: float = 0.0  # peak memory for one unit
    scanned: float = 0.0  # part of `steps` that reads stored rows

    def __add__(self, other: Work) -> Work:
        """Work of both, one after the other: steps add up, memory is the larger one."""
        return Work(
            self.steps + other.steps,
            self.unit_steps + other.unit_steps,
            max(self.unit_bytes, other.unit_bytes),
            self.scanned + other.scanned,
        )

    def times(self, often: int) -> Work:
        """Work of `often` repetitions."""
        return Work(self.steps * often, self.unit_steps * often, self.unit_bytes, self.scanned * often)


NO_WORK = Work()


@dataclass(frozen=True)
class _Rows:
    """Row counts of a relation (in total, typical per unit, maximum per unit) and the work done to produce it."""

    all: float
    usual: float
    most: float
    work: Work = NO_WORK


def bounded_work(plan: PrivatePlan, fan: Fan, is_short: Short = lambda _, __: False) -> Work:
    """Work bound of one pass over the rows of a plan.

    Claim: the steps of one unit are no fewer than the rows that any operator below the release point gives it, each
    times the cost of the SQL per row. Symbols: R, windows and fan-outs as in max_rows_per_person; size classes; clip
    bounds; row costs. Formula: the sum over operators of rows times cost. `fan_out`, and `is_short` (has no text of a
    field more than LISTED characters?), are called for public relations alone. Source: proofs.md#work. Raises nothing
    of its own.
    """
    walk = _Walk(fan, is_short)
    shown = {f for vector in plan.vectors for f in vector.fields} | {key.field for key in plan.keys}
    rows = walk.rows(plan.source, frozenset(shown))
    different = sum(vector.kind is VectorKind.DISTINCT for vector in plan.vectors)
    each = _BOUNDED + _PER_VECTOR * len(plan.vectors) + _DIFFERENT * different
    at_most = sum(walk.most.of_field(f) for v in plan.vectors if v.kind is VectorKind.DISTINCT for f in v.fields)
    keys = sum(walk.most.of_field(key.field) for key in plan.keys)
    held = (_ROW_BYTES + held_bytes(at_most)) * bool(different) + held_bytes(keys if plan.key_set is None else 0.0)
    return walk.spent(rows, Cost(each), Cost(each + at_most + _PER_KEY_CHARACTER * keys, held)).work


class _Walk:
    """One traversal of a plan, which tracks the text sizes of the fields computed so far."""

    def __init__(self, fan: Fan, is_short: Short) -> None:
        self._is_short = is_short
        self._asked: dict[tuple[int, tuple[Field, ...]], int] = {}
        self._fan_of = fan
        self.most, self.usual = _Known(CUT), _Known(_USUAL_TEXT)

    def rows(self, relation: Relation, needed: frozenset[Field]) -> _Rows:
        """Rows and work of a relation, bottom-up; fields that no operator above needs are not read."""
        operator = relation.operator
        if not isinstance(relation, PerPerson):
            return _Rows(1.0, 1.0, 1.0)
        read = needed | _named(operator)
        if isinstance(operator, Join | SemiJoin):
            return self._joined(relation, operator, read)
        below = [self.rows(source, read) for source in sources(relation) if isinstance(source, PerPerson)]
        if not below:
            return self._stored(relation)
        if isinstance(operator, SetOperation):
            return self._gathered(relation, operator, *below)
        return self._one_side(relation, below[0], read)

    def spent(self, rows: _Rows, usual: Cost, most: Cost, often: tuple[float, float] | None = None) -> _Rows:
        """Add the cost of an operator per row; `counts` replaces the row counts (in total, per unit)."""
        everybody, unit = often or (rows.all, rows.most)
        added = Work(everybody * usual.nanoseconds / STEP, unit * most.nanoseconds / STEP)
        held = rows.work.unit_bytes + unit * most.bytes
        return replace(rows, work=replace(rows.work + added, unit_bytes=held))

    def _fan(self, public: Public, equal: tuple[Field, ...]) -> int:
        key = (id(public), equal)
        if key not in self._asked:
            self._asked[key] = self._fan_of(public, equal)
        return self._asked[key]

    def _most_at(self, relation: Relation) -> Most:
        return most_at(relation, self._fan)

    def _stored(self, relation: PerPerson) -> _Rows:
        most = float(self._most_at(relation).all)
        scans = [relation.operator] if isinstance(relation.operator, Scan) else []
        table = scans[0].table if scans else None
        size = float(table.size_class) if table is not None and table.size_class is not None else UNDECLARED
        norm = most if table is None or table.norms is None else table.norms.rows
        usual = 1.0 if relation.one_row_per_person else max(1.0, min(most, norm))
        return self.spent(_Rows(size, usual, most, Work(scanned=size)), Cost(_READ), Cost(_READ))

    def _one_side(self, relation: PerPerson, below: _Rows, read: frozenset[Field]) -> _Rows:
        most = min(below.most, float(self._most_at(relation).all))
        given = ((self.usual, below.usual), (self.most, below.most))
        usual, at_most = (self._cost(relation.operator, known, rows, read) for known, rows in given)
        usual = Cost(_GROUPED) if isinstance(relation.operator, Cut) else usual  # few persons exceed the limit
        spent = self.spent(below, usual, at_most)
        return replace(spent, most=most, usual=min(spent.usual, most))

    def _cost(self, operator: object, known: _Known, rows: float, read: frozenset[Field]) -> Cost:
        """Cost of an operator per source row; records the sizes of the texts that it computes."""
        if isinstance(operator, Filter):
            return Cost(row_cost(operator.condition, known.widths))
        if isinstance(operator, Project):
            cost = sum(row_cost(expr, known.widths) for _, expr in operator.computed)
            known.learn((f, known.widths.of(expr)) for f, expr in operator.computed)
            return Cost(cost)
        if isinstance(operator, Window):
            costs = [window_cost(call, rows, known.widths) for call in operator.calls]
            known.learn(
                (c.field, Extent.largest(map(known.widths.of, c.arguments))) for c in operator.calls if c.arguments
            )
            carried = known.of_fields(operator.source, read)
            return Cost(
                sum(c.nanoseconds for c in costs) + _PER_CARRIED_CHARACTER * carried,
                sum(c.bytes for c in costs) + _ROW_BYTES + held_bytes(carried),
            )
        if isinstance(operator, Group):
            costs = [measure_cost(measure, known.widths) for measure in operator.measures]
            keys = sum(known.of_field(f) for f in operator.keys)
            known.learn(_made(operator, known.widths, rows))
            return Cost(
                _GROUPED + _PER_KEY_CHARACTER * keys + sum(c.nanoseconds for c in costs),
                held_bytes(keys) + sum(c.bytes for c in costs),
            )
        if isinstance(operator, Distinct):
            width = sum(map(known.of_field, operator.keys))
            return Cost(2 * _GROUPED + _PER_WHOLE_CHARACTER * width, _ROW_BYTES + held_bytes(width))
        if isinstance(operator, Cut):
            width = known.of_fields(operator.source, read)
            return Cost(_SORTED + _PER_WHOLE_CHARACTER * width, _ROW_BYTES + held_bytes(width))
        return Cost(_MADE)

    def _gathered(self, relation: Relation, operator: SetOperation, left: _Rows, right: _Rows) -> _Rows:
        made = _Rows(
            left.all + right.all, left.usual + right.usual, float(self._most_at(relation).all), left.work + right.work
        )
        held = replace(made.work, unit_bytes=left.work.unit_bytes + right.work.unit_bytes)
        usual, most = (self._set_cost(operator, known) for known in (self.usual, self.most))
        return self.spent(replace(made, work=held), usual, most)

    @staticmethod
    def _set_cost(operator: SetOperation, known: _Known) -> Cost:
        """Cost of a set operation per row: whole rows are compared, except by UNION ALL."""
        known.learn((made, Extent.largest(map(known.widths.of_field, sides))) for *sides, made in operator.columns)
        if operator.how == "union" and not operator.distinct:
            return Cost(_MADE)
        width = sum(known.of_field(made) for _, _, made in operator.columns)
        return Cost(2 * _GROUPED + _PER_SET_CHARACTER * width, _ROW_BYTES + 2 * held_bytes(width))

    def _joined(self, relation: PerPerson, join: Join | SemiJoin, read: frozenset[Field]) -> _Rows:
        """Rows and work of a join: the pairs that it compares. A semi-join outputs left rows only."""
        left, right = (self._side(side, join.condition, read) for side in (join.left, join.right))
        persons = isinstance(join.left, PerPerson) and isinstance(join.right, PerPerson)
        everybody = min(left.all * right.usual, left.usual * right.all) if persons else left.all * right.all
        met = isinstance(join, SemiJoin) and persons and len(conjuncts(join.condition)) == 1
        unit = left.most + right.most if met else float(pairs(relation, join, self._fan))
        work = replace(left.work + right.work, unit_bytes=left.work.unit_bytes + right.work.unit_bytes)
        if met:
            everybody = left.all + right.all
        usual, most = (Cost(_MET + row_cost(join.condition, known.widths)) for known in (self.usual, self.most))
        kept = float(self._most_at(relation).all)
        made = left.all if isinstance(join, SemiJoin) else everybody
        of_one = left.usual if isinstance(join, SemiJoin) else left.usual * right.usual
        rows = _Rows(made, min(of_one, kept), kept, work)
        return self.spent(rows, usual, most, (everybody, unit))

    def _side(self, side: Relation, condition: Expr, read: frozenset[Field]) -> _Rows:
        """Rows and work of one join side: private rows are hashed on the compared fields and may be buffered."""
        if isinstance(side, Public):
            texts = [f for f in side.fields if f in read and f.type is SqlType.VARCHAR and f.domain is None]
            short = [f for f in texts if self._is_short(side, f)]
            self.most.learn((f, Extent(float(LISTED))) for f in short)
            fan = float(met_rows(side, condition, self._fan))
            return _Rows(fan, fan, fan)
        rows, compared = self.rows(side, read), frozenset(fields_of(condition))
        usual, most = (
            Cost(
                _PER_WHOLE_CHARACTER * known.of_fields(side, compared)
                + _PER_CARRIED_CHARACTER * known.of_fields(side, read),
                _ROW_BYTES + held_bytes(known.of_fields(side, read)),
            )
            for known in (self.usual, self.most)
        )
        return self.spent(rows, usual, most)


class _Known:
    """Sizes of texts and lists of the fields seen so far."""

    def __init__(self, text: int) -> None:
        self._made: dict[Field, Extent] = {}
        self.widths = Widths(text, self._made)

    def learn(self, found: Iterator[tuple[Field, Extent]]) -> None:
        """Record the sizes of computed fields."""
        self._made.update(list(found))

    def of_field(self, read: Field) -> float:
        """Characters of a field's value; of a list, those of all its elements."""
        return self.widths.of_field(read).characters

    def of_fields(self, relation: Relation, read: frozenset[Field]) -> float:
        """Characters per row in the fields that are read."""
        return sum(self.of_field(f) for f in relation.fields if f in read)


def _named(operator: object) -> frozenset[Field]:
    """Fields that an operator reads from its source; row truncation reads whole rows."""
    if isinstance(operator, Cut):
        return frozenset(operator.source.fields)
    parts = tuple(part for part in vars(operator).values() if not isinstance(part, Relation))
    return frozenset(each.field for each in expressions_of(parts) if isinstance(each, Ref)) | frozenset(_fields(parts))


def _fields(part: object) -> Iterator[Field]:
    if isinstance(part, Field):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from _fields(each)


def _made(group: Group, widths: Widths, rows: float) -> Iterator[tuple[Field, Extent]]:
    """Sizes of the aggregates of a group; a list has one element per row of the group."""
    for measure in group.measures:
        if measure.function in ("list", "list_distinct"):
            yield measure.field, list_of(widths.of(measure.arguments[0]), max(1.0, rows))
        elif measure.function == "string_agg":
            yield measure.field, Extent(float(CUT))
        elif measure.arguments:
            yield measure.field, widths.of(measure.arguments[0])
