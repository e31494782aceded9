"""Hierarchical consistency in the whole engine: which levels are adjusted, which are not, and what stays stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from budgets import Loss
from dialect import ContributionBounds
from engine.pipeline import consistency
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from tests.engine.complete_town import anew, ask, held_town

OPTIONS = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(consistent = true, rho = 6)"
LEVELS = "zone, day, COUNT(*) AS n, SUM(minutes) AS s FROM visit GROUP BY "
CUBE = f"{LEVELS}GROUPING SETS ((), (zone), (day), (zone, day))"
PEOPLE = LEVELS.replace("SUM(minutes) AS s", "COUNT(DISTINCT person_id) AS s") + "GROUPING SETS ((zone), (zone, day))"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with held_town(tmp_path_factory.mktemp("held")) as engine:
        yield engine


def by_level(given: Answered, column: str = "n") -> dict[tuple[bool, bool], dict[tuple[object, object], float]]:
    levels: dict[tuple[bool, bool], dict[tuple[object, object], float]] = {}
    for row in given.answer.table.to_pylist():
        level = levels.setdefault((row["zone"] is not None, row["day"] is not None), {})
        level[row["zone"], row["day"]] = row[column]
    return levels


def add_up(given: Answered, column: str = "n") -> bool:
    """Is every level the sum of the finest one?"""
    levels = by_level(given, column)
    details = levels[True, True]
    return all(
        abs(sum(v for (z, d), v in details.items() if zone in (None, z) and day in (None, d)) - number) < 1e-6
        for level, some in levels.items()
        if level != (True, True)
        for (zone, day), number in some.items()
    )


def test_details_add_up_to_every_total(town: Engine) -> None:
    released, agreed = (ask(anew(town), f"{start} {CUBE}", "6") for start in ("SELECT", OPTIONS))
    assert not add_up(released) and add_up(agreed) and add_up(agreed, "s")
    numbers = agreed.answer.table.column("n").to_pylist()
    assert all(type(n) is int and n >= 0 for n in numbers)
    assert (agreed.charged_loss, len(agreed.prepared)) == (released.charged_loss, 4)
    lower, upper = agreed.answer.intervals["n"]
    assert ((lower <= numbers) & (numbers <= upper)).all()


def test_stored_noisy_numbers_are_not_adjusted(town: Engine) -> None:
    own = anew(town)
    released = ask(own, f"SELECT {CUBE}", "6")
    agreed = ask(own, f"{OPTIONS} {CUBE}")
    again = ask(own, f"SELECT {CUBE}", "6")
    assert agreed.charged_loss == again.charged_loss == Loss(0, 0)
    assert again.answer.table == released.answer.table != agreed.answer.table


def test_consistency_narrows_totals_and_widens_details_only_by_clipping(town: Engine) -> None:
    own = anew(town)
    widths = []
    for start in ("SELECT", OPTIONS):
        given = ask(own, f"{start} {CUBE}", "6")
        lower, upper = given.answer.intervals["s"]  # sums are not cut at 0
        total = [row["zone"] is None and row["day"] is None for row in given.answer.table.to_pylist()].index(True)
        widths.append((upper - lower, total))
    (before, total), (after, _) = widths
    assert (after <= before * (1 + 1e-9)).all() and after[total] < before[total]


def test_person_counts_are_not_adjusted(town: Engine) -> None:
    own = anew(town)
    released, agreed = (ask(own, f"{start} {PEOPLE}", "6") for start in ("SELECT", OPTIONS))
    assert agreed.answer.table.column("s") == released.answer.table.column("s")
    assert add_up(agreed)


def test_levels_with_other_clipping_are_left_alone_and_would_be_found(
    town: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_adjusted(biases: tuple[float, float]) -> bool:
        ways = ask(anew(town), f"SELECT {LEVELS}GROUPING SETS ((zone), (zone, day))", "6").sources
        plans = [replace(w.wanted, bounds=_biased(w.wanted.bounds, b)) for w, b in zip(ways, biases, strict=True)]
        releases = tuple(town.measure_release(way.wanted) for way in ways)
        made = consistency.make_consistent(plans, releases, [True, True], town.catalog)
        return any(each is not own for each, own in zip(made, releases, strict=True))

    assert is_adjusted((0.0, 0.0)) and not is_adjusted((0.0, -0.3))
    monkeypatch.setattr(consistency, "_have_similar_bias", lambda prepared, places: True)
    assert is_adjusted((0.0, -0.3))


def test_levels_of_the_same_truncated_rows_are_made_consistent(town: Engine) -> None:
    given = ask(anew(town), f"{OPTIONS.replace('rho', 'max_rows_contributed = 5, rho')} {CUBE}")
    assert all(bound.predicted_bias is None for each in given.prepared for bound in each.bounds.vectors)
    assert add_up(given)


def test_levels_that_share_noise_are_left_alone(town: Engine) -> None:
    own = anew(town)
    ask(own, f"SELECT {LEVELS}zone, day", "9")
    given = ask(own, f"{OPTIONS.replace('6', '0.01')} {LEVELS}GROUPING SETS ((), (zone), (zone, day))")
    assert all(way.derived for way in given.sources) and not any(
        release.consistent_counts for release in given.releases
    )


def _biased(bounds: ContributionBounds, bias: float) -> ContributionBounds:
    return replace(bounds, vectors=tuple(replace(each, predicted_bias=bias) for each in bounds.vectors))


def test_interval_columns_of_a_repeat_are_those_of_the_first_answer(town: Engine) -> None:
    own = anew(town)
    sql = f"{OPTIONS} {CUBE}".replace(
        "SUM(minutes) AS s", "DP_INTERVAL_LOW(n) AS low, SUM(minutes) AS s, DP_INTERVAL_LOW(s) AS low_s"
    )
    first, repeated, restarted = ask(own, sql), ask(own, sql), ask(replace(own), sql)
    assert any(release.consistent_sigmas for release in first.releases)
    assert first.answer.table.equals(repeated.answer.table) and first.answer.table.equals(restarted.answer.table)
    assert first.answer.table.column("low").to_pylist() == list(first.answer.intervals["n"][0])
