"""People's rows in a Spark lake of two workers: DuckDB's exact integers, one person's share, and what is lost and found again.

Part of `make nightly` alone: planning and compiling takes Spark a second or two for each question.
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, note, settings

from budgets import Ledger
from dialect import Catalog, Refusal, compile_query, generate_sql
from dialect.catalog.model import EngineName
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from engine.backends.lake import LakeBackend
from engine.catalog.bundled import find_catalog
from engine.catalog.eligibility import eligibility_filter
from engine.data.open_data import open_data
from engine.errors import ExecutionFailed
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.privacy.exactness.test_questions import QUESTIONS, needs_questions
from tests.support.greybox.greybox import SensitivityExceeded, UnexpectedChange, check_neighbours, groups
from tests.support.greybox.greybox_data import (
    PRIVATE,
    VICTIM,
    WORLDS,
    Database,
    Declared,
    Run,
    Subscriber,
    declare,
    make_worlds,
)
from tests.support.greybox.greybox_questions import NUMBERS, WHOLE, questions
from tests.support.neighbours.unread_rows import UnreadRows
from tests.support.neighbours.window_questions import fill_dates
from tests.support.neighbours.window_questions import questions as window_questions
from tests.support.neighbours.window_worlds import PRIVATE as WINDOWED
from tests.support.neighbours.window_worlds import Data, Row, Worlds
from tests.support.spark.lake import as_lake
from tests.support.spark.on_lake import Both, same, truncate_unhashed
from tests.support.spark.spark_cluster import Cluster
from tests.support.sql.exact import ExactEngine
from tests.support.statistics.lifted import lifted_bounding, lifted_plan, witnessed

timed_scans = import_module("dialect.planner.window_charging")
EXAMPLES = int(400 * float(os.environ.get("PASSERSBY_NIGHTLY_SHARE", "1")))
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
PEOPLE = (VICTIM, *range(1, 12))
_VALUES = zip(itertools.cycle(PEOPLE), itertools.cycle(NUMBERS), itertools.cycle(WHOLE[1:]), range(60), strict=False)
DATABASE = Database(
    tuple(
        Run(str(person), 1 + place % 4, 1 + place % 3, cell=place % 5, dwell=number, steps=whole, lon=number)
        for person, number, whole, place in _VALUES
    ),
    tuple(Subscriber(person, consent="TRUE") for person in PEOPLE),
    ((1, str(VICTIM), 3), (2, "1", 4), (3, "2", 2)),
    Declared(rows=1_000, max_rows=50),
)
CHOSEN = (
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 1) steps, COUNT(*) FROM events GROUP BY steps"
)
BY_CELL = "SELECT e.cell_id, COUNT(*), AVG(e.dwell_s), COUNT(DISTINCT e.steps) FROM events e GROUP BY 1"
OTHERS = (
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private', others = true) e.cell_id, e.steps, COUNT(*),"
    " COUNT(DISTINCT e.subscriber_id), COUNT(DISTINCT e.dwell_s) FROM events e GROUP BY 1, 2"
)
ROWS = tuple(Row(person, window, minutes, place, place - 2, 7.5 * place) for person, window, minutes, place
             in itertools.product((77, 1, 2), (-1, -2, 0, 1, 2, 3), (90, 900, -30), (1, 2, 3)))  # fmt: skip
BY_PLACE = "SELECT place, COUNT(*), SUM(steps) FROM visit WHERE day >= DATE '2026-02-01' AND day < DATE '2026-03-01' GROUP BY place"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("spark")) as started:
        yield started


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[dict[str, Both]]:
    """Make every world of one database in DuckDB and in the lake."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    make_worlds(connection, DATABASE)
    folder, catalog = tmp_path_factory.mktemp("worlds"), declare()
    yield {world: Both(connection, catalog, world, PRIVATE, folder / world, cluster.remote) for world in WORLDS}
    connection.close()


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Both]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    made = Worlds(connection, PrivacyWindow.MONTH, Data(ROWS))
    yield Both(connection, made.catalog, "everybody", WINDOWED, tmp_path_factory.mktemp("months"), cluster.remote)
    connection.close()


@pytest.fixture(scope="module")
def operator(
    tmp_path_factory: pytest.TempPathFactory, cluster: Cluster
) -> Iterator[tuple[ExactEngine, Catalog, LakeBackend]]:
    """Open the operator's two million sightings in both."""
    with ExactEngine(find_catalog("operator")) as exact:
        lake = as_lake(exact.catalog, tmp_path_factory.mktemp("operator"), cluster.remote, exact.files, exact.addresses)
        backend = open_data(lake, tmp_path_factory.mktemp("beside"), lambda stage, part: None)
        assert isinstance(backend, LakeBackend)
        yield exact, lake, backend
        backend.close()


@needs_questions
@pytest.mark.parametrize("number", sorted(QUESTIONS))
def test_a_question_of_analysts_has_duckdbs_integers(
    number: str, operator: tuple[ExactEngine, Catalog, LakeBackend]
) -> None:
    exact, catalog, backend = operator
    for plan in compile_query(QUESTIONS[number], catalog).plans:
        lifted, bounds = lifted_plan(witnessed(plan)), lifted_bounding(witnessed(plan))
        who = eligibility_filter(catalog, plan.dataset)
        one, other = (each.run(generate_sql(lifted, bounds, each.target, who)) for each in (exact.backend, backend))
        assert same(one, other)
        assert one.vectors[-1].any()


def is_equal(both: Both, sql: str) -> bool:
    """Does a query have the same integers on both engines? Refusals come before anything runs."""
    try:
        pairs = both.run(sql)
    except Refusal:
        return True
    return all(same(*pair) for pair in pairs)


def test_drawn_questions_have_duckdbs_integers(worlds: dict[str, Both], monkeypatch: pytest.MonkeyPatch) -> None:
    truncate_unhashed(monkeypatch)

    @settings(max_examples=EXAMPLES, suppress_health_check=SLOW)
    @given(questions())
    def holds(sql: str) -> None:
        note(sql)
        assert is_equal(worlds["everybody"], sql)

    holds()


def test_drawn_questions_of_months_have_duckdbs_integers(months: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    truncate_unhashed(monkeypatch)

    @settings(max_examples=EXAMPLES, suppress_health_check=SLOW)
    @given(window_questions())
    def holds(sql: str) -> None:
        note(sql)
        assert is_equal(months, fill_dates(sql, PrivacyWindow.MONTH))

    holds()


def test_a_range_that_is_not_added_is_seen(months: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    during = timed_scans.is_in_windows
    right = [ours for ours, theirs in months.run(BY_PLACE) if same(ours, theirs)]
    assert len(right) == 1
    monkeypatch.setattr(timed_scans, "is_in_windows", lambda *given: during(*given).arguments[-1])
    (wrong,) = months.in_lake(BY_PLACE.replace(" WHERE day >= DATE '2026-02-01' AND day < DATE '2026-03-01'", ""))
    assert not same(right[0], wrong.exact)


def test_private_keys_and_others_have_duckdbs_integers(
    worlds: dict[str, Both], monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate_unhashed(monkeypatch)
    pairs = worlds["everybody"].run(OTHERS)
    assert len(pairs) == 3  # two rounds of selection, and the numbers
    assert all(same(ours, theirs) for ours, theirs in pairs)


@pytest.mark.parametrize("sql", [BY_CELL, CHOSEN, OTHERS])
def test_one_person_moves_no_vector_further_than_declared(sql: str, worlds: dict[str, Both]) -> None:
    neighbours(sql, worlds)


def neighbours(sql: str, worlds: dict[str, Both]) -> None:
    """Check a query against all worlds of the lake, with Spark's own hash; objectors count as without rows."""
    first = worlds["everybody"].in_lake(sql)
    keys = first[-1].exact.keys if len(first) > 1 else None
    everybody, without = worlds["everybody"].in_lake(sql, keys), worlds["without"].in_lake(sql, keys)
    objected = worlds["everybody"].in_lake(sql, keys, pa.table({"person": [str(VICTIM)]}))
    for name, others in (
        ("mixed", worlds["mixed"].in_lake(sql, keys)),
        ("again", worlds["everybody"].in_lake(sql, keys)),
    ):
        for one, other in zip(everybody, others, strict=True):
            if groups(one.exact) != groups(other.exact):
                raise UnexpectedChange(f"{name} gave other integers: {sql}")
    for more, less, gone in zip(everybody, without, objected, strict=True):
        assert groups(less.exact) == groups(gone.exact)
        check_neighbours(more, less, sql)


def test_an_order_that_is_no_function_of_a_persons_rows_is_seen(
    worlds: dict[str, Both], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ENGINE_DIALECTS[EngineName.SPARK]
    monkeypatch.setitem(ENGINE_DIALECTS, EngineName.SPARK, replace(said, salted_hash="rand()", hash="rand()"))
    with pytest.raises((UnexpectedChange, SensitivityExceeded, AssertionError)):
        for _ in range(5):
            neighbours(CHOSEN, worlds)


def test_planted_a_view_that_opens_lets_one_person_move_everybody(cluster: Cluster, tmp_path: Path) -> None:
    with closing(UnreadRows(tmp_path, cluster.remote)) as stored:
        assert stored.check(["steps IS NOT NULL"])
        with closing(stored.through_views()) as viewed, pytest.raises(SensitivityExceeded):
            viewed.check(["steps IS NOT NULL"])


@needs_questions
def test_a_killed_executor_changes_nothing_but_time(
    operator: tuple[ExactEngine, Catalog, LakeBackend], cluster: Cluster
) -> None:
    exact, catalog, backend = operator
    (plan,) = compile_query(QUESTIONS["Q32"], catalog).plans
    lifted, bounds = lifted_plan(witnessed(plan)), lifted_bounding(witnessed(plan))
    who = eligibility_filter(catalog, plan.dataset)
    killed: list[int] = []
    killing = threading.Timer(3.0, lambda: killed.append(cluster.kill_executor()))
    killing.start()
    started = time.monotonic()
    found = backend.run(generate_sql(lifted, bounds, backend.target, who))
    assert time.monotonic() - started > 3.0
    assert killed and killed[0] not in cluster.executors()
    assert same(exact.backend.run(generate_sql(lifted, bounds, exact.backend.target, who)), found)


def test_a_lost_driver_leaves_a_charge_that_is_answered_once(tmp_path: Path) -> None:
    from tests.engine.town import make_town, opened  # its own data and cluster: nothing is left of either

    town, asked = make_town(tmp_path), Request("ana", request_id="the same request")
    sql = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
    with opened(town, tmp_path / "cache") as engine, Cluster(tmp_path / "spark", workers=1) as started:
        files = {"town": str(tmp_path / "town.duckdb")}
        lake = as_lake(
            town, tmp_path / "lake", started.remote, files, {t.name: f"town.main.{t.name}" for t in town.tables}
        )
        backend = open_data(lake, tmp_path / "beside", lambda stage, part: None)
        asking = Engine(lake, backend, engine.ledger, add_noise)
        started.kill()
        with pytest.raises(ExecutionFailed):
            asking.answer(sql, asked)
        spent = charges(engine.ledger)
        assert len(spent) == 1
        started.start()
        answered = asking.answer(sql, asked)
        again = asking.answer(sql, asked)
        assert answered.answer.table.equals(again.answer.table)
        assert charges(engine.ledger) == spent
        backend.close()


def test_a_question_that_met_other_files_is_charged_once(tmp_path: Path, cluster: Cluster) -> None:
    from tests.engine.town import make_town, opened

    town, asked = (
        make_town(tmp_path),
        ("SELECT COUNT(*) AS n FROM visit", Request("ana", request_id="the same request")),
    )
    with opened(town, tmp_path / "cache") as engine:
        files, addresses = {"town": str(tmp_path / "town.duckdb")}, {t.name: f"town.main.{t.name}" for t in town.tables}
        lake = as_lake(town, tmp_path / "lake", cluster.remote, files, addresses)
        backend = open_data(lake, tmp_path / "beside", lambda stage, part: None)
        asking, first = Engine(lake, backend, engine.ledger, add_noise), tmp_path / "lake" / "visit" / "0.parquet"
        shutil.copy(first, first.with_name("more.parquet"))
        with pytest.raises(ExecutionFailed):
            asking.answer(*asked)
        spent = charges(engine.ledger)
        assert len(spent) == 1
        first.with_name("more.parquet").unlink()
        assert asking.answer(*asked).answer.table.num_rows == 1
        assert charges(engine.ledger) == spent
        backend.close()


def charges(ledger: Ledger) -> list[object]:
    """List what was charged to the one client."""
    return [entry for entry in ledger.entries(client="ana") if str(getattr(entry, "kind", "")).endswith("charged")]
