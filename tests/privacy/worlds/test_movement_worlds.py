"""Queries with table functions in two worlds: apart from noise, no output distinguishes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine import Session
from tests.support.neighbours.two_worlds import ANSWERED, Attack, check_attack, open_worlds

SEEN = "(SELECT subscriber_id, ts, cell_id AS zone_id, lon, lat FROM events)"
QUESTIONS = (
    f"SELECT zone_id, COUNT(*) AS n, AVG(dwell_min) AS m FROM stays({SEEN}, 1, max_gap => 2880) s GROUP BY 1",
    f"SELECT prev_zone, approach_dir, COUNT(*) AS n FROM stays({SEEN}, 1, 1e5, 2880) s GROUP BY 1, 2",
    f"SELECT d_zone, COUNT(*) AS n, SUM(dist_km) AS km FROM trips({SEEN}, 1, max_gap => 2880) t GROUP BY 1",
    f"SELECT zone_id, COUNT(*) AS people, SUM(nights) AS n FROM home_zone({SEEN}) h GROUP BY 1",
    f"SELECT h.zone_id, COUNT(*) AS n FROM work_zone({SEEN}) w JOIN home_zone({SEEN}, 2) h USING (subscriber_id) GROUP BY 1",
)
REFUSED = (
    ("E_ROWS", f"SELECT * FROM stays({SEEN}) s"),
    ("E_PARAM", f"SELECT COUNT(*) FROM stays({SEEN}, 86399) s"),
    ("E_TABLE", "SELECT COUNT(*) FROM stays(events) s"),
    ("E_TABLE", "SELECT COUNT(*) FROM read_parquet(events)"),
)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    with open_worlds(tmp_path_factory.mktemp("worlds")) as opened:
        yield opened


@pytest.mark.parametrize("sql", QUESTIONS)
def test_only_noise_distinguishes_the_movement_worlds(sql: str, worlds: dict[str, Session]) -> None:
    check_attack(Attack("movement", ANSWERED, None, "stays, trips, homes and places of work", sql), worlds)


@pytest.mark.parametrize(("code", "sql"), REFUSED)
def test_a_refusal_is_the_same_in_all_worlds(code: str, sql: str, worlds: dict[str, Session]) -> None:
    check_attack(Attack("movement", code, None, "what is no question of movement", sql), worlds)
