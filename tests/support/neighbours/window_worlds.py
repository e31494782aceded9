"""Neighbours that differ in one person's rows of one privacy window, compared with charged windows and sensitivity.

One in-memory database, in these worlds:

    everybody   the data: victims and others in several windows, rows without time, outside all windows, of a wrong date
    mixed       the same rows shuffled, without ineligible ones: equal vectors
    without_N   everybody less the victim's rows of the N-th window; values computed from it differ
    static      everybody less the victim's rows of tables without time
    timeless    everybody less the victim's rows of all windows
    nobody      timeless less the victim's rows of tables without time
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from dialect import Catalog, PrivatePlan, Question, Target, compile_query
from dialect.catalog.model import Table
from dialect.catalog.privacy_windows import STATIC, PrivacyWindow, next_window_start, window_name
from dialect.codegen.partition_selection import max_weight
from dialect.postprocess import reads_single_groups
from engine.catalog.file import load_catalog
from engine.pricing.compile_release import compile_release
from tests.support.greybox.greybox import (
    RHO,
    InMemory,
    ReleaseRun,
    SensitivityExceeded,
    UnexpectedChange,
    check_static,
    vector_moves,
)
from tests.support.sql.passes import choose_keys, passes

VICTIM = 77
WINDOW_COUNT = 4  # windows
PRIVATE = ("person", "visit", "seen", "leg", "point")
LOCAL = "timezone('Europe/Berlin', ts)"
_FIRST = {
    PrivacyWindow.MONTH: date(2026, 1, 1),
    PrivacyWindow.WEEK: date(2026, 3, 23),
    PrivacyWindow.DAY: date(2026, 3, 28),
}
_UNIT = {PrivacyWindow.MONTH: "month", PrivacyWindow.WEEK: "week", PrivacyWindow.DAY: "day"}


@dataclass(frozen=True)
class Row:
    """A visit and a sighting; `window` -1: no time, -2: before all windows, -3: inconsistent date."""

    person: int
    window: int
    minutes: int = 600  # after the window's first midnight, or before its last one where below 0
    place: int = 1
    steps: int = 3
    dwell: float = 10.0
    tag: str = "x"


@dataclass(frozen=True)
class Data:
    """A whole database."""

    rows: tuple[Row, ...]
    people: tuple[tuple[int, str, str], ...] = ((VICTIM, "a", "b"), (1, "b", "a"), (2, "c", "c"))


def begins(window: PrivacyWindow) -> tuple[date, ...]:
    """First days of the declared windows."""
    found = [_FIRST[window]]
    while len(found) < WINDOW_COUNT:
        found.append(next_window_start(window, found[-1]))
    return tuple(found)


@cache
def declare(window: PrivacyWindow, folder: Path | None = None) -> Catalog:
    """Load the catalog with windows of one length; with `folder`, its data are read from files there."""
    text = catalog_text(window)
    if folder is not None:  # queries on files must be exact: no row truncation
        text = text.replace("max_rows_per_person = 4", "max_rows_per_person = 1000")
    with TemporaryDirectory() as apart:
        file = (folder or Path(apart)) / "windowed.toml"
        file.write_text(text)
        return load_catalog(file)


def catalog_text(window: PrivacyWindow) -> str:
    """Text of the catalog with windows of one length."""
    starts = begins(window)
    names = [window_name(window, begin) for begin in starts]
    text = (Path(__file__).parent / "window_worlds.toml").read_text()
    end = next_window_start(window, starts[-1]) - timedelta(days=1)
    put = {"WINDOW": window, "FIRST": names[0], "SECOND": names[1], "LAST": names[-1], "DAY": starts[0], "END": end}
    for word, value in put.items():
        text = text.replace(f'"{word}"', f'"{value}"')
    return text


def write_data(folder: Path, window: PrivacyWindow, data: Data) -> Catalog:
    """Write a database into a folder, as files for the engine."""
    with duckdb.connect(str(folder / "none.duckdb")) as connection:
        connection.execute(_everybody(data, begins(window)).replace("everybody.", ""))
    return declare(window, folder)


class Worlds:
    """The worlds of one database under a catalog with windows of one length."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, window: PrivacyWindow, data: Data, persons: float | None = None
    ) -> None:
        self.window, self.catalog = window, declare(window)
        if persons is not None:  # groups of one person that a count of people does not clip, at least squared
            self.catalog = replace(self.catalog, tables=tuple(_unclipped(t, persons) for t in self.catalog.tables))
        self.names = [window_name(window, begin) for begin in begins(window)]
        self._connection = connection
        self._keys: dict[int, tuple[PrivatePlan, pa.Table | None]] = {}  # of everybody, for a plan that is held
        self.worlds = (
            "everybody",
            "mixed",
            "static",
            "timeless",
            "nobody",
            *(f"without_{i}" for i in range(WINDOW_COUNT)),
        )
        self._make(data)

    def _make(self, data: Data) -> None:
        for world in self.worlds:
            self._connection.execute(f"DROP SCHEMA IF EXISTS {world} CASCADE; CREATE SCHEMA {world}")
        self._connection.execute(_everybody(data, begins(self.window)))
        for i, begin in enumerate(begins(self.window)):
            self._connection.execute(_without(i, begin, self.window))
        self._connection.execute(_mixed(begins(self.window), self.window))
        self._connection.execute(_static("static", "everybody") + _timeless() + _static("nobody", "timeless"))

    def run(self, question: Question, world: str, threads: int = 1) -> tuple[ReleaseRun, ...]:
        """Prepare and run a query in one world."""
        target = Target({table.name: f"{world}.{table.name}" for table in self.catalog.tables})
        backend = InMemory(target, self._connection, PRIVATE)
        self._connection.execute(f"SET threads = {threads}")
        is_by_group = reads_single_groups(question)
        prepared = [
            compile_release(plan, self.catalog, backend, RHO, reads_single_groups=is_by_group)
            for plan in question.plans
        ]
        chosen = [self.chosen_keys(plan, self.catalog) for plan in question.plans]
        return tuple(
            ReleaseRun(*each)
            for p, keys in zip(prepared, chosen, strict=True)
            for each in passes(p, backend, chosen_keys=keys)
        )

    def chosen_keys(self, plan: PrivatePlan, catalog: Catalog) -> pa.Table | None:
        """Choose some of everybody's keys, the same for all worlds, once per plan."""
        if id(plan) not in self._keys:
            self._keys[id(plan)] = (plan, self._choose_keys(plan, catalog))
        return self._keys[id(plan)][1]

    def _choose_keys(self, plan: PrivatePlan, catalog: Catalog) -> pa.Table | None:
        target = Target({table.name: f"everybody.{table.name}" for table in catalog.tables})
        backend = InMemory(target, self._connection, PRIVATE)
        return choose_keys(compile_release(plan, catalog, backend, RHO), backend)

    def check(self, sql: str) -> Question:
        """Check one query in all worlds; raises AssertionError with its SQL."""
        question = compile_query(sql, self.catalog)
        everybody = self.run(question, "everybody")
        for world, threads in (("everybody", 4), ("mixed", 2)):
            _same(everybody, self.run(question, world, threads), sql, f"{world}, {threads} threads,")
        for i, name in enumerate((*self.names, STATIC)):
            less = self.run(question, "static" if name == STATIC else f"without_{i}", 2)
            for more_of_it, less_of_it in zip(everybody, less, strict=True):
                check_window(more_of_it, less_of_it, name, sql)
        self._check_timeless(question, sql)
        return question

    def _check_timeless(self, question: Question, sql: str) -> None:
        """Check that persons without rows in any window have no effect unless tables without time are charged."""
        if all(STATIC in plan.charged_windows.windows for plan in question.plans):
            return
        for here, gone in zip(self.run(question, "timeless"), self.run(question, "nobody"), strict=True):
            if STATIC not in here.prepared.plan.charged_windows.windows:
                _same((here,), (gone,), sql, "rows without time, which are not charged,")


def _unclipped(table: Table, persons: float) -> Table:
    return replace(table, clip_bounds=table.clip_bounds and replace(table.clip_bounds, persons=persons))


def check_window(more: ReleaseRun, less: ReleaseRun, window: str, sql: str) -> None:
    """Compare two neighbours with the charged windows of a release and its sensitivities."""
    check_static(more.prepared, less.prepared, sql)
    touched = more.prepared.plan.charged_windows
    if window not in touched.windows:
        if window != STATIC:  # static rows are protected by the windows they are joined to
            _same((more,), (less,), sql, f"the victim's rows of {window}, which is not charged,")
        return
    for i, moved in enumerate(vector_moves(more, less, sql)):
        bound = more.prepared.bounds.vectors[i]
        squared = sum(move * move for move in moved)
        if squared > bound.sensitivity**2:
            text = more.prepared.plan.vectors[i].canonical_text
            raise SensitivityExceeded(f"{window}: {text} moved {squared} > {bound.sensitivity}^2, {touched}: {sql}")
    if more.prepared.plan.key_set is None:
        _check_private_keys(more, less, sql)


def _check_private_keys(more: ReleaseRun, less: ReleaseRun, sql: str) -> None:
    """Check that keys of only one world are few and have one person each."""
    bounds = more.prepared.bounds
    limit = bounds.max_groups or 0
    for here, there in ((more.groups, less.groups), (less.groups, more.groups)):
        alone = [weight for key, (weight,) in here.items() if key not in there]
        if len(alone) > limit or (alone and max(alone) > max_weight(len(alone), bounds)):
            raise SensitivityExceeded(f"private keys {alone} of at most {limit} groups: {sql}")


def _same(one: Sequence[ReleaseRun], other: Sequence[ReleaseRun], sql: str, what: str) -> None:
    for a, b in zip(one, other, strict=True):
        check_static(a.prepared, b.prepared, sql)
        if a.groups != b.groups:
            raise UnexpectedChange(f"{what} changed the exact numbers of {sql}")


def _everybody(data: Data, starts: Sequence[date]) -> str:
    people = ", ".join(f"({person}, '{zone}', '{home}')" for person, zone, home in data.people) or "(NULL, 'a', 'a')"
    visits = ", ".join(_visit(i, row, starts) for i, row in enumerate(data.rows))
    return f"""
        CREATE TABLE everybody.person AS SELECT * FROM (VALUES {people}) AS p(person_id, zone, home);
        CREATE TABLE everybody.visit AS SELECT * FROM (VALUES {visits})
            AS v(visit_id, person_id, began, day, place, steps, dwell, tag);
        CREATE TABLE everybody.seen AS SELECT person_id, timezone('Europe/Berlin', began) AS ts, place FROM everybody.visit;
        CREATE TABLE everybody.leg AS SELECT visit_id, 1 + (place + n) % 3 AS place, steps + n AS steps
            FROM everybody.visit, range(2) AS r(n);
        CREATE TABLE everybody.point AS SELECT visit_id, began + INTERVAL 1 HOUR * n AS began, place
            FROM everybody.visit, range(2) AS r(n);
        CREATE TABLE everybody.place AS SELECT * FROM (VALUES (1, 'in'), (2, 'out'), (3, 'in')) AS k(place, sort);
    """


def _visit(number: int, row: Row, starts: Sequence[date]) -> str:
    at, day = "NULL::TIMESTAMP", f"DATE '{starts[0]}'"
    if row.window != -1:
        begin = starts[max(row.window, 0)] - timedelta(days=40 if row.window == -2 else 0)
        end = starts[row.window + 1] if 0 <= row.window < len(starts) - 1 else begin + timedelta(days=1)
        at = f"TIMESTAMP '{begin if row.minutes >= 0 else end}' + INTERVAL '{row.minutes} minutes'"
        at = at if row.minutes >= 0 else f"{at} - INTERVAL 1 MICROSECOND"
        day = f"CAST({at} AS DATE) + {3 if row.window == -3 else 0}"
    return f"({number}, {row.person}, {at}, {day}, {row.place}, {row.steps}, {row.dwell}::DOUBLE, '{row.tag}')"


def _without(number: int, begin: date, window: PrivacyWindow) -> str:
    world, unit = f"without_{number}", _UNIT[window]
    other = "CASE home WHEN 'a' THEN 'c' ELSE 'a' END" if number == 1 else "home"
    of_victim = f"person_id = {VICTIM} AND date_trunc('{unit}', {{}}) = DATE '{begin}'"
    whose = "visit_id IN (SELECT visit_id FROM everybody.visit WHERE {})"
    return f"""
        CREATE TABLE {world}.person AS SELECT * REPLACE (CASE WHEN person_id = {VICTIM} THEN {other} ELSE home END AS home)
            FROM everybody.person;
        CREATE TABLE {world}.visit AS FROM everybody.visit WHERE ({of_victim.format("began")}) IS NOT TRUE;
        CREATE TABLE {world}.seen AS FROM everybody.seen WHERE ({of_victim.format(LOCAL)}) IS NOT TRUE;
        CREATE TABLE {world}.leg AS FROM everybody.leg;
        CREATE TABLE {world}.point AS FROM everybody.point WHERE NOT
            (date_trunc('{unit}', began) = DATE '{begin}' AND {whose.format(f"person_id = {VICTIM}")}) IS TRUE;
        CREATE VIEW {world}.place AS FROM everybody.place;
    """


def _mixed(starts: Sequence[date], window: PrivacyWindow) -> str:
    end = next_window_start(window, starts[-1])
    inside = f"{{}} >= TIMESTAMP '{starts[0]}' AND {{}} < TIMESTAMP '{end}'"
    local = f"date_trunc('{_UNIT[window]}', {{}})"
    mixed = "ORDER BY hash(rowid * 7919 + 13)"
    admitted = f"{inside.format('began', 'began')} AND day = CAST(began AS DATE)"
    return f"""
        CREATE TABLE mixed.person AS FROM everybody.person {mixed};
        CREATE TABLE mixed.visit AS FROM everybody.visit WHERE {admitted} AND person_id IS NOT NULL {mixed};
        CREATE TABLE mixed.seen AS FROM everybody.seen WHERE {inside.format(LOCAL, LOCAL)} AND person_id IS NOT NULL {mixed};
        CREATE TABLE mixed.leg AS FROM everybody.leg {mixed};
        CREATE TABLE mixed.point AS FROM everybody.point AS p WHERE EXISTS (FROM mixed.visit AS v WHERE
            v.visit_id = p.visit_id AND {local.format("v.began")} = {local.format("p.began")}) {mixed};
        CREATE VIEW mixed.place AS FROM everybody.place;
    """


def _static(world: str, of: str) -> str:
    views = "".join(f"CREATE VIEW {world}.{t} AS FROM {of}.{t};" for t in (*PRIVATE[1:], "place"))
    return f"CREATE TABLE {world}.person AS FROM {of}.person WHERE person_id <> {VICTIM}; {views}"


def _timeless() -> str:
    """Remove the victim's rows with a time; rows that depend on them are not eligible then."""
    others = f"WHERE (person_id = {VICTIM}) IS NOT TRUE"
    return f"""
        CREATE TABLE timeless.person AS FROM everybody.person;
        CREATE TABLE timeless.visit AS FROM everybody.visit {others};
        CREATE TABLE timeless.seen AS FROM everybody.seen {others};
        CREATE VIEW timeless.leg AS FROM everybody.leg;
        CREATE VIEW timeless.point AS FROM everybody.point;
        CREATE VIEW timeless.place AS FROM everybody.place;
    """
