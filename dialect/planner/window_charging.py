"""Charged privacy windows: which windows a private relation reads, and whether it keeps their rows apart.

A top-down pass carries the predicates of the rows to each scan, so that it reads no other windows than they allow
(`dialect/analysis/proofs.md#touched-windows`). On the way up, a field carries the window of each row as long as each
row is computed from rows of that window alone (`proofs.md#kept-windows`). Scans read only rows of the windows that the
release is charged to (`proofs.md#charged-windows`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from dialect.algebra.expressions import (
    Expr,
    Field,
    Literal,
    Ref,
    conjunction,
    conjuncts,
    expand,
    fields_of,
    substituted,
)
from dialect.algebra.relations import (
    Cut,
    Distinct,
    Filter,
    Group,
    Join,
    Measure,
    PerPerson,
    Project,
    Public,
    Relation,
    Scan,
    SemiJoin,
    SetOperation,
    rows_in,
)
from dialect.algebra.relations import Window as Windowed
from dialect.algebra.release_plan import Touched
from dialect.algebra.traversal import all_below
from dialect.analysis.date_bounds import Clock, known_of
from dialect.analysis.sql_size import expressions_below
from dialect.catalog.admission import kept_stretch
from dialect.catalog.model import Dataset, SqlType
from dialect.catalog.privacy_windows import STATIC, Stretch, days_of, window_name
from dialect.functions.inference import computed_field, definition
from dialect.notes import Note, NoteCode
from dialect.parser.context import Reading
from dialect.stability.row_operators import facts_of
from dialect.stability.scans import (
    clock_of,
    during,
    equal_windows,
    in_same_window,
    tells_window,
    window_of,
    without_gaps,
)


@dataclass(frozen=True)
class Said:
    """Predicates that every row that reaches the release satisfies, pushed down to a relation."""

    facts: tuple[Expr, ...] = ()
    beside: frozenset[Field] = frozenset()  # more event times with predicates: each lies in the window of its row

    def with_facts(self, facts: Iterable[Expr]) -> Said:
        """Add predicates."""
        return replace(self, facts=(*self.facts, *facts))

    def possible(self, clock: Clock, stretch: Stretch, reading: Reading) -> tuple[date, ...]:
        """Find the windows with at least one date on which all predicates are possible.

        Each event time is tested on its own. Raises Refusal with E_COMPLEX if that takes too many steps
        (`dialect/analysis/proofs.md#touched-windows`).
        """
        clocks = [known_of(each, self.facts) for each in (clock, *map(Clock, self.beside))]
        if not any(each.facts for each in clocks):
            return stretch.begins()
        days = {begin: tuple(days_of(stretch.window, begin)) for begin in stretch.begins()}
        reading.take_steps(sum(map(len, days.values())) * sum(each.parts for each in clocks))
        return tuple(begin for begin in days if all(any(map(each.possible, days[begin])) for each in clocks))


def told_by_windows(
    condition: Expr, clocks: Iterable[Field], begins: Iterable[date], stretch: Stretch, reading: Reading
) -> bool:
    """Return whether every row of some windows satisfies a condition on one event time, so that it filters nothing.

    Claim: then the rows are the same without it. False for a condition that reads anything else, or when the step
    budget is exhausted. Proof: proofs.md#whole-windows
    """
    known = definition(condition)
    read = set() if known is None else set(fields_of(known))
    if known is None or len(read) != 1 or not read <= set(clocks):
        return False
    days = [day for begin in begins for day in days_of(stretch.window, begin)]
    held = known_of(Clock(read.pop()), (known,))
    if not days or held.facts != conjuncts(known) or not reading.spare_steps(len(days) * held.parts):
        return False
    return all(map(held.certain, days))


@dataclass(frozen=True)
class Rows:
    """A rewritten relation, with the privacy windows its rows depend on."""

    relation: Relation
    begins: frozenset[date] = frozenset()  # first days of the scanned windows; none for static and public rows
    needed: bool = False  # a person without rows in these windows has no row here
    unit: Field | None = None  # window of each row, which is computed from rows of that window and static rows alone
    clocks: frozenset[Field] = frozenset()  # event times, each in the window of its row


def timed(relation: Relation, stretch: Stretch, reading: Reading, said: Said, among: Iterable[date] = ()) -> Rows:
    """Restrict a scan to the windows that its rows can lie in, or to the given ones."""
    assert isinstance(relation.operator, Scan)  # noqa: S101  the caller checks
    clock = clock_of(relation.operator.table, relation.operator.fields)
    if clock is None:
        return Rows(relation)
    begins = tuple(sorted(among)) or _possible(relation.operator.table.name, clock, stretch, said, reading)
    read = replace(relation, operator=replace(relation.operator, windows=len(begins), windowed=True))
    kept = replace(relation, operator=Filter(read, during(clock, stretch, begins)))
    clocks = frozenset(f for f in (clock.time, clock.day) if f is not None)
    return with_unit(Rows(kept, frozenset(begins), True), window_of(clock, stretch.window), reading, clocks)


def with_unit(made: Rows, window: Expr, reading: Reading, clocks: frozenset[Field] = frozenset()) -> Rows:
    """Add a field with the privacy window of each row."""
    unit = replace(computed_field(reading.fresh(), None, window), nullable=False)
    relation = made.relation
    wider = replace(relation, operator=Project(relation, ((unit, window),)), fields=(*relation.fields, unit))
    return replace(made, relation=wider, unit=unit, clocks=clocks)


def _possible(table: str, clock: Clock, stretch: Stretch, said: Said, reading: Reading) -> tuple[date, ...]:
    """Find the windows in which a row can satisfy all predicates; if there are none, the first one is read."""
    found = said.possible(clock, stretch, reading)
    if found:
        return without_gaps(stretch, found)
    first, last = (window_name(stretch.window, stretch.begins()[place]) for place in (0, -1))
    declared = first if first == last else f"{first} to {last}"
    text = f"{table}: no row of the declared windows, {declared}, can match: {first} is charged for nothing."
    note = Note(NoteCode.OUTSIDE_WINDOWS, text)
    reading.outside.extend([] if note in reading.outside else [note])
    return stretch.begins()[:1]


_ONE_OF_THEM = ("min", "max")
NOTHING = Said()


@dataclass(frozen=True)
class Walk:
    """Rewrite of one source, in a dataset with declared privacy windows; one method per operator."""

    stretch: Stretch
    reading: Reading
    bare: dict[int, Rows] = field(default_factory=dict, compare=False)  # results without predicates, by relation id

    def rows(self, relation: Relation, said: Said = NOTHING) -> Rows:
        """Rewrite a relation, given the predicates that hold above it."""
        if isinstance(relation, Public):
            return Rows(relation)
        if said == NOTHING and id(relation) in self.bare:
            return self.bare[id(relation)]
        rule = next(rule for kind, rule in _RULES if isinstance(relation.operator, kind))
        made = self._in_one_window(rule(self, relation, said))
        if said == NOTHING:
            self.bare[id(relation)] = made
        return made

    def _in_one_window(self, made: Rows) -> Rows:
        """Assign the window of the single scanned one to rows that cannot exist without rows of it."""
        if made.unit is not None or not made.needed or len(made.begins) != 1:
            return made
        begin = Literal(f"{next(iter(made.begins))} 00:00:00", SqlType.TIMESTAMP)
        return with_unit(made, begin, self.reading)

    def scan(self, relation: Relation, said: Said) -> Rows:
        """Restrict a scan to the windows that its rows can lie in."""
        return timed(relation, self.stretch, self.reading, said)

    def filtered(self, relation: Relation, said: Said) -> Rows:
        """Filter: window attribution is unchanged; conjuncts that the scanned windows imply are removed."""
        operator = relation.operator
        assert isinstance(operator, Filter)  # noqa: S101
        source = self.rows(operator.source, said.with_facts(facts_of(operator.condition)))
        given = source.clocks, source.begins, self.stretch, self.reading
        left = tuple(part for part in conjuncts(operator.condition) if not told_by_windows(part, *given))
        if not left:
            return _made(relation, source.relation.operator, source)
        return _made(relation, Filter(source.relation, conjunction(left)), source)

    def projected(self, relation: Relation, said: Said) -> Rows:
        """Projection: a computed value belongs to the window of its row."""
        operator = relation.operator
        assert isinstance(operator, Project)  # noqa: S101
        source = self.rows(operator.source, said)
        return _made(relation, replace(operator, source=source.relation), source)

    def cut(self, relation: Relation, said: Said) -> Rows:
        """Row truncation: R rows per person, in each window if windows are kept apart, else R times their number."""
        operator = relation.operator
        assert isinstance(operator, Cut)  # noqa: S101
        source = self.rows(operator.source, said)
        apart = source.unit is not None
        rows = operator.max_rows if apart else rows_in(operator, len(source.begins))
        made = replace(operator, source=source.relation, window=source.unit, max_rows=rows)
        return _made(relation, made, source)

    def joined(self, relation: Relation, said: Said) -> Rows:
        """Join: pairs belong to one window if only one side has windows, or if the condition equates both windows."""
        join = relation.operator
        assert isinstance(join, Join)  # noqa: S101
        both = said.with_facts(facts_of(join.condition))
        left = self.rows(join.left, said if join.how == "left" else both.with_facts(join.right.facts))
        if type(relation) is Relation:
            return self._stepped(relation, join, left, both)
        right = self.rows(join.right, both.with_facts(join.left.facts))
        unit, clocks = self._met(left, right, join.condition, join.how != "left")
        needed = left.needed or (join.how != "left" and right.needed)
        operator = replace(join, left=left.relation, right=right.relation, apart=unit is not None)
        return _made(relation, operator, Rows(relation, left.begins | right.begins, needed, unit, clocks))

    def _stepped(self, relation: Relation, join: Join, left: Rows, said: Said) -> Rows:
        """Foreign-key join: the referenced row lies in the same window, if it has one."""
        right = timed(join.right, self.stretch, self.reading, said, left.begins)
        operator = replace(join, left=left.relation, right=right.relation)
        if left.unit is not None and right.unit is not None:
            same = in_same_window(left.unit, right.unit)
            operator = replace(operator, condition=conjunction((*conjuncts(join.condition), same)))
        first = left if left.unit is not None else right
        return _made(relation, operator, replace(first, clocks=left.clocks | right.clocks))

    def _met(self, left: Rows, right: Rows, condition: Expr, inner: bool) -> tuple[Field | None, frozenset[Field]]:
        if not right.begins or not left.begins:
            one = left if left.begins or not inner else right
            return one.unit, one.clocks
        same = equal_windows(condition, left.clocks, right.clocks, self.stretch.window)
        if left.unit is None or right.unit is None or not same:
            return None, frozenset()
        return left.unit, left.clocks | (right.clocks if inner else frozenset())

    def chosen(self, relation: Relation, said: Said) -> Rows:
        """Semi-join: left rows keep their window if selected by static rows or by rows of the same window."""
        join = relation.operator
        assert isinstance(join, SemiJoin)  # noqa: S101
        both = said.with_facts(facts_of(join.condition))
        left = self.rows(join.left, said if join.anti else both.with_facts(join.right.facts))
        right = self.rows(join.right, both.with_facts(join.left.facts))
        unit, clocks = self._met(left, right, join.condition, False)
        needed = left.needed or (not join.anti and right.needed)
        operator = replace(join, left=left.relation, right=right.relation, apart=unit is not None)
        return _made(relation, operator, Rows(relation, left.begins | right.begins, needed, unit, clocks))

    def grouped(self, relation: Relation, said: Said) -> Rows:
        """GROUP BY, DISTINCT: a key that determines the window adds it as a key, so that groups stay in one window."""
        group = relation.operator
        assert isinstance(group, Group | Distinct)  # noqa: S101
        source = self.rows(group.source, said)
        told = self._told(source, map(Ref, group.keys))
        within = _within(group, source) if told else frozenset()
        if within.intersection(f for fact in said.facts for f in fields_of(fact)):
            source = self.rows(group.source, replace(said, beside=said.beside | within))
        unit = source.unit if told else None
        keys = group.keys if unit is None or unit in group.keys else (*group.keys, unit)
        operator = replace(group, source=source.relation, keys=keys)
        clocks = source.clocks | within if unit is not None else frozenset()
        return _made(relation, operator, replace(source, unit=unit, clocks=clocks))

    def _told(self, source: Rows, exprs: Sequence[Expr] | map[Ref]) -> bool:
        """Return whether one of some expressions determines the window of a row."""
        if source.unit is None:
            return False
        fixed = isinstance(source.unit.definition, Literal)
        return fixed or any(tells_window(e, (*source.clocks, source.unit), self.stretch.window) for e in exprs)

    def windowed(self, relation: Relation, said: Said) -> Rows:
        """Window function: where every partition lies in one privacy window, values do; others are not read."""
        operator = relation.operator
        assert isinstance(operator, Windowed)  # noqa: S101
        source = self.rows(operator.source)
        apart = all(self._told(source, call.partition) for call in operator.calls)
        if not apart:
            made = replace(operator, source=source.relation)
            return _made(relation, made, replace(source, unit=None, clocks=frozenset()))
        source = self.rows(operator.source, said) if said.facts else source
        calls = tuple(replace(each, partition=_with(each.partition, source.unit)) for each in operator.calls)
        return _made(relation, replace(operator, source=source.relation, calls=calls), source)

    def combined(self, relation: Relation, said: Said) -> Rows:
        """Set operation: rows keep their window under UNION ALL, or if the compared columns determine it."""
        operation = relation.operator
        assert isinstance(operation, SetOperation)  # noqa: S101
        left, right = (
            self.rows(side, _of_side(operation, place, said))
            for place, side in enumerate((operation.left, operation.right))
        )
        needed = {
            "union": left.needed and right.needed,
            "intersect": left.needed or right.needed,
            "except": left.needed,
        }[operation.how]
        operator = replace(operation, left=left.relation, right=right.relation)
        rows = Rows(relation, left.begins | right.begins, needed)
        if left.unit is None or right.unit is None or not self._apart(operation, left, right):
            return _made(relation, operator, rows)
        unit = Field(self.reading.fresh(), None, SqlType.TIMESTAMP, nullable=False)
        operator = replace(operator, columns=(*operator.columns, (left.unit, right.unit, unit)))
        clocks = frozenset(made for one, other, made in operation.columns if self._tell(one, other, left, right))
        return _made(relation, operator, replace(rows, unit=unit, clocks=clocks))

    def _apart(self, operation: SetOperation, left: Rows, right: Rows) -> bool:
        """Return whether rows of two windows never compare equal: UNION ALL, or a column that determines the window."""
        gathered = operation.how == "union" and not operation.distinct
        return gathered or any(self._tell(one, other, left, right) for one, other, _ in operation.columns)

    def _tell(self, one: Field, other: Field, left: Rows, right: Rows) -> bool:
        window = self.stretch.window
        both = tells_window(Ref(one), left.clocks, window) and tells_window(Ref(other), right.clocks, window)
        return both and one.type is other.type and one.time_zone == other.time_zone


def _within(group: Group | Distinct, source: Rows) -> frozenset[Field]:
    """Return the MIN and MAX aggregates whose value is an event time of their group."""
    return (
        frozenset() if isinstance(group, Distinct) else frozenset(m.field for m in group.measures if _is_one(m, source))
    )


def _is_one(measure: Measure, source: Rows) -> bool:
    """Return whether an aggregate returns one of the event times of its group: an unfiltered MIN or MAX."""
    argument = measure.arguments[0] if measure.arguments else None
    alone = measure.function in _ONE_OF_THEM and measure.condition is None
    return alone and isinstance(argument, Ref) and argument.field in source.clocks


def _with(partition: tuple[Expr, ...], unit: Field | None) -> tuple[Expr, ...]:
    return partition if unit is None or Ref(unit) in partition else (*partition, Ref(unit))


def _of_side(operation: SetOperation, place: int, said: Said) -> Said:
    """Rewrite predicates on the output columns of a set operation over the columns of one side."""
    images: dict[Expr, Expr] = {Ref(columns[2]): expand(Ref(columns[place])) for columns in operation.columns}
    return replace(said, facts=tuple(substituted(fact, images) for fact in said.facts))


def _made(relation: Relation, operator: object, rows: Rows) -> Rows:
    """Replace the operator of a relation, and add the window field to its fields."""
    fields = relation.fields if rows.unit is None or rows.unit in relation.fields else (*relation.fields, rows.unit)
    return replace(rows, relation=replace(relation, operator=operator, fields=fields))  # type: ignore[arg-type]


_Rule = Callable[[Walk, Relation, Said], Rows]
_RULES: tuple[tuple[type | tuple[type, ...], _Rule], ...] = (
    (Scan, Walk.scan),
    (Filter, Walk.filtered),
    (Project, Walk.projected),
    (Join, Walk.joined),
    (SemiJoin, Walk.chosen),
    ((Group, Distinct), Walk.grouped),
    (Cut, Walk.cut),
    (Windowed, Walk.windowed),
    (SetOperation, Walk.combined),
)


def charged_windows(
    source: PerPerson, keys: Sequence[Field], read: Iterable[Field], reading: Reading
) -> tuple[PerPerson, Touched]:
    """Determine the privacy windows that a release is charged to, and rewrite its source to read no others.

    Claim: without one person's rows of an uncharged window the result rows are the same; without those of a charged
    window they are the same except for that person's rows of that window, unless the release crosses windows.
    Needs: `keys`, the group keys, and `read`, the other fields of the source that are read. Raises: nothing.
    Proof: proofs.md#charged-windows
    """
    dataset = reading.catalog.dataset(source.dataset)
    stretch = kept_stretch(reading.catalog, dataset)
    if stretch is None:
        return source, Touched(dataset.windows)
    rows = Walk(stretch, reading).rows(source)
    assert isinstance(rows.relation, PerPerson)  # noqa: S101  rewriting keeps the kind
    derived = frozenset(_derived_from(source, (*keys, *read), reading))
    touched = _touched(rows, derived, dataset)
    if touched.window is not None:
        clocks = (*rows.clocks, touched.window)
        touched = replace(touched, keyed=any(tells_window(Ref(key), clocks, dataset.window) for key in keys))
    return _cut_over_all(rows.relation) if touched.crossing else rows.relation, touched


def _cut_over_all(source: PerPerson) -> PerPerson:
    """Apply the row limit stated in the query per person instead of per window, for a release that crosses windows."""
    operator = source.operator
    return replace(source, operator=replace(operator, window=None)) if isinstance(operator, Cut) else source


def _touched(rows: Rows, derived: frozenset[str], dataset: Dataset) -> Touched:
    assert dataset.stretch is not None  # noqa: S101  the caller checks
    own = {window_name(dataset.stretch.window, begin) for begin in rows.begins}
    together = own | derived
    together |= _static(rows)
    windows = tuple(name for name in (*dataset.windows, STATIC) if name in together)
    apart = rows.unit is not None or not rows.begins
    crossing = not apart or (bool(derived) and len(windows) > 1)
    return Touched(
        windows, crossing, rows.unit if len(own) > 1 and not crossing else None,
        every=len(own) == len(dataset.windows) > 1,
        derived=tuple(name for name in dataset.windows if name in derived),
    )  # fmt: skip


def _static(rows: Rows) -> frozenset[str]:
    """Charge the static window if rows of tables without event time can count without any windowed row."""
    return frozenset() if rows.needed else frozenset({STATIC})


def _derived_from(source: PerPerson, read: Iterable[Field], reading: Reading) -> Iterator[str]:
    """Yield the windows that the scanned tables, and the columns that affect the result, were computed from."""
    for used in {*read, *_deciding(source)}:
        found = None if used.origin is None else reading.catalog.column(used.origin.table, used.origin.column)
        yield from () if found is None else found.from_windows
    for relation in all_below(source):
        if isinstance(relation.operator, Scan):
            yield from relation.operator.table.from_windows


def _deciding(source: Relation) -> Iterator[Field]:
    """Yield the fields that some operator reads, with those that break ties."""
    for expr in expressions_below(source):
        yield from fields_of(expr)
    for relation in all_below(source):
        operator = relation.operator
        if isinstance(operator, Group | Distinct):
            yield from operator.keys
        elif isinstance(operator, Cut):
            yield from operator.source.fields
