"""Groups by one set of keys, or by several: then the groups of each set, gathered (`proofs.md#grouping-sets`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra.expressions import Alternative, Expr, Field, Literal, Ref
from dialect.algebra.relations import MOST_ROWS, Boundary, GroupSets, Measure, PerPerson, Relation
from dialect.algebra.set_operation import SetOperation
from dialect.binder.grouping import close
from dialect.catalog.catalog import Bounds, SqlType
from dialect.errors import Code
from dialect.parser.context import Reading, refusal
from dialect.stability.rules import bare, compute, person_among
from dialect.stability.set_operation_rules import combined

Set = tuple[int, ...]  # positions of keys


@dataclass(frozen=True)
class Groups:
    """The rows to group, and the keys below and above."""

    source: Relation
    keys: tuple[Field, ...]  # fields of the source
    sets: tuple[Set, ...]
    shown: tuple[Field, ...]  # what holds each key above: NULL in the groups of a set without it


def groups(source: Relation, keys: Sequence[Field], sets: Sequence[Set], reading: Reading, node: exp.Expr) -> Groups:
    """Say which fields hold the keys above; raises Refusal where some sets hold the person and others do not."""
    person = person_among(source, keys) if isinstance(source, PerPerson) else None
    if len(sets) == 1:
        return Groups(source, tuple(keys), tuple(sets), tuple(keys) if person is not None else bare(keys))
    if isinstance(source, PerPerson) and person is not None:
        if any(person_among(source, [keys[i] for i in each]) is None for each in sets):
            name = source.person.name or "person"
            why = "Some of these sets are groups of one person's rows, and others hold many people's."
            raise refusal(Code.KEY, why, f"GROUP BY {name}, ROLLUP (...)", node.args.get("group") or node)
        above = tuple(_of_person(key, i, sets, source, reading) for i, key in enumerate(keys))
    else:
        above = tuple(
            replace(key, id=reading.fresh(), nullable=key.nullable or not _everywhere(i, sets))
            for i, key in enumerate(bare(keys))
        )
    return Groups(source, tuple(keys), tuple(sets), above)


def _everywhere(place: int, sets: Sequence[Set]) -> bool:
    return all(place in each for each in sets)


def _of_person(key: Field, place: int, sets: Sequence[Set], source: PerPerson, reading: Reading) -> Field:
    always = _everywhere(place, sets)
    alternatives = (
        Alternative(Ref(key), source.facts),
        *(() if always else (Alternative(Literal(None, key.type), ()),)),
    )
    return replace(
        key, id=reading.fresh(), nullable=key.nullable or not always, of_person=key.of_person and always,
        definition=None, public=None, domain=None, alternatives=alternatives,
    )  # fmt: skip


def widened(groups: Groups) -> Relation:
    """Give the source as if it had as many rows of a person as there are groups of all sets, at most."""
    if not isinstance(groups.source, PerPerson):
        return groups.source
    return replace(groups.source, max_rows=min(groups.source.max_rows * len(groups.sets), MOST_ROWS))


def grouping_field(groups: Groups, reading: Reading, places: Sequence[int]) -> Field:
    """Describe the column of GROUPING(...): a bit for each key, 1 where it is not in the set."""
    alternatives = tuple(Alternative(Literal(_bits(places, each), SqlType.BIGINT), ()) for each in groups.sets)
    bounds = Bounds(0, 2 ** len(places) - 1)
    return Field(reading.fresh(), None, SqlType.BIGINT, nullable=False, bounds=bounds, alternatives=alternatives)


def _bits(places: Sequence[int], each: Set) -> int:
    return sum((place not in each) << i for i, place in enumerate(reversed(places)))


def closed(
    groups: Groups, measures: Sequence[Measure], tellings: Mapping[Set, Field], reading: Reading, node: exp.Expr
) -> Relation:
    """Close a GROUP BY; `tellings` are the columns that say which of some keys are in a row's set."""
    if len(groups.sets) == 1:
        return close(groups.source, [groups.keys[i] for i in groups.sets[0]], measures, node)
    made = (*groups.shown, *(measure.field for measure in measures), *tellings.values())
    among = GroupSets(tuple(tuple(dict.fromkeys(groups.keys[i] for i in each)) for each in groups.sets))
    gathered: Relation | None = None
    fields: list[Field] = []
    for number, each in enumerate(groups.sets, 1):
        told_here: list[Expr] = [Literal(_bits(places, each), SqlType.BIGINT) for places in tellings]
        relation, shown = _one(groups, each, among, measures, told_here, reading, node)
        if gathered is None:
            gathered, fields = relation, shown
            continue
        last = number == len(groups.sets)
        above = made if last else tuple(replace(f, id=reading.fresh()) for f in made)
        columns = tuple(zip(fields, shown, above, strict=True))
        gathered = combined(SetOperation(gathered, relation, "union", False, columns))
        fields = list(above)
    assert gathered is not None  # noqa: S101  there are several sets
    return gathered


def _one(
    groups: Groups,
    each: Set,
    among: GroupSets,
    measures: Sequence[Measure],
    told_here: Sequence[Expr],
    reading: Reading,
    node: exp.Expr,
) -> tuple[Relation, list[Field]]:
    """Close the groups of one set, with NULL for the keys that it lacks."""
    own = [replace(measure, field=replace(measure.field, id=reading.fresh())) for measure in measures]
    relation = close(groups.source, [groups.keys[i] for i in each], own, node)
    if isinstance(relation.operator, Boundary):
        relation = replace(relation, operator=replace(relation.operator, among=among))
    held = {f.id: f for f in relation.fields}
    keys: list[Expr] = [
        Ref(held[key.id]) if i in each else Literal(None, key.type) for i, key in enumerate(groups.keys)
    ]
    return compute(relation, [*keys, *(Ref(held[m.field.id]) for m in own), *told_here], reading)
