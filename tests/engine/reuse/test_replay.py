"""Stored releases are replayed up to the catalog's maximum age, then charged anew; no clock refills a budget."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, tzinfo
from itertools import count
from pathlib import Path

import pytest

from budgets import EVERYBODY, BudgetRefused
from budgets.stores import journal
from engine.errors import CatalogError, ExecutionFailed
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from engine.reuse import holdings
from tests.engine.complete_town import held_town
from tests.engine.town import CATALOG, make_town, opened
from tests.engine.windowed_town import DAYS, WINDOWED

COUNT = "SELECT COUNT(*) AS n FROM visit"
AGED = CATALOG.replace("[datasets.town]", "[datasets.town]\nreplay_max_age = { days = 30 }")
RHO = 0.005


class Clock(datetime):
    """A clock with the offset that a test sets."""

    off = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """The shifted current time."""
        return datetime.now(tz) + cls.off


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(journal, "datetime", Clock)
    yield
    Clock.off = timedelta(0)


@contextmanager
def town(folder: Path, declared: str = AGED) -> Iterator[Engine]:
    with opened(make_town(folder, declared=declared), folder / "cache") as engine:
        yield engine


def ask(engine: Engine, client: str = "ann", days: int = 0, sql: str = COUNT) -> Answered:
    Clock.off = timedelta(days=days)
    return engine.answer(sql, Request(client))


def spent(engine: Engine) -> float:
    """Spending of all clients together in the one window."""
    shared = [a for a in engine.ledger.accounts("town") if (a.name.holder, a.name.window) == (EVERYBODY, "forever")]
    return float(sum(account.spent.rho for account in shared))


def test_a_release_that_is_too_old_is_made_anew_and_charged(tmp_path: Path) -> None:
    with town(tmp_path) as engine:
        first, young, old = ask(engine), ask(engine, days=29), ask(engine, days=31)
        assert [float(each.charged_loss.rho) for each in (first, young, old)] == [RHO, 0, RHO]
        keys = [each.prepared[0].release_key for each in (first, young, old)]
        assert keys[0] == keys[1] != keys[2]
        assert (first.oldest_day, old.oldest_day) == (None, None) and young.oldest_day is not None
        again = ask(engine, days=60)
        assert again.charged_loss.pico_rho == 0 and again.prepared[0].release_key == keys[2]
        assert again.answer.table == old.answer.table


def test_another_client_gets_the_newest_release_and_the_dataset_pays_once(tmp_path: Path) -> None:
    with town(tmp_path) as engine:
        ask(engine), ask(engine, days=31)
        paid = spent(engine)
        bob = ask(engine, "bob", days=40)
        assert float(bob.charged_loss.rho) == RHO and bob.oldest_day is not None
        assert spent(engine) == paid


def test_without_a_maximum_age_a_release_is_replayed_for_ever(tmp_path: Path) -> None:
    with town(tmp_path, CATALOG) as engine:
        ask(engine)
        assert ask(engine, days=20_000).charged_loss.pico_rho == 0


def test_no_clock_gives_budget_back(tmp_path: Path) -> None:
    """However the clock jumps, what is spent is what was charged, and a release is charged anew only where it is old."""
    jumps = random.Random(4)
    with town(tmp_path) as engine:
        charged, before = 0.0, 0.0
        for days in (0, 365, -365, 0, *(jumps.randint(-400, 400) for _ in range(12))):
            with suppress(BudgetRefused):  # for good: no jump gives anything back
                charged += float(ask(engine, days=days).charged_loss.rho)
            assert spent(engine) == pytest.approx(charged) and spent(engine) >= before
            before = spent(engine)
        assert ask(engine, days=-4_000).charged_loss.pico_rho == 0  # what was made in the future is not old


def test_a_charged_release_without_a_result_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with town(tmp_path) as engine:
        ask(engine)
        with monkeypatch.context() as broken:
            broken.setattr(type(engine), "measure_release", lambda *_: (_ for _ in ()).throw(ExecutionFailed("broken")))
            with pytest.raises(ExecutionFailed):
                ask(engine, days=31)
        assert ask(engine, days=31).charged_loss.pico_rho == 0
        assert ask(engine, days=62).charged_loss.pico_rho > 0


def test_a_target_error_may_refer_to_an_expired_release(tmp_path: Path) -> None:
    with town(tmp_path) as engine:
        ask(engine)
        aimed = COUNT.replace("SELECT", "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(target_error = '50%')")
        assert ask(engine, days=5, sql=aimed).charged_loss.pico_rho == 0
        assert ask(engine, days=31, sql=aimed).charged_loss.pico_rho > 0


def test_nothing_is_derived_from_expired_releases(tmp_path: Path) -> None:
    by_zone, some = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", f"{COUNT} WHERE zone = 'z1'"
    with held_town(tmp_path, AGED) as engine:
        ask(engine, sql=by_zone)
        made = ask(engine, days=5, sql=some)
        assert made.charged_loss.pico_rho == 0 and made.oldest_day is not None
        assert ask(engine, days=31, sql=some).charged_loss.pico_rho > 0
        assert ask(engine, days=40, sql=by_zone).charged_loss.pico_rho > 0  # the one that follows: of it more is made
        assert ask(engine, days=41, sql=some.replace("z1", "z2")).charged_loss.pico_rho == 0


@pytest.mark.parametrize("bug", ["the next one is named like the last", "every asker has an age of its own"])
def test_a_bug_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    named = holdings._generation_key
    with town(tmp_path) as engine:
        ask(engine)
        if bug.startswith("the next"):
            monkeypatch.setattr(holdings.ReplayGenerations, "current_key", lambda _, key: key)
            assert ask(engine, days=31).charged_loss.pico_rho == 0  # stale numbers, for ever
        else:
            made = count()
            monkeypatch.setattr(
                holdings, "_generation_key", lambda key, number: named(f"{key} {next(made)}", number + 1)
            )
            paid = spent(engine)
            ask(engine, "bob")
            assert spent(engine) > paid  # the dataset pays twice


def test_many_expired_releases_are_found_in_few_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with town(tmp_path, AGED.replace("rho = 0.2", "rho = 9").replace("client_rho = 0.1", "client_rho = 9")) as engine:
        for turn in range(40):
            assert ask(engine, days=31 * turn).charged_loss.pico_rho > 0
        looked: list[int] = []
        made = type(engine.ledger).release_ages
        monkeypatch.setattr(
            type(engine.ledger), "release_ages", lambda self, of, keys: looked.append(len(keys)) or made(self, of, keys)
        )
        assert ask(engine, days=31 * 39).charged_loss.pico_rho == 0
        assert looked[:2] == [16, 32] and len(looked) <= 6


@pytest.mark.parametrize("age", ["{ days = 0 }", "{ months = 1 }", "{}", "30", "{ days = 1.5 }"])
def test_an_invalid_age_is_refused(tmp_path: Path, age: str) -> None:
    with pytest.raises(CatalogError, match="replay_max_age"):
        make_town(tmp_path, declared=AGED.replace("{ days = 30 }", age))


@pytest.mark.parametrize(
    ("shown", "fewer", "more"),
    [
        ("coins IS NULL, MEDIAN(coins)", "WHERE coins IS NOT NULL", ""),
        (
            "shop IS NULL, MEDIAN(coins) FILTER (WHERE shop IS NOT NULL)",
            "WHERE coins IS NOT NULL AND shop IS NOT NULL",
            "WHERE coins IS NOT NULL",
        ),
    ],
)
@pytest.mark.parametrize("first", ["fewer", "more"])
def test_quantiles_of_the_same_values_do_not_replay_each_others_groups(
    shown: str, fewer: str, more: str, first: str, tmp_path: Path
) -> None:
    """Both histograms count the same rows, but one answer has the group of rows without a value, too."""
    asked = {"fewer": (fewer, [False]), "more": (more, [False, True])}
    order = sorted(asked, key=lambda name: name != first)
    with town(tmp_path, CATALOG) as engine:
        for name in order:
            condition, groups = asked[name]
            sql = f"SELECT {shown} FROM visit {condition} GROUP BY 1"
            answered, again = ask(engine, sql=sql), ask(engine, sql=sql)
            assert float(answered.charged_loss.rho) == RHO and again.charged_loss.pico_rho == 0, name
            assert answered.answer.table.column(0).to_pylist() == groups
            assert again.answer.table == answered.answer.table


@pytest.mark.parametrize("whole_first", [True, False])
def test_conditions_that_leave_no_row_out_do_not_replay_the_groups_of_others(whole_first: bool, tmp_path: Path) -> None:
    """The first day is beyond retention, so that both questions read the same rows; but one of them lists that day."""
    retained = "[datasets.town.admission]\nretention = { days = 3 }\n[datasets.town.budget]"
    asked = [("", DAYS), (f"WHERE day >= DATE '{DAYS[1]}'", DAYS[1:])]
    with town(tmp_path, WINDOWED.replace("[datasets.town.budget]", retained)) as engine:
        for condition, groups in asked if whole_first else asked[::-1]:
            answered = ask(engine, sql=f"SELECT day, COUNT(*) FROM visit {condition} GROUP BY 1")
            assert tuple(map(str, answered.answer.table.column(0).to_pylist())) == groups
