"""Many pairs of neighbours from one database: the subsets left when some of three persons are removed.

A query's exact vectors are computed once for each of the eight subsets. Each subset is paired with every one that has
one person less: twelve pairs. The rows without the first person are a table (the world `without`), the others are
views.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import duckdb

from dialect import BoundedSql, Catalog, PrivatePlan, compile_query
from engine.pricing.compile_release import CompiledRelease
from tests.support.greybox.greybox import GreyBox, ReleaseRun, check_neighbours
from tests.support.greybox.greybox_data import PRIVATE, VICTIM, Database, has_rows, person_of

PERSONS = (VICTIM, 1, 2)
REMOVED = tuple(some for many in range(len(PERSONS) + 1) for some in combinations(PERSONS, many))
_TABLES = {(): "everybody", (VICTIM,): "without"}  # worlds that are tables; views are named by the removed persons
_VIEWS = {some: f"without_{'_'.join(map(str, some))}" for some in REMOVED if some not in _TABLES}
WORLDS_OF = {**_TABLES, **_VIEWS}
_OF_EVERYBODY = re.compile(rf"\beverybody\.({'|'.join(PRIVATE)})\b")


class Pairs(NamedTuple):
    """Number of pairs checked for one query."""

    checked: int
    changed: int  # pairs in which some vector changed


class Cube(GreyBox):
    """The worlds of one database without some of three persons, under one catalog."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: Catalog, database: Database) -> None:
        """Create the views if this connection lacks them."""
        super().__init__(connection, catalog)
        self._there = [person for person in PERSONS if has_rows(database, person)]
        _make_views(connection)
        self._backends |= dict.fromkeys(_VIEWS.values(), self._backends["everybody"])
        self._of_tables: CompiledRelease | None = None

    def _prepared(self, plan: PrivatePlan, world: str, is_by_group: bool = False) -> CompiledRelease:
        """Prepare in the worlds that are tables; views reuse that plan over their own rows."""
        if world not in _VIEWS.values():
            return super()._prepared(plan, world, is_by_group)
        if self._of_tables is None or self._of_tables.plan is not plan:
            self._of_tables = super()._prepared(plan, "everybody", is_by_group)
        made = self._of_tables
        choice = made.selection
        if choice is not None:
            rounds = (replace(each, sql=_over_world(each.sql, world)) for each in choice.rounds)
            choice = replace(choice, rounds=tuple(rounds))
        return replace(made, sql=_over_world(made.sql, world), selection=choice)

    def check_pairs(self, sql: str) -> Pairs:
        """Check one query in all pairs; raises AssertionError with its SQL."""
        question = compile_query(sql, self._catalog)
        ran = {some: self.run(question, WORLDS_OF[some], 1) for some in REMOVED if set(some) <= set(self._there)}
        self._check_others(question, ran[()], ran[VICTIM,])
        pairs = list(_pairs(ran))
        moved = [sum(check_neighbours(*each, sql) for each in zip(*pair, strict=True)) > 0 for pair in pairs]
        return Pairs(len(pairs), sum(moved))


def _pairs(
    ran: dict[tuple[int, ...], tuple[ReleaseRun, ...]],
) -> Iterator[tuple[tuple[ReleaseRun, ...], tuple[ReleaseRun, ...]]]:
    """Pairs of results with and without one person."""
    for some, less in ran.items():
        for person in some:
            yield ran[tuple(each for each in some if each != person)], less


def _over_world(bounded: BoundedSql, world: str) -> BoundedSql:
    """Rewrite SQL over the world `everybody` to read another world's private rows."""
    return replace(
        bounded, text=_OF_EVERYBODY.sub(rf"{world}.\1", bounded.text), untruncated_text="", untruncated_conditions=()
    )


def _make_views(connection: duckdb.DuckDBPyConnection) -> None:
    there = {schema for (schema,) in connection.execute("SELECT schema_name FROM duckdb_schemas()").fetchall()}
    for some, world in _VIEWS.items():
        if world not in there:
            out = ", ".join(map(str, some))
            views = [
                f"CREATE VIEW {world}.{table} AS FROM everybody.{table} AS t WHERE coalesce({person_of(table)} NOT IN ({out}), true);"
                for table in PRIVATE
            ]
            connection.execute(f"CREATE SCHEMA {world};" + "".join(views))
