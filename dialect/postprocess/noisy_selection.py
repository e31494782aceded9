"""Noisy selection: operators of the outer query that choose rows by noisy numbers, and the columns that this affects.

    SELECT zone, COUNT(*) AS n FROM trip GROUP BY zone ORDER BY n DESC LIMIT 15

shows the zones with the luckiest noise. LIMIT, HAVING, QUALIFY, joins, DISTINCT and grouping by a noisy number select.
Which ones do is a fact of the planned query.

Terms: the noise of a query vector is named by (plan index, vector index). A field is row-local if no two rows hold the
same noise in it. A selection is stable if the other selected rows are the same for every value of a selected row's own
noise at which that row is selected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.formulas import CountOf, Formula, MeanOf, QuantileOf, SumOf
from dialect.algebra.properties import Properties
from dialect.algebra.release_plan import ReleaseColumns
from dialect.analysis.uniqueness import equates_unique_key
from dialect.functions.window_functions import numbers_rows, ranks_rows
from dialect.postprocess.question import STORED_ORIGIN, Question, reads_single_groups

Vectors = frozenset[tuple[int, int]]
RowCount = Callable[[rel.Relation], int | None]
_NO_VECTORS: Vectors = frozenset()


@dataclass(frozen=True)
class FieldNoise:
    """Noise in the values of one field."""

    vectors: Vectors = _NO_VECTORS
    is_row_local: bool = True
    is_of_selected_rows: bool = False  # computed from several rows that its own noise selected


NO_NOISE = FieldNoise()


@dataclass(frozen=True)
class NoisySelection:
    """How a query selects the rows of its answer by noisy numbers; columns are named by their index."""

    affected_columns: frozenset[int]  # those with noise that decided which rows are shown
    row_local_columns: frozenset[int]
    columns_of_selected_rows: frozenset[int]  # sums and the like over rows that their own noise selected
    is_stable: bool
    has_fixed_size: bool  # noise does not decide how many rows are shown
    max_rank: int | None  # k of RANK() <= k, where ties show more than k rows
    max_rows: int | None  # rows that a LIMIT shows at most
    nulls_by_noise: bool  # an affected column is NULL where noise dominates, as ratios are

    def is_simple(self, column: int) -> bool:
        """Return whether a column's noise is apart from row to row, and the number of other selected rows too."""
        return self.is_stable and column in self.row_local_columns and column not in self.columns_of_selected_rows


@dataclass(frozen=True)
class _Rows:
    """What is known of the rows of a relation: the noise of its fields, and how noise selected the rows."""

    noise: Mapping[Field, FieldNoise] = field(default_factory=dict)
    selecting: Vectors = _NO_VECTORS
    is_stable: bool = True
    has_fixed_size: bool = True
    selections: int = 0  # operators that selected by noise
    max_rank: int | None = None
    ranks: Mapping[Field, str] = field(default_factory=dict)  # positions in an order by row-local noise -> function

    def of(self, *exprs: Expr) -> FieldNoise:
        """Noise of expressions over these rows, together."""
        return _together(self.noise.get(f, NO_NOISE) for expr in exprs for f in fields_of(expr))

    def select(
        self, noise: FieldNoise, *, is_stable: bool, has_fixed_size: bool = False, max_rank: int | None = None
    ) -> _Rows:
        """Rows that are selected from these by an operator that reads noise.

        One that reads none leaves a number of rows that noise decides, if noise has selected before.
        """
        if not noise.vectors:
            is_fixed = self.has_fixed_size and (has_fixed_size or not self.selecting)
            return replace(self, has_fixed_size=is_fixed, is_stable=self.is_stable and self.max_rank is None)
        return replace(
            self,
            selecting=self.selecting | noise.vectors,
            is_stable=self.is_stable and is_stable,
            has_fixed_size=self.has_fixed_size and has_fixed_size,
            selections=self.selections + 1,
            max_rank=max_rank,
        )


def _together(parts: Iterable[FieldNoise]) -> FieldNoise:
    """Noise of values that read all of the parts."""
    read = list(parts)
    return FieldNoise(
        frozenset[tuple[int, int]]().union(*(part.vectors for part in read)),
        all(part.is_row_local for part in read),
        any(part.is_of_selected_rows for part in read),
    )


def selection_by_noise(question: Question) -> NoisySelection | None:
    """Find how a query selects the rows of its answer by noise; None if it does not, and combines no selected rows.

    Claim: noise of columns that are not affected is independent of which rows are shown. Proof: proofs.md#selection.
    Raises: nothing.
    """
    return question.properties.once(selection_by_noise, question, lambda: _find_selection(question))


def _find_selection(question: Question) -> NoisySelection | None:
    """Find how a query selects rows, by the noise of its columns and of what its operators read."""
    if not question.releases or reads_single_groups(question):
        return None  # the usual question: its rows are chosen without noise
    rows = _selected(question.outer, question.releases, question.properties)
    columns = [rows.of(Ref(shown.field)) for shown in question.columns]
    combined = frozenset(i for i, noise in enumerate(columns) if noise.is_of_selected_rows)
    if not rows.selecting and not combined:
        return None
    has_common_noise = any(
        raw.origin is not None and raw.origin.table == STORED_ORIGIN
        for release in question.releases
        for raw in release.raw_fields
    )
    affected = frozenset(
        i for i, noise in enumerate(columns) if noise.vectors and (has_common_noise or noise.vectors & rows.selecting)
    )
    forms = [column.form for column in question.columns]
    return NoisySelection(
        affected | combined,
        frozenset(i for i, noise in enumerate(columns) if noise.is_row_local),
        combined,
        not has_common_noise and rows.is_stable and (rows.max_rank is None or rows.selections == 1),
        rows.has_fixed_size,
        rows.max_rank,
        _row_limit(question.outer),
        any((form := forms[i]) is None or form.denominator is not None for i in affected | combined),
    )


def counting_columns(question: Question) -> frozenset[str]:
    """Names of the columns that tell whether a row stands for anything: counts, sums of them, and ratios to them.

    Their exact number, or denominator, is 0 where there is nothing, and else above it.
    """
    return frozenset(
        column.name
        for column in question.columns
        if column.form is not None
        and not (column.form.denominator or column.form.as_linear()).may_be_negative(question.non_negative)
    )


def _row_limit(relation: rel.Relation) -> int | None:
    """Limit of the rows that a query shows, by a LIMIT at its end."""
    operator = relation.operator
    if isinstance(operator, rel.Project):
        return _row_limit(operator.source)
    return operator.limit if isinstance(operator, rel.Sort) else None


def candidate_rows(relation: rel.Relation, releases: tuple[ReleaseColumns, ...], count: RowCount) -> int | None:
    """Bound the number of rows from which noise selects the rows of a relation; None if some count is unknown.

    `count` = number of rows of a relation that noise does not select.
    """
    known = Properties()

    def candidates(rows: rel.Relation) -> int | None:
        """Bound the candidates of a relation by those of its inputs."""
        if not _selected(rows, releases, known).selecting:
            return count(rows)
        inputs = [candidates(part) for part in rows.children[: 1 if isinstance(rows.operator, rel.SemiJoin) else 2]]
        bounds = [bound for bound in inputs if bound is not None]
        if len(bounds) < len(inputs):
            return None
        if isinstance(rows.operator, rel.Join):
            return _joined_candidates(rows.operator, bounds[0], bounds[1], known)
        return sum(bounds)

    return candidates(relation)


def _joined_candidates(join: rel.Join, left: int, right: int, known: Properties) -> int:
    """Bound the candidate rows of a join by those of its sides."""
    if join.kind == "full":
        return (left + 1) * (right + 1)
    if equates_unique_key(join.right, join.condition, known):
        return left
    if join.kind != "left" and equates_unique_key(join.left, join.condition, known):
        return right
    return left * max(1, right)


def _selected(relation: rel.Relation, releases: tuple[ReleaseColumns, ...], known: Properties) -> _Rows:
    """Determine the noise and the selection of a relation's rows, once for each."""
    return known.once((_selected, releases), relation, lambda: _derive(relation, releases, known))


def _derive(relation: rel.Relation, releases: tuple[ReleaseColumns, ...], known: Properties) -> _Rows:
    """Determine the noise and the selection of a relation's rows from those of its inputs."""
    operator = relation.operator
    if isinstance(relation, rel.Public) or isinstance(operator, rel.ReleaseScan):
        return _Rows(_released_noise(releases[operator.index]) if isinstance(operator, rel.ReleaseScan) else {})
    inputs = [_selected(part, releases, known) for part in relation.children]
    if isinstance(operator, rel.SetOperation):
        return _of_set_operation(operator, inputs[0], inputs[1])
    if isinstance(operator, rel.Join):
        return _of_join(operator, inputs[0], inputs[1], known)
    rows = inputs[0]
    if isinstance(operator, rel.Filter):
        return _of_filter(operator, rows)
    if isinstance(operator, rel.Project):
        return _of_projection(operator, rows)
    if isinstance(operator, rel.Sort):
        return _of_sort(operator, rows)
    if isinstance(operator, rel.Window):
        return _of_window(operator, rows)
    if isinstance(operator, rel.Group):
        return _of_group(operator, rows)
    if isinstance(operator, rel.SemiJoin):
        read = _together(each.of(operator.condition) for each in inputs)
        return rows.select(_together([read, FieldNoise(inputs[1].selecting)]), is_stable=False)
    if isinstance(operator, rel.Distinct):
        return rows.select(rows.of(*map(Ref, operator.keys)), is_stable=False)
    raise ValueError(f"no rule for noise that selects rows through {type(operator).__name__}")


def _released_noise(columns: ReleaseColumns) -> dict[Field, FieldNoise]:
    """Noise of the fields of one release: its outputs with their interval ends, and its raw numbers."""
    noise = {raw: _noise_of_vectors(columns, (i,)) for i, raw in enumerate(columns.raw_fields)}
    for output in columns.outputs:
        made = _noise_of_vectors(columns, _vectors_of(output.formula))
        noise |= dict.fromkeys((output.field, *(output.interval_fields or ())), made)
    return noise


def _noise_of_vectors(columns: ReleaseColumns, vectors: tuple[int, ...]) -> FieldNoise:
    """Noise of a number that is computed from some vectors of a release."""
    return FieldNoise(frozenset((columns.plan_index, vector) for vector in vectors))


def _vectors_of(formula: Formula) -> tuple[int, ...]:
    """Vectors that a released number is computed from; a quantile reads a histogram, the only vector of its release."""
    if isinstance(formula, CountOf | SumOf):
        return (formula.vector,)
    if isinstance(formula, MeanOf):
        return (formula.centred_sum, formula.count)
    return (0,) if isinstance(formula, QuantileOf) else formula.vectors


def _of_projection(operator: rel.Project, rows: _Rows) -> _Rows:
    """Noise of computed columns: of what they read."""
    computed = {result: rows.of(expr) for result, expr in operator.computed}
    named = {f: rows.ranks[e.field] for f, e in operator.computed if isinstance(e, Ref) and e.field in rows.ranks}
    return replace(rows, noise={**rows.noise, **computed}, ranks={**rows.ranks, **named})


def _of_sort(operator: rel.Sort, rows: _Rows) -> _Rows:
    """Select rows by LIMIT and OFFSET: a fixed number of them, by the noise of the order."""
    if operator.limit is None and not operator.offset:
        return rows
    order = rows.of(*(key.expr for key in operator.order))
    return rows.select(order, is_stable=order.is_row_local, has_fixed_size=True)


def _of_filter(operator: rel.Filter, rows: _Rows) -> _Rows:
    """Select rows by a filter: stable if each part of it reads row-local noise, or bounds a rank."""
    is_stable, has_fixed_size, max_rank = True, True, rows.max_rank
    for part in conjuncts(operator.condition):
        noise = rows.of(part)
        is_bound, rank = _rank_bound(part, rows.ranks)
        has_fixed_size = has_fixed_size and is_bound and rank is None
        if noise.vectors and not noise.is_row_local:
            is_stable, max_rank = is_stable and is_bound, rank or max_rank
    condition = rows.of(operator.condition)
    return rows.select(condition, is_stable=is_stable, has_fixed_size=has_fixed_size, max_rank=max_rank)


def _rank_bound(condition: Expr, ranks: Mapping[Field, str]) -> tuple[bool, int | None]:
    """Decide whether a condition compares a position in an order with a constant, so that it selects a run of rows.

    Returns it with the largest rank of RANK, whose ties may show further rows. Of such ranks only the first ones can
    be bounded.
    """
    if not (isinstance(condition, Call) and condition.name in ("<", "<=", "=", ">=", ">")):
        return False, None
    place, limit = condition.arguments
    if not (isinstance(place, Ref) and isinstance(limit, Literal) and isinstance(limit.value, int)):
        return False, None
    function = ranks.get(place.field, "")
    if numbers_rows(function):
        return True, None
    largest = limit.value - (condition.name == "<")
    is_first = condition.name in ("<", "<=") or (condition.name == "=" and largest == 1)
    return (True, largest) if ranks_rows(function) and is_first and largest > 0 else (False, None)


def _of_window(operator: rel.Window, rows: _Rows) -> _Rows:
    """Noise of window functions: of what they read, and of what decides the rows that they read."""
    noise, ranks = dict(rows.noise), dict(rows.ranks)
    for call in operator.calls:
        order = rows.of(*(key.expr for key in call.order))
        deciding = _together(
            [order, rows.of(*call.partition), FieldNoise(rows.selecting), _of_filter_clause(call, rows)]
        )
        read = rows.of(*call.arguments)
        vectors = read.vectors | deciding.vectors
        is_of_selected_rows = read.is_of_selected_rows or bool(read.vectors & deciding.vectors)
        noise[call.result] = FieldNoise(vectors, not vectors, is_of_selected_rows)
        is_position = numbers_rows(call.function) or ranks_rows(call.function)
        if is_position and order.is_row_local and not rows.of(*call.partition).vectors:
            ranks[call.result] = call.function
    return replace(rows, noise=noise, ranks=ranks)


def _of_filter_clause(call: rel.WindowCall, rows: _Rows) -> FieldNoise:
    """Noise that the FILTER of a window function reads."""
    return NO_NOISE if call.condition is None else rows.of(call.condition)


def _of_group(operator: rel.Group, rows: _Rows) -> _Rows:
    """Noise of aggregates over released rows: row-local if noise decides neither the rows nor the groups."""
    keys = rows.of(*map(Ref, operator.keys))
    noise = {key: rows.of(Ref(key)) for key in operator.keys}
    for call in operator.aggregates:
        condition = NO_NOISE if call.condition is None else rows.of(call.condition)
        read, deciding = rows.of(*call.arguments), rows.selecting | keys.vectors | condition.vectors
        noise[call.result] = FieldNoise(
            read.vectors | deciding,
            read.is_row_local and condition.is_row_local and not rows.selecting and not keys.vectors,
            read.is_of_selected_rows or bool(read.vectors & deciding),
        )
    is_fixed = not rows.selecting
    grouped = replace(rows, noise=noise, ranks={}, is_stable=is_fixed, has_fixed_size=is_fixed)
    return grouped.select(keys, is_stable=False)


def _of_join(operator: rel.Join, left: _Rows, right: _Rows, known: Properties) -> _Rows:
    """Noise of joined rows: row-local of a side whose rows occur once, if the sides have no noise in common."""
    # a side's rows occur once if each matches at most one row of the other side
    has_common = bool(_all_vectors(left) & _all_vectors(right))
    once = [equates_unique_key(side, operator.condition, known) for side in (operator.right, operator.left)]
    noise = {
        f: replace(each, is_row_local=each.is_row_local and (not each.vectors or (occurs_once and not has_common)))
        for side, occurs_once in ((left, once[0]), (right, once[1]))
        for f, each in side.noise.items()
    }
    # noise may have selected the rows of one side, if each of them occurs once
    is_inner = operator.kind in ("inner", "cross")
    is_stable = ((left.is_stable and once[0]) or not left.selecting) and not right.selecting
    if is_inner and not left.selecting and right.selecting:
        is_stable = right.is_stable and once[1]
    ranks = {**(left.ranks if once[0] else {}), **(right.ranks if once[1] and is_inner else {})}
    joined = _Rows(
        noise,
        left.selecting | right.selecting,
        is_stable and left.max_rank is None is right.max_rank,
        not left.selecting and not right.selecting,
        left.selections + right.selections,
        None,
        ranks,
    )
    return joined.select(joined.of(operator.condition), is_stable=False)


def _all_vectors(rows: _Rows) -> Vectors:
    """All noise in the fields of a relation, and in the selection of its rows."""
    return rows.selecting.union(*(each.vectors for each in rows.noise.values()))


def _of_set_operation(operator: rel.SetOperation, left: _Rows, right: _Rows) -> _Rows:
    """Noise of a set operation: row-local in a UNION ALL of rows without common noise."""
    is_union_all = operator.kind == "union" and not operator.is_distinct
    is_apart = is_union_all and not _all_vectors(left) & _all_vectors(right)
    noise = {}
    for of_left, of_right, output in operator.columns:
        both = _together([left.of(Ref(of_left)), right.of(Ref(of_right))])
        noise[output] = replace(both, is_row_local=both.is_row_local and (is_apart or not both.vectors))
    selecting = left.selecting | right.selecting
    is_stable = is_apart and left.is_stable and right.is_stable and None is left.max_rank is right.max_rank
    is_fixed = left.has_fixed_size and right.has_fixed_size
    united = _Rows(noise, selecting, is_stable, is_fixed, left.selections + right.selections)
    if is_union_all:
        return united
    return united.select(_together(noise.values()), is_stable=False)
