"""A release with a profile: what it costs, what its keys say, and that clip bounds follow from the stored profile."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from budgets import Charge, Ledger
from dialect import Code, Refusal
from dialect.algebra import NoteCode
from dialect.analysis import partials_work
from dialect.catalog.model import Catalog
from dialect.codegen import HIGHEST_BIN, LOWEST_BIN, SHARED_PARTIALS
from engine.api.wire.answer import explanation_shape
from engine.backends import duckdb as duckdb_backend
from engine.backends.exact import Exact, Int64Vector
from engine.backends.lockdown import run_on_cursor
from engine.errors import ExecutionFailed
from engine.mechanism.gaussian import NoiseRefused, NoisyVector, add_noise, privacy_loss
from engine.mechanism.release import Release, release_from_bytes, release_to_bytes
from engine.pipeline.bias import clip_bound_origins
from engine.pipeline.compiled_query import SourcedQuery
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pipeline.notes import question_notes
from engine.pricing.clip_bounds.profiles import numbers
from engine.pricing.clip_bounds.profiles.averages import AboutCentre, MeasuredAverages
from engine.pricing.clip_bounds.profiles.compiled_profile import StoredProfile, read_profile
from engine.pricing.compile_release import CompiledRelease, unpriced_release
from engine.pricing.profiled_release import profiled_release
from engine.pricing.query_terms import Request
from engine.pricing.target_error import paid_prices
from engine.pricing.work_limits import check_row_limits
from tests.engine.town import CATALOG, ROWS, make_town
from tests.support.binding import Unplannable, over_lake
from tests.support.statistics.repeatable_noise import repeatable_noise
from tests.support.without_norms import without_norms

PEOPLE = 6_000
MANY_ROWS = (
    ROWS
    + f"""
CREATE OR REPLACE TABLE person AS SELECT i AS person_id, 'f' AS gender, 'yes' AS consent
       FROM range(1, {PEOPLE + 1}) AS t(i);
CREATE OR REPLACE TABLE visit AS SELECT 1 + i % {PEOPLE} AS person_id, i AS visit_id, 'z' || (i % 7) AS zone,
       CAST(i % 50 AS DOUBLE) AS minutes, 'shop' AS shop, CAST(i % 5 AS INTEGER) AS coins,
       DATE '2026-10-01' + CAST(i % 4 AS INTEGER) AS day
       FROM range(1, 60001) AS t(i);
"""
)
BY_ZONE = "SELECT zone, COUNT(*) AS n, SUM(minutes) AS s FROM visit GROUP BY zone"
IN_ALL = "SELECT COUNT(*) AS n FROM visit"
AVERAGES = "SELECT zone, AVG(minutes) AS m, AVG(coins) AS c, COUNT(*) AS n FROM visit GROUP BY zone"
VARIANCES = "SELECT zone, STDDEV(minutes) AS s, CORR(minutes, coins) AS c FROM visit GROUP BY zone"
RHO = Fraction("0.02")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_town(tmp_path_factory.mktemp("town"), MANY_ROWS, without_norms(CATALOG))


def compiled(engine: Engine, sql: str, rho: Fraction = RHO) -> CompiledRelease:
    request = Request("ann", rho=rho)
    (release,) = engine.compile(engine.read(sql, "ann"), request).releases
    return release


@pytest.mark.parametrize("sql", [BY_ZONE, IN_ALL])
def test_profile_and_numbers_together_cost_the_price(engine: Engine, sql: str) -> None:
    release = compiled(engine, sql)
    assert release.profile is not None
    profile, numbers = release.priced
    assert profile.loss.rho + numbers.loss.rho == RHO == release.cost.loss.rho
    assert profile.loss.rho / RHO == (Fraction(1, 10) if "GROUP" in sql else Fraction(2, 10))
    assert profile.windows == numbers.windows and profile.canonical_query.startswith("profile of ")
    answered = engine.answer(sql, Request("ann", rho=RHO))
    assert answered.charged_loss.rho == RHO


class Counted:
    """A noise source that adds up the losses of its mechanisms."""

    def __init__(self) -> None:
        self.loss = Fraction(0)

    def __call__(self, exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> NoisyVector:
        self.loss += privacy_loss(sensitivity, scale)
        return add_noise(exact, sensitivity, scale, pico_rho_charged)


@pytest.mark.parametrize("sql", [BY_ZONE, IN_ALL, AVERAGES, VARIANCES])
def test_all_mechanisms_that_run_cost_what_was_charged(catalog: Catalog, backend: Any, sql: str) -> None:
    noise = Counted()
    with Ledger.open(":memory:") as ledger:
        Engine(catalog, backend, ledger, noise).answer(sql, Request("ann", rho=RHO))
    assert float(noise.loss / RHO) == pytest.approx(1, rel=1e-5) and noise.loss <= RHO


@pytest.mark.parametrize("sql", [AVERAGES, VARIANCES])
def test_a_planted_price_of_distances_that_is_not_taken_off_is_found(
    catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    """Numbers that cost all of their share, and distances besides, are refused before their noise is drawn."""
    monkeypatch.setattr(AboutCentre, "number_pico_rho", property(lambda self: self.pico_rho))
    with pytest.raises(ExecutionFailed):
        test_all_mechanisms_that_run_cost_what_was_charged(catalog, backend, sql)


def test_a_planted_profile_that_is_not_charged_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map of each built mechanism is compared with its item of the charge: without one it has no price."""
    priced = CompiledRelease.priced.func  # type: ignore[attr-defined]
    monkeypatch.setattr(CompiledRelease, "priced", property(lambda self: priced(self)[1:]))
    with pytest.raises(NoiseRefused):
        engine.answer(BY_ZONE, Request("ann", rho=RHO))
    assert not engine.ledger.paid_releases("ann")


@pytest.mark.parametrize("rho", [RHO, Fraction(7, 1003), Fraction(12345678901, 10**12)])
def test_the_price_of_a_stored_answer_is_known_from_that_of_its_numbers(engine: Engine, rho: Fraction) -> None:
    """A target error is priced by stored answers; the ledger has their loss without the profile's."""
    engine.answer(BY_ZONE, Request("ann", rho=rho))
    release = compiled(engine, BY_ZONE, rho)
    delta = engine.catalog.datasets_by_name["town"].defaults.delta
    prices = paid_prices([release.unpriced_release], engine.ledger.paid_releases("ann"), delta, lambda key: key)
    assert prices == (release.cost.loss.pico_rho,)


def test_a_repeat_is_free_and_the_same(engine: Engine) -> None:
    first, again = (engine.answer(BY_ZONE, Request("ann", rho=RHO)) for _ in range(2))
    assert again.charged_loss.pico_rho == 0 and again.answer.table.equals(first.answer.table)
    assert all(np.array_equal(first.answer.intervals[c], again.answer.intervals[c]) for c in ("n", "s"))


def test_release_keys_do_not_depend_on_what_a_profile_holds(catalog: Catalog, backend: Any) -> None:
    """Two ledgers with two draws: other profiles and clip bounds, the same keys and ledger rows."""
    rows, bounds = [], []
    for _ in range(2):
        with Ledger.open(":memory:") as ledger:
            engine = Engine(catalog, backend, ledger, add_noise)
            answered = engine.answer(BY_ZONE, Request("ann", rho=Fraction("0.0004")))
            paid = ledger.paid_releases("ann")
            rows.append([(each.release_key, each.loss, each.canonical_query) for each in paid])
            bounds.append([b.clip_bound for each in answered.reported for b in each.bounds.vectors])
    assert rows[0] == rows[1] and len(rows[0]) == 2
    texts = " ".join(text for _, _, text in rows[0])
    assert not any(f"{bound:g}" in texts for found in bounds for bound in found if bound not in (0, 1))


@pytest.mark.parametrize(
    ("value", "has_profile"),
    [
        ("least(m, 100000.0)", True),
        ("least(n, 1000)", True),
        ("least(n, 20)", False),
        ("CASE WHEN m > 100 THEN 1 ELSE 0 END", False),
    ],
)
def test_wide_values_of_one_row_a_person_have_a_profile(engine: Engine, value: str, has_profile: bool) -> None:
    """Their range bounds them, but may be far above what people have: of whole numbers of a narrow range it is not."""
    people = "(SELECT person_id, SUM(minutes) AS m, COUNT(*) AS n FROM visit GROUP BY person_id)"
    release = compiled(engine, f"SELECT SUM({value}) AS s FROM {people}")
    assert (release.profile is not None) == has_profile


def test_a_profile_of_other_rows_has_another_key(engine: Engine) -> None:
    others = (
        BY_ZONE,
        BY_ZONE.replace(" GROUP", " WHERE coins > 1 GROUP"),
        BY_ZONE.replace("zone,", "day,", 1)[:-4] + "day",
    )
    keys = {release.profile.release_key for sql in others if (release := compiled(engine, sql)).profile is not None}
    assert len(keys) == 3
    assert compiled(engine, BY_ZONE, RHO / 2).profile != compiled(engine, BY_ZONE).profile


def test_a_profile_that_the_engine_cannot_bind_is_refused_for_free(engine: Engine) -> None:
    """The partials of profile, totals and numbers are bound before the charge; else it would precede the failure."""
    stuck = replace(engine, backend=Unplannable(engine.backend, SHARED_PARTIALS))
    for ask in (
        lambda: stuck.answer(BY_ZONE, Request("ann", rho=RHO)),
        lambda: explain(stuck, BY_ZONE, Request("ann")),
    ):
        with pytest.raises(Refusal) as refused:
            ask()
        assert refused.value.code is Code.FUNC
    assert engine.ledger.entries(kind="charged") == ()


@pytest.mark.parametrize("sql", [BY_ZONE, IN_ALL])
def test_over_a_lake_the_duckdb_form_of_a_profile_is_bound(engine: Engine, sql: str) -> None:
    lake = replace(engine, backend=over_lake(engine))
    query = lake.compile(lake.read(sql, "ann"), Request("ann", rho=RHO))
    assert query.releases[0].profile is not None and query.releases[0].profile.sql.ordering_sql
    lake.bind(query)
    stuck = replace(lake, backend=Unplannable(lake.backend, SHARED_PARTIALS))
    with pytest.raises(Refusal):
        stuck.bind(query)


@pytest.mark.parametrize(
    ("columns", "passes", "statements"),
    [("COUNT(*)", 1, 3), ("AVG(minutes)", 1, 4), ("COUNT(*), COUNT(DISTINCT shop)", 2, 3)],
)
def test_statements_of_a_profiled_release_share_one_pass_over_the_rows(
    columns: str, passes: int, statements: int, engine: Engine, backend: Any, catalog: Catalog
) -> None:
    """The bounded work has a pass over partial aggregates for profile, distances, totals and numbers, in any number."""
    sql = f"SELECT zone, {columns} FROM visit GROUP BY zone"
    release = compiled(engine, sql)
    unpriced, profile = release.unpriced_release, release.profile
    assert profile is not None and bool(release.sql.shared) == (passes == 1) and profile.sql.shared
    once, properties = check_row_limits(unpriced.plan, backend)
    numbers = max(len(profile.shared.histograms), len(unpriced.plan.vectors))
    shared = partials_work(unpriced.plan, properties, unpriced.key_count, numbers)
    assert unpriced.work == once.times(passes) + shared.times(statements)
    in_lake = unpriced_release(unpriced.plan, catalog, over_lake(engine))
    assert in_lake.work == once.times(statements)
    limited = compiled(engine, f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 7) {BY_ZONE[7:]}")
    assert not limited.unpriced_release.histograms
    assert limited.unpriced_release.work == check_row_limits(limited.unpriced_release.plan, backend)[0]


@pytest.mark.parametrize(
    ("sql", "passes"), [(BY_ZONE, 1), (AVERAGES, 1), ("SELECT shop, COUNT(*) FROM visit GROUP BY shop", 3)]
)
def test_rows_are_read_as_often_as_the_bounded_work_counts(
    sql: str, passes: int, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of private keys twice more at most, to select them."""
    texts = list[str]()

    def noted(cursor: Any, text: str, tables: Any) -> Any:
        texts.append(text)
        return run_on_cursor(cursor, text, tables)

    monkeypatch.setattr(duckdb_backend, "run_on_cursor", noted)
    engine.answer(sql, Request("ann", rho=RHO))
    reading = [text for text in texts if '"visit"' in text]
    assert 1 <= len(reading) <= passes
    assert len([text for text in reading if text.startswith("CREATE TEMPORARY TABLE")]) == 1


@pytest.mark.parametrize(("sql", "share"), [(BY_ZONE, "rho 0.002 of 0.02"), (IN_ALL, "rho 0.004 of 0.02")])
def test_explain_states_the_profile_and_the_answer_what_it_chose(engine: Engine, sql: str, share: str) -> None:
    """Before the price is paid clip bounds are open; afterwards they are those of the answer, also of a repeat."""
    request = Request("ann", rho=RHO)
    before = explain(engine, sql, request)
    (told,) = profile_notes(before)
    assert share in told and "is bought with the question" in told
    shape = explanation_shape(before, {})
    assert {(bound["why"], bound["norm_from"]) for bound in shape["bounds"]} == {("chosen after the profile", "")}
    assert "unit_bins" in shape["sql"] and not shape["clip_bounds"]
    answered = engine.answer(sql, request)
    (told,) = profile_notes(answered)
    assert share in told and "estimated and added back" in told and "noise hides these" in told
    for after in (answered, explain(engine, sql, request), engine.answer(sql, request)):
        assert profile_notes(after) == [told]
        assert [b.clip_bound for r in after.reported for b in r.bounds.vectors] != [b["norm"] for b in shape["bounds"]]
        assert not any("no bound is declared" in note.text for note in question_notes(after))


def test_an_answer_from_store_names_no_profile_bought(engine: Engine) -> None:
    engine = replace(engine, add_noise=repeatable_noise())
    engine.answer(BY_ZONE, Request("ann", rho=RHO))
    one = "SELECT COUNT(*) AS n FROM visit WHERE zone = 'z1'"
    derived = engine.answer(one, Request("ann", rho=RHO / 50))
    assert derived.sources[0].derived is not None and not profile_notes(derived)
    assert clip_bound_origins(derived.reported[0]) == ("",)


def profile_notes(result: SourcedQuery) -> list[str]:
    return [note.text for note in question_notes(result) if note.code is NoteCode.PROFILE]


def used_profiles(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record the profiles from which clip bounds are chosen."""
    used: list[Any] = []
    chosen = read_profile

    def read(stored: Any, catalog: Any) -> Any:
        used.append(stored.release)
        return chosen(stored, catalog)

    monkeypatch.setattr(numbers, "read_profile", read)
    return used


def stored_profile(engine: Engine, client: str) -> Release | None:
    """The profile that the ledger keeps, if this client has paid for it."""
    profile = compiled(engine, BY_ZONE).profile
    assert profile is not None
    found = engine.ledger.replay(client, "town", [profile.release_key])
    return release_from_bytes(found[profile.release_key].payload) if found else None


def is_same(one: Release, other: Release) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.noisy, other.noisy, strict=True))


def test_a_crash_between_profile_and_numbers_stores_neither(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was drawn is dropped unseen, and the question, which is paid, is measured anew."""

    def stop(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "_measure", stop)
        with pytest.raises(ExecutionFailed):
            engine.answer(BY_ZONE, Request("ann", rho=RHO))
    assert stored_profile(engine, "ann") is None
    used = used_profiles(monkeypatch)
    answered = engine.answer(BY_ZONE, Request("ann", rho=RHO))
    stored = stored_profile(engine, "ann")
    assert answered.charged_loss.pico_rho == 0 and stored is not None
    assert len(used) == 1 and is_same(used[0], stored)


def with_another_draw_in_between(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Answer while somebody else stores another draw of the profile; return the profiles that were used."""
    used, settle = used_profiles(monkeypatch), Ledger.settle
    release = compiled(engine, BY_ZONE)
    assert release.profile is not None
    key = release.profile.release_key
    other = release_to_bytes(release.profile.measure(engine.backend.run(release.profile.sql), add_noise))

    def late(self: Ledger, charge: Charge, payloads: dict[str, bytes], *rest: object) -> object:
        if key not in charge.stored:
            settle(self, charge, {key: other})
        return settle(self, charge, payloads, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "settle", late)
    engine.answer(BY_ZONE, Request("ann", rho=RHO))
    return used


def test_numbers_are_stored_only_with_the_profile_that_they_rest_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers of a draw that came too late are dropped, and measured again from the stored profile."""
    used, stored = with_another_draw_in_between(engine, monkeypatch), stored_profile(engine, "ann")
    assert stored is not None and len(used) == 2
    assert not is_same(used[0], stored) and is_same(used[1], stored)


def test_a_planted_second_draw_of_a_profile_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that are stored although another profile is: they rest on a draw that nobody paid for."""
    settle = Ledger.settle
    monkeypatch.setattr(Ledger, "settle", lambda self, charge, payloads, *_: settle(self, charge, payloads))
    used, stored = with_another_draw_in_between(engine, monkeypatch), stored_profile(engine, "ann")
    assert stored is not None and len(used) == 1 and not is_same(used[0], stored)


def test_bins_beyond_public_limits_are_0_whatever_the_data(engine: Engine) -> None:
    """Units in every bin: those beyond the limits are not released, and get no noise."""
    profile = compiled(engine, BY_ZONE).profile
    assert profile is not None
    bins = pa.table({"k0": np.arange(LOWEST_BIN, HIGHEST_BIN + 1)})
    everywhere = Exact(bins, tuple(np.full(bins.num_rows, 5) for _ in profile.shared.histograms))
    drawn = profile.measure(everywhere, lambda exact, *_: NoisyVector(exact + 2))
    for noisy, count in zip(drawn.noisy, profile.bin_counts, strict=True):
        assert 0 < count < bins.num_rows
        assert noisy.tolist() == [7] * count + [0] * (bins.num_rows - count)


def chosen_bounds(catalog: Catalog, backend: Any, noisy: Release) -> tuple[float, ...]:
    """Clip bounds that follow from a stored profile."""
    with Ledger.open(":memory:") as ledger:
        release = compiled(Engine(catalog, backend, ledger, add_noise), BY_ZONE)
    assert release.profile is not None
    stored = StoredProfile(release.profile, noisy)
    found = profiled_release(release, stored, MeasuredAverages(), backend.target, is_drawn=True).release
    return tuple(bound.clip_bound for bound in found.bounds.vectors)


def test_clip_bounds_follow_from_the_stored_profile_alone(
    catalog: Catalog, backend: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data are not read for the choice, and another profile is another choice."""
    profile = compiled(engine, BY_ZONE).profile
    assert profile is not None
    drawn = profile.measure(backend.run(profile.sql), add_noise)
    monkeypatch.setattr(type(backend), "run", None)
    bounds = chosen_bounds(catalog, backend, drawn)
    assert bounds == chosen_bounds(catalog, backend, drawn)
    moved = replace(drawn, noisy=tuple(NoisyVector(np.roll(numbers, 4)) for numbers in drawn.noisy))
    assert all(more > 2 * own for own, more in zip(bounds, chosen_bounds(catalog, backend, moved), strict=True))
