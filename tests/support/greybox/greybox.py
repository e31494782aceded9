"""Grey-box sensitivity test: exact query vectors with and without one person, compared with the declared sensitivity.

Everything but the data is the engine's own: `dialect.compile_query`, `engine.pricing.compile_release`, `DuckDBBackend.run`. Four worlds
(variants of one database) lie in one in-memory DuckDB:

    everybody   the data
    mixed       the same rows shuffled, without rows that have no person, on more threads: equal vectors
    without     everybody less all rows of one person: each vector moves by at most its L2 sensitivity, in integers
    refused     everybody, with that person's consent withdrawn: the same integers as `without`
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dialect import Catalog, PrivatePlan, Question, Refusal, Target, compile_query
from dialect.catalog import OPT_OUT_TABLE
from dialect.codegen.partition_selection import max_weight
from dialect.postprocess import reads_single_groups
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import NO_OBJECTIONS, Exact
from engine.backends.lockdown import LOCKDOWN_SETTINGS
from engine.errors import ExecutionFailed
from engine.pricing.clip_bounds.histograms import NO_CALIBRATION, Calibration
from engine.pricing.compile_release import CompiledRelease, compile_release
from tests.support.greybox.greybox_data import PRIVATE, WORLDS, Database, declared_as, make_worlds
from tests.support.greybox.greybox_questions import databases
from tests.support.sql.passes import choose_keys, passes

RHO = Fraction(1, 200)
QUESTIONS = 4  # queries per generated database
_OF_A_WORLD = re.compile(rf"\b({'|'.join(WORLDS)})\.")


class SensitivityExceeded(AssertionError):
    """One person changed a vector by more than its declared sensitivity."""


class DependsOnData(AssertionError):
    """Something decided before the charge depends on private rows."""


class UnexpectedChange(AssertionError):
    """The numbers depend on something else than admitted rows: order, threads, rows without a person."""


@dataclass(frozen=True)
class ReleaseRun:
    """One release as computed in one world."""

    prepared: CompiledRelease
    exact: Exact

    @cached_property
    def groups(self) -> dict[tuple[str, ...], tuple[int, ...]]:
        """Exact integers of every group, by its keys."""
        return groups(self.exact)


class InMemory(DuckDBBackend):
    """The engine's DuckDB backend over an unlocked connection, in which the worlds are created."""

    _public: ClassVar[dict[str, int]] = {}  # cached counts of public tables, the same in every database

    def __init__(self, target: Target, connection: duckdb.DuckDBPyConnection, private: Sequence[str] = PRIVATE) -> None:
        self.target, self._connection = target, connection
        connection.execute(f"CREATE TABLE IF NOT EXISTS {OPT_OUT_TABLE} (person VARCHAR)")
        self._private = [target.addresses[table] for table in private if table in target.addresses]
        self._row_counts: dict[str, int] = {}
        self._public_lock = threading.Lock()
        self._max_rows_per_person: dict[str, int] = {}
        self._max_rows_lock = threading.Lock()

    def run_over(self, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Run on the one connection, whose setting that splits small tables among threads a cursor does not inherit."""
        try:
            for name, table in {OPT_OUT_TABLE: NO_OBJECTIONS, **tables}.items():
                self._connection.register(name, table)
            return self._connection.execute(sql).to_arrow_table()
        except (duckdb.Error, MemoryError, pa.ArrowException):
            raise ExecutionFailed from None

    def eligible_table(self, eligible: str) -> str:
        """Recompute the table of eligible persons, because the worlds change under this backend."""
        self._connection.execute(f"CREATE OR REPLACE TABLE memory.main.eligible AS {eligible}")
        return "memory.main.eligible"

    def max_rows_per_person(self, most: str) -> int:
        """Recompute the row count, because the worlds change under this backend."""
        self._max_rows_per_person.clear()
        return super().max_rows_per_person(most)

    def count(self, sql: str) -> int:
        """Count rows; counts of public tables are cached for all databases and worlds."""
        if any(address in sql for address in self._private):
            return super().count(sql)
        words = _OF_A_WORLD.sub("everybody.", sql)
        if words not in self._public:
            self._public[words] = super().count(sql)
        return self._public[words]


class GreyBox:
    """The four worlds of one database, under one catalog."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, catalog: Catalog, calibration: Calibration = NO_CALIBRATION
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._calibration = calibration
        self._backends = {world: self._backend(world) for world in WORLDS}
        self._keys: dict[int, tuple[PrivatePlan, pa.Table | None]] = {}  # of everybody, for a plan that is held
        self._threads = 0

    def _backend(self, world: str) -> DuckDBBackend:
        target = Target({table.name: f"{world}.{table.name}" for table in self._catalog.tables})
        return InMemory(target, self._connection, [table.name for table in self._catalog.tables if table.private])

    def run(self, question: Question, world: str, threads: int) -> tuple[ReleaseRun, ...]:
        """Prepare and run a query in one world."""
        backend = self._backends[world]
        if self._threads != threads:
            self._connection.execute(f"SET threads = {threads}")
            self._threads = threads
        is_by_group = reads_single_groups(question)
        prepared = [self._prepared(plan, world, is_by_group) for plan in question.plans]
        try:
            return tuple(
                ReleaseRun(*each)
                for plan, p in zip(question.plans, prepared, strict=True)
                for each in passes(p, backend, chosen_keys=self._chosen_keys(plan, p))
            )
        except ExecutionFailed:
            raise UnexpectedChange(f"some row makes the engine raise: {question.sql}") from None

    def _chosen_keys(self, plan: PrivatePlan, prepared: CompiledRelease) -> pa.Table | None:
        """Choose some of everybody's keys, once for all worlds."""
        if prepared.selection is None:
            return None
        if id(plan) not in self._keys:
            keys = choose_keys(self._prepared(prepared.plan, "everybody"), self._backends["everybody"])
            self._keys[id(plan)] = (plan, keys)
        return self._keys[id(plan)][1]

    def _prepared(self, plan: PrivatePlan, world: str, is_by_group: bool = False) -> CompiledRelease:
        backend, calibration = self._backends[world], self._calibration
        return compile_release(
            plan, self._catalog, backend, RHO, calibration=calibration, reads_single_groups=is_by_group
        )

    def check(self, sql: str) -> int:
        """Check one query in all worlds; returns how many releases moved, raises AssertionError with its SQL."""
        question = compile_query(sql, self._catalog)
        everybody, without = self.run(question, "everybody", 1), self.run(question, "without", 1)
        self._check_others(question, everybody, without)
        return sum(check_neighbours(more, less, sql) for more, less in zip(everybody, without, strict=True))

    def _check_others(
        self, question: Question, everybody: tuple[ReleaseRun, ...], without: tuple[ReleaseRun, ...]
    ) -> None:
        """Check the worlds that must give the same numbers as `everybody` or `without`."""
        if any(table.consent for table in self._catalog.tables):
            refused = self.run(question, "refused", 1)
            self._same(without, refused, question.sql, "consent withdrawn instead of rows removed")
        mixed = self.run(question, "mixed", 4)
        self._same(everybody, mixed, question.sql, "the order of rows, a row of nobody, or threads")

    def _same(self, one: tuple[ReleaseRun, ...], other: tuple[ReleaseRun, ...], sql: str, what: str) -> None:
        for a, b in zip(one, other, strict=True):
            check_static(a.prepared, b.prepared, sql)
            if a.groups != b.groups:
                raise UnexpectedChange(f"{what} changed the exact numbers of {sql}")


def check_on(connection: duckdb.DuckDBPyConnection, catalog: Catalog, database: Database, sql: str) -> None:
    """Create the worlds of a database and check a query in them."""
    make_worlds(connection, database)
    GreyBox(connection, declared_as(catalog, database.declared)).check(sql)


def check_drawn(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, queries: st.SearchStrategy[str], examples: int
) -> None:
    """Check generated queries on generated databases, several on each."""

    @settings(
        max_examples=-(-examples // QUESTIONS), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
    )
    @given(databases(), st.lists(queries, min_size=QUESTIONS, max_size=QUESTIONS))
    def holds(database: Database, questions: list[str]) -> None:
        make_worlds(connection, database)
        box = GreyBox(connection, declared_as(catalog, database.declared))
        for sql in dict.fromkeys(questions):
            note(sql)
            try:
                box.check(sql)
            except Refusal:
                refused.append(sql)

    refused: list[str] = []
    holds()
    assert len(refused) <= max(examples / 10, 1), refused


def connect() -> duckdb.DuckDBPyConnection:
    """Open an empty in-memory database that splits even small tables among threads."""
    connection = duckdb.connect(config={**LOCKDOWN_SETTINGS, "memory_limit": "1GB"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("PRAGMA verify_parallelism")
    connection.execute("SET enable_progress_bar = false")
    return connection


def key_rows(keys: pa.Table) -> list[tuple[str, ...]]:
    """Keys of each group as text that distinguishes NULL, NaN and both zeros."""
    columns = [_plain(column).to_pylist() for column in keys.columns]
    return [tuple(map(repr, row)) for row in zip(*columns, strict=True)] if columns else [()]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert dates and timestamps to integers, because Python has no infinite ones."""
    if pa.types.is_date32(column.type):
        return column.cast(pa.int32())
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def groups(exact: Exact) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Exact integers of every group, by its keys."""
    rows = zip(*(vector.tolist() for vector in exact.vectors), strict=True)
    return dict(zip(key_rows(exact.keys), rows, strict=True))


def check_static(one: CompiledRelease, other: CompiledRelease, sql: str) -> None:
    """Check that everything decided before the charge is the same in two worlds."""
    names = ("bounds", "cost", "release_key", "key_count")
    for name in names:
        if getattr(one, name) != getattr(other, name):
            raise DependsOnData(f"{name}: {sql}")


def check_neighbours(more: ReleaseRun, less: ReleaseRun, sql: str) -> bool:
    """Compare the vectors of two neighbouring worlds with the declared sensitivities; returns whether any changed."""
    check_static(more.prepared, less.prepared, sql)
    if more.prepared.plan.key_set is not None and list(more.groups) != list(less.groups):
        raise UnexpectedChange(f"public keys depend on a person: {sql}")
    moves = vector_moves(more, less, sql)
    for i, moved in enumerate(moves):
        bound = more.prepared.bounds.vectors[i]
        squared = sum(move * move for move in moved)
        if squared > bound.sensitivity**2:
            text = more.prepared.plan.vectors[i].canonical_text
            raise SensitivityExceeded(f"{text} ({bound.rule}) moved {squared} > {bound.sensitivity}^2: {sql}")
    if more.prepared.plan.key_set is None:
        _check_partition_selection(more, less, sql)
    return any(moves)


def vector_moves(more: ReleaseRun, less: ReleaseRun, sql: str) -> list[list[int]]:
    """Differences of each query vector; the number of units, which follows correlated ones, moves by at most 1."""
    moves = list(differences(more, less))
    if more.prepared.bounds.centred_vectors and max(map(abs, moves.pop()), default=0) > 1:
        raise SensitivityExceeded(f"the number of units moved by more than 1: {sql}")
    return moves


def differences(more: ReleaseRun, less: ReleaseRun) -> Iterator[list[int]]:
    """Differences of each vector, over the groups in which they are not zero."""
    ours, theirs = more.groups, less.groups
    nothing = (0,) * len(more.exact.vectors)
    places = {place for place, _ in ours.items() ^ theirs.items()}
    for i in range(len(nothing)):
        moves = (ours.get(key, nothing)[i] - theirs.get(key, nothing)[i] for key in places)
        yield [move for move in moves if move]


def _check_partition_selection(more: ReleaseRun, less: ReleaseRun, sql: str) -> None:
    """Check partition selection: a person has a bounded weight in at most L0 groups, and every key has a person."""
    bounds = more.prepared.bounds
    (moved,) = differences(more, less)
    limit = bounds.max_groups or 0
    if len(moved) > limit or (moved and max(map(abs, moved)) > max_weight(len(moved), bounds)):
        raise SensitivityExceeded(f"private keys moved {moved} in at most {limit} groups: {sql}")
    if any(weight < 1 for (weight,) in more.groups.values()):
        raise SensitivityExceeded(f"a private key that nobody kept has a weight: {sql}")
