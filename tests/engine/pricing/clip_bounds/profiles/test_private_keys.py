"""A release with private keys and a profile: keys first, then the profile over them, stored and charged together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from budgets import Charge, Ledger, Loss
from dialect.algebra import VectorKind
from dialect.catalog.model import Catalog
from engine.backends.exact import NO_OBJECTIONS, Exact, Int64Vector
from engine.errors import ExecutionFailed
from engine.mechanism.gaussian import NoiseRefused, add_noise, privacy_loss
from engine.mechanism.release import release_from_bytes, release_to_bytes
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pipeline.notes import question_notes
from engine.pricing import profiled_release
from engine.pricing.clip_bounds.profiles import average_design, averages, compiled_profile, numbers
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.profiled_release import ProfiledRelease
from engine.pricing.query_terms import Request
from engine.pricing.target_error import paid_prices
from tests.engine.town import CATALOG, ROWS, make_town
from tests.support.statistics.repeatable_noise import repeatable_noise
from tests.support.without_norms import without_norms

SHOPS = 120  # of which about half have so few people that noise decides whether they are shown
MANY_SHOPS = (
    ROWS
    + f"""
CREATE OR REPLACE TABLE person AS SELECT i AS person_id, 'f' AS gender, 'yes' AS consent
       FROM range(1, 20001) AS t(i);
CREATE OR REPLACE TABLE visit AS SELECT 1 + i // 2 AS person_id, i AS visit_id, 'z' || (i % 7) AS zone,
       CAST(i % 50 AS DOUBLE) AS minutes, 'shop' || (floor({SHOPS} * power((i * 7919 % 40000) / 40000.0, 2))) AS shop,
       CAST(i % 5 AS INTEGER) AS coins, DATE '2026-10-01' + CAST(i % 4 AS INTEGER) AS day
       FROM range(0, 40000) AS t(i);
"""
)
BY_SHOP = "SELECT shop, COUNT(*) AS n, SUM(minutes) AS s, AVG(minutes) AS a FROM visit GROUP BY shop ORDER BY shop"
RHO = Fraction("0.0012")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_town(tmp_path_factory.mktemp("town"), MANY_SHOPS, without_norms(CATALOG))


def compiled(engine: Engine, sql: str = BY_SHOP, rho: Fraction = RHO) -> CompiledRelease:
    (release,) = engine.compile(engine.read(sql, "ann"), Request("ann", rho=rho)).releases
    assert release.profile is not None and release.selection is not None
    return release


def asked(engine: Engine, client: str = "ann", rho: Fraction = RHO) -> Any:
    return engine.answer(BY_SHOP, Request(client, rho=rho))


def shown(answered: Any) -> list[str]:
    return answered.answer.table.column("shop").to_pylist()


def stored_keys(engine: Engine) -> list[str]:
    """The keys that the ledger keeps with the profile."""
    key = compiled(engine).profile.release_key  # type: ignore[union-attr]
    release = release_from_bytes(engine.ledger.replay("ann", "town", [key])[key].payload)
    assert release.selected_keys is not None
    return release.selected_keys.column(0).to_pylist()


def test_keys_profile_and_numbers_share_one_charge(engine: Engine) -> None:
    """Keys and their delta are charged with the profile; shares follow from text, price and catalog."""
    release = compiled(engine)
    profile, numbers = release.priced
    assert profile.loss.rho + numbers.loss.rho == RHO and numbers.loss.atto_delta == 0
    assert profile.loss.pico_rho == release.profile.pico_rho + sum(
        each.cost.pico_rho for each in release.selection.rounds
    )  # type: ignore[union-attr]
    assert profile.loss.atto_delta == release.cost.loss.atto_delta > 0
    answered = asked(engine)
    assert answered.charged_loss == Loss(release.cost.loss.pico_rho, release.cost.loss.atto_delta)
    delta = engine.catalog.datasets_by_name["town"].defaults.delta
    prices = paid_prices([release.unpriced_release], engine.ledger.paid_releases("ann"), delta, lambda key: key)
    assert prices == (release.cost.loss.pico_rho,)


def test_all_mechanisms_that_run_cost_what_was_charged(catalog: Catalog, backend: Any) -> None:
    losses = list[Fraction]()

    def counting(exact: Any, sensitivity: int, scale: float, pico_rho: int) -> Any:
        losses.append(privacy_loss(sensitivity, scale))
        return add_noise(exact, sensitivity, scale, pico_rho)

    with Ledger.open(":memory:") as ledger:
        asked(Engine(catalog, backend, ledger, counting))
    assert float(sum(losses) / RHO) == pytest.approx(1, rel=1e-5) and sum(losses) <= RHO


# so few keys that counting them twice moves averages to another share for their distances
FEW_SHOPS = "SELECT shop, AVG(minutes) AS a FROM visit WHERE shop LIKE 'shop_.0' AND shop < 'shop7' GROUP BY shop"


def losses_of(catalog: Catalog, backend: Any, sql: str, rho: Fraction) -> Fraction:
    """Sum of the losses of all mechanisms that run for a question."""
    losses = list[Fraction]()

    def counting(exact: Any, sensitivity: int, scale: float, pico_rho: int) -> Any:
        losses.append(privacy_loss(sensitivity, scale))
        return add_noise(exact, sensitivity, scale, pico_rho)

    with Ledger.open(":memory:") as ledger:
        Engine(catalog, backend, ledger, counting).answer(sql, Request("ann", rho=rho))
    return sum(losses, Fraction(0))


@pytest.mark.parametrize("rho", [Fraction("0.02"), Fraction("0.05")])
def test_averages_over_few_private_keys_cost_what_was_charged(catalog: Catalog, backend: Any, rho: Fraction) -> None:
    spent = losses_of(catalog, backend, FEW_SHOPS, rho)
    assert float(spent / rho) == pytest.approx(1, rel=1e-5) and spent <= rho


def test_a_choice_that_fails_chooses_nothing(catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused answer would tell of noise that is not stored, and the next try would draw it anew."""

    def failing(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(numbers, "choose_design", failing)
    monkeypatch.setattr(compiled_profile, "about_centres", failing)
    spent = losses_of(catalog, backend, BY_SHOP, RHO)
    assert float(spent / RHO) == pytest.approx(1, rel=1e-5) and spent <= RHO


def test_a_choice_that_fails_by_measured_distances_is_made_without(
    catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = average_design.best_designs

    def failing(profile: Any, distances: Any, *rest: Any) -> Any:
        if distances.is_measured:
            raise ZeroDivisionError
        return best(profile, distances, *rest)

    monkeypatch.setattr(averages, "best_designs", failing)
    spent = losses_of(catalog, backend, FEW_SHOPS, Fraction("0.02"))
    assert float(spent / Fraction("0.02")) == pytest.approx(1, rel=1e-5) and spent <= Fraction("0.02")


def check_failing_prices(catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer comes at the price of the question though no price of a chosen clip bound can be computed."""

    def failing(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(averages.ChosenAverages, "prices", property(failing))
    for sql in (BY_SHOP, FEW_SHOPS):
        spent = losses_of(catalog, backend, sql, Fraction("0.02"))
        assert float(spent / Fraction("0.02")) == pytest.approx(1, rel=1e-5) and spent <= Fraction("0.02")


def test_prices_that_fail_choose_nothing(catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    check_failing_prices(catalog, backend, monkeypatch)


def test_a_planted_failure_of_prices_is_found(catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(profiled_release, "_nothing_chosen", planted)
    with pytest.raises(ExecutionFailed):
        check_failing_prices(catalog, backend, monkeypatch)


def test_a_planted_selection_that_is_not_charged_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    priced = CompiledRelease.priced.func  # type: ignore[attr-defined]

    def cheaper(release: CompiledRelease) -> Any:
        profile, numbers = priced(release)
        return replace(profile, loss=Loss(release.profile.pico_rho, profile.loss.atto_delta)), numbers  # type: ignore[union-attr]

    monkeypatch.setattr(CompiledRelease, "priced", property(cheaper))
    with pytest.raises(NoiseRefused):
        asked(engine)
    assert not engine.ledger.paid_releases("ann")


def test_only_numbers_that_are_shown_are_profiled(engine: Engine) -> None:
    """The count of people that selects keys is measured, and no part of the profile's price goes to it."""
    vectors = compiled(engine).plan.vectors
    profiled = {vectors[each.vector].kind for each in compiled(engine).profile.shared.histograms}  # type: ignore[union-attr]
    assert VectorKind.PERSONS in {each.kind for each in vectors} and VectorKind.PERSONS not in profiled


def test_no_note_names_the_count_of_people_that_only_selects_keys(engine: Engine) -> None:
    for sql, is_told in ((BY_SHOP, False), (BY_SHOP.replace("COUNT(*)", "COUNT(DISTINCT person_id)"), True)):
        query = engine.compile(engine.read(sql, "ann"), Request("ann", rho=RHO))
        notes = [note.text for note in question_notes(explain(engine, sql, Request("ann", rho=RHO)))]
        kinds = [each.kind for each in query.releases[0].plan.vectors]
        assert VectorKind.PERSONS in kinds and any("people are hidden" in text for text in notes)
        assert is_told or not any(text.startswith("persons") for text in notes)


def test_a_repeat_is_free_and_the_same(engine: Engine) -> None:
    first, again = asked(engine), asked(engine)
    assert 0 < len(shown(first)) < SHOPS and shown(first) == stored_keys(engine)
    assert again.charged_loss.pico_rho == 0 and again.answer.table.equals(first.answer.table)
    other = asked(engine, "bob")
    assert other.charged_loss.rho == RHO and other.answer.table.equals(first.answer.table)


def test_numbers_hold_the_exact_ones(engine: Engine) -> None:
    """Without a declared clip bound intervals cover the truth of the keys that are shown."""
    answered = asked(replace(engine, add_noise=repeatable_noise()), rho=Fraction("0.01"))
    visit = engine.backend.target.addresses["visit"]
    rows = engine.backend.run_over(f"SELECT shop, count(*) AS n FROM {visit} GROUP BY shop", {}).to_pylist()  # type: ignore[attr-defined]
    exact = {row["shop"]: row["n"] for row in rows}
    truth = np.array([exact[shop] for shop in shown(answered)])
    lower, upper = answered.answer.intervals["n"]
    assert len(truth) > SHOPS // 2 and np.mean((lower <= truth) & (truth <= upper)) > 0.85


def test_where_no_key_is_released_everything_is_charged(engine: Engine) -> None:
    few = BY_SHOP.replace(" GROUP", " WHERE visit_id < 20 GROUP")
    answered = engine.answer(few, Request("ann", rho=RHO))
    assert answered.answer.table.num_rows == 0 and answered.charged_loss.rho == RHO
    assert engine.answer(few, Request("ann", rho=RHO)).charged_loss.pico_rho == 0


def test_keys_are_stored_in_the_payload_of_the_profile(engine: Engine) -> None:
    release = compiled(engine)
    objected = pa.table({"person": pa.array([], pa.int64())})
    drawn = engine._draw_profile(release, release.profile, objected, engine.backend.run)  # type: ignore[arg-type]
    again = release_from_bytes(release_to_bytes(drawn))
    assert again.selected_keys is not None and again.selected_keys.equals(drawn.selected_keys)
    assert all(np.array_equal(one, other) for one, other in zip(again.noisy, drawn.noisy, strict=True))


def test_nearly_equal_deltas_have_profiles_of_their_own(engine: Engine) -> None:
    """Thresholds are whole numbers, which may be the same at two deltas; a key of both would have two losses."""
    options = (f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(delta = {delta})" for delta in ("1e-11", "1.0000001e-11"))
    texts = [BY_SHOP.replace("SELECT", each) for each in options]
    one, other = (compiled(engine, text) for text in texts)
    assert one.cost.threshold == other.cost.threshold and one.cost.loss != other.cost.loss
    assert one.profile.release_key != other.profile.release_key  # type: ignore[union-attr]
    for client, text in zip(("ann", "ben"), texts, strict=True):
        assert engine.answer(text, Request(client, rho=RHO)).charged_loss.pico_rho > 0


def test_a_crash_between_keys_and_numbers_stores_neither(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_measure", None)
        with pytest.raises(ExecutionFailed):
            asked(engine)
    assert all(each.settled_at is None for each in engine.ledger.paid_releases("ann"))
    answered = asked(engine)
    assert answered.charged_loss.pico_rho == 0 and shown(answered) == stored_keys(engine)


def with_another_draw_in_between(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer while somebody else stores another draw of keys and profile; return the keys that are shown."""
    settle, release = Ledger.settle, compiled(engine)
    nobody = engine.objections("town")
    other = release_to_bytes(engine._draw_profile(release, release.profile, nobody, engine.backend.run))  # type: ignore[arg-type]
    key = release.profile.release_key  # type: ignore[union-attr]

    def late(self: Ledger, charge: Charge, payloads: dict[str, bytes], *rest: object) -> object:
        if key not in charge.stored:
            settle(self, charge, {key: other})
        return settle(self, charge, payloads, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "settle", late)
    return shown(asked(engine))


def test_numbers_are_shown_for_the_stored_keys_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of a draw that came too late are dropped unseen."""
    assert with_another_draw_in_between(engine, monkeypatch) == stored_keys(engine)


def test_a_planted_second_draw_of_keys_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers whose keys are chosen once more: some pass by a noise that nobody paid for."""
    read = ProfiledRelease.read

    def with_other_keys(found: ProfiledRelease, run: Callable[..., Exact]) -> tuple[Exact, Sequence[Int64Vector]]:
        (keys,) = engine._select_keys(found.release, NO_OBJECTIONS, engine.add_noise)
        return read(found, partial(run, released_keys=keys))

    monkeypatch.setattr(ProfiledRelease, "read", with_other_keys)
    assert shown(asked(engine)) != stored_keys(engine)
