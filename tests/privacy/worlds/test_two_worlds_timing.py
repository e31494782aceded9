"""Two worlds over HTTP and the clock: a question that one person's rows make longer leaves in the same bucket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine import Refused, Session
from engine.pricing.compile_release import CompiledRelease
from engine.server.worker.pacing import ResponsePacing
from tests.support.timed_worlds import FAMILY, REFUSED, Left, observe_departure, timed_worlds
from tests.support.without_norms import without_norms

LEAST = 0.125  # seconds: what a question takes beside its rows, and not more
PROFILED = {  # questions of catalogs without norms
    "joins": FAMILY["joins"],
    "private keys": FAMILY["private keys"].replace("range(400)", "range(200)"),
    "quantiles": FAMILY["quantiles"],
    "averages of many groups": "SELECT CAST(x AS INTEGER) AS g, COUNT(*), AVG(e.dwell_s), SUM(e.dwell_s)"
    " FROM events e CROSS JOIN range(2000) a(x) WHERE e.lon BETWEEN 24.7 AND 24.8 GROUP BY g",
    "different values": "SELECT COUNT(*), COUNT(DISTINCT e.cell_id) FROM events e CROSS JOIN range(1000) a(x)"
    " WHERE e.lon BETWEEN 24.7 AND 24.8",
}
ROWS = {"events": 1e4, "subscribers": 1e3}  # as declared


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    with timed_worlds(tmp_path_factory.mktemp("worlds")) as opened:
        yield opened


def both(worlds: dict[str, Session], sql: str) -> tuple[Left, Left]:
    without, with_victim = (
        observe_departure(worlds[world], sql, ResponsePacing(least_seconds=LEAST)) for world in ("D'", "D")
    )
    return without, with_victim


@pytest.mark.parametrize("title", FAMILY)
def test_a_question_leaves_in_its_own_bucket_in_both_worlds(title: str, worlds: dict[str, Session]) -> None:
    without, with_victim = both(worlds, FAMILY[title])
    assert without == with_victim
    assert with_victim.status == 200 and with_victim.doublings == 1


@pytest.fixture(scope="module")
def worlds_without_norms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    with timed_worlds(tmp_path_factory.mktemp("without norms"), without_norms) as opened:
        yield opened


@pytest.mark.parametrize("title", PROFILED)
def test_a_profiled_question_leaves_in_its_own_bucket_in_both_worlds(
    title: str, worlds_without_norms: dict[str, Session]
) -> None:
    """Its statements share partial aggregates: of the victim's many rows one, one a group, or one a row."""
    without, with_victim = both(worlds_without_norms, PROFILED[title])
    assert without == with_victim
    assert with_victim.status == 200 and with_victim.doublings == 1


@pytest.mark.parametrize("title", REFUSED)
def test_queries_that_one_person_could_slow_down_are_refused_for_free(title: str, worlds: dict[str, Session]) -> None:
    without, with_victim = both(worlds, REFUSED[title])
    assert without == with_victim == Left(400, "E_COMPLEX", None, None)


def test_in_process_work_is_bounded_by_rows_and_memory(worlds: dict[str, Session]) -> None:
    assert worlds["D'"].explain(REFUSED["joins"], client="ann")["price"]
    gathered = REFUSED["joins"].replace("COUNT(*)", "e.subscriber_id, LIST(x), STRING_AGG(CAST(e.ts AS VARCHAR), ',')")
    with pytest.raises(Refused, match="E_COMPLEX"):
        worlds["D'"].explain(f"SELECT COUNT(*) FROM ({gathered} GROUP BY 1)", client="ann")


def by_sizes_alone(pace: ResponsePacing, prepared: CompiledRelease) -> float:
    """Regression: buckets of declared sizes, though one person's rows may grow beyond them."""
    return sum(ROWS.values()) / pace.rows_per_second


def test_buckets_cover_accepted_work_and_buckets_by_size_alone_do_not(
    worlds: dict[str, Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.server.worker.pacing.check_steps", lambda works, most_of_unit, most: None)
    without, with_victim = both(worlds, REFUSED["edits"])
    assert without == with_victim and with_victim.doublings == 1
    monkeypatch.setattr(ResponsePacing, "_expected_seconds", by_sizes_alone)
    without, with_victim = both(worlds, REFUSED["edits"])
    assert (without.bucket, without.doublings) == (LEAST, 1)
    assert with_victim.doublings is not None and with_victim.doublings > 1
