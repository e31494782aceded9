"""Charged privacy windows: which windows a private relation reads, and whether it keeps their rows apart.

A top-down pass carries the predicates of the rows to each scan, so that it reads no other windows than they allow
(`dialect/analysis/proofs.md#touched-windows`). On the way up, a field carries the window of each row as long as each
row is computed from rows of that window alone (`proofs.md#kept-windows`). Scans read only rows of the windows that the
release is charged to (`proofs.md#charged-windows`).

Terms: a fact is a predicate that is true of every row that reaches the release. A clock is the event time of a table
(its time and date columns). The stretch is the range of the dataset's retained privacy windows, and a begin is the
first day of one. A window field has, per row, the start of its privacy window; without one, rows may combine several
windows. A release crosses windows if rows of one may affect results of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

from dialect.algebra.expressions import Expr, Field, Literal, Ref, conjunction, conjuncts, fields_of, substitute
from dialect.algebra.properties import Properties
from dialect.algebra.relations import (
    AggregateCall,
    Distinct,
    Filter,
    Group,
    Join,
    Operator,
    PerPerson,
    Project,
    Public,
    Relation,
    RowTruncation,
    Scan,
    SemiJoin,
    SetOperation,
    row_bound_over_windows,
)
from dialect.algebra.relations import Window as Windowed
from dialect.algebra.release_plan import ChargedWindows
from dialect.algebra.traversal import walk
from dialect.analysis.canonical_form import CanonicalForm
from dialect.analysis.date_bounds import EventTime, event_time_predicates
from dialect.analysis.uniqueness import path_steps
from dialect.analysis.work_bounds import expressions_below
from dialect.catalog.model import Dataset, SqlType, retained_windows
from dialect.catalog.privacy_windows import STATIC, WindowRange, days_of_window, window_name
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.registry import computed_field, definition_of
from dialect.parser.compile_context import CompileContext
from dialect.stability.joins import limit_pairs
from dialect.stability.row_operators import predicates_of
from dialect.stability.scans import (
    determines_window,
    event_time_of,
    implies_same_window,
    is_in_windows,
    is_same_window,
    limit_ranges,
    window_start,
)


@dataclass(frozen=True)
class PushedPredicates:
    """Predicates that every row that reaches the release satisfies, pushed down to a relation."""

    facts: tuple[Expr, ...] = ()
    other_times: frozenset[Field] = frozenset()  # more event times with predicates: each lies in the window of its row

    def with_predicates(self, facts: Iterable[Expr]) -> PushedPredicates:
        """Add facts that every row satisfies too."""
        return replace(self, facts=(*self.facts, *facts))

    def possible_windows(self, clock: EventTime, stretch: WindowRange, context: CompileContext) -> tuple[date, ...]:
        """Find the windows with at least one date on which all predicates are possible.

        Each event time is tested on its own. Raises Refusal with E_COMPLEX if that takes too many steps
        (`dialect/analysis/proofs.md#touched-windows`).
        """
        clocks = [event_time_predicates(each, self.facts) for each in (clock, *map(EventTime, self.other_times))]
        if not any(each.predicates for each in clocks):
            return stretch.first_days()
        days = {begin: tuple(days_of_window(stretch.window, begin)) for begin in stretch.first_days()}
        context.charge_pruning_steps(sum(map(len, days.values())) * sum(each.evaluations_per_date for each in clocks))
        return tuple(begin for begin in days if all(any(map(each.is_possible, days[begin])) for each in clocks))


def is_implied_by_windows(
    condition: Expr, event_times: Iterable[Field], begins: Iterable[date], stretch: WindowRange, context: CompileContext
) -> bool:
    """Return whether every row of some windows satisfies a condition on one event time, so that it filters nothing.

    Claim: then the rows are the same without it. False for a condition that reads anything else, or when the step
    budget is exhausted. Proof: proofs.md#whole-windows
    """
    expanded = definition_of(condition)
    read = set() if expanded is None else set(fields_of(expanded))
    if expanded is None or len(read) != 1 or not read <= set(event_times):
        return False
    days = [day for begin in begins for day in days_of_window(stretch.window, begin)]
    predicates = event_time_predicates(EventTime(read.pop()), (expanded,))
    if (
        not days
        or predicates.predicates != conjuncts(expanded)
        or not context.try_pruning_steps(len(days) * predicates.evaluations_per_date)
    ):
        return False
    return all(map(predicates.is_certain, days))


@dataclass(frozen=True)
class WindowedRows:
    """A rewritten relation, with the privacy windows its rows depend on."""

    relation: Relation
    window_starts: frozenset[date] = frozenset()  # first days of the scanned windows; none for static and public rows
    needs_windowed_rows: bool = False  # a person without rows in these windows has no row here
    window_field: Field | None = (
        None  # window of each row, which is computed from rows of that window and static rows alone
    )
    event_times: frozenset[Field] = frozenset()  # event times, each in the window of its row


def restrict_scan(
    relation: Relation,
    scan: Scan,
    stretch: WindowRange,
    context: CompileContext,
    pushed: PushedPredicates,
    given_windows: Iterable[date] = (),
) -> WindowedRows:
    """Restrict a scan to the windows that its rows can lie in, or to the given ones; adds their window field.

    A table without event time is returned as it is: its rows are static, in no window.
    """
    clock = event_time_of(scan.table, scan.fields)
    if clock is None:
        return WindowedRows(relation)
    begins = tuple(sorted(given_windows)) or _possible_windows(scan.table.name, clock, stretch, pushed, context)
    read = relation.with_operator(replace(scan, window_count=len(begins), reads_whole_windows=True))
    filtered = read.with_filter(is_in_windows(clock, stretch, begins))
    event_times = frozenset(f for f in (clock.time, clock.day) if f is not None)
    return add_window_field(
        WindowedRows(filtered, frozenset(begins), True), window_start(clock, stretch.window), context, event_times
    )


def add_window_field(
    rows: WindowedRows, window: Expr, context: CompileContext, event_times: frozenset[Field] = frozenset()
) -> WindowedRows:
    """Add a field with the privacy window of each row; `window` is the expression of its start."""
    window_field = replace(computed_field(context.new_field_id(), window), nullable=False)
    wider = rows.relation.with_columns(((window_field, window),))
    return replace(rows, relation=wider, window_field=window_field, event_times=event_times)


def _possible_windows(
    table: str, clock: EventTime, stretch: WindowRange, pushed: PushedPredicates, context: CompileContext
) -> tuple[date, ...]:
    """Find the windows in which a row can satisfy all facts; if there are none, the first one is read.

    A release must be charged to some window; a note explains why nothing matches.
    """
    found = pushed.possible_windows(clock, stretch, context)
    if found:
        return limit_ranges(stretch, found)
    first, last = (window_name(stretch.window, stretch.first_days()[place]) for place in (0, -1))
    context.unreachable_tables[table] = (first, last)
    return stretch.first_days()[:1]


NO_PREDICATES = PushedPredicates()


@dataclass(frozen=True)
class WindowRewrite:
    """Rewrite of one source, in a dataset with declared privacy windows; one method per operator."""

    stretch: WindowRange
    context: CompileContext
    known: Properties = field(default_factory=Properties, compare=False)  # results without predicates
    implied: list[Expr] = field(default_factory=list, compare=False)  # conjuncts that the text of the rows lacks

    def rewrite(self, relation: Relation, pushed: PushedPredicates = NO_PREDICATES) -> WindowedRows:
        """Rewrite a relation, given the facts that are pushed down to it."""
        if isinstance(relation, Public):
            return WindowedRows(relation)
        if pushed == NO_PREDICATES:
            return self.known.once("windowed rows", relation, lambda: self._apply_rule(relation, pushed))
        return self._apply_rule(relation, pushed)

    def _apply_rule(self, relation: Relation, pushed: PushedPredicates) -> WindowedRows:
        """Rewrite a relation by the rule of its operator."""
        rule = next(rule for kind, rule in _RULES if isinstance(relation.operator, kind))
        return self._with_single_window(rule(self, relation, relation.operator, pushed))

    def _with_single_window(self, rows: WindowedRows) -> WindowedRows:
        """Attribute rows to the single scanned window, if they cannot exist without rows of it.

        They may combine several rows, but all of them are of this window or static.
        """
        if rows.window_field is not None or not rows.needs_windowed_rows or len(rows.window_starts) != 1:
            return rows
        begin = Literal(f"{next(iter(rows.window_starts))} 00:00:00", SqlType.TIMESTAMP)
        return add_window_field(rows, begin, self.context)

    def scan(self, relation: Relation, scan: Scan, pushed: PushedPredicates) -> WindowedRows:
        """Restrict a scan to the windows that its rows can lie in."""
        rows = restrict_scan(relation, scan, self.stretch, self.context, pushed)
        self._note_repeated_conditions(scan, rows, pushed)
        return rows

    def _note_repeated_conditions(self, scan: Scan, rows: WindowedRows, pushed: PushedPredicates) -> None:
        """Note conditions that are those of the window filter, as of a join: the text of the rows has them once."""
        clock = event_time_of(scan.table, scan.fields)
        dataset = self.context.catalog.datasets_by_name[scan.table.dataset]
        if clock is None or dataset.window_range is None:
            return
        read, declared = (
            {_text_of(part) for part in conjuncts(is_in_windows(clock, self.stretch, sorted(starts)))}
            for starts in (rows.window_starts, dataset.window_range.first_days())
        )
        self.implied.extend(fact for fact in pushed.facts if _text_of(fact) in read - declared)

    def rewrite_filter(self, relation: Relation, operator: Filter, pushed: PushedPredicates) -> WindowedRows:
        """Filter: window attribution is unchanged; conjuncts that the scanned windows imply are removed."""
        source = self.rewrite(operator.source, pushed.with_predicates(predicates_of(operator.condition)))
        window_args = source.event_times, source.window_starts, self.stretch, self.context
        parts = conjuncts(operator.condition)
        remaining = tuple(part for part in parts if not is_implied_by_windows(part, *window_args))
        self.implied.extend(part for part in parts if part not in remaining)
        if not remaining:
            return _replace_operator(relation, source.relation.operator, source)
        return _replace_operator(relation, Filter(source.relation, conjunction(remaining)), source)

    def rewrite_projection(self, relation: Relation, operator: Project, pushed: PushedPredicates) -> WindowedRows:
        """Projection: a computed value belongs to the window of its row."""
        source = self.rewrite(operator.source, pushed)
        return _replace_operator(relation, replace(operator, source=source.relation), source)

    def rewrite_truncation(self, relation: Relation, operator: RowTruncation, pushed: PushedPredicates) -> WindowedRows:
        """Row truncation: R rows per person, in each window if windows are kept apart, else R times their number.

        If rows combine windows, a person has R rows for each window that is read.
        """
        source = self.rewrite(operator.source, pushed)
        is_per_window = source.window_field is not None
        rows = operator.max_rows if is_per_window else row_bound_over_windows(operator, len(source.window_starts))
        truncation = replace(operator, source=source.relation, window=source.window_field, max_rows=rows)
        return _replace_operator(relation, truncation, source)

    def rewrite_join(self, relation: Relation, join: Join, pushed: PushedPredicates) -> WindowedRows:
        """Join: pairs belong to one window if only one side has windows, or if the condition equates both windows.

        The left rows of a LEFT JOIN need no match, so its condition restricts the right side only, and rows of the
        right side are not needed. A plain Relation, neither public nor per person, is the join of a table to its
        persons along a foreign key.
        """
        both = pushed.with_predicates(predicates_of(join.condition))
        left = self.rewrite(join.left, pushed if join.kind == "left" else both.with_predicates(join.right.predicates))
        # neither public nor per person: a join along a foreign key
        if type(relation) is Relation:
            return self._rewrite_foreign_key_join(relation, join, left, both)
        right = self.rewrite(join.right, both.with_predicates(join.left.predicates))
        condition = _with_equal_windows(left, right, join.condition)
        window_field, event_times = self._common_window(left, right, condition, join.kind != "left")
        needed = left.needs_windowed_rows or (join.kind != "left" and right.needs_windowed_rows)
        operator = _join_of(join, left, right, condition, window_field)
        return _replace_operator(
            relation,
            operator,
            WindowedRows(relation, left.window_starts | right.window_starts, needed, window_field, event_times),
        )

    def _rewrite_foreign_key_join(
        self, relation: Relation, join: Join, left: WindowedRows, pushed: PushedPredicates
    ) -> WindowedRows:
        """Foreign-key join: the referenced row lies in the same window, if it has one."""
        assert isinstance(join.right.operator, Scan)  # noqa: S101  of the referenced table
        right = restrict_scan(join.right, join.right.operator, self.stretch, self.context, pushed, left.window_starts)
        operator = replace(join, left=left.relation, right=right.relation)
        if left.window_field is not None and right.window_field is not None:
            same = is_same_window(left.window_field, right.window_field)
            operator = replace(operator, condition=conjunction((*conjuncts(join.condition), same)))
        first = left if left.window_field is not None else right
        return _replace_operator(relation, operator, replace(first, event_times=left.event_times | right.event_times))

    def _common_window(
        self, left: WindowedRows, right: WindowedRows, condition: Expr, inner: bool
    ) -> tuple[Field | None, frozenset[Field]]:
        """Return (window field, event times) of joined pairs; None and no times if a pair may combine two windows.

        If only one side has windows, pairs belong to that side's window. Pairs of an outer join without a match have no
        right side, so only an `inner` join adds the event times of the right side, or takes the window of a right side
        alone.
        """
        if not right.window_starts or not left.window_starts:
            one = left if left.window_starts or not inner else right
            return one.window_field, one.event_times
        if left.window_field is None or right.window_field is None:
            return None, frozenset()
        tested = is_same_window(left.window_field, right.window_field) in conjuncts(condition)
        if not tested and not implies_same_window(condition, left.event_times, right.event_times, self.stretch.window):
            return None, frozenset()
        return left.window_field, left.event_times | (right.event_times if inner else frozenset())

    def rewrite_semi_join(self, relation: Relation, join: SemiJoin, pushed: PushedPredicates) -> WindowedRows:
        """Semi-join: left rows keep their window if selected by static rows or by rows of the same window."""
        both = pushed.with_predicates(predicates_of(join.condition))
        left = self.rewrite(join.left, pushed if join.is_anti else both.with_predicates(join.right.predicates))
        right = self.rewrite(join.right, both.with_predicates(join.left.predicates))
        condition = _with_equal_windows(left, right, join.condition)
        window_field, event_times = self._common_window(left, right, condition, False)
        needed = left.needs_windowed_rows or (not join.is_anti and right.needs_windowed_rows)
        operator = _join_of(join, left, right, condition, window_field)
        return _replace_operator(
            relation,
            operator,
            WindowedRows(relation, left.window_starts | right.window_starts, needed, window_field, event_times),
        )

    def rewrite_grouping(self, relation: Relation, group: Group | Distinct, pushed: PushedPredicates) -> WindowedRows:
        """GROUP BY, DISTINCT: if a key determines the window, the window is a further key.

        Then groups stay in one window, and the MIN or MAX of an event time is again an event time of it. Facts on such
        an aggregate are pushed down in a second pass over the source.
        """
        source = self.rewrite(group.source, pushed)
        determines_window = self._determines_window(source, map(Ref, group.keys))
        event_time_aggregates = _event_time_aggregates(group, source) if determines_window else frozenset()
        if event_time_aggregates.intersection(f for fact in pushed.facts for f in fields_of(fact)):
            source = self.rewrite(group.source, replace(pushed, other_times=pushed.other_times | event_time_aggregates))
        window_field = source.window_field if determines_window else None
        keys = group.keys if window_field is None or window_field in group.keys else (*group.keys, window_field)
        operator = replace(group, source=source.relation, keys=keys)
        event_times = source.event_times | event_time_aggregates if window_field is not None else frozenset()
        return _replace_operator(
            relation, operator, replace(source, window_field=window_field, event_times=event_times)
        )

    def _determines_window(self, source: WindowedRows, exprs: Sequence[Expr] | map[Ref]) -> bool:
        """Return whether one of some expressions determines the window of a row.

        A constant window field is determined by anything.
        """
        if source.window_field is None:
            return False
        is_constant = isinstance(source.window_field.definition, Literal)
        return is_constant or any(
            determines_window(e, (*source.event_times, source.window_field), self.stretch.window) for e in exprs
        )

    def rewrite_window_function(self, relation: Relation, operator: Windowed, pushed: PushedPredicates) -> WindowedRows:
        """Window function: if every partition lies in one privacy window, each value belongs to the window of its row.

        Otherwise rows belong to no window. Facts are pushed down only if partitions lie in one window, as they would
        exclude windows whose rows other rows of the partition read.
        """
        source = self.rewrite(operator.source)
        is_per_window = all(self._determines_window(source, call.partition) for call in operator.calls)
        if not is_per_window:
            window_operator = replace(operator, source=source.relation)
            return _replace_operator(
                relation, window_operator, replace(source, window_field=None, event_times=frozenset())
            )
        source = self.rewrite(operator.source, pushed) if pushed.facts else source
        calls = tuple(
            replace(each, partition=_add_partition_key(each.partition, source.window_field)) for each in operator.calls
        )
        return _replace_operator(relation, replace(operator, source=source.relation, calls=calls), source)

    def rewrite_set_operation(
        self, relation: Relation, operation: SetOperation, pushed: PushedPredicates
    ) -> WindowedRows:
        """Set operation: rows keep their window under UNION ALL, or if the compared columns determine it."""
        left, right = (
            self.rewrite(side, _pushed_to_side(operation, place, pushed))
            for place, side in enumerate((operation.left, operation.right))
        )
        # an output row comes from either side (union), from both (intersect), or from the left one (except)
        needed = {
            "union": left.needs_windowed_rows and right.needs_windowed_rows,
            "intersect": left.needs_windowed_rows or right.needs_windowed_rows,
            "except": left.needs_windowed_rows,
        }[operation.kind]
        operator = replace(operation, left=left.relation, right=right.relation)
        rows = WindowedRows(relation, left.window_starts | right.window_starts, needed)
        if (
            left.window_field is None
            or right.window_field is None
            or not self._keeps_windows_apart(operation, left, right)
        ):
            return _replace_operator(relation, operator, rows)
        window_field = Field(self.context.new_field_id(), None, SqlType.TIMESTAMP, nullable=False)
        operator = replace(operator, columns=(*operator.columns, (left.window_field, right.window_field, window_field)))
        event_times = frozenset(
            output for one, other, output in operation.columns if self._both_determine_window(one, other, left, right)
        )
        return _replace_operator(relation, operator, replace(rows, window_field=window_field, event_times=event_times))

    def _keeps_windows_apart(self, operation: SetOperation, left: WindowedRows, right: WindowedRows) -> bool:
        """Return whether rows of two windows never compare equal: UNION ALL, or a column that determines the window."""
        is_union_all = operation.kind == "union" and not operation.is_distinct
        return is_union_all or any(
            self._both_determine_window(one, other, left, right) for one, other, _ in operation.columns
        )

    def _both_determine_window(self, one: Field, other: Field, left: WindowedRows, right: WindowedRows) -> bool:
        """Return whether the window follows from one column on each side, of the same type and zone.

        Only then are equal values of the two columns times of the same window.
        """
        window = self.stretch.window
        both = determines_window(Ref(one), left.event_times, window) and determines_window(
            Ref(other), right.event_times, window
        )
        return both and one.type is other.type and one.time_zone == other.time_zone


J = TypeVar("J", Join, SemiJoin)


def _join_of(join: J, left: WindowedRows, right: WindowedRows, condition: Expr, window_field: Field | None) -> J:
    """Join two rewritten sides; they are truncated further where windows would add up to too many pairs."""
    counts, apart = (len(left.window_starts), len(right.window_starts)), window_field is not None
    sides = left.relation, right.relation
    if isinstance(join, Join) or len(conjuncts(condition)) > 1:  # a single conjunct compares no pairs
        sides = limit_pairs(*sides, condition, counts, is_per_window=apart)
    return replace(join, left=sides[0], right=sides[1], condition=condition, is_per_window=apart)


def _with_equal_windows(left: WindowedRows, right: WindowedRows, condition: Expr) -> Expr:
    """Add the equality of both rows' windows to a join along a foreign-key path, whose rows lie in one window.

    Unchanged where a side does not keep windows, or only one window is read. Claim: the pairs that meet the condition
    are the same. Raises: nothing. Proof: dialect/stability/proofs.md#foreign-key-paths
    """
    if left.window_field is None or right.window_field is None or len(left.window_starts | right.window_starts) == 1:
        return condition
    if not any(step.is_timed for step in path_steps(left.relation, right.relation, condition)):
        return condition
    return conjunction((*conjuncts(condition), is_same_window(left.window_field, right.window_field)))


def _text_of(condition: Expr) -> str:
    """Canonical text of a condition over fields by their ids."""
    return CanonicalForm({read.id: read.id for read in fields_of(condition)}).expression_text(condition)


def _event_time_aggregates(group: Group | Distinct, source: WindowedRows) -> frozenset[Field]:
    """Return the MIN and MAX aggregates whose value is an event time of their group."""
    if isinstance(group, Distinct):
        return frozenset()
    return frozenset(m.result for m in group.aggregates if _returns_event_time(m, source))


def _returns_event_time(measure: AggregateCall, source: WindowedRows) -> bool:
    """Return whether an aggregate returns one of the event times of its group: an unfiltered MIN or MAX."""
    argument = measure.arguments[0] if measure.arguments else None
    is_unfiltered_extreme = AGGREGATES[measure.function].is_extreme and measure.condition is None
    return is_unfiltered_extreme and isinstance(argument, Ref) and argument.field in source.event_times


def _add_partition_key(partition: tuple[Expr, ...], window_field: Field | None) -> tuple[Expr, ...]:
    """Partition by the window field too, so that no partition spans two windows."""
    return partition if window_field is None or Ref(window_field) in partition else (*partition, Ref(window_field))


def _pushed_to_side(operation: SetOperation, place: int, pushed: PushedPredicates) -> PushedPredicates:
    """Rewrite predicates on the output columns of a set operation over the columns of one side."""
    # columns are (left field, right field, output field); `place` is 0 for the left side, 1 for the right one
    images: dict[Expr, Expr] = {Ref(columns[2]): columns[place].expression for columns in operation.columns}
    return replace(pushed, facts=tuple(substitute(fact, images) for fact in pushed.facts))


def _replace_operator(relation: Relation, operator: Operator, rows: WindowedRows) -> WindowedRows:
    """Return `rows` with the relation of another operator, and the window field added to its fields."""
    window_field = () if rows.window_field is None or rows.window_field in relation.fields else (rows.window_field,)
    return replace(rows, relation=relation.with_operator(operator, window_field))


_Rule = Callable[..., WindowedRows]  # (rewrite, relation, its operator, pushed predicates) -> rewritten relation
_RULES: tuple[tuple[type | tuple[type, ...], _Rule], ...] = (
    (Scan, WindowRewrite.scan),
    (Filter, WindowRewrite.rewrite_filter),
    (Project, WindowRewrite.rewrite_projection),
    (Join, WindowRewrite.rewrite_join),
    (SemiJoin, WindowRewrite.rewrite_semi_join),
    ((Group, Distinct), WindowRewrite.rewrite_grouping),
    (RowTruncation, WindowRewrite.rewrite_truncation),
    (Windowed, WindowRewrite.rewrite_window_function),
    (SetOperation, WindowRewrite.rewrite_set_operation),
)


def determine_charged_windows(
    source: PerPerson, keys: Sequence[Field], read: Iterable[Field], context: CompileContext
) -> tuple[PerPerson, ChargedWindows]:
    """Determine the privacy windows that a release is charged to, and rewrite its source to read no others.

    Claim: without one person's rows of an uncharged window the result rows are the same; without those of a charged
    window they are the same except for that person's rows of that window, unless the release crosses windows.
    Needs: `keys`, the group keys, and `read`, the other fields of the source that are read. Raises: nothing.
    Proof: proofs.md#charged-windows
    """
    dataset = context.catalog.datasets_by_name[source.dataset]
    stretch = retained_windows(context.catalog, dataset)
    if stretch is None:
        return source, ChargedWindows(dataset.window_names)
    rewrite = WindowRewrite(stretch, context)
    rows = rewrite.rewrite(source)
    assert isinstance(rows.relation, PerPerson)  # noqa: S101  rewriting keeps the kind
    derived = frozenset(_source_windows(source, (*keys, *read), context))
    charged = replace(_charged_windows(rows, derived, dataset), has_implied_conditions=bool(rewrite.implied))
    if charged.window_field is not None:
        clocks = (*rows.event_times, charged.window_field)
        charged = replace(
            charged, has_window_key=any(determines_window(Ref(key), clocks, dataset.window) for key in keys)
        )
    return _truncate_over_all_windows(rows.relation) if charged.is_crossing else rows.relation, charged


def _truncate_over_all_windows(source: PerPerson) -> PerPerson:
    """Apply the row limit stated in the query per person instead of per window, for a release that crosses windows."""
    operator = source.operator
    return source.with_operator(replace(operator, window=None)) if isinstance(operator, RowTruncation) else source


def _charged_windows(rows: WindowedRows, derived: frozenset[str], dataset: Dataset) -> ChargedWindows:
    """Combine the scanned, source and static windows into the windows that the release is charged to.

    It crosses windows if rows combine several of them, or if it reads columns or tables that were computed from others.
    """
    assert dataset.window_range is not None  # noqa: S101  the caller checks
    scanned_windows = {window_name(dataset.window_range.window, begin) for begin in rows.window_starts}
    all_windows = scanned_windows | derived
    all_windows |= _static_window(rows)
    windows = tuple(name for name in (*dataset.window_names, STATIC) if name in all_windows)
    is_per_window = rows.window_field is not None or not rows.window_starts
    is_crossing = not is_per_window or (bool(derived) and len(windows) > 1)
    return ChargedWindows(
        windows, is_crossing, rows.window_field if len(scanned_windows) > 1 and not is_crossing else None,
        # not for a dataset with a single window, which every query reads
        is_every_window=len(scanned_windows) == len(dataset.window_names) > 1,
        derived_windows=tuple(name for name in dataset.window_names if name in derived),
    )  # fmt: skip


def _static_window(rows: WindowedRows) -> frozenset[str]:
    """Return the static window if rows of tables without event time can count without any windowed row.

    Otherwise those rows can affect the result only through a charged window.
    """
    return frozenset() if rows.needs_windowed_rows else frozenset({STATIC})


def _source_windows(source: PerPerson, read: Iterable[Field], context: CompileContext) -> Iterator[str]:
    """Yield the windows that the scanned tables, and the columns that affect the result, were computed from."""
    for used in {*read, *_fields_read(source)}:
        found = None if used.origin is None else context.catalog.column(used.origin.table, used.origin.column)
        yield from () if found is None else found.source_windows
    for relation in walk(source):
        if isinstance(relation.operator, Scan):
            yield from relation.operator.table.source_windows


def _fields_read(source: Relation) -> Iterator[Field]:
    """Yield the fields that some operator reads, with those that break ties."""
    for expr in expressions_below(source):
        yield from fields_of(expr)
    for relation in walk(source):
        operator = relation.operator
        if isinstance(operator, Group | Distinct):
            yield from operator.keys
        elif isinstance(operator, RowTruncation):
            yield from operator.source.fields
