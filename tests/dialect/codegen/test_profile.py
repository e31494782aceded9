"""A profile's histograms are exact, and a unit is in at most one bin of each; a clipped total moves by its bound."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace

import duckdb
import pyarrow as pa
import pytest

from dialect import ContributionBounds, PrivatePlan, Target, compile_query
from dialect.algebra import VectorKind
from dialect.algebra.codegen_types import Rollup
from dialect.catalog.model import Catalog, EngineName
from dialect.codegen import (
    CENTRE_STEPS,
    DUCKDB_DIALECT,
    MEAN_STEPS,
    NEGATIVE_BINS,
    CentredAverage,
    Measure,
    ProfileHistogram,
    SharedPlan,
    profile,
    write_distances_sql,
    write_profile_sql,
    write_totals_sql,
)
from dialect.codegen.engines.dialects import EngineDialect
from dialect.sensitivity.bounding import bound_contributions
from engine.pricing.clip_bounds.profiles.averages import average_histograms, averages_of
from engine.pricing.clip_bounds.profiles.compiled_profile import shared_plan
from tests.engine.town import CATALOG, make_town
from tests.support.without_norms import without_norms

Rows = list[tuple[int, int, str, float, int, str]]  # person, visit, zone, minutes, coins, day
PEOPLE = 40
SQUARED = (Measure.NORM, Measure.TOTAL)
TYPES = {
    "person_id": pa.int64(),
    "visit_id": pa.int64(),
    "zone": pa.string(),
    "minutes": pa.float64(),
    "coins": pa.int32(),
    "day": pa.string(),
}
QUESTIONS = {
    "rows by zone": "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone",
    "people by zone": "SELECT zone, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY zone",
    "sums by zone and day": "SELECT zone, day, SUM(minutes) AS s FROM visit GROUP BY zone, day",
    "integers in all": "SELECT SUM(coins) AS s FROM visit",
    "filtered rows by listed zones": (
        "SELECT zone, COUNT(*) AS n FROM visit WHERE zone IN ('z1', 'z2') AND minutes > 10 GROUP BY zone"
    ),
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_town(tmp_path_factory.mktemp("town"), declared=without_norms(CATALOG))


def visits() -> Rows:
    """Rows of people with 1 to some hundred visits each, of whom the last has none that a filter leaves."""
    rows: Rows = []
    for person in range(1, PEOPLE + 1):
        count = 1 + (person * person * 7) % 90
        for i in range(count):
            minutes = 5.0 if person == PEOPLE else (person * 13 + i * 29) % 61 / 1.0
            zone = f"z{(person * i + i // 3) % 9}"  # z7 and z8 are no zones of the key set
            rows.append((person, len(rows), zone, minutes, (person + i) % 10, f"2026-10-0{1 + i % 4}"))
    return rows


def run(sql: str, rows: Rows) -> list[tuple[int, ...]]:
    """Run SQL over the given visits."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in TYPES]
    visit = pa.table({name: pa.array(own, kind) for (name, kind), own in zip(TYPES.items(), columns, strict=True)})
    with duckdb.connect(config={"threads": 1}) as database:
        database.execute("CREATE TABLE visit AS SELECT * REPLACE (CAST(day AS DATE) AS day) FROM visit")
        database.execute("CREATE TABLE zone AS SELECT 'z' || i AS zone FROM range(0, 7) AS t(i)")
        assert visit.num_rows == len(rows)
        return database.execute(sql).fetchall()


TARGET = Target({"visit": "visit", "zone": "zone", "person": "person"})


def plan_of(title: str, catalog: Catalog) -> PrivatePlan:
    (plan,) = compile_query(QUESTIONS[title], catalog).plans
    return plan


def histograms_of(plan: PrivatePlan) -> tuple[ProfileHistogram, ...]:
    return tuple(ProfileHistogram(0, measure) for measure in SQUARED if plan.keys or measure is Measure.TOTAL)


def grains_of(plan: PrivatePlan, catalog: Catalog) -> SharedPlan:
    """Shared partial aggregates of a plan, with the value grains of its profile."""
    averages = [each for average in averages_of(plan) for each in average_histograms(average, plan)]
    return shared_plan(plan, bound_contributions(plan, catalog, None), [*histograms_of(plan), *averages])


def counted(title: str, catalog: Catalog, rows: Rows) -> dict[int, Counter[int]]:
    """Units by bin of each histogram, as the SQL counts them."""
    plan = plan_of(title, catalog)
    shared = grains_of(plan, catalog)
    histograms = histograms_of(plan)
    found = run(write_profile_sql(replace(shared, histograms=tuple(histograms)), TARGET, None).text, rows)
    return {h: Counter({row[0]: row[1 + h] for row in found if row[1 + h]}) for h in range(len(histograms))}


def expected(title: str, catalog: Catalog, rows: Rows) -> dict[int, Counter[int]]:
    """The same from each person's exact vector."""
    plan = plan_of(title, catalog)
    bits = grains_of(plan, catalog).profile_bounds.vectors[0].value_bits
    vectors: dict[int, dict[object, int]] = defaultdict(lambda: defaultdict(int))
    for person, _, zone, minutes, coins, day in rows:
        keys = {"zone": (zone,), "zone and day": (zone, day), "": ()}
        by = "zone and day" if "day" in title else "zone" if "zone" in title else ""
        if by and zone not in {f"z{i}" for i in range(7)}:
            continue
        if "filtered" in title and not (zone in ("z1", "z2") and minutes > 10):
            continue
        if plan.vectors[0].kind is VectorKind.PERSONS:
            vectors[person][keys[by]] = 1
        else:
            value = round(min(minutes, 60) * 2**bits) if "sums" in title else coins if "integers" in title else 1
            vectors[person][keys[by]] += value
    measured = {
        Measure.NORM: [sum(v * v for v in own.values()) for own in vectors.values()],
        Measure.TOTAL: [sum(own.values()) ** 2 for own in vectors.values()],
    }
    return {
        h: Counter(n.bit_length() - 1 for n in measured[each.measure] if n)
        for h, each in enumerate(histograms_of(plan))
    }


@pytest.mark.parametrize("title", QUESTIONS)
def test_each_unit_is_in_the_bin_of_its_exact_contribution(catalog: Catalog, title: str) -> None:
    rows = visits()
    found = counted(title, catalog, rows)
    assert found == expected(title, catalog, rows)
    assert sum(found[0].values()) > PEOPLE / 2


def most_moved(title: str, catalog: Catalog) -> int:
    """Largest change of one histogram, in absolute numbers, by removing one person."""
    rows = visits()
    whole, most = counted(title, catalog, rows), 0
    for person in range(1, PEOPLE + 1, 3):
        less = counted(title, catalog, [row for row in rows if row[0] != person])
        most = max(most, *(sum(abs(whole[h][b] - less[h][b]) for b in range(81)) for h in whole))
    return most


@pytest.mark.parametrize("title", QUESTIONS)
def test_removing_a_person_moves_one_bin_by_one(catalog: Catalog, title: str) -> None:
    assert most_moved(title, catalog) == 1


def test_a_planted_unit_in_two_bins_is_found(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured by group, a person is in as many bins as groups."""
    written = profile._unit_measures

    def by_group(*arguments: object) -> str:
        return written(*arguments).replace("GROUP BY person)", "GROUP BY person, k0)")  # type: ignore[arg-type]

    monkeypatch.setattr(profile, "_unit_measures", by_group)
    assert most_moved("rows by zone", catalog) > 1


def total_of(title: str, catalog: Catalog, bound: int, rows: Rows) -> int:
    plan = plan_of(title, catalog)
    shared = grains_of(plan, catalog)
    ((total,),) = run(write_totals_sql(shared, [(0, bound)], TARGET, None).text, rows)
    return total


def largest_step(title: str, catalog: Catalog, bound: int) -> int:
    """Largest change of a clipped total by removing one person."""
    rows = visits()
    whole = total_of(title, catalog, bound, rows)
    others = ([row for row in rows if row[0] != person] for person in range(1, PEOPLE + 1, 3))
    return max(whole - total_of(title, catalog, bound, rows) for rows in others)


@pytest.mark.parametrize("title", [title for title in QUESTIONS if "people" not in title])
def test_a_person_moves_a_clipped_total_by_its_bound_at_most(catalog: Catalog, title: str) -> None:
    assert largest_step(title, catalog, 17) == 17
    assert total_of(title, catalog, 17, []) == 0


def test_a_planted_total_that_is_not_clipped_is_found(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    over_units: Callable[..., object] = profile._over_units

    def without_least(shared: SharedPlan, *rest: object, **named: object) -> object:
        answer, *others = rest

        def planted(dialect: EngineDialect) -> profile.UnitAnswer:
            written = answer(dialect)  # type: ignore[operator]
            return written._replace(columns=written.columns.replace("least(coalesce(sum0, 0), 17)", "sum0"))  # type: ignore[no-any-return]

        return over_units(shared, planted, *others, **named)

    monkeypatch.setattr(profile, "_over_units", without_least)
    assert largest_step("rows by zone", catalog, 17) > 17


def test_duckdb_answers_from_a_rollup_in_its_own_form_with_a_lake(catalog: Catalog) -> None:
    """With the lake's words for a quotient or a wide integer, the statement would fail after its charge."""
    plan = plan_of("rows by zone", catalog)
    shared = grains_of(plan, catalog)
    alone = replace(TARGET, rollups=(Rollup(plan, shared.bounds, '"stored"'),))
    beside = replace(alone, lake=replace(TARGET, engine=EngineName.SPARK))
    of_target = {
        name: write_profile_sql(replace(shared, histograms=histograms_of(plan)), target, None).text
        for name, target in (("alone", alone), ("beside a lake", beside))
    }
    assert '"stored"' in of_target["alone"] and of_target["alone"] == of_target["beside a lake"]


def test_rows_of_nobody_are_in_no_bin(catalog: Catalog) -> None:
    """Even if the rows that are read had some: how many there are may depend on rows of people."""
    plan, rows = plan_of("rows by zone", catalog), visits()
    shared = grains_of(plan, catalog)
    sql = write_profile_sql(replace(shared, histograms=histograms_of(plan)), TARGET, None).text
    from_all = sql.replace('"person_id" IS NOT NULL', "true").replace('"person_id" AS', 'nullif("person_id", 1) AS')
    assert from_all != sql and "nullif" in from_all
    assert sorted(run(from_all, rows)) == sorted(run(sql, [row for row in rows if row[0] != 1]))


@pytest.mark.parametrize("measure", SQUARED)
def test_bins_begin_at_the_least_integer_whose_square_reaches_a_power_of_two(measure: Measure) -> None:
    ends = [1 << number for number in range(81)]
    if measure is Measure.TOTAL:
        ends = [math.isqrt(square - 1) + 1 for square in ends]
    number, power = ("squares0", 1) if measure is Measure.NORM else ("sum0", 2)
    bin_sql = profile._log_bin(number, 80, DUCKDB_DIALECT, power)
    numbers = [(b, n) for b, end in enumerate(ends) for n in (end - 1, end, end + 1)] + [(81, 10**38)]
    values = ", ".join(f"({n}::HUGEINT)" for _, n in numbers)
    found = [row[0] for row in duckdb.sql(f"SELECT {bin_sql} FROM (VALUES {values}) AS v({number})").fetchall()]
    assert found == [max((b for b, end in enumerate(ends) if n >= end), default=None) for _, n in numbers]


AVERAGE = "SELECT zone, AVG(minutes) AS m FROM visit GROUP BY zone"


def test_each_unit_is_in_the_part_of_the_range_of_its_exact_mean(catalog: Catalog) -> None:
    """By exact integers: the sum of a unit's values from the lower end on, against its count times each part."""
    (plan,) = compile_query(AVERAGE, catalog).plans
    (average,) = averages_of(plan)
    histograms = average_histograms(average, plan)
    shared, rows = grains_of(plan, catalog), visits()
    found = run(write_profile_sql(replace(shared, histograms=tuple(histograms)), TARGET, None).text, rows)
    counted = Counter({row[0]: row[3] for row in found if row[3]})
    grain = 2.0 ** shared.profile_bounds.vectors[average.totals[0]].value_bits
    sums: dict[int, list[int]] = defaultdict(list)
    for person, _, zone, minutes, _, _ in rows:
        if zone in {f"z{i}" for i in range(7)}:
            sums[person].append(round(min(minutes, 60) * grain))
    parts = [0.0, *histograms[-1].parts]
    means = (sum(sum(values) >= len(values) * round(60 * part * grain) for part in parts) for values in sums.values())
    assert counted == Counter(place - 1 for place in means) and len(counted) > 2


def test_removing_a_person_moves_one_mean(catalog: Catalog) -> None:
    (plan,) = compile_query(AVERAGE, catalog).plans
    histograms = average_histograms(averages_of(plan)[0], plan)
    shared, rows = grains_of(plan, catalog), visits()
    sql = write_profile_sql(replace(shared, histograms=tuple(histograms)), TARGET, None).text
    whole = {row[0]: row[1:] for row in run(sql, rows)}
    for person in range(1, PEOPLE + 1, 5):
        less = {row[0]: row[1:] for row in run(sql, [row for row in rows if row[0] != person])}
        none = (0,) * len(histograms)
        changes = [
            sum(abs((whole.get(b) or none)[h] - (less.get(b) or none)[h]) for b in range(81))
            for h in range(len(histograms))
        ]
        assert max(changes) <= 1


def test_a_unit_without_a_value_adds_nothing_to_a_total(catalog: Catalog) -> None:
    """Its sum is NULL, which LEAST would skip."""
    sql = "SELECT zone, SUM(minutes) FILTER (WHERE coins = 1) AS s FROM visit GROUP BY zone"
    (plan,) = compile_query(sql, catalog).plans
    shared, rows = grains_of(plan, catalog), visits()
    zones = {f"z{i}" for i in range(7)}
    most = (
        sum(min(row[3], 60) for row in rows if row[4] == 1 and row[2] in zones)
        * 2.0 ** shared.profile_bounds.vectors[0].value_bits
    )
    ((total,),) = run(write_totals_sql(shared, [(0, 10**9)], TARGET, None).text, rows)
    assert total == pytest.approx(most)


SHARE = "SELECT zone, AVG(CASE WHEN coins > 6 THEN 1 ELSE 0 END) AS m FROM visit GROUP BY zone"
CENTRE, REACH = 8 * CENTRE_STEPS, 20 * CENTRE_STEPS + 7  # in value grains, minus the vector's own centre


def about_centre(sql: str, catalog: Catalog) -> tuple[SharedPlan, ContributionBounds, CentredAverage]:
    (plan,) = compile_query(sql, catalog).plans
    (average,) = averages_of(plan)
    shared = grains_of(plan, catalog)
    return shared, shared.profile_bounds, CentredAverage(average.totals[0], average.count, CENTRE, REACH)


def distances_sql(catalog: Catalog) -> str:
    shared, _, average = about_centre(AVERAGE, catalog)
    return write_distances_sql(shared, [average], TARGET, None).text


def distances(catalog: Catalog, rows: Rows) -> dict[int, tuple[int, int]]:
    return {row[0]: row[1:] for row in run(distances_sql(catalog), rows)}


def test_distances_are_those_of_exact_integers(catalog: Catalog) -> None:
    """Class means by the number of a unit's values; norms by its distance in each group, and by the sign of their sum."""
    shared, bounds, average = about_centre(AVERAGE, catalog)
    grain, centre = 2.0 ** bounds.vectors[average.total].value_bits, shared.plan.vectors[average.total].centre
    units: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for person, _, zone, minutes, _, _ in visits():
        if zone in {f"z{i}" for i in range(7)}:
            value = round((min(minutes, 60) - centre) * grain)
            units[person][zone].append(value * CENTRE_STEPS - CENTRE)
    classes, norms = Counter[int](), Counter[int]()
    for groups in units.values():
        sums = [sum(values) for values in groups.values()]
        count = sum(map(len, groups.values()))
        steps = abs(sum(sums)) * MEAN_STEPS // (count * REACH) * (1 if sum(sums) >= 0 else -1)  # towards zero
        classes[count.bit_length() - 1] += max(-MEAN_STEPS, min(MEAN_STEPS, steps))
        norms[sum(each**2 for each in sums).bit_length() - 1 + (0 if sum(sums) >= 0 else NEGATIVE_BINS)] += 1
    found = distances(catalog, visits())
    assert {b: row[0] for b, row in found.items() if row[0]} == {b: n for b, n in classes.items() if n}
    assert {b: row[1] for b, row in found.items() if row[1]} == norms and max(norms) >= NEGATIVE_BINS > min(norms)


def test_a_wide_quotient_is_that_of_exact_integers() -> None:
    """Within 64 bits, beyond them, and where one of both is beyond."""
    ends = [0, 1, 6, 7, 8, 2**31, 2**62, 2**63 - 1, 2**63, 2**63 + 5, 2**90 + 11, 2**110]
    pairs = [(sign * one, other) for sign in (1, -1) for one in ends for other in ends[1:]]
    rows = ", ".join(f"({i}, CAST({one} AS HUGEINT), CAST({other} AS HUGEINT))" for i, (one, other) in enumerate(pairs))
    quotient = DUCKDB_DIALECT.wide_quotient.format("one", "other")
    found = duckdb.sql(f"SELECT {quotient} FROM (VALUES {rows}) AS t(i, one, other) ORDER BY i").fetchall()
    assert [each[0] for each in found] == [abs(one) // other * (1 if one >= 0 else -1) for one, other in pairs]


def largest_distance_steps(catalog: Catalog) -> tuple[int, int]:
    """Largest changes of class means and of units by norm, in absolute numbers, by removing one person."""
    rows = visits()
    whole, most = distances(catalog, rows), [0, 0]
    for person in range(1, PEOPLE + 1, 3):
        less = distances(catalog, [row for row in rows if row[0] != person])
        for i in (0, 1):
            moved = sum(abs(whole.get(b, (0, 0))[i] - less.get(b, (0, 0))[i]) for b in range(2 * NEGATIVE_BINS))
            most[i] = max(most[i], moved)
    return most[0], most[1]


def test_removing_a_person_moves_one_class_mean_and_one_norm(catalog: Catalog) -> None:
    assert largest_distance_steps(catalog) == (MEAN_STEPS, 1)


def test_a_planted_class_mean_of_all_values_is_found(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not divided by their number, the values of a person move a class by more than the reach."""
    written = profile._clipped_mean

    def planted(*given: object) -> str:
        clamp = f"greatest(-{MEAN_STEPS}, least({MEAN_STEPS}, "
        return written(*given).replace(clamp, "(sum1 * (")  # type: ignore[arg-type]

    monkeypatch.setattr(profile, "_clipped_mean", planted)
    assert largest_distance_steps(catalog)[0] > MEAN_STEPS


def test_means_of_whole_numbers_are_separated_between_them(catalog: Catalog) -> None:
    """A share of a person lies between 0 and 1, whose grains are whole."""
    (plan,) = compile_query(SHARE, catalog).plans
    histograms = average_histograms(averages_of(plan)[0], plan)
    shared = grains_of(plan, catalog)
    found = run(write_profile_sql(replace(shared, histograms=tuple(histograms)), TARGET, None).text, visits())
    assert len([row for row in found if row[3]]) > 3
