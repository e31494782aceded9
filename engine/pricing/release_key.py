"""Release key: a digest of everything that determines a release, under which it is stored and found again.

Two requests with one key have one plan, one contribution bounding, one noise scale and one version of data and catalog
(engine/catalog/proofs.md#what-a-release-rests-on). No name in the code is part of it
(dialect/catalog/proofs.md#stable-text).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from budgets import Loss
from dialect import Catalog, ContributionBounds, Eligibility, PrivatePlan
from dialect.algebra import ClipRule, VectorBound
from dialect.catalog import Layouts, stable_text
from engine.catalog.eligibility import cached_by_identity, eligibility_filter
from engine.catalog.version import release_dependency_digest
from engine.pricing.price import Cost, VectorPrice

MECHANISM_VERSION = "2"  # changes when the same plan and price would mean another release
CORRELATED_VERSION = "1"  # the same for releases with correlated noise alone

_LAYOUTS: Final[Layouts] = {
    Loss: "Loss pico_rho atto_delta",
    ContributionBounds: "Bounding vectors max_groups",
    ClipRule: "Rule WITHIN=UNCLIPPED CLAMP SCALE CHOOSE=TRUNCATE",
    VectorBound: "VectorBound rule norm=clip_bound value_bits norm_grains=clip_bound_grains fraction_bits"
    " sensitivity why=key_reason predicted_bias max_groups max_values",
    Cost: "Cost loss vectors keys threshold threshold_persons max_groups",
    VectorPrice: "VectorPrice pico_rho sigma",
}


def release_key(plan: PrivatePlan, bounds: str, cost: str, catalog: Catalog) -> str:
    """Release key (hex) from a plan and the texts of its contribution bounds and cost."""
    version = catalog.datasets_by_name[plan.dataset].full_data_version
    versions = (version, _eligibility_texts(catalog)[plan.dataset], release_dependency_digest(plan, catalog))
    return hashlib.sha256(
        "\n".join((MECHANISM_VERSION, plan.canonical_text, bounds, cost, *versions)).encode()
    ).hexdigest()


def bounds_text(bounds: ContributionBounds) -> str:
    """Text of contribution bounds for the release key.

    Correction factors appear only if they are not 1, the version of correlated noise only where noise is correlated.
    """
    factors = (
        f" {i} kept {each.retained_share!r}" for i, each in enumerate(bounds.vectors) if each.retained_share != 1
    )
    correlated = (f" {i} correlated {CORRELATED_VERSION}" for i in bounds.centred_vectors)
    return stable_text(bounds, _LAYOUTS) + "".join((*factors, *correlated))


def cost_text(cost: Cost) -> str:
    """Text of a price and its noise scales for the release key; a second round of selection only if there is one."""
    second = "" if cost.second is None else f" second {cost.second.price.pico_rho} {cost.second.threshold}"
    return stable_text(cost, _LAYOUTS) + second


@cached_by_identity
def _eligibility_texts(catalog: Catalog) -> Mapping[str, str]:
    """Eligibility rule of each dataset that the release key covers: a changed rule makes another release.

    An objection does not.
    """
    return {dataset.name: _eligibility_text(dataset.name, catalog) for dataset in catalog.datasets}


def _eligibility_text(dataset: str, catalog: Catalog) -> str:
    """Eligibility rule of a dataset, and from when on its tables are retained."""
    eligible: Eligibility | None = eligibility_filter(catalog, dataset)
    retained = [
        (t.name, t.retained_from) for t in catalog.tables if t.dataset == dataset and t.retained_from is not None
    ]
    return stable_text((None if eligible is None else _rule_text(eligible), retained))


def _rule_text(eligible: Eligibility) -> str:
    """Text of the conditions on the person table; it does not depend on who opted out."""
    table = None if eligible.table is None else eligible.table.name
    return stable_text((table, eligible.conditions))
