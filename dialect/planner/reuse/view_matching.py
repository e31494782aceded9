"""View matching: how the groups of one release are made of the groups of another.

Proof: `dialect/analysis/proofs.md#derivation`. Only text, catalog and lists without private data are looked at: the
numbers of neither.

Parts of a stored release add up to the wanted groups of some rows, not of just those that are wanted; the coefficients
that make the wanted numbers of such parts are found elsewhere, from the sets of rows
(`dialect/planner/proofs.md#held-parts`).
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

_TAKEN = (*SUMS_OVER_GROUPS, VectorKind.PERSONS)  # what a group holds alone may be taken as it is


@dataclass(frozen=True)
class Derivation:
    """How wanted groups are made of held ones: each is the sum of those that have its keys and meet the condition."""

    keys: tuple[Expr, ...]  # in the order of the wanted keys, over the held ones: fields k0, k1, ...
    condition: Expr  # over the held keys
    vectors: tuple[int, ...]  # of each wanted vector, the held one
    pinned: tuple[tuple[int, int], ...]  # held keys whose list is open: how many of its values, all listed, are wanted
    closed: bool  # a wanted group without held ones is empty for certain
    alone: bool  # a person may be in several groups: each wanted one must be one held one


@dataclass(frozen=True)
class Told:
    """A plan in words that mean the same in all: fields are known by canonical names."""

    plan: PrivatePlan
    structure: str
    conditions: Mapping[str, Expr]
    keys: tuple[Expr, ...]
    names: Mapping[str, str]

    def own(self, expr: Expr) -> Expr:
        """Write an expression over canonical fields."""
        return _named(expand(expr), self.names)


def told(plan: PrivatePlan) -> Told:
    """Say a plan in canonical words."""
    canon = Canon()
    structure, texts = canon.parts(plan.source)
    conditions = {text: _named(expand(canon.conjuncts[text]), canon.names) for text in texts}
    keys = tuple(_named(key, canon.names) for key in plan.key_exprs)
    return Told(plan, structure, conditions, keys, canon.names)


def derivation(one: Told, other: Told, catalog: Catalog) -> Derivation | None:
    """Find how the groups of one release are made of those of another; None where they are not.

    Claim: for every data set, a wanted exact number before bounding is the sum of the held ones of its groups, if each
    wanted group has at least one and each pinned list has all its values. Symbols: `one` is wanted, `other` held.
    Raises: nothing. Proof: dialect/analysis/proofs.md#derivation
    """
    vectors = vectors_of(one, other)
    if vectors is None or not set(one.plan.touched.windows) <= set(other.plan.touched.windows):
        return None
    return derived(one, other, vectors, catalog)


def derived(one: Told, other: Told, vectors: tuple[int, ...], catalog: Catalog) -> Derivation | None:
    """Find how groups are made of those of a release that has the `vectors`, whatever windows both look at."""
    known = tuple(one.conditions.values())
    if not all(implied(each, known) for text, each in other.conditions.items() if text not in one.conditions):
        return None  # rows that are wanted may be missing there
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
    """Give the fields of a held release's groups, by what they are of each row."""
    pairs = zip(held.keys, held.plan.keys, strict=True)
    return {expr: _cell(i, expr, key.field) for i, (expr, key) in enumerate(pairs)}


def vectors_of(one: Told, other: Told) -> tuple[int, ...] | None:
    """Find the vectors of one release in another of the same rows, conditions apart; None where one is missing."""
    alike = one.structure == other.structure and _comparable(one.plan, other.plan)
    return _vectors(one.plan, other.plan) if alike else None


def _comparable(wanted: PrivatePlan, held: PrivatePlan) -> bool:
    """Tell whether both have public keys, no limits of their own, and bound people over the same stretch of time."""
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
    """Find each wanted vector among the held ones: the same value, condition and ends, cut with the same others."""
    if any(vector.kind not in _TAKEN or vector.part is not None for vector in wanted.vectors):
        return None
    if not set(wanted.texts) <= set(held.texts):
        return None
    places = tuple(held.texts.index(text) for text in wanted.texts)
    factors = {
        (v.scale_group, held.vectors[place].scale_group) for v, place in zip(wanted.vectors, places, strict=True)
    }
    return places if len(factors) == len({mine for mine, _ in factors}) else None  # a mean's parts share one factor


def _complete(one: Told, other: Told, catalog: Catalog) -> tuple[tuple[tuple[int, int], ...], bool] | None:
    """Check that every wanted row is in a listed held group; give what is left to check of lists that are open.

    The second is whether that rests on no list that both have and that rows may break.
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
    """Find the keys whose rows outside of an open list do not count; what a key is only made of may lie outside."""
    return {own for found in lists for each in _open(found) if (own := one.own(each)) in one.keys}


def _lists(plan: PrivatePlan, catalog: Catalog) -> Mapping[Expr, PublicList] | None:
    return lists_of(plan.key_exprs, plan.source, Reading(catalog, ""))


def _open(found: PublicList) -> Iterator[Expr]:
    """Walk what a list stands for, if rows may hold something else."""
    if not found.source.closed:
        yield from (old for old, _ in found.stands_for)


def _far(key: Expr, known: tuple[Expr, ...]) -> bool:
    """Tell whether a value beyond all calendars may leave a row without its key, which no list has then."""
    return nullable(key) and not nullable(key, far=False) and _beyond(key, known)


def steps_of(cells: Mapping[Expr, Field], known: tuple[Expr, ...]) -> Mapping[Expr, Field]:
    """Find the held keys that are there wherever what they are of is, where rows meet conditions."""
    return {key: field for key, field in cells.items() if not (goes_far(key) and _beyond(key, known))}


def _beyond(key: Expr, known: tuple[Expr, ...]) -> bool:
    """Tell whether a key may be of a value beyond all calendars: unless it is a time between ends."""
    ended = {f for part in _compared(known) if between(part, known) for f in fields_of(part)}
    return not set(fields_of(key)) <= ended


def _compared(known: tuple[Expr, ...]) -> Iterator[Expr]:
    """Walk the times that conditions compare: a column, or that on the clock of its zone."""
    for part in (part for fact in known for part in children(fact) if not isinstance(part, Literal)):
        if isinstance(part, Ref) or (isinstance(part, Call) and part.name == "wall"):
            yield part


_NOT, _IS_TRUE = (forms_of(name)[0].row for name in ("not", "is true"))


@dataclass(frozen=True)
class Part:
    """Groups of a held release that make the wanted groups of the rows that meet other conditions."""

    one: Told  # as is wanted, but of these rows
    other: Told  # held
    vectors: tuple[int, ...]

    @property
    def conditions(self) -> Mapping[str, Expr]:
        """Say which rows, in canonical words."""
        return self.one.conditions

    def derivation(self, catalog: Catalog) -> Derivation | None:
        """Find how they are made; None where that is not for certain."""
        return derived(self.one, self.other, self.vectors, catalog)


def held_parts(one: Told, other: Told) -> tuple[Part, ...]:
    """Part a held release into groups that meet what its keys tell of the wanted conditions, and all its others.

    Claim: each has the wanted numbers of the rows that meet its conditions, as far as `derived` finds them; no group
    is in two of them. Symbols: `one` is wanted, `other` held. Raises: nothing. Proof:
    dialect/planner/proofs.md#held-parts
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
    """Find how the wanted groups are made of a part of a held release that has just their rows, in other words."""
    for part in parts:
        sets = RowSets(read)
        if all(map(sets.add, (one.conditions, part.conditions))) and all(map(all, sets.patterns())):
            return part.derivation(catalog)
    return None


def _told_by_keys(one: Told, other: Told) -> dict[str, Expr]:
    """Find the wanted conditions that are not held, and that the keys of the held release tell."""
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
