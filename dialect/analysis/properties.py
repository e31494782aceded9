"""Properties of relations, each computed once per relation in a compilation.

    properties.of(unique_keys, relation)      -> keys: sets of fields in all of which no two rows agree; empty: one row
    properties.of(dependencies, relation)     -> functional dependencies: (determinant, determined fields)
    properties.of(row_numbers, relation)      -> fields that number the rows of each person without repetition
    properties.of(row_bounds, relation)       -> RowBounds: most rows of one person, with the fan-outs of public rows
    properties.of(may_match_several_public_rows, relation) -> whether a row of a person may count several times
    properties.once(name, relation, compute)  -> a fact of a plan over a relation, such as the most dates in one group
    relation.predicates, field.origin         -> predicates and column origins, proved where a relation is typed

The rules are functions of `dialect.analysis.uniqueness` and `dialect.analysis.cardinality`. A rule asks for the
properties of its inputs in the same way, and knows most operators by the origin of their rows alone (`RowOrigin`).

A Properties belongs to one compilation. Relations are never changed, so that no entry can become wrong.

Source: Calcite's RelMetadataQuery.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from dialect.algebra.expressions import Field
from dialect.algebra.relations import Public, Relation

FanOut = Callable[
    [Public, tuple[Field, ...]], int
]  # public relation, fields -> largest number of rows that agree in them
T = TypeVar("T")


def _unknown_fan_out(public: Public, equated: tuple[Field, ...]) -> int:
    """Raise: row bounds need counts of public rows, which only an engine with data has."""
    raise AssertionError(public, equated)


class Properties:
    """What is known of the relations of one compilation. `fan_out` counts rows of public relations, for row bounds."""

    def __init__(self, fan_out: FanOut = _unknown_fan_out) -> None:
        """Start without known properties."""
        self._fan_out = fan_out
        self._known: dict[Hashable, tuple[Relation, object]] = {}

    def of(self, rule: Callable[[Relation, Properties], T], relation: Relation) -> T:
        """Return a property of a relation, by its rule unless it is known."""
        return self.once(rule, relation, lambda: rule(relation, self))

    def once(self, name: Hashable, relation: Relation, compute: Callable[[], T]) -> T:
        """Compute a named fact of a relation, unless it is known.

        The relation is kept with it: while it is alive, no other object has its id.
        """
        key = (name, id(relation))
        if key not in self._known:
            self._known[key] = (relation, compute())
        return cast("T", self._known[key][1])

    def fan_out(self, public: Public, equated: tuple[Field, ...]) -> int:
        """Largest number of public rows that agree in some fields; counting them runs a query."""
        return self.once(equated, public, lambda: self._fan_out(public, equated))
