"""The order of the stages, and who pays for what: through the whole engine, on real files and a real ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from budgets import AccountName, BudgetRefused, EntryKind, Forbidden, IdempotencyError, Loss
from dialect import Refusal
from engine.catalog.file import load_catalog
from engine.catalog.version import release_dependency_digest
from engine.errors import ExecutionFailed
from engine.pipeline import post_process as post_process_module
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, make_town, opened
from tests.support.tree import ROOT

BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
OTHER = """
[tables.other]
dataset = "shops"
kind = "private"
source = { csv = "other.csv" }
person = "person_id"
size_class = "1e1"
norms = { rows = 1, persons = 1 }
columns = { person_id = { type = "BIGINT" } }
"""
LOOKED = ["ledger.replay", "ledger.paid_releases"]  # whether the answer itself is held, and what else is
PRICE = Loss.rounded_up("0.005", "0")
EVERYBODY, ANN, BEN = (AccountName("town", "forever", owner) for owner in ("", "ann", "ben"))


class Diary:
    """Something of which is written down what it is asked to do."""

    def __init__(self, inner: Any, name: str, pages: list[str]) -> None:
        self._inner, self._name, self._pages = inner, name, pages

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._inner, verb)
        if not callable(found):
            return found

        def asked(*arguments: Any, **named: Any) -> Any:
            self._pages.append(f"{self._name}.{verb}")
            return found(*arguments, **named)

        return asked


@pytest.fixture
def pages() -> list[str]:
    """An empty event log."""
    return []


@pytest.fixture
def kept(engine: Engine, pages: list[str]) -> Engine:
    """An engine that logs its events."""

    def noise(*arguments: Any) -> Any:
        pages.append("noise")
        return engine.add_noise(*arguments)

    backend, ledger = Diary(engine.backend, "backend", pages), Diary(engine.ledger, "ledger", pages)
    return Engine(engine.catalog, backend, ledger, noise)  # type: ignore[arg-type]


def charged_pages(pages: list[str]) -> list[str]:
    """Leave out what only looks at public tables, and in which snapshot is looked up what is held."""
    left_out = ("backend.count", "backend.public", "backend.values", "ledger.snapshot")
    return [page for page in pages if page not in left_out]


def spent(engine: Engine, name: AccountName) -> Loss:
    """What an account has spent; nothing before it was opened."""
    return next((view.spent for view in engine.ledger.accounts() if view.name == name), Loss(0, 0))


def numbers(answered: Answered) -> list[dict[str, object]]:
    return answered.answer.table.to_pylist()


def test_charge_read_noise_settle_in_that_order(kept: Engine, pages: list[str]) -> None:
    kept.answer(BY_ZONE, Request("ann"))
    assert charged_pages(pages) == [*LOOKED, "ledger.charge", "backend.run", "noise", "ledger.settle"]


def test_a_refusal_is_decided_before_the_ledger_and_the_data(kept: Engine, pages: list[str]) -> None:
    with pytest.raises(Refusal):
        kept.answer("SELECT person_id FROM visit", Request("ann"))
    assert pages == []


@pytest.mark.parametrize("confidence", [0.3, 1.0, float("nan"), -1.0])
def test_an_invalid_confidence_level_is_refused_before_the_ledger(
    kept: Engine, pages: list[str], confidence: float
) -> None:
    with pytest.raises(Refusal, match="E_PARAM"):
        kept.answer(BY_ZONE, Request("ann", confidence=confidence))
    assert charged_pages(pages) == []


def test_data_are_not_read_for_a_query_beyond_the_budget(kept: Engine, pages: list[str]) -> None:
    with pytest.raises(BudgetRefused):
        kept.answer(BY_ZONE, Request("ann", rho=Fraction(1)))
    assert charged_pages(pages) == [*LOOKED, "ledger.charge", "ledger.outlook", "ledger.paid_releases"]


def test_a_charge_stays_when_the_data_cannot_be_read_and_pays_for_the_next_try(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(type(engine.backend), "run", lambda *_: (_ for _ in ()).throw(ExecutionFailed()))
        with pytest.raises(ExecutionFailed):
            engine.answer(BY_ZONE, Request("ann"))
    assert (spent(engine, ANN), spent(engine, EVERYBODY)) == (PRICE, PRICE)
    again = engine.answer(BY_ZONE, Request("ann"))
    assert (again.charged_loss, spent(engine, ANN)) == (Loss(0, 0), PRICE)


def fails_when_it_runs(sql: str, _: object) -> None:
    """Fail over rows, as memory that is short does, and not when SQL is bound."""
    if not sql.startswith("DESCRIBE"):
        raise ExecutionFailed


def test_a_release_is_stored_before_the_rest_of_the_question_runs(
    kept: Engine, pages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(post_process_module, "run_outer", fails_when_it_runs)
        with pytest.raises(ExecutionFailed):
            kept.answer(f"{BY_ZONE} ORDER BY n", Request("ann"))
    pages.clear()
    kept.answer(BY_ZONE, Request("ann"))
    assert charged_pages(pages) == ["ledger.replay", "ledger.release_ages"]


def test_a_failed_replay_states_that_nothing_was_charged(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.answer(BY_ZONE, Request("ann"))
    monkeypatch.setattr(post_process_module, "run_outer", lambda *_: (_ for _ in ()).throw(ExecutionFailed()))
    with pytest.raises(Refusal, match="nothing was charged"):
        engine.answer(f"{BY_ZONE} ORDER BY n", Request("ann"))
    assert spent(engine, ANN) == PRICE


def test_a_repeated_query_is_free_and_returns_the_same_numbers(kept: Engine, pages: list[str]) -> None:
    first = kept.answer(BY_ZONE, Request("ann"))
    pages.clear()
    again = kept.answer(BY_ZONE, Request("ann"))
    assert numbers(again) == numbers(first)
    assert (again.charged_loss, charged_pages(pages)) == (Loss(0, 0), ["ledger.replay", "ledger.release_ages"])


@pytest.mark.parametrize(
    "same",
    [
        "select v.zone, count(*) as anything from visit as v group by v.zone  -- by zone",
        "SELECT zone, n FROM (SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone) AS q",
        "SELECT zone, 2 * COUNT(*) AS twice FROM visit GROUP BY 1 ORDER BY 2 DESC LIMIT 3",
    ],
)
def test_an_equivalent_query_is_free(engine: Engine, same: str) -> None:
    engine.answer(BY_ZONE, Request("ann"))
    assert engine.answer(same, Request("ann")).charged_loss == Loss(0, 0)


@pytest.mark.parametrize(
    "other",
    [
        BY_ZONE.replace("COUNT(*)", "COUNT(DISTINCT person_id)"),
        "SELECT zone, COUNT(*) AS n FROM visit WHERE minutes < 30 GROUP BY zone",
        "SELECT day, COUNT(*) AS n FROM visit GROUP BY day",
    ],
)
def test_another_release_is_paid_for(engine: Engine, other: str) -> None:
    engine.answer(BY_ZONE, Request("ann"))
    assert engine.answer(other, Request("ann")).charged_loss == PRICE


def test_a_higher_rho_buys_a_new_release(engine: Engine) -> None:
    first = engine.answer(BY_ZONE, Request("ann"))
    other = engine.answer(BY_ZONE, Request("ann", rho=Fraction(1, 100)))
    assert other.charged_loss.pico_rho == 2 * PRICE.pico_rho
    assert numbers(other) != numbers(first)


def test_another_confidence_is_the_same_release(engine: Engine) -> None:
    engine.answer(BY_ZONE, Request("ann"))
    assert engine.answer(BY_ZONE, Request("ann", confidence=0.5)).charged_loss == Loss(0, 0)


def test_a_second_client_pays_its_own_account_and_gets_the_same_numbers(kept: Engine, pages: list[str]) -> None:
    first = kept.answer(BY_ZONE, Request("ann"))
    pages.clear()
    second = kept.answer(BY_ZONE, Request("ben"))
    assert numbers(second) == numbers(first)
    assert second.charged_loss == PRICE
    assert "backend.run" not in pages
    assert [spent(kept, name) for name in (ANN, BEN, EVERYBODY)] == [PRICE, PRICE, PRICE]


def test_a_new_data_version_makes_a_new_release(engine: Engine) -> None:
    engine.answer(BY_ZONE, Request("ann"))
    (dataset,) = engine.catalog.datasets
    newer = replace(engine.catalog, datasets=(replace(dataset, data_version=2),))
    assert replace(engine, catalog=newer).answer(BY_ZONE, Request("ann")).charged_loss == PRICE


def test_a_new_release_key_format_makes_new_releases(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the runbook describes an upgrade: releases under their old key are not found."""
    engine.answer(BY_ZONE, Request("ann", request_id="r-1"))
    monkeypatch.setattr(
        "engine.pricing.compile_release.release_dependency_digest",
        lambda *of: f"named anew {release_dependency_digest(*of)}",
    )
    newer = replace(engine)
    assert newer.answer(BY_ZONE, Request("ann")).charged_loss == PRICE
    with pytest.raises(IdempotencyError, match="or the engine has"):
        newer.answer(BY_ZONE, Request("ann", request_id="r-1"))
    runbook = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert "A version may name a question's releases anew" in runbook


def test_a_request_that_is_sent_twice_is_charged_once(kept: Engine, pages: list[str]) -> None:
    asked = Request("ann", request_id="r-1")
    first, again = kept.answer(BY_ZONE, asked), kept.answer(BY_ZONE, asked)
    assert numbers(again) == numbers(first)
    assert (first.charged_loss, again.charged_loss, spent(kept, ANN)) == (PRICE, Loss(0, 0), PRICE)
    assert pages.count("backend.run") == 1


@pytest.mark.parametrize(
    ("sql", "asked"),
    [
        ("SELECT COUNT(*) AS n FROM visit", Request("ann", request_id="r-1")),
        (BY_ZONE, Request("ann", rho=Fraction(1, 100), request_id="r-1")),
    ],
)
def test_a_request_id_is_of_one_question(engine: Engine, sql: str, asked: Request) -> None:
    engine.answer(BY_ZONE, Request("ann", request_id="r-1"))
    with pytest.raises(IdempotencyError):
        engine.answer(sql, asked)
    assert spent(engine, ANN) == PRICE


def test_request_ids_of_two_clients_have_nothing_to_do_with_each_other(engine: Engine) -> None:
    engine.answer(BY_ZONE, Request("ann", request_id="r-1"))
    assert engine.answer("SELECT COUNT(*) AS n FROM visit", Request("ben", request_id="r-1")).charged_loss == PRICE


def test_every_release_of_a_statement_is_paid_for_in_one_charge(engine: Engine) -> None:
    index = """WITH zones AS (SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone),
                    whole AS (SELECT COUNT(*) AS n FROM visit)
               SELECT zones.zone, zones.n / whole.n AS share FROM zones CROSS JOIN whole"""
    answered = engine.answer(index, Request("ann"))
    assert (len(answered.releases), answered.charged_loss) == (2, Loss.rounded_up("0.01", "0"))
    charged = [row for row in engine.ledger.entries() if row.kind == EntryKind.CHARGED and row.holder == "ann"]
    assert {row.request_id for row in charged} == {charged[0].request_id}
    assert engine.answer(BY_ZONE, Request("ann")).charged_loss == Loss(0, 0), "each of them is stored by itself"


def test_a_statement_pays_only_for_what_is_new_in_it(engine: Engine) -> None:
    engine.answer(BY_ZONE, Request("ann"))
    both = f"SELECT z.zone, z.n, d.n FROM ({BY_ZONE}) AS z CROSS JOIN (SELECT COUNT(*) AS n FROM visit) AS d"
    assert engine.answer(both, Request("ann")).charged_loss == PRICE


def test_a_subquery_that_is_used_twice_is_one_release(engine: Engine) -> None:
    twice = """WITH zones AS (SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone)
               SELECT a.zone, a.n - b.n AS nothing FROM zones AS a JOIN zones AS b ON a.zone = b.zone"""
    answered = engine.answer(twice, Request("ann"))
    assert (len(answered.releases), answered.charged_loss) == (1, PRICE)
    assert {row["nothing"] for row in numbers(answered)} == {0}


def test_a_number_in_two_places_is_paid_and_noised_once(engine: Engine) -> None:
    both = f"SELECT a.n, b.n AS again, b.people FROM ({BY_ZONE}) AS a JOIN ({BY_ZONE.replace(' AS n', ' AS n, COUNT(DISTINCT person_id) AS people')}) AS b USING (zone)"
    made = engine.answer(both, Request("ann"))
    (prepared,) = made.prepared
    assert made.charged_loss == PRICE
    assert [cost.pico_rho for cost in prepared.cost.vectors] == [PRICE.pico_rho // 2] * 2
    shown = made.answer.table.to_pydict()
    assert shown["n"] == shown["again"] != shown["people"]


def test_public_tables_are_free_and_skip_the_ledger(kept: Engine, pages: list[str]) -> None:
    answered = kept.answer("SELECT zone, inhabitants FROM zone ORDER BY inhabitants DESC LIMIT 2", Request("ann"))
    assert numbers(answered) == [{"zone": "z6", "inhabitants": 6000}, {"zone": "z5", "inhabitants": 5000}]
    assert (answered.charged_loss, charged_pages(pages)) == (Loss(0, 0), [])


def test_all_clients_together_stay_under_the_ceiling(engine: Engine) -> None:
    for client in ("ann", "ben"):
        engine.answer(BY_ZONE, Request(client, rho=Fraction(1, 10)))  # one release, one debit of the dataset
        engine.answer("SELECT COUNT(*) AS n FROM person", Request(f"{client} 2", rho=Fraction(1, 20)))
    engine.answer("SELECT COUNT(*) AS n FROM visit", Request("cid", rho=Fraction(1, 20)))
    with pytest.raises(BudgetRefused) as refused:
        engine.answer("SELECT day, COUNT(*) AS n FROM visit GROUP BY day", Request("dan"))
    assert refused.value.code == "E_BUDGET_DATASET"
    assert spent(engine, EVERYBODY) == Loss.rounded_up("0.2", "0")


def test_noise_is_asked_for_at_the_price_and_the_sensitivity_of_each_vector(engine: Engine) -> None:
    seen: list[tuple[int, float, int]] = []

    def noise(exact: Any, sensitivity: int, scale: float, pico_rho: int) -> Any:
        seen.append((sensitivity, scale, pico_rho))
        return engine.add_noise(exact, sensitivity, scale, pico_rho)

    sql = "SELECT zone, COUNT(*) AS n, AVG(minutes) AS m FROM visit GROUP BY zone"
    (prepared,) = replace(engine, add_noise=noise).answer(sql, Request("ann")).prepared
    pairs = zip(prepared.bounds.vectors, prepared.cost.vectors, strict=True)
    assert seen == [(bound.sensitivity, cost.sigma, cost.pico_rho) for bound, cost in pairs]
    assert sum(pico_rho for _, _, pico_rho in seen) <= prepared.cost.loss.pico_rho


def test_simultaneous_equal_queries_get_the_same_numbers(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: numbers(engine.answer(BY_ZONE, Request(f"client {i % 4}"))), range(16)))
    assert all(given == answers[0] for given in answers)
    assert spent(engine, EVERYBODY) == PRICE


def test_a_query_over_two_datasets_is_refused(tmp_path: Path) -> None:
    two = CATALOG.replace("[tables.person]", '[datasets.shops]\nwindow = "forever"\n\n[tables.person]')
    make_town(tmp_path)
    (tmp_path / "other.csv").write_text("person_id\n1\n")
    (tmp_path / "catalog.toml").write_text(two + OTHER)
    sql = "SELECT v.n + o.n AS n FROM (SELECT COUNT(*) AS n FROM visit) AS v, (SELECT COUNT(*) AS n FROM other) AS o"
    with (
        opened(load_catalog(tmp_path / "catalog.toml"), tmp_path / "cache") as engine,
        pytest.raises(Refusal, match="one dataset"),
    ):
        engine.answer(sql, Request("ann"))


@pytest.mark.parametrize("name", ["group", "release_0", "order"])
def test_a_public_table_may_have_any_name(tmp_path: Path, name: str) -> None:
    declared = CATALOG.replace("tables.zone", f"tables.{name}").replace("zone.zone", f"{name}.zone")
    with opened(make_town(tmp_path, declared=declared), tmp_path / "cache") as engine:
        sql = f"""SELECT z.name, n FROM (SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone) AS q
                  JOIN "{name}" AS z ON z.zone = q.zone"""
        assert len(numbers(engine.answer(sql, Request("ann")))) == 7


def test_a_client_whose_questions_fail_is_frozen_until_an_admin_looks(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(type(engine.backend), "run", lambda *_: (_ for _ in ()).throw(ExecutionFailed()))
        for _ in range(3):  # a retry is free, and counts
            with pytest.raises(ExecutionFailed):
                engine.answer(BY_ZONE, Request("ann", request_id="r-1"))
        with pytest.raises(Forbidden, match="'ann' is frozen"):
            engine.answer(BY_ZONE, Request("ann", request_id="r-1"))
    assert spent(engine, ANN) == PRICE
    assert engine.answer(BY_ZONE, Request("ben")).charged_loss == PRICE
    engine.ledger.thaw(client="ann", actor="eve", reason="the disk was full")
    assert engine.answer(BY_ZONE, Request("ann")).charged_loss == Loss(0, 0)
