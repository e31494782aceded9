"""A calibration is one charge to everybody before anything is read; it is noted, found again, and expires."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from budgets import EVERYBODY, OWNER, PICO, AccountName, BudgetRefused, Charge, Ledger, Loss, ParamError, UnsafeStore
from dialect.catalog.privacy_windows import PrivacyWindow, WindowRange
from engine.accounts.window_accounts import owner_keys, owner_loss
from engine.api.wire import budget as wire_budget
from engine.errors import ExecutionFailed
from engine.pipeline.engine import Engine
from engine.pipeline.explain import WidthSource, explain
from engine.pipeline.notes import question_notes
from engine.pricing.clip_bounds.histograms import (
    Calibration,
    Calibrations,
    Quantity,
    calibration_due_on,
    load_calibrations,
)
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from engine.workflows.calibrate import calibrate, default_window, plan_calibration
from engine.workflows.calibration_questions import MANY_KEYS, MAX_USUAL_KEYS, calibration_questions
from tests.engine.catalog.test_catalog_without_norms import SEEN, SEEN_ROWS
from tests.engine.town import CATALOG, ROWS, make_town, opened
from tests.support.statistics.calibrated import made_up_calibration
from tests.support.statistics.repeatable_noise import repeatable_noise
from tests.support.without_norms import without_norms

USUAL = CATALOG.replace(
    "norms = { rows = 20, persons = 3 }\n[tables.visit.columns]",
    'norms = { rows = 20, persons = 3, by_keys = [{ keys = ["zone"], rows = 9 }, { keys = ["gender"], rows = 9 }] }\n'
    "[tables.visit.columns]",
)
BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"


def quiet(stage: str, share: float) -> None:
    del stage, share


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Engine]:
    with opened(make_town(tmp_path, declared=USUAL), tmp_path) as engine:
        yield engine


def calibrated(engine: Engine, rho: str | None = "0.02") -> Calibration:
    planned = plan_calibration(engine, engine.catalog.datasets[0], rho=None if rho is None else Fraction(rho))
    return calibrate(engine, planned, quiet, "steward")


def test_every_usual_key_set_is_measured_for_one_price(town: Engine) -> None:
    planned = plan_calibration(town, town.catalog.datasets[0], rho=Fraction(2, 100))
    told = {str(each.measured) for each in planned.questions}
    assert {"visit: rows in all", "visit: rows by zone", "visit: persons by zone"} <= told
    assert {"visit: sums(minutes) by zone", "visit: leans(coins) in all", "purchase: rows in all"} <= told
    assert not any(each.measured.table == "person" for each in planned.questions)  # one row a person: nothing is cut
    assert [(each.table, each.keys) for each in planned.uncalibrated] == [("visit", ("gender",))]
    assert 0.0199 < planned.loss.rho <= Fraction(2, 100)
    assert planned.loss.atto_delta == 0
    assert not town.ledger.entries()[1:]  # but that the ledger was opened: nothing was charged


def test_without_norms_hours_dates_and_key_sets_are_measured(tmp_path: Path) -> None:
    """Sums are measured of columns that may be 0, means of all bounded ones.

    Noise is the same in every run: so few people are seen in it by chance.
    """
    timed = without_norms(CATALOG).replace("[0, 20]", "[1, 20]")
    with opened(make_town(tmp_path, ROWS + SEEN_ROWS, timed + SEEN), tmp_path) as noised:
        engine = replace(noised, add_noise=repeatable_noise(2))
        planned = plan_calibration(engine, engine.catalog.datasets[0], rho=Fraction(2, 100))
        told = {str(each.measured) for each in planned.questions}
        assert {"visit: rows by zone", "visit: persons by day", "visit: sums(minutes) by day"} <= told
        assert {"seen: rows by hour(at)", "seen: persons by cast(at as date)", "visit: leans(coins) in all"} <= told
        assert "purchase: means(price) in all" in told and "purchase: sums(price) in all" not in told
        assert not any(each.measured.table == "person" for each in planned.questions)
        assert planned.uncalibrated == ()
        calibrate(engine, planned, quiet, "steward")
        calibrations = load_calibrations(engine.ledger, ["town"])
        found = explain(replace(engine, calibrations=calibrations), BY_ZONE, Request("ann"))
        assert found.prepared[0].profile is not None and found.expected.source is WidthSource.CALIBRATION
        assert not any("no bound is declared" in note.text for note in question_notes(found))


def test_a_table_without_norms_is_measured_by_a_limited_number_of_keys(tmp_path: Path) -> None:
    """Every histogram has a part of one price; further keys are listed, and can be named."""
    more = "".join(f'kind{i} = {{ type = "BIGINT", range = [0, 9] }}, ' for i in range(MAX_USUAL_KEYS))
    declared = without_norms(CATALOG).replace('"visit_id" =', f'{more}"visit_id" =', 1)
    columns = "".join(f", i % 10 AS kind{i}" for i in range(MAX_USUAL_KEYS))
    made = make_town(tmp_path, ROWS.replace("AS visit_id,", f"AS visit_id{columns},", 1), declared)
    asked, left_out = calibration_questions(made, made.datasets[0], "forever", [("zone",)])
    keys = {each.measured.keys for each in asked if each.measured.table == "visit"}
    assert len(keys) == MAX_USUAL_KEYS + 2 and ("zone",) in keys
    assert [(each.keys, each.why) for each in left_out if each.table == "visit"] == [(("kind11",), MANY_KEYS)]


def test_histograms_of_persons_have_half_the_price_of_others(town: Engine) -> None:
    planned = plan_calibration(town, town.catalog.datasets[0], rho=Fraction(2, 100))
    pairs = zip(planned.questions, planned.releases, strict=True)
    prices = {(each.measured.kind is Quantity.PERSONS, made.cost.loss.pico_rho) for each, made in pairs}
    ((_, whole), (_, half)) = sorted(prices)
    assert whole == 2 * half


def test_the_groups_of_its_keys_are_noted_from_public_lists(town: Engine) -> None:
    known = calibrated(town)
    groups = {(each.subject.table, each.subject.keys): each.groups for each in known.histograms}
    assert groups["visit", ()] == 1
    assert groups["visit", ("zone",)] == 7


def test_a_calibration_is_charged_to_everybody_and_to_no_client(town: Engine) -> None:
    planned = plan_calibration(town, town.catalog.datasets[0])
    calibrate(town, planned, quiet, "steward")
    assert town.ledger.account(AccountName("town", "forever", EVERYBODY)).spent == planned.loss
    assert [view.name.holder for view in town.ledger.accounts("town")] == [EVERYBODY]
    assert len([entry for entry in town.ledger.entries() if entry.kind == "charged"]) == 1
    assert owner_loss(town.ledger, "town") == {"forever": planned.loss}
    assert not list(town.ledger.verify())


def test_a_client_s_release_is_not_used_as_a_calibration(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that every client is shown is charged to the owner, and counts in what each is reported."""

    def owed() -> tuple[Loss, Loss]:
        with Ledger.open(":memory:") as ledger:
            own = replace(town, ledger=ledger)
            planned = plan_calibration(own, own.catalog.datasets[0])
            for each, made in list(zip(planned.questions, planned.releases, strict=True))[:2]:
                own.answer(each.sql, Request("eve", rho=made.cost.loss.rho))
            again = plan_calibration(own, own.catalog.datasets[0])
            calibrate(own, again, quiet, "steward")
            return owner_loss(ledger, "town")["forever"], again.loss

    charged, foretold = owed()
    assert charged == foretold
    monkeypatch.setattr(
        "engine.workflows.calibrate.owner_keys", lambda ledger, _: {r.release_key for r in ledger.paid_releases(OWNER)}
    )
    charged, foretold = owed()  # planted: what anybody has bought counts as the owner's
    assert charged.rho < foretold.rho


@pytest.mark.parametrize("moment", ["as a steward confirms", "just before the charge"])
def test_a_client_s_concurrent_release_is_not_used_as_a_calibration(
    town: Engine, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def owed() -> tuple[Loss, int]:
        """What counts for the owner, and how many stored histograms the owner did not pay for."""
        with Ledger.open(":memory:") as ledger:
            own = replace(town, ledger=ledger)
            planned = plan_calibration(own, own.catalog.datasets[0])

            def bought() -> None:
                for each, made in list(zip(planned.questions, planned.releases, strict=True))[1:3]:
                    own.answer(each.sql, Request("eve", rho=made.cost.loss.rho))

            def charge(
                asking: Engine, sql: str, prepared: tuple[CompiledRelease, ...], asked: Request
            ) -> Charge | None:
                if asked.client == OWNER and not ledger.paid_releases("eve"):
                    bought()
                return kept(asking, sql, prepared, asked)

            with monkeypatch.context() as patched:
                patched.setattr(Engine, "charge", charge)
                if moment == "as a steward confirms":
                    bought()
                calibrate(own, planned, quiet, "steward")
            told = ledger.entries(dataset="town")[-1].content["histograms"]
            assert len(told) == len(planned.questions)
            foreign = {each["key"] for each in told} - owner_keys(ledger, "town")
            assert not list(ledger.verify())
            return owner_loss(ledger, "town")["forever"], len(foreign)

    kept = Engine.charge
    planned = plan_calibration(town, town.catalog.datasets[0])
    loss, foreign = owed()
    assert foreign == 0 and loss.rho >= planned.loss.rho - Fraction(2, PICO)
    monkeypatch.setattr(
        "engine.workflows.calibrate._charge",
        lambda own, planned: (planned, own.charge(planned.sql, planned.releases, Request(OWNER))),
    )
    loss, foreign = owed()  # planted: what was planned is charged, whatever was bought since
    assert foreign == 2 and loss.rho < planned.loss.rho


def test_a_calibration_counts_in_every_client_s_epsilon(town: Engine) -> None:
    def reported() -> dict[str, object]:
        shown = wire_budget.budget_shape(town.ledger, town.catalog, "ann", datetime.now(UTC))["accounts"]
        return next(account for account in shown if account["client"] == "ann")

    assert reported()["epsilon"] == 0
    calibrated(town)
    assert reported()["spent_rho"] == 0
    assert reported()["calibration_rho"] == pytest.approx(0.02, rel=1e-3)
    assert reported()["epsilon"] > 1


def test_the_charge_is_durable_before_anything_is_read(town: Engine) -> None:
    class Broken:
        target = town.backend.target
        count = town.backend.count
        empty = town.backend.empty

        def run(self, *given: object) -> object:
            raise ExecutionFailed

    planned = plan_calibration(town, town.catalog.datasets[0])
    with pytest.raises(ExecutionFailed):
        calibrate(replace(town, backend=Broken()), planned, quiet, "steward")
    assert town.ledger.account(AccountName("town", "forever", EVERYBODY)).spent == planned.loss
    assert not load_calibrations(town.ledger, ["town"]).by_dataset  # nothing is noted


def test_a_calibration_is_found_again_and_charged_once(town: Engine) -> None:
    first = calibrated(town)
    spent = town.ledger.account(AccountName("town", "forever", EVERYBODY)).spent
    assert calibrated(town) == first
    assert town.ledger.account(AccountName("town", "forever", EVERYBODY)).spent == spent
    assert load_calibrations(town.ledger, ["town"]).by_dataset["town"] == first
    assert calibration_due_on(town.ledger, "town") == datetime.now(UTC).date() + timedelta(days=90)


def test_histograms_are_of_the_people_who_are_admitted(town: Engine) -> None:
    known = calibrated(town, "0.19")
    groups = known.find("visit", ["zone"], Quantity.PERSONS)
    rows = known.find("visit", [], Quantity.ROWS)
    assert groups is not None and rows is not None
    assert sum(rows.counts) == pytest.approx(160, abs=6 * rows.sigma * 41**0.5)  # of 200, 40 did not consent
    assert abs(np.array(rows.counts[20:])).max() < 6 * rows.sigma


def test_bounds_follow_it_and_a_repeat_is_free(town: Engine) -> None:
    known = replace(
        town, calibrations=Calibrations({"town": made_up_calibration(town.catalog, (0, 0, 0, 0, 0, 900, 100))})
    )
    asked = known.answer(BY_ZONE, Request("ann"))
    assert (
        asked.prepared[0].bounds.vectors[0].clip_bound
        < town.compile(asked.question, Request("ann")).releases[0].bounds.vectors[0].clip_bound
    )
    assert known.answer(BY_ZONE, Request("ann")).charged_loss == Loss(0, 0)
    assert known.answer(BY_ZONE, Request("ann")).answer.table.equals(asked.answer.table)
    aimed = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(target_error = 80) zone, COUNT(*) AS n FROM visit GROUP BY zone"
    bought = known.answer(aimed, Request("bea"))
    lower, upper = bought.answer.intervals["n"]
    assert ((upper - lower) / 2).max() <= 80
    assert known.answer(aimed, Request("bea")).charged_loss == Loss(0, 0)


def test_an_expired_calibration_is_not_used(town: Engine) -> None:
    known = Calibrations({"town": calibrated(town)})
    today = datetime.now(UTC).date()
    assert known.today("town").histograms
    assert not known.by_dataset["town"].valid_on(today + timedelta(days=365)).histograms
    assert known.by_dataset["town"].valid_on(today + timedelta(days=364)).histograms


def test_a_histogram_that_differs_from_the_hash_chain_is_refused(town: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    calibrated(town)
    kept = Ledger.replay

    def changed(self: Ledger, *given: object) -> object:
        return {key: replace(each, payload=each.payload[:-1] + b"x") for key, each in kept(self, *given).items()}  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "replay", changed)
    with pytest.raises(UnsafeStore):
        load_calibrations(town.ledger, ["town"])


def test_a_spent_ceiling_allows_no_calibration(town: Engine) -> None:
    with pytest.raises(BudgetRefused):
        calibrated(town, "0.3")
    assert not town.ledger.accounts("town")


@pytest.mark.parametrize(
    ("today", "window", "why"),
    [
        ("2026-09-30", "2026-W40", "the first delivered one: none of them has ended by 2026-09-30"),
        ("2026-10-04", "2026-W40", "the first delivered one: none of them has ended by 2026-10-04"),
        ("2026-10-05", "2026-W40", "the last delivered one that has ended by 2026-10-05"),
        ("2026-10-20", "2026-W41", "the last delivered one that has ended by 2026-10-20"),
        ("2027-12-31", "2026-W43", "the last delivered one that has ended by 2027-12-31"),
    ],
)
def test_the_last_delivered_window_that_has_ended_is_measured_where_none_is_named(
    town: Engine, today: str, window: str, why: str
) -> None:
    stretch = WindowRange(PrivacyWindow.WEEK, date(2026, 9, 28), date(2026, 12, 28))
    weeks = replace(town.catalog.datasets[0], window=PrivacyWindow.WEEK, window_range=stretch)
    delivered = ["2026-W40", "2026-W41", "2026-W43"]
    assert default_window(weeks, date.fromisoformat(today), delivered) == (window, why)


def test_a_named_window_is_measured_and_a_whole_history_is_one(town: Engine) -> None:
    of = town.catalog.datasets[0]
    for given, why in ((None, "a whole history is one window"), ("forever", "as named")):
        planned = plan_calibration(town, of, given)
        assert (planned.window, planned.window_reason) == ("forever", why)


@pytest.mark.parametrize("given", [{"window": "2026-10"}, {"rho": Fraction(1, 10**12)}], ids=["window", "rho"])
def test_invalid_calibration_arguments_are_refused(town: Engine, given: dict[str, object]) -> None:
    with pytest.raises(ParamError):
        plan_calibration(town, town.catalog.datasets[0], **given)  # type: ignore[arg-type]


# ------------------------------------------------------------------ looked up again


def test_a_new_calibration_is_found_while_the_ledger_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    now = [100.0]

    def noted(ledger: object, datasets: object) -> Calibrations:
        looked.append(datasets)
        return Calibrations({"town": Calibration((len(looked),))})  # type: ignore[arg-type]

    module = import_module("engine.pricing.clip_bounds.histograms")
    monkeypatch.setattr(module, "load_calibrations", noted)
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Calibration, "valid_on", lambda self, day: self)
    following = module.ReloadedCalibrations(None, ("town",))
    seen = []
    for step in (0.0, module.RELOAD_SECONDS / 2, module.RELOAD_SECONDS, 0.0):
        now[0] += step
        seen.append(following.today("town").histograms)
    assert seen == [(1,), (1,), (2,), (2,)]
