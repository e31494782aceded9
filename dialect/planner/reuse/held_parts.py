"""A held release -> parts of it that add up to the wanted groups of some rows, not of just those that are wanted.

Which coefficients make the wanted numbers of such parts is found elsewhere, from the sets of rows
(`proofs.md#held-parts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dialect.algebra.expressions import Call, Expr, conjunction
from dialect.algebra.private_plan import SUMS_OVER_GROUPS
from dialect.analysis.key_rewriting import UntoldError, over_keys
from dialect.catalog.catalog import Catalog, SqlType
from dialect.functions.functions import forms_of
from dialect.planner.reuse.derivation import Derivation, Told, cells_of, derived, vectors_of
from dialect.planner.reuse.row_sets import Read, RowSets

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
    is in two of them. Symbols: `one` is wanted, `other` held. Raises: nothing. Proof: proofs.md#held-parts
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
