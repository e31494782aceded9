"""Properties of relations and plans, each computed once in a compilation.

    properties.of(unique_keys, relation)      -> keys: sets of fields in all of which no two rows agree; empty: one row
    properties.of(dependencies, relation)     -> functional dependencies: (determinant, determined fields)
    properties.of(row_numbers, relation)      -> fields that number the rows of each person without repetition
    properties.of(row_bounds, relation)       -> RowBounds: most rows of one person, with the fan-outs of public rows
    properties.of(may_match_several_public_rows, relation) -> whether a row of a person may count several times
    properties.of(grouping_attributes, plan, table)        -> what is constant within each group of a plan
    properties.once(name, subject, compute)   -> a fact without a rule of its own
    relation.predicates, field.origin         -> predicates and column origins, proved where a relation is typed

The rules of relations are functions of `dialect.analysis.uniqueness` and `dialect.analysis.person_rows`, and know most
operators by the origin of their rows alone (`RowOrigin`). The rules of plans are functions of
`dialect.sensitivity.grouping`. A rule asks for the properties that it rests on in the same way.

A Properties belongs to one compilation. Relations and plans are never changed, so that no entry can become wrong.

Source: Calcite's RelMetadataQuery.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Concatenate, ParamSpec, TypeVar, cast

from dialect.algebra.expressions import Field
from dialect.algebra.relations import Public

# public relation, fields -> largest number of rows that agree in them
FanOut = Callable[[Public, tuple[Field, ...]], int]
P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


def _unknown_fan_out(public: Public, equated: tuple[Field, ...]) -> int:
    """Raise: row bounds need counts of public rows, which only an engine with data has."""
    raise AssertionError(public, equated)


class Properties:
    """What is known of the relations of one compilation. `fan_out` counts rows of public relations, for row bounds."""

    def __init__(self, fan_out: FanOut = _unknown_fan_out) -> None:
        """Start without known properties."""
        self._fan_out = fan_out
        self._known: dict[Hashable, tuple[object, object]] = {}

    def of(
        self, rule: Callable[Concatenate[S, Properties, P], T], subject: S, *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Return a property of a relation or plan, by its rule unless it is known; `arguments` are part of its name."""
        return self.once((rule, arguments, *named.items()), subject, lambda: rule(subject, self, *arguments, **named))

    def once(self, name: Hashable, subject: object, compute: Callable[[], T]) -> T:
        """Compute a named fact of a relation or plan, unless it is known.

        The subject is kept with it: while it is alive, no other object has its id.
        """
        key = (name, id(subject))
        if key not in self._known:
            self._known[key] = (subject, compute())
        return cast("T", self._known[key][1])

    def fan_out(self, public: Public, equated: tuple[Field, ...]) -> int:
        """Largest number of public rows that agree in some fields; counting them runs a query."""
        return self.once(equated, public, lambda: self._fan_out(public, equated))
