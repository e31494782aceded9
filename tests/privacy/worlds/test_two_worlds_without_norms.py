"""Two worlds of a catalog without norms: profiles show in no time, size, header, note or log, at any interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dialect.algebra import NoteCode
from engine import Session
from engine.server.http import responses, sizes
from engine.server.worker.pacing import ResponsePacing
from tests.support.neighbours.door_worlds import DOORS, observe_through
from tests.support.neighbours.two_worlds import BY_HOUR, BY_ZONE, COUNT, Attack, open_worlds
from tests.support.timed_worlds import FAMILY, Left, observe_departure, timed_worlds
from tests.support.without_norms import without_norms

OF_THE_PAGE = ("Half-widths: ", "Expected bias, not in the interval: ")  # texts of `interval_parts`, `predicted_bias`
# of an answer: noisy; of its explanation, and of the tags of a page that shows it: whether they are there is noisy, too
OF_THE_ANSWER = {"interval_parts", "clip_bounds", "predicted_bias", "bias_within", "explained", "tags"}
LEAST = 0.125  # seconds: what a question takes beside its rows, and not more
ASKED = {
    "rows in all": COUNT,
    "rows by hour": BY_HOUR,
    "rows by zone, joined": BY_ZONE,
    "sums and people": replace(COUNT, sql="SELECT hour(ts), SUM(dwell_s), COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1"),
    "averages": replace(COUNT, sql="SELECT gender, AVG(dwell_s) FROM events JOIN subscribers USING (subscriber_id) GROUP BY 1"),
    "nobody": replace(COUNT, sql="SELECT hour(ts), COUNT(*) FROM events WHERE dwell_s > 7199 GROUP BY 1"),
}  # fmt: skip

# as often as a person's rows are read and grouped, this is beyond what a server accepts: refused in both worlds, for free
TOO_LONG = {"private keys"}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    with open_worlds(tmp_path_factory.mktemp("worlds"), ("D", "D'"), without_norms) as opened:
        yield opened


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    with timed_worlds(tmp_path_factory.mktemp("timed"), without_norms) as opened:
        yield opened


def hold(worlds: dict[str, Session], name: str, attack: Attack) -> None:
    one, other = (observe_through(worlds[world], DOORS[name], attack) for world in ("D", "D'"))
    assert without_noise(one) == without_noise(other)


def without_noise(seen: Any) -> Any:
    """Leave out what follows from released numbers: parts of half-widths, bias, how a stored answer is explained."""
    if isinstance(seen, dict):
        names = seen.keys() - OF_THE_ANSWER - ({"explain"} if "ask" in seen else set())
        return {name: without_noise(seen[name]) for name in names}
    if isinstance(seen, list | tuple):
        return [without_noise(each) for each in seen if not (str(each).startswith(OF_THE_PAGE) or is_of_clipping(each))]
    return seen


def is_of_clipping(seen: Any) -> bool:
    """Is it a note on clipping? Where no unit is visible in the noise, fallback clip bounds apply, and notes name them."""
    is_note = isinstance(seen, list | tuple) and len(seen) == 2 and seen[1] == NoteCode.CLIPPED
    return is_note or (" clipped at " in str(seen) and isinstance(seen, str))


@pytest.mark.parametrize("title", ASKED)
def test_nothing_distinguishes_explanations_before_a_profile_is_bought(title: str, worlds: dict[str, Session]) -> None:
    one, other = (worlds[world].explain(ASKED[title].sql, client="ann") for world in ("D", "D'"))
    assert one == other and one["bounds"]


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("title", ASKED)
def test_only_noise_distinguishes_the_worlds_at_every_interface(
    title: str, name: str, worlds: dict[str, Session]
) -> None:
    hold(worlds, name, ASKED[title])


@pytest.mark.parametrize("title", FAMILY)
def test_a_question_with_a_profile_leaves_in_its_own_bucket_in_both_worlds(
    title: str, timed: dict[str, Session]
) -> None:
    pace = ResponsePacing(least_seconds=LEAST)
    without, with_victim = (observe_departure(timed[world], FAMILY[title], pace) for world in ("D'", "D"))
    assert without == with_victim
    if title in TOO_LONG:  # work of profile, totals and numbers together
        assert with_victim == Left(400, "E_COMPLEX", None, None)
    else:
        assert with_victim.status == 200 and with_victim.doublings == 1


def test_a_planted_size_of_an_answer_is_found(worlds: dict[str, Session], monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: what a profile has chosen gets no room of its own in the length of an answer."""
    monkeypatch.setattr(responses, "public_length", lambda table, card: 0)
    monkeypatch.setattr(sizes, "size_class", lambda length: length)
    with pytest.raises(AssertionError):
        for _ in range(10):  # lengths may be the same by chance
            hold(worlds, "http", COUNT)


def test_planted_time_of_a_tenth_of_the_work_is_exceeded(
    timed: dict[str, Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a time bucket for the work of a small part of the rows ends before the work."""
    expected = ResponsePacing._expected_seconds
    monkeypatch.setattr(ResponsePacing, "_expected_seconds", lambda pace, prepared: expected(pace, prepared) / 1e6)
    left = observe_departure(timed["D"], COUNT.sql, ResponsePacing(least_seconds=0.001))
    assert left.doublings is not None and left.doublings > 1
