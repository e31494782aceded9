"""View matching: how the groups of one release are computed from the groups of another.

Proof: `dialect/analysis/proofs.md#derivation`. Decided from text, catalog and public lists; no released number is read.

    stored:  SELECT hour, gender, COUNT(*) ... GROUP BY hour, gender
    wanted:  SELECT hour, COUNT(*) ... WHERE gender = 'F' GROUP BY hour   ->   filter the stored groups, sum by hour

A part of a stored release may cover other rows than the wanted ones. Linear combinations of parts that yield the wanted
numbers are solved for elsewhere, from the predicate regions (`dialect/planner/proofs.md#held-parts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from dialect.algebra.expressions import (
    Call,
    Expr,
    Field,
    Literal,
    Ref,
    children,
    conjunction,
    expand,
    fields_of,
    rebuild,
)
from dialect.algebra.release_plan import SUMS_OVER_GROUPS, PrivatePlan, VectorKind
from dialect.analysis.canonical_form import Canon
from dialect.analysis.key_rewriting import UntoldError, over_keys
from dialect.analysis.predicates import between, implied, listed
from dialect.catalog.model import Catalog, SqlType
from dialect.functions.inference import goes_far, nullable
from dialect.functions.registry import forms_of
from dialect.parser.context import Reading
from dialect.planner.keys.key_set import lists_of
from dialect.planner.keys.public_domains import PublicList
from dialect.planner.reuse.predicate_regions import Read, RowSets

_TAKEN = (*SUMS_OVER_GROUPS, VectorKind.PERSONS)  # PERSONS is not additive, but a single group can be reused


@dataclass(frozen=True)
class Derivation:
    """Recipe for wanted groups: each is the sum of the stored groups with its keys that satisfy the condition."""

    keys: tuple[Expr, ...]  # in the order of the wanted keys, over the stored ones: fields k0, k1, ...
    condition: Expr  # over the stored keys
    vectors: tuple[int, ...]  # index of the stored vector, per wanted vector
    pinned: tuple[tuple[int, int], ...]  # (stored key with an open list, number of wanted values that must be listed)
    closed: bool  # a wanted group without stored groups is certainly empty
    alone: bool  # not additive: each wanted group must be a single stored group


@dataclass(frozen=True)
class Told:
    """A plan in canonical form: comparable with other plans, its fields renamed to canonical names."""

    plan: PrivatePlan
    structure: str
    conditions: Mapping[str, Expr]
    keys: tuple[Expr, ...]
    names: Mapping[str, str]

    def own(self, expr: Expr) -> Expr:
        """Rewrite an expression over canonical fields."""
        return _named(expand(expr), self.names)


def told(plan: PrivatePlan) -> Told:
    """Return the canonical form of a plan."""
    canon = Canon()
    structure, texts = canon.parts(plan.source)
    conditions = {text: _named(expand(canon.conjuncts[text]), canon.names) for text in texts}
    keys = tuple(_named(key, canon.names) for key in plan.key_exprs)
    return Told(plan, structure, conditions, keys, canon.names)


def derivation(one: Told, other: Told, catalog: Catalog) -> Derivation | None:
    """Find how the groups of a wanted release are computed from a stored one; None if they are not derivable.

    Claim: for every data set, a wanted exact number before bounding is the sum of the stored ones of its groups, if
    each wanted group has at least one and each pinned list has all its values. Symbols: `wanted`, `stored`.
    Raises: nothing. Proof: dialect/analysis/proofs.md#derivation
    """
    vectors = vectors_of(one, other)
    if vectors is None or not set(one.plan.touched.windows) <= set(other.plan.touched.windows):
        return None
    return derived(one, other, vectors, catalog)


def derived(one: Told, other: Told, vectors: tuple[int, ...], catalog: Catalog) -> Derivation | None:
    """Derive wanted groups from a stored release with the given `vectors`, without comparing charged windows."""
    known = tuple(one.conditions.values())
    if not all(implied(each, known) for text, each in other.conditions.items() if text not in one.conditions):
        return None  # the stored release may lack wanted rows
    pinned = _complete(one, other, catalog)
    if pinned is None:
        return None
    cells = cells_of(other)
    try:
        keys = tuple(over_keys(key, cells) for key in one.keys)
        more = [each for text, each in one.conditions.items() if text not in other.conditions]
        condition = conjunction(tuple(over_keys(each, cells) for each in more))
    except UntoldError:
        return None
    alone = any(vector.kind not in SUMS_OVER_GROUPS for vector in one.plan.vectors)
    return Derivation(keys, condition, vectors, pinned[0], pinned[1], alone)


def cells_of(held: Told) -> dict[Expr, Field]:
    """Map the key expressions of a stored release to the fields of its groups."""
    pairs = zip(held.keys, held.plan.keys, strict=True)
    return {expr: _cell(i, expr, key.field) for i, (expr, key) in enumerate(pairs)}


def vectors_of(one: Told, other: Told) -> tuple[int, ...] | None:
    """Find the wanted vectors in a stored release over the same tables, ignoring conditions; None if one is missing."""
    alike = one.structure == other.structure and _comparable(one.plan, other.plan)
    return _vectors(one.plan, other.plan) if alike else None


def _comparable(wanted: PrivatePlan, held: PrivatePlan) -> bool:
    """Return whether both plans have public keys, the same limits, and comparable charged privacy windows."""
    listed_both = all(each.key_set is not None and each.source.kept is None for each in (wanted, held))
    free = all(each.limits.max_groups is None for each in (wanted, held)) and wanted.limits == held.limits
    crossing = wanted.touched.crossing or held.touched.crossing
    mine, theirs = set(wanted.touched.windows), set(held.touched.windows)
    return wanted.dataset == held.dataset and listed_both and free and (mine == theirs or not crossing)


def _named(expr: Expr, names: Mapping[str, str]) -> Expr:
    if isinstance(expr, Ref):
        return Ref(replace(expr.field, id=names.get(expr.field.id, expr.field.id)))
    return rebuild(expr, lambda part: _named(part, names))


def _cell(place: int, expr: Expr, key: Field) -> Field:
    return Field(f"k{place}", None, expr.type, nullable(Ref(key)))


def _vectors(wanted: PrivatePlan, held: PrivatePlan) -> tuple[int, ...] | None:
    """Match each wanted vector with a stored one of the same value, condition, bounds and scale group."""
    if any(vector.kind not in _TAKEN or vector.part is not None for vector in wanted.vectors):
        return None
    if not set(wanted.texts) <= set(held.texts):
        return None
    places = tuple(held.texts.index(text) for text in wanted.texts)
    factors = {
        (v.scale_group, held.vectors[place].scale_group) for v, place in zip(wanted.vectors, places, strict=True)
    }
    return places if len(factors) == len({mine for mine, _ in factors}) else None  # one factor per mean


def _complete(one: Told, other: Told, catalog: Catalog) -> tuple[tuple[tuple[int, int], ...], bool] | None:
    """Check that every wanted row lies in a listed stored group; None if not certain.

    Returns the stored keys whose list is open, with the number of listed values that must be present; and whether
    completeness does not depend on an open list that both plans share and rows may violate.
    """
    known = tuple(one.conditions.values())
    theirs, mine = (_lists(each.plan, catalog) for each in (other, one))
    if theirs is None or mine is None:
        return None
    dropped = _dropped(one, mine.values())
    pinned: list[tuple[int, int]] = []
    closed = True
    for each in (other.own(each) for found in theirs.values() for each in _open(found)):
        constants = listed(each, known)
        if each in dropped:
            closed = False
            continue
        if constants is None or each not in other.keys:
            return None
        pinned.append((other.keys.index(each), len(constants)))
    far = any(_far(key, known) and key not in one.keys for key in other.keys)
    return None if far else (tuple(pinned), closed)


def _dropped(one: Told, lists: Iterable[PublicList]) -> set[Expr]:
    """Return the wanted keys with an open list, whose unlisted rows are not counted.

    Subexpressions of keys are excluded: a key may be listed although its subexpression is not.
    """
    return {own for found in lists for each in _open(found) if (own := one.own(each)) in one.keys}


def _lists(plan: PrivatePlan, catalog: Catalog) -> Mapping[Expr, PublicList] | None:
    return lists_of(plan.key_exprs, plan.source, Reading(catalog, ""))


def _open(found: PublicList) -> Iterator[Expr]:
    """Yield the expressions that a list enumerates, if rows may have other values."""
    if not found.source.closed:
        yield from (old for old, _ in found.stands_for)


def _far(key: Expr, known: tuple[Expr, ...]) -> bool:
    """Return whether a time beyond the calendar's range may make a key NULL, which no list contains."""
    return nullable(key) and not nullable(key, far=False) and _beyond(key, known)


def steps_of(cells: Mapping[Expr, Field], known: tuple[Expr, ...]) -> Mapping[Expr, Field]:
    """Return the stored keys that are non-NULL wherever their time is, given the conditions."""
    return {key: field for key, field in cells.items() if not (goes_far(key) and _beyond(key, known))}


def _beyond(key: Expr, known: tuple[Expr, ...]) -> bool:
    """Return whether a key may read a time beyond the calendar's range: one that conditions do not bound."""
    ended = {f for part in _compared(known) if between(part, known) for f in fields_of(part)}
    return not set(fields_of(key)) <= ended


def _compared(known: tuple[Expr, ...]) -> Iterator[Expr]:
    """Yield the times that conditions compare: a column, or a column in its time zone."""
    for part in (part for fact in known for part in children(fact) if not isinstance(part, Literal)):
        if isinstance(part, Ref) or (isinstance(part, Call) and part.name == "wall"):
            yield part


_NOT, _IS_TRUE = (forms_of(name)[0].row for name in ("not", "is true"))


@dataclass(frozen=True)
class Part:
    """Some groups of a stored release, with the conditions on rows that they cover."""

    one: Told  # canonical form of the wanted plan, with the conditions of these rows
    other: Told  # stored
    vectors: tuple[int, ...]

    @property
    def conditions(self) -> Mapping[str, Expr]:
        """Conditions on the covered rows, by canonical text."""
        return self.one.conditions

    def derivation(self, catalog: Catalog) -> Derivation | None:
        """Find how the wanted groups of the covered rows are computed; None if that is not certain."""
        return derived(self.one, self.other, self.vectors, catalog)


def held_parts(one: Told, other: Told) -> tuple[Part, ...]:
    """Split a stored release into the groups that satisfy the wanted conditions derivable from its keys, and the rest.

        stored:  GROUP BY city, gender    wanted:  WHERE gender = 'F'    ->    gender = 'F'; not true(gender = 'F')

    Claim: each part has the wanted numbers of the rows that satisfy its conditions, where `derivation_over` succeeds;
    no group is in two parts. Symbols: `wanted`, `stored`. Raises: nothing. Proof: dialect/planner/proofs.md#held-parts
    """
    vectors = vectors_of(one, other) if all(v.kind in SUMS_OVER_GROUPS for v in one.plan.vectors) else None
    if vectors is None:
        return ()
    told = _told_by_keys(one, other)
    if not told:
        return (Part(replace(one, conditions=other.conditions), other, vectors),)
    others = _not_true(conjunction(tuple(told.values())))
    kept = ({**other.conditions, **told}, {**other.conditions, f"not true({' and '.join(sorted(told))})": others})
    return tuple(Part(replace(one, conditions=some), other, vectors) for some in kept)


def same_rows(one: Told, parts: Iterable[Part], catalog: Catalog, read: Read | None = None) -> Derivation | None:
    """Derive the wanted groups from a part that covers exactly their rows under different but equivalent predicates."""
    for part in parts:
        sets = RowSets(read)
        if all(map(sets.add, (one.conditions, part.conditions))) and all(map(all, sets.patterns())):
            return part.derivation(catalog)
    return None


def _told_by_keys(one: Told, other: Told) -> dict[str, Expr]:
    """Return the wanted conditions that the stored release lacks, but that are derivable from its keys."""
    cells, found = cells_of(other), dict[str, Expr]()
    for text, each in one.conditions.items():
        if text not in other.conditions:
            try:
                over_keys(each, cells)
            except UntoldError:
                continue
            found[text] = each
    return found


def _not_true(condition: Expr) -> Expr:
    return Call(_NOT, (Call(_IS_TRUE, (condition,), SqlType.BOOLEAN),), SqlType.BOOLEAN)
