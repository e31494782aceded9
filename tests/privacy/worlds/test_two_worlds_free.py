"""Free answers and prices are the same in two worlds, after any earlier queries."""

from __future__ import annotations

from pathlib import Path

from engine.api.wire.answer import derived_from
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.query_terms import Request
from tests.engine.complete_town import anew, ask, held_town
from tests.engine.reuse.test_source_selection import BY_ZONE, FINE, MEMBERS, PEOPLE, SAID, UNSAID
from tests.engine.town import CATALOG, ROWS

VICTIM = "DELETE FROM visit WHERE person_id = 17; DELETE FROM person WHERE person_id = 17;"
HEAVY = "INSERT INTO visit SELECT 17, 10000 + i, 'z1', 50.0, 'shop 1', 3, DATE '2026-10-02' FROM range(3000) AS t(i);"
ASKED = [
    (FINE, "0.06"), (PEOPLE, "0.01"), (MEMBERS, "0.02"), (BY_ZONE, "0.01"), (BY_ZONE, "0.005"), (FINE, "0.05"),
    *((asked, rho) for _, asked in (*SAID[::2], *UNSAID[::2]) for rho in ("0.0005", "0.004")),
]  # fmt: skip


def everything_but_noise(engine: Engine) -> list[tuple[object, ...]]:
    """Run all queries in turn; everything but the released numbers."""
    own, seen = anew(engine), []
    for sql, rho in ASKED:
        before = explain(own, sql, Request("ann"))
        given = ask(own, sql, rho)
        sources = [{k: v for k, v in each.items() if k != "settled_at"} for each in derived_from(given.sources)]
        bought = [None if way.derived is not None else way.wanted.cost for way in given.sources]
        seen.append(
            (given.charged_loss, before.loss, before.expected_error, sources, bought, given.answer.table.num_rows)
        )
    return seen


def test_whether_an_answer_is_free_does_not_depend_on_people(tmp_path: Path) -> None:
    worlds = {"heavy": ROWS + HEAVY, "without": ROWS + VICTIM}
    seen = {}
    for name, rows in worlds.items():
        with held_town(tmp_path / name, CATALOG, rows) as engine:
            seen[name] = everything_but_noise(engine)
    private = [i for i, (sql, _) in enumerate(ASKED) if "shop" in sql]  # how many private keys are released is noisy
    for i, rows in enumerate(zip(*seen.values(), strict=True)):
        first = rows[0][: None if i not in private else -1]
        assert all(each[: len(first)] == first for each in rows), ASKED[i]
    assert sum(row[0].pico_rho == 0 for row in seen["heavy"]) > len(SAID) // 2  # type: ignore[attr-defined]
