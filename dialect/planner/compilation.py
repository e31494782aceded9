"""Compilation: SQL text -> Question, by the passes of COMPILE_PASSES over one frozen state.

A typed relation is split at its release points, the operators at which private rows become released numbers: the
releases to make, and the outer query over them. A raw number is one noisy number of a query vector, before formulas and
rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

from sqlglot import exp

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Field
from dialect.algebra.relations import BoundQuery, row_inputs
from dialect.algebra.traversal import map_children
from dialect.analysis.lints import LintedQuery, lint
from dialect.analysis.work_bounds import check_sql_size
from dialect.binder.argument_lists import check_argument_lists
from dialect.binder.query import bind_query
from dialect.catalog.model import Catalog
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal
from dialect.notes import Note
from dialect.parser.compile_context import CompileContext
from dialect.parser.parser import alias_spellings, bounds_of, has_arithmetic, options_of, parse
from dialect.parser.spans import first_word_span
from dialect.parser.written_averages import read_written_averages
from dialect.planner.grouping_set_reuse import finer_set, sum_finer_groups
from dialect.planner.noise_fields import track_aggregate_noise, track_union_noise, track_window_noise
from dialect.planner.releases import Planning, plan_release_point, shared_plans
from dialect.postprocess.interval_functions import check_interval_functions
from dialect.postprocess.question import Question, result_columns
from dialect.stability.row_operators import counting_suggestions, refuse_polygons


def split_query(selected: BoundQuery, context: CompileContext) -> Question:
    """Split a typed query at its release points; raises Refusal with E_ROWS if private rows would be output."""
    if isinstance(selected.relation, rel.PerPerson):
        raise Kind.ROWS_OF_PEOPLE.at(first_word_span(context.sql), counting_suggestions(context.sql, selected.relation))
    refuse_polygons(f for _, f in selected.columns)
    planning = Planning(context, shared_plans(selected.relation, context))
    outer = _split(selected.relation, planning)
    check_sql_size(outer)
    assert isinstance(outer, rel.Released | rel.Public)  # noqa: S101  splitting keeps the kind
    query = planning.partial_query(outer)
    names = [(context.alias_spellings.get(name, name), field) for name, field in _unique_names(selected.columns)]
    question = Question(
        query.plans,
        query.releases,
        outer,
        query.released_sums,
        query.union_columns,
        sql=context.sql,
        columns=result_columns(query, names),
        options=context.options,
        notes=_notes(selected.relation, planning),
    )
    check_interval_functions(question)
    return question


def _notes(relation: rel.Relation, planning: Planning) -> tuple[Note, ...]:
    """Return all notes of a query: those of lints, and those from planning."""
    context = planning.context
    query = LintedQuery(relation, context.sql, context.catalog, context.properties, context.unreachable_tables)
    return (*lint(query), *planning.notes)


def _unique_names(columns: Sequence[tuple[str, Field]]) -> list[tuple[str, Field]]:
    """Make output column names unique by numbering repeated ones: x, x_1, x_2; the fields stay."""
    taken: set[str] = set()
    shown: list[tuple[str, Field]] = []
    for name, f in columns:
        unique, position = name, 1
        while unique in taken:
            unique, position = f"{name}_{position}", position + 1
        taken.add(unique)
        shown.append((unique, f))
    return shown


def _split(relation: rel.Relation, planning: Planning) -> rel.Relation:
    """Replace each release point by a scan of its releases, and track noise through the operators above it.

    Raw numbers are carried along as hidden fields wherever an operator keeps the rows of its source, since the interval
    of each shown number is computed from them. Grouping and DISTINCT end that.
    """
    operator = relation.operator
    if isinstance(operator, rel.ReleasePoint):
        return _split_release_point(operator, planning)
    if isinstance(relation, rel.Public):
        return relation
    above = map_children(relation, lambda part: _split(part, planning))
    if isinstance(above.operator, rel.SetOperation):
        return track_union_noise(above, above.operator, planning)
    if isinstance(above.operator, rel.Group):
        return track_aggregate_noise(above, above.operator, planning)
    if isinstance(above.operator, rel.Distinct):
        return above
    return track_window_noise(_carry_raw_fields(above), planning)


def _carry_raw_fields(relation: rel.Relation) -> rel.Relation:
    """Carry the raw noisy numbers of the rows of its inputs along as hidden fields, for intervals.

    All fields of the inputs that the relation does not have are added after its own.
    """
    present = set(relation.fields)
    extra = tuple(f for part in row_inputs(relation) for f in part.fields if f not in present)
    return replace(relation, fields=relation.fields + extra)


def _split_release_point(boundary: rel.ReleasePoint, planning: Planning) -> rel.Released:
    """Plan a release point, summed from a finer grouping set if possible; a refusal gets its position in the SQL."""
    try:
        sets = boundary.grouping_sets
        if sets is not None and (finer := finer_set(boundary, sets, planning)) is not None:
            return sum_finer_groups(boundary, finer, planning)
        return plan_release_point(boundary, planning)
    except Refusal as refused:
        raise replace(refused, span=refused.span or boundary.span) from None


@dataclass(frozen=True)
class Compilation:
    """What is known of a query while it is compiled; no pass changes what an earlier one made."""

    context: CompileContext
    tree: exp.Query | None = None
    bound: BoundQuery | None = None
    question: Question | None = None


def compile_text(sql: str, catalog: Catalog) -> Question:
    """Compile a query: SQL text -> the releases to make and the query over them; raises Refusal."""
    state = Compilation(CompileContext(catalog, sql))
    for compile_pass in COMPILE_PASSES:
        state = compile_pass(state)
    assert state.question is not None  # noqa: S101  made by plan_releases
    return state.question


def parse_text(state: Compilation) -> Compilation:
    """Parse the text; the context gets what it states outside of the tree."""
    tree = parse(state.context.sql, check_argument_lists)
    context = replace(
        state.context, alias_spellings=alias_spellings(tree), options=options_of(tree), bounds=bounds_of(tree)
    )
    if has_arithmetic(tree) and not context.bounds:  # these belong to calls by their places in the text
        read_written_averages(tree)
    return replace(state, context=context, tree=tree)


def bind_tree(state: Compilation) -> Compilation:
    """Bind the tree to typed relations."""
    assert state.tree is not None  # noqa: S101  made by parse_text
    return replace(state, bound=bind_query(state.tree, state.context))


def plan_releases(state: Compilation) -> Compilation:
    """Split the relations into releases and the query over them."""
    assert state.bound is not None  # noqa: S101  made by bind_tree
    question = split_query(state.bound, state.context)
    if state.context.options.others and all(plan.others is None for plan in question.plans):
        raise Kind.NOTHING_HIDDEN.at(state.context.options.span("others"))
    return replace(state, question=question)


def cover_windows(state: Compilation) -> Compilation:
    """Bind and plan again where a privacy unit of a release covers several privacy windows.

    Each person's row bound is multiplied by their number, which follows from the first plan.
    """
    assert state.question is not None  # noqa: S101  made by plan_releases
    windows_per_unit = max((plan.charged_windows.windows_per_unit for plan in state.question.plans), default=1)
    if windows_per_unit == 1:
        return state
    context = replace(state.context, field_ids=count(), windows_per_unit=windows_per_unit)
    return plan_releases(bind_tree(replace(state, context=context)))


COMPILE_PASSES: tuple[Callable[[Compilation], Compilation], ...] = (parse_text, bind_tree, plan_releases, cover_windows)
