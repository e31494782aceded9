"""The list of a set operation's column: what is in the list of either of its queries (`proofs.md#set-operations`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce

from dialect.algebra.expressions import Field, Ref
from dialect.algebra.private_plan import KeySet, KeySource
from dialect.algebra.relations import Public
from dialect.algebra.set_operation import SetOperation
from dialect.analysis.canonical_form import Canon
from dialect.parser.context import Reading
from dialect.planner.keys.public_lists import PublicList


@dataclass(frozen=True)
class Listed:
    """The list of one query's column."""

    keys: KeySet
    size: int | None  # how many values, where that is known before anything runs
    optional: bool  # keys may as well be private


def together(expr: Ref, lists: Sequence[Listed], reading: Reading) -> PublicList:
    """Use what is in any of some lists of one column; equal lists stand once."""
    unique = tuple({_text(each.keys): each for each in lists}.values())
    relation = reduce(partial(_union, expr, reading), (each.keys.relation for each in unique))
    what = " and ".join(dict.fromkeys(source.what for each in unique for source in each.keys.sources)) or "constants"
    sizes = [each.size for each in unique]
    return PublicList(
        ((expr, Ref(relation.fields[0])),),
        KeySource(relation, what, all(each.keys.closed for each in unique)),
        None if None in sizes else sum(size for size in sizes if size is not None),
        any(each.optional for each in unique),
    )


def _union(expr: Ref, reading: Reading, left: Public, right: Public) -> Public:
    (one,), (other,) = left.fields, right.fields
    made = Field(reading.fresh(), None, expr.type, nullable=one.nullable or other.nullable)
    return Public(SetOperation(left, right, "union", True, ((one, other, made),)), (made,))


def _text(keys: KeySet) -> str:
    """Write a list of keys so that equal texts mean equal lists."""
    canon = Canon()
    rows = canon.relation(keys.relation)
    return f"{rows} by {', '.join(canon.names[f.id] for f in keys.keys)}"
