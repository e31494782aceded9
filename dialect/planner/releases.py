"""Plan one release point as PrivatePlans: group keys, query vectors, and the formula of each output column.

A release point has one release for its vectors and one for each histogram, joined on the keys. Release points over the
same rows and groups share one release with the vectors of all (`proofs.md#shared-vectors`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import reduce

from dialect.algebra.expressions import Expr, Field, Origin, Ref, conjunction, expand, rebuild
from dialect.algebra.formulas import Gathered, Output, ReleasedSum
from dialect.algebra.relations import (
    Boundary,
    GroupSets,
    Join,
    Kept,
    Limits,
    Measure,
    PerPerson,
    Public,
    Relation,
    Released,
    ReleaseScan,
    cut_to,
)
from dialect.algebra.release_plan import Key, KeySet, KeySource, PrivatePlan, ReleaseColumns, SoFar, VectorKind
from dialect.algebra.traversal import sources, tables_of
from dialect.analysis.canonical_form import Canon
from dialect.analysis.sql_size import check_weight
from dialect.catalog.model import SqlType
from dialect.errors import Code, Refusal
from dialect.functions.aggregates import MOMENTS
from dialect.functions.builders import same
from dialect.functions.emitter import plain_text
from dialect.functions.inference import fixed_by_person
from dialect.notes import Note
from dialect.parser.context import Reading
from dialect.parser.options import KeysAre
from dialect.planner.keys.key_set import key_set
from dialect.planner.keys.private_keys import check_private_keys
from dialect.planner.quantiles import Binned, histograms, is_quantile, notes_of, quantile_output
from dialect.planner.vectors import Vectors, moved
from dialect.planner.window_charging import charged_windows
from dialect.postprocess.interval_functions import refuse_ends
from dialect.stability.outer_joins import check_kept_below, key_rows
from dialect.stability.row_operators import bare, compute


def one_release(boundary: Boundary, reading: Reading) -> tuple[PrivatePlan, tuple[Output, ...]]:
    """Plan one release: its keys and vectors in canonical order, and the formula of each output over the vectors."""
    asked = [argument for measure in boundary.measures for argument in measure.arguments]
    asked += [measure.condition for measure in boundary.measures if measure.condition is not None]
    source, fields = compute(boundary.source, asked, reading)
    assert isinstance(source, PerPerson)  # noqa: S101  computing keeps the kind
    refuse_ends(source)
    limits = Limits(reading.options.max_groups, reading.options.max_rows)
    source, touched = charged_windows(cut_to(source, limits), boundary.keys, fields, reading)
    canon = Canon()
    structure = canon.relation(source)
    keys = sorted(boundary.keys, key=lambda f: canon.names[f.id])
    check_kept_below(source)
    listed = _listed(keys, source, reading)
    if listed is None:
        check_private_keys(keys, reading)
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
        f" {_key_text(listed)}{touched.text}",
        texts=tuple(sorted(collected.texts)),
        limits=limits,
        touched=touched,
    )
    return made, outputs_in_order


def _own_ends(measure: Measure, reading: Reading) -> tuple[Field, Field] | None:
    """Create fields for interval ends that only the release itself can compute: those of variances and the like."""
    if measure.function not in MOMENTS:
        return None
    return Field(reading.fresh(), None, SqlType.DOUBLE), Field(reading.fresh(), None, SqlType.DOUBLE)


def _listed(keys: Sequence[Field], source: PerPerson, reading: Reading) -> KeySet | None:
    """Find the public key set, or None for partition selection; raises Refusal if the stated option is impossible."""
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
    """Build the key set of a public table LEFT JOIN a private one: all keys of the preserved public rows."""
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


@dataclass(frozen=True)
class _Planned:
    """A release point with its plan."""

    boundary: Boundary
    plan: PrivatePlan


def unions(relation: Relation, reading: Reading) -> Mapping[str, PrivatePlan]:
    """Plan one shared release per frame (rows and groups), with the vectors of every release point that has it.

        SELECT (SELECT COUNT(*) FROM visit), (SELECT AVG(dwell) FROM visit)   ->   one release for both

    Returns the shared plans by frame.
    """
    boundaries = tuple(_boundaries(relation))
    found: dict[str, _Planned] = {}
    for boundary in boundaries if len(boundaries) > 1 else ():
        plain = tuple(measure for measure in boundary.measures if not is_quantile(measure))
        with suppress(Refusal):  # raised again where this release point is planned alone
            made = _planned(replace(boundary, measures=plain), reading)
            if plain:
                known = found.get(made.plan.frame, made)
                found[made.plan.frame] = _joined(known, made, reading)
    return {frame: each.plan for frame, each in found.items()}


def read_from(
    union: PrivatePlan | None, made: PrivatePlan, outputs: tuple[Output, ...]
) -> tuple[PrivatePlan, tuple[Output, ...]]:
    """Read a plan's numbers from the shared release if that has all of its vectors, else from its own release."""
    if union is None or union.frame != made.frame or not set(made.texts) <= set(union.texts):
        return made, outputs
    place = {own: union.texts.index(text) for own, text in enumerate(made.texts)}
    factor = {own: union.vectors[there].scale_group for own, there in place.items()}
    if any(factor[own] != factor[vector.scale_group] for own, vector in enumerate(made.vectors)):
        return made, outputs  # the vectors of a mean need one scale factor
    return union, tuple(replace(output, formula=moved(output.formula, place)) for output in outputs)


def _boundaries(relation: Relation) -> Iterator[Boundary]:
    if isinstance(relation.operator, Boundary):
        yield relation.operator
        return
    for source in sources(relation):
        yield from _boundaries(source)


def _planned(boundary: Boundary, reading: Reading) -> _Planned:
    return _Planned(boundary, one_release(boundary, reading)[0])


def _joined(known: _Planned, other: _Planned, reading: Reading) -> _Planned:
    """Add another release point's aggregates to a plan; leaves it unchanged where they become different vectors."""
    wanted = {*known.plan.texts, *other.plan.texts}
    measures = _over(known.boundary.source, other.boundary)
    if wanted == set(known.plan.texts) or measures is None:
        return known
    with suppress(Refusal):
        both = replace(known.boundary, measures=known.boundary.measures + measures)
        made = _planned(both, reading)
        if made.plan.frame == known.plan.frame and set(made.plan.texts) == wanted:
            return made
    return known


def _over(source: PerPerson, boundary: Boundary) -> tuple[Measure, ...] | None:
    """Rewrite aggregates over another source of the same rows; None if a value is missing there."""
    here, there = Canon(), Canon()
    here.relation(source)
    there.relation(boundary.source)
    fields = {here.names[f.id]: f for f in reversed(source.fields) if f.id in here.names}

    def image(expr: Expr) -> Expr:
        if not isinstance(expr, Ref):
            return rebuild(expr, image)
        same = fields.get(there.names.get(expr.field.id, ""))
        return Ref(same) if same is not None else _computed(expr.field, image)

    try:
        return tuple(_with(measure, image) for measure in boundary.measures)
    except _NotFoundError:
        return None


def _with(measure: Measure, image: Callable[[Expr], Expr]) -> Measure:
    condition = None if measure.condition is None else image(measure.condition)
    return replace(measure, arguments=tuple(map(image, measure.arguments)), condition=condition)


def _computed(field: Field, image: Callable[[Expr], Expr]) -> Expr:
    if field.definition is None or field.definition == Ref(field):
        raise _NotFoundError
    return image(field.definition)


class _NotFoundError(Exception):
    """A value is missing in the other source."""


Set = frozenset[Field]  # keys of one grouping set


@dataclass
class Planning:
    """State of planning one query: the releases collected so far, and what is tracked of their noise."""

    reading: Reading
    unions: Mapping[str, PrivatePlan] = field(default_factory=dict)  # by frame
    plans: list[PrivatePlan] = field(default_factory=list)
    releases: list[ReleaseColumns] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    sums: list[ReleasedSum] = field(default_factory=list)
    gathered: list[Gathered] = field(default_factory=list)
    added_up: dict[GroupSets, Mapping[Set, Set]] = field(default_factory=dict)  # set -> finer set it is summed from

    def so_far(self, rows: Released | Public) -> SoFar:
        """Snapshot of rows over the releases, with the noise tracked so far."""
        return SoFar(tuple(self.plans), tuple(self.releases), rows, tuple(self.sums), tuple(self.gathered))

    def place(self, made: PrivatePlan) -> int:
        """Return the index of a plan, added unless an equal release is already planned."""
        known = next((i for i, each in enumerate(self.plans) if each.canonical == made.canonical), None)
        if known is None:
            self.plans.append(made)
        return len(self.plans) - 1 if known is None else known


@dataclass(frozen=True)
class _Part:
    """One release of a release point."""

    relation: Released
    keys: Mapping[Field, Field]  # key field of the release point -> of this release


def released(boundary: Boundary, planning: Planning) -> Released:
    """Plan all releases of a release point, joined on its keys; raises Refusal if one is impossible."""
    plain = tuple(measure for measure in boundary.measures if not is_quantile(measure))
    binned = histograms(boundary, planning.reading)
    parts = [_vectors(replace(boundary, measures=plain), planning)] if plain or not binned else []
    for each in binned:
        parts.append(_histogram(each, not parts, planning))
    return reduce(_beside, parts).relation


def _vectors(boundary: Boundary, planning: Planning) -> _Part:
    own, numbers = one_release(boundary, planning.reading)
    made, outputs = read_from(planning.unions.get(own.frame), own, numbers)
    place = planning.place(made)
    origins = (Origin(f"release {place}", f"w{i}") for i in range(len(made.vectors)))
    raw = tuple(Field(planning.reading.fresh(), None, SqlType.DOUBLE, nullable=False, origin=each) for each in origins)
    keys = tuple(key.field for key in own.keys)
    return _scanned(keys, ReleaseColumns(place, bare(keys), outputs, raw), planning)


def _histogram(binned: Binned, first: bool, planning: Planning) -> _Part:
    """Plan one histogram release; the first release of a release point provides the key fields seen by the query."""
    made, _ = one_release(binned.boundary, planning.reading)
    groups = binned.boundary.keys[:-1]
    if made.key_set is None:
        raise _private_groups(binned, groups)
    place = next(i for i, key in enumerate(made.keys) if key.field == binned.boundary.keys[-1])
    keys = tuple(key.field for i, key in enumerate(made.keys) if i != place)
    outputs = tuple(quantile_output(measure, planning.reading) for measure in binned.measures)
    planning.notes += [note for note in notes_of(binned) if note not in planning.notes]
    shown = bare(keys) if first else tuple(replace(key, id=planning.reading.fresh()) for key in bare(keys))
    columns = ReleaseColumns(planning.place(made), shown, outputs, (), binned.bins.histogram(place))
    return _scanned(keys, columns, planning)


def _private_groups(binned: Binned, groups: tuple[Field, ...]) -> Refusal:
    text = plain_text(binned.measures[0].arguments[0])
    keys = ", ".join(plain_text(expand(Ref(key))) for key in groups)
    why = f"Quantiles of {text} need groups that are known without the data; {keys} must reach a threshold."
    return Refusal(Code.KEY, why, f"WHERE {keys} IN (...), with the groups that you want")


def _scanned(keys: tuple[Field, ...], columns: ReleaseColumns, planning: Planning) -> _Part:
    planning.releases.append(columns)
    ends = tuple(end for output in columns.outputs for end in output.ends or ())
    fields = columns.keys + tuple(output.field for output in columns.outputs) + columns.raw + ends
    scan = Released(ReleaseScan(len(planning.releases) - 1, fields), fields)
    return _Part(scan, dict(zip(keys, columns.keys, strict=True)))


def _beside(left: _Part, right: _Part) -> _Part:
    """Join two releases of the same groups on their keys; the groups of the left one are preserved."""
    tests = tuple(same(Ref(mine), Ref(right.keys[key])) for key, mine in left.keys.items())
    joined = Join(left.relation, right.relation, "left" if tests else "cross", conjunction(tests))
    return _Part(Released(joined, left.relation.fields + right.relation.fields), left.keys)
