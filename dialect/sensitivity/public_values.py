"""Columns that equal a public table's -> lists of their values by group, for whoever can count in public tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from dialect.algebra.expressions import Call, Expr, Field, Ref, conjunction, fields_of, is_of_table
from dialect.algebra.private_plan import PrivatePlan
from dialect.algebra.relations import Distinct, Filter, Project, Public, public_list
from dialect.catalog.catalog import Catalog
from dialect.functions.plain_text import plain_text
from dialect.sensitivity.norms import counted_table
from dialect.sensitivity.parted import parted_by


@dataclass(frozen=True)
class ValuesByGroup:
    """A public list, each of whose rows is a value once in each group of a plan that may hold it."""

    text: str  # of the column or expression that norms are declared by
    relation: Public
    groups: tuple[Field, ...]  # none: all values are in one group


def values_by_group(plan: PrivatePlan, catalog: Catalog, measured: Collection[str] = ()) -> Iterator[ValuesByGroup]:
    """List the values that a public table's columns, as keys or in conditions, leave of keys by which norms are known.

    These are the keys of declared norms, and those that are `measured`, as plans call them.

    Claim: no group of the plan has rows with more values of `text` than the list has in a group. Proof:
    proofs.md#usual-keys. Raises: nothing.
    """
    table = counted_table(plan, catalog)
    if table is None or table.norms is None:
        return
    known = {*measured, *(text for usual in table.norms.by_keys for text in usual.keys)} - parted_by(plan, table.name)
    for fact in plan.source.facts:
        for own, met in _equal(fact) if known else ():
            if is_of_table(own, table.name) and plain_text(own) in known and (public := public_list(met)):
                yield from _listed(plan, plain_text(own), met, public)


def _equal(fact: Expr) -> Iterator[tuple[Expr, Field]]:
    if isinstance(fact, Call) and fact.name == "=":
        for own, other in (fact.arguments, fact.arguments[::-1]):
            if isinstance(other, Ref) and own.type is other.type:
                yield own, other.field


def _listed(plan: PrivatePlan, text: str, met: Field, public: Public) -> Iterator[ValuesByGroup]:
    there = frozenset(public.fields)
    keys = [key for key in plan.key_exprs if _is_within(key, there)]
    conditions = [fact for fact in plan.source.facts if _is_within(fact, there)]
    if met in there and (keys or conditions):
        left = Public(Filter(public, conjunction(tuple(conditions))), public.fields) if conditions else public
        made = tuple((Field(f"g{i}", None, key.type), key) for i, key in enumerate(keys))
        groups = tuple(field for field, _ in made)
        below = Public(Project(left, made), (*public.fields, *groups))
        yield ValuesByGroup(text, Public(Distinct(below, (*groups, met)), (*groups, met)), groups)


def _is_within(expr: Expr, fields: frozenset[Field]) -> bool:
    read = frozenset(fields_of(expr))
    return bool(read) and read <= fields
