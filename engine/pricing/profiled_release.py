"""Profiled release: clip bounds chosen from a stored profile, and the SQL of the numbers (`proofs.md#profiles`).

After the profile, the units of averages are measured by their distance from centres that it chose. Clip bounds follow
from both, and the SQL of the numbers is generated at these bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dialect import BoundedSql, ContributionBounds, PrivatePlan, Target, generate_sql
from dialect.codegen import without_shared_measures, write_totals_sql
from engine.backends.exact import Exact, Int64Vector
from engine.catalog.eligibility import eligibility_filter
from engine.mechanism.gaussian import NoiseSource
from engine.pricing.clip_bounds.profiles.averages import (
    ChosenAverages,
    MeasuredAverages,
    choose_bounds,
    noisy_distances,
    noisy_means,
)
from engine.pricing.clip_bounds.profiles.compiled_profile import (
    AverageStatements,
    StoredProfile,
    averages_about_centres,
    with_chosen_centres,
)
from engine.pricing.clip_bounds.profiles.estimator import FAILED_ARITHMETIC
from engine.pricing.clip_bounds.profiles.numbers import ProfiledVector, choose_vectors
from engine.pricing.compile_release import CompiledRelease, UnpricedRelease
from engine.pricing.price import Cost, VectorPrice, vector_price


@dataclass(frozen=True)
class ProfileChoice:
    """What was chosen from a stored profile: clip bounds, centres of averages, and prices of the numbers."""

    plan: PrivatePlan  # measured, about the chosen centres
    bounds: ContributionBounds
    prices: tuple[VectorPrice, ...]  # of every vector, without the share of its total
    vectors: tuple[ProfiledVector, ...]
    averages: tuple[ChosenAverages, ...]


@dataclass(frozen=True)
class ProfiledRelease:
    """A release whose clip bounds were chosen from its stored profile, ready to run."""

    release: CompiledRelease  # with the chosen bounds, their noise scales and SQL
    choice: ProfileChoice
    totals_sql: BoundedSql | None  # None: no total is bought, or the statement of the numbers measures them

    def read(self, run: Callable[[BoundedSql], Exact]) -> tuple[Exact, Sequence[Int64Vector]]:
        """Read exact numbers and totals: in one statement, unless a lake has people's rows or numbers read rows alone.

        Without a key, whose numbers would be corrected, there are no totals. Symbols: `run` reads exact numbers over
        the released keys.
        """
        sql = self.release.sql
        exact, count = run(sql), sql.vector_count - sql.total_count
        if self.totals_sql is not None:
            return exact, run(self.totals_sql).vectors
        totals = [vector[:1] for vector in exact.vectors[count:] if vector.size]
        return Exact(exact.keys, exact.vectors[:count]), totals


def measure_averages(
    compiled: CompiledRelease,
    stored: StoredProfile,
    run: Callable[[BoundedSql], Exact],
    add_noise: NoiseSource,
    target: Target,
    *,
    is_drawn: bool = True,
) -> MeasuredAverages:
    """Measure the units of averages by their distance from centres that the stored profile chose.

    Of products, units are measured by their mean first, from which the centre of products follows. `is_drawn`: the
    profile has been drawn by this execution, whose statement has read the measures of units, too.

    Claim: distances and numbers of averages cost their share of the price. Symbols: `run` reads exact numbers over the
    released keys. Source and proof: proofs.md#averages, #products.
    """
    unpriced = compiled.unpriced_release
    facts = (unpriced.catalog, compiled.cost.vectors, unpriced.shown_alone)
    groups = averages_about_centres(stored, *facts)
    admission = eligibility_filter(unpriced.catalog, compiled.plan.dataset)
    statements = AverageStatements(stored.compiled, target, admission)
    products = [each for group in groups for each in group.averages if each.product is not None]
    if products:
        means = noisy_means(products, run(statements.means(products)), add_noise)
        groups = averages_about_centres(stored, *facts, means) or groups
    averages = [each for group in groups for each in group.averages]
    if not averages:
        return MeasuredAverages()
    distances = list(statements.distances(averages))
    if not is_drawn and len(distances) == 1:
        distances = [(measured, without_shared_measures(sql)) for measured, sql in distances]
    found = (noisy_distances(measured, run(sql), add_noise) for measured, sql in distances)
    return MeasuredAverages(groups, {total: each for part in found for total, each in part.items()})


def choose_from_profile(
    unpriced: UnpricedRelease, cost: Cost, stored: StoredProfile, measured: MeasuredAverages | None = None
) -> ProfileChoice:
    """Choose the clip bounds of a release at a cost from its stored profile, and price its numbers.

    Claim: a function of the stored profile, the price and public facts. Symbols: `stored` = the payload that the ledger
    returned, `measured` = averages with noisy distances, None: with likely ones. Source and proof: proofs.md#profiles.
    """
    fallback, pico_rho = unpriced.bounds(cost.loss.pico_rho), cost.loss.pico_rho
    vectors = choose_vectors(stored, unpriced.catalog, fallback, cost.vectors)
    if measured is None:
        groups = averages_about_centres(stored, unpriced.catalog, cost.vectors, unpriced.shown_alone)
    else:
        groups = measured.groups
    plan = with_chosen_centres(unpriced.measured_plan, groups)
    averages = tuple(choose_bounds(each, None if measured is None else measured.distances) for each in groups)
    tuned = {index: bound for each in averages for index, bound in each.bounds.items()}
    tuned |= {each.index: each.tuned for each in vectors}
    bounds = replace(unpriced, measured_plan=plan).bounds_with(pico_rho, tuned)
    prices = {
        each.index: vector_price(bounds.vectors[each.index], each.pico_rho - each.total_pico_rho) for each in vectors
    }
    prices |= {i: vector_price(bounds.vectors[i], own) for each in averages for i, own in each.prices.items()}
    priced = tuple(
        prices[i] if i in prices else vector_price(bound, own.pico_rho)
        for i, (own, bound) in enumerate(zip(cost.vectors, bounds.vectors, strict=True))
    )
    return ProfileChoice(plan, bounds, priced, vectors, averages)


def profiled_release(
    compiled: CompiledRelease, stored: StoredProfile, measured: MeasuredAverages, target: Target, *, is_drawn: bool
) -> ProfiledRelease:
    """Choose the clip bounds of a release from its stored profile, and generate the SQL of its numbers.

    `is_drawn`: its profile has been drawn by this execution. Else, and without averages, the statement of the numbers
    alone reads partial aggregates. The chosen clip bounds may clip most units, so that unclipped ones are not looked
    for.

    Claim: as `choose_from_profile`. Raises nothing that compiling the release did not: it has the same functions.
    """
    unpriced, profile = compiled.unpriced_release, stored.compiled
    try:
        chosen = choose_from_profile(unpriced, compiled.cost, stored, measured)
    except FAILED_ARITHMETIC:  # that it failed would tell of noise that is never stored
        chosen = _nothing_chosen(unpriced, compiled.cost, measured)
    eligibility = eligibility_filter(unpriced.catalog, unpriced.plan.dataset)
    totals = {each.index: each.total_bound for each in chosen.vectors if each.total_pico_rho}
    is_alone = not is_drawn and not measured.groups
    sql = generate_sql(chosen.plan, chosen.bounds, target, eligibility, profile.shared, totals, is_alone=is_alone)
    totals_sql = None
    if sql.total_count < len(totals):
        totals_sql = write_totals_sql(profile.shared, tuple(totals.items()), target, eligibility)
    cost = replace(compiled.cost, vectors=chosen.prices)
    release = replace(compiled, bounds=chosen.bounds, cost=cost, sql=sql, profile=None)
    return ProfiledRelease(release, chosen, totals_sql)


def _nothing_chosen(unpriced: UnpricedRelease, cost: Cost, measured: MeasuredAverages) -> ProfileChoice:
    """Return fallback bounds, at the prices that measured distances left."""
    left = dict[int, int]()
    for each in (average for group in measured.groups for average in group.averages):
        of_count = each.number_pico_rho // 2
        left[each.total] = each.number_pico_rho - of_count
        left[each.count] = left.get(each.count, 0) + of_count
    bounds = unpriced.bounds(cost.loss.pico_rho)
    pairs = enumerate(zip(cost.vectors, bounds.vectors, strict=True))
    prices = tuple(vector_price(bound, left[i]) if i in left else own for i, (own, bound) in pairs)
    return ProfileChoice(unpriced.measured_plan, bounds, prices, (), ())
