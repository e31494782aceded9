"""Split a typed relation at its release points: the releases to make, and the query over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dialect.algebra.expressions import Field
from dialect.algebra.relations import (
    Boundary,
    Distinct,
    Filter,
    Group,
    Join,
    PerPerson,
    Project,
    Public,
    Relation,
    Released,
    SemiJoin,
    SetOperation,
    Sort,
    Window,
)
from dialect.algebra.release_plan import Question, Shown
from dialect.analysis.lints import midnight_notes, never_true_notes, unlisted_notes
from dialect.analysis.sql_size import check_weight
from dialect.analysis.ties import tie_notes
from dialect.binder.query import Selected
from dialect.errors import Code, Refusal
from dialect.notes import Note
from dialect.parser.context import Reading
from dialect.parser.spans import first_word
from dialect.planner.grouping_set_reuse import added_up, finer_of
from dialect.planner.noise_tracking import with_noise, with_sums, with_windows
from dialect.planner.releases import Planning, released, unions
from dialect.postprocess.interval_functions import check_ends
from dialect.stability.row_operators import counted_instead, refuse_polygons


def plan(selected: Selected, reading: Reading) -> Question:
    """Split a typed query at its release points; raises Refusal with E_ROWS if private rows would be output."""
    if isinstance(selected.relation, PerPerson):
        raise Refusal(
            Code.ROWS,
            "Rows of people never leave; only aggregates over many of them do.",
            "SELECT COUNT(*) FROM ... or an aggregate with GROUP BY",
            first_word(reading.sql),
            counted_instead(reading.sql, selected.relation),
        )
    refuse_polygons(f for _, f in selected.columns)
    planning = Planning(reading, unions(selected.relation, reading))
    outer = _split(selected.relation, planning)
    check_weight(outer)
    assert isinstance(outer, Released | Public)  # noqa: S101  splitting keeps the kind
    columns = tuple(Shown(reading.written.get(name, name), f) for name, f in _unique(selected.columns))
    question = Question(
        reading.sql, tuple(planning.plans), tuple(planning.releases), outer, columns, reading.options,
        _notes(selected.relation, planning), tuple(planning.sums), tuple(planning.gathered),
    )  # fmt: skip
    check_ends(question)
    return question


def _notes(relation: Relation, planning: Planning) -> tuple[Note, ...]:
    beside = (*never_true_notes(relation), *midnight_notes(relation, planning.reading.sql))
    beside += tie_notes(relation, planning.reading.sql)
    return *unlisted_notes(relation, planning.reading.catalog), *beside, *planning.reading.outside, *planning.notes


def _unique(columns: Sequence[tuple[str, Field]]) -> list[tuple[str, Field]]:
    """Make output column names unique by numbering repeated ones."""
    taken: set[str] = set()
    shown: list[tuple[str, Field]] = []
    for name, f in columns:
        unique, position = name, 1
        while unique in taken:
            unique, position = f"{name}_{position}", position + 1
        taken.add(unique)
        shown.append((unique, f))
    return shown


def _split(relation: Relation, planning: Planning) -> Relation:
    operator = relation.operator
    if isinstance(operator, Boundary):
        return _release(operator, planning)
    if isinstance(operator, Join):
        sides = _split(operator.left, planning), _split(operator.right, planning)
        made = Join(*sides, operator.how, operator.condition)
        return _with_raw(replace(relation, operator=made), *sides)
    if isinstance(operator, SetOperation):
        left, right = _split(operator.left, planning), _split(operator.right, planning)
        return with_noise(relation, replace(operator, left=left, right=right), planning)
    if isinstance(operator, SemiJoin):
        kept, met = _split(operator.left, planning), _split(operator.right, planning)
        return _with_raw(replace(relation, operator=replace(operator, left=kept, right=met)), kept)
    if isinstance(operator, Filter | Project | Sort | Window):
        source = _split(operator.source, planning)
        return with_windows(_with_raw(replace(relation, operator=replace(operator, source=source)), source), planning)
    if isinstance(operator, Group):
        summed = with_sums(replace(operator, source=_split(operator.source, planning)), planning)
        beside = tuple(m.field for m in summed.measures[len(operator.measures) :])
        return replace(relation, operator=summed, fields=relation.fields + beside)
    if isinstance(operator, Distinct):
        return replace(relation, operator=replace(operator, source=_split(operator.source, planning)))
    return relation


def _with_raw(relation: Relation, *parts: Relation) -> Relation:
    """Carry the raw noisy numbers of the sources along as hidden fields, for intervals."""
    known = set(relation.fields)
    extra = tuple(f for part in parts for f in part.fields if f not in known)
    return replace(relation, fields=relation.fields + extra)


def _release(boundary: Boundary, planning: Planning) -> Released:
    try:
        finer = finer_of(boundary, planning)
        if finer is not None:
            return added_up(boundary, finer, planning)
        return released(boundary, planning)
    except Refusal as refused:
        raise replace(refused, span=refused.span or boundary.span) from None
