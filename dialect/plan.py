"""Typed relations -> the releases to make and the part over them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from dialect.boundaries import Planning, released
from dialect.canonical import Canon, plain_text
from dialect.catalog import SqlType
from dialect.cuts import cut_to
from dialect.domains import key_set
from dialect.errors import Code, Refusal
from dialect.expressions import Field, Ref, expand
from dialect.formulas import Output
from dialect.inference import fixed_by_person
from dialect.interval_ends import check_ends, refuse_ends
from dialect.kept_rows import Kept, check_kept_below, key_rows
from dialect.kinds import Selected
from dialect.moments import MOMENTS
from dialect.options import KeysAre
from dialect.private_keys import check_private_keys
from dialect.private_plan import Key, KeySet, KeySource, Limits, PrivatePlan, Question, Shown, VectorKind
from dialect.reading import Reading
from dialect.relation_parts import tables_of
from dialect.relations import (
    Boundary,
    Distinct,
    Filter,
    Group,
    Join,
    Measure,
    PerPerson,
    Project,
    Public,
    Relation,
    Released,
    SemiJoin,
    Sort,
)
from dialect.released_sums import with_sums
from dialect.released_unions import with_noise
from dialect.roll_ups import added_up, finer_of
from dialect.rules import compute, refuse_polygons
from dialect.set_operation import SetOperation
from dialect.shared_vectors import unions
from dialect.spans import first_word
from dialect.vectors import Vectors
from dialect.weights import check_weight
from dialect.window import Window


def plan(selected: Selected, reading: Reading) -> Question:
    """Split a typed question at its release boundaries; raises Refusal with E_ROWS where rows would leave."""
    if isinstance(selected.relation, PerPerson):
        raise Refusal(
            Code.ROWS,
            "Rows of people never leave; only aggregates over many of them do.",
            "SELECT COUNT(*) FROM ... or an aggregate with GROUP BY",
            first_word(reading.sql),
            _counted(reading.sql),
        )
    refuse_polygons(f for _, f in selected.columns)
    planning = Planning(reading, unions(selected.relation, reading, private_plan))
    outer = _split(selected.relation, planning)
    check_weight(outer)
    assert isinstance(outer, Released | Public)  # noqa: S101  splitting keeps the kind
    columns = tuple(Shown(reading.written.get(name, name), f) for name, f in _unique(selected.columns))
    question = Question(
        reading.sql, tuple(planning.plans), tuple(planning.releases), outer, columns, reading.options,
        tuple(planning.notes), tuple(planning.sums), tuple(planning.gathered),
    )  # fmt: skip
    check_ends(question)
    return question


def _counted(sql: str) -> tuple[str, ...]:
    """Ask how many rows there are instead."""
    source = re.search(r"\bfrom\b.*?(?=\border by\b|\blimit\b|\boffset\b|;|$)", sql, re.IGNORECASE | re.DOTALL)
    of_groups = f"SELECT COUNT(*) FROM ({sql.strip().rstrip('; ')})"
    plain = f"SELECT COUNT(*) {source[0].strip()}" if source else of_groups
    return (of_groups,) if re.search(r"\bgroup by\b", sql, re.IGNORECASE) else (plain, of_groups)


def _unique(columns: Sequence[tuple[str, Field]]) -> list[tuple[str, Field]]:
    """Give every shown column a name of its own."""
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
        return _with_raw(replace(relation, operator=replace(operator, source=source)), source)
    if isinstance(operator, Group):
        summed = with_sums(replace(operator, source=_split(operator.source, planning)), planning)
        beside = tuple(m.field for m in summed.measures[len(operator.measures) :])
        return replace(relation, operator=summed, fields=relation.fields + beside)
    if isinstance(operator, Distinct):
        return replace(relation, operator=replace(operator, source=_split(operator.source, planning)))
    return relation


def _with_raw(relation: Relation, *parts: Relation) -> Relation:
    """Carry the raw numbers of releases along, for intervals."""
    known = set(relation.fields)
    extra = tuple(f for part in parts for f in part.fields if f not in known)
    return replace(relation, fields=relation.fields + extra)


def _release(boundary: Boundary, planning: Planning) -> Released:
    try:
        finer = finer_of(boundary, planning, private_plan)
        if finer is not None:
            return added_up(boundary, finer, planning, private_plan)
        return released(boundary, planning, private_plan)
    except Refusal as refused:
        raise replace(refused, span=refused.span or boundary.span) from None


def private_plan(boundary: Boundary, reading: Reading) -> tuple[PrivatePlan, tuple[Output, ...]]:
    """Plan one release: its keys and vectors in canonical order, and how its numbers come from the vectors."""
    asked = [argument for measure in boundary.measures for argument in measure.arguments]
    asked += [measure.condition for measure in boundary.measures if measure.condition is not None]
    source, fields = compute(boundary.source, asked, reading)
    assert isinstance(source, PerPerson)  # noqa: S101  computing keeps the kind
    refuse_ends(source, reading.sql)
    limits = Limits(reading.options.max_groups, reading.options.max_rows)
    source = cut_to(source, limits)
    canon = Canon()
    structure = canon.relation(source)
    keys = sorted(boundary.keys, key=lambda f: canon.names[f.id])
    check_kept_below(source)
    listed = _listed(keys, source, reading)
    if listed is None:
        check_private_keys(keys, reading.sql)
    collected = Vectors(reading.catalog, dict(zip(asked, fields, strict=True)), canon, source.facts)
    outputs = [
        Output(measure.field, collected.formula(measure), _own_ends(measure, reading)) for measure in boundary.measures
    ]
    if listed is None or not outputs:
        collected.add(VectorKind.PERSONS, None, None)
    check_weight(source, *((listed.relation,) if listed is not None else ()))
    vectors, outputs_in_order = collected.in_order(outputs)
    made = PrivatePlan(
        dataset=source.dataset,
        source=source,
        keys=tuple(_key(f, listed, reading) for f in keys),
        key_set=listed,
        one_group_per_person=all(fixed_by_person(f) for f in keys),
        one_row_per_person=source.one_row_per_person,
        vectors=vectors,
        tables=tuple(sorted(name for name in tables_of(source, False) if _is_private(name, reading))),
        frame=f"{source.dataset}: {structure} group by {', '.join(canon.names[f.id] for f in keys)}"
        f" {_key_text(listed)}",
        texts=tuple(sorted(collected.texts)),
        limits=limits,
    )
    return made, outputs_in_order


def _own_ends(measure: Measure, reading: Reading) -> tuple[Field, Field] | None:
    """Name the ends of an interval that only the release itself can say."""
    if measure.function not in MOMENTS:
        return None
    return Field(reading.fresh(), None, SqlType.DOUBLE), Field(reading.fresh(), None, SqlType.DOUBLE)


def _listed(keys: Sequence[Field], source: PerPerson, reading: Reading) -> KeySet | None:
    """Find the public list of all keys, unless the question wants them to reach a threshold."""
    asked = reading.options
    if source.kept is not None:
        if asked.keys is KeysAre.PRIVATE:
            why = "A LEFT JOIN keeps every key of its public rows, so they are public."
            raise Refusal(Code.PARAM, why, "JOIN instead of LEFT JOIN", asked.span("keys"))
        return _kept_keys(source.kept, keys)
    if keys and asked.keys is KeysAre.PRIVATE:
        return None
    listed = key_set(keys, source, reading)
    if listed is None and asked.keys is KeysAre.PUBLIC:
        why = "No public list of these keys is known: only private ones are possible."
        raise Refusal(Code.KEY, why, "keys = 'private', which asks for a threshold", asked.span("keys"))
    return listed


def _kept_keys(kept: Kept, keys: Sequence[Field]) -> KeySet:
    """List every key of the public rows that a LEFT JOIN keeps: the question itself asks for all of them."""
    relation, held = key_rows(kept, keys)
    what = ", ".join(sorted(tables_of(kept.rows))) or "a public list"
    return KeySet(relation, held, (KeySource(relation, what, True),), asked=True)


def _key_text(listed: KeySet | None) -> str:
    if listed is None:
        return "thresholded"
    if not listed.asked or not listed.keys:
        return "listed"
    canon = Canon()
    rows = canon.relation(listed.relation)
    return f"all of {rows} by {', '.join(canon.names[f.id] for f in listed.keys)}"


def _is_private(name: str, reading: Reading) -> bool:
    table = reading.catalog.table(name)
    return table is not None and table.private


def _key(key: Field, listed: KeySet | None, reading: Reading) -> Key:
    text = plain_text(expand(Ref(key)))
    if reading.options.keys is KeysAre.PRIVATE:
        return Key(key, text, "asked for as private, so keys must reach a threshold")
    if listed is None:
        return Key(key, text, "no public list of its values is known, so keys must reach a threshold")
    return Key(key, text, "public: " + ", ".join(source.what for source in listed.sources))
