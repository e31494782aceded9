"""How every rival's bounds are set: its defaults, or (against any guarantee) the best on the true data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tests.bench.rivals.questions import Asked
from tests.bench.rivals.tuning import QRLEW_SIGMAS, RHO, Truth, Tuned, by_all_groups, by_clip_bound, by_groups, by_rows
from tests.bench.rivals.worlds import World

Setting = Mapping[str, object]
PRIVATE_RHO = RHO * 0.96  # half of delta is the thresholds': what is left of epsilon 1 at the other half


def as_it_comes(name: str, asked: Asked) -> Setting:
    """A rival's default settings, or those of its own guide if it has none.

    OpenDP's guide to the privacy unit truncates to 10 rows, Tumult's tutorial on privacy ids to 20.
    """
    if name == "OpenDP Polars":
        return {"groups": 10} if asked.kind == "persons" else {"rows": 10}
    return {"rows": 20} if name == "Tumult Analytics" else {}


def by_hand(name: str, asked: Asked, world: World, truth: Truth) -> Setting:
    """The bounds that are best on the true data, of those that the rival accepts."""
    return _TUNED[name](asked, math.prod(len(world.keys[key]) for key in asked.keys), truth)


def _smartnoise(asked: Asked, most: int, truth: Truth) -> Setting:
    best = truth.best(by_rows(), laplace=True)
    return {"max_ids": int(best.setting["rows"]), "censor_dims": asked.private}


def _qrlew(asked: Asked, most: int, truth: Truth) -> Setting:
    return truth.best(by_clip_bound(), sigmas=QRLEW_SIGMAS).setting


def _opendp(asked: Asked, most: int, truth: Truth) -> Setting:
    if asked.private:
        return truth.best(by_rows()).setting | {"rho": PRIVATE_RHO}
    found = [truth.best(by_all_groups(most))]  # of fewer it keeps the first alone: the last have nothing then
    if asked.kind != "persons":
        found.append(truth.best(by_rows()))
    return _least(found) | {"rho": RHO}


def _tumult(asked: Asked, most: int, truth: Truth) -> Setting:
    if asked.private:
        return truth.best(by_rows(), laplace=True).setting
    return _least([truth.best(by_rows()), truth.best(by_groups(most))]) | {"rho": RHO}


def _least(found: list[Tuned]) -> Setting:
    return min(found, key=lambda tuned: tuned.error).setting


_TUNED: Mapping[str, Callable[[Asked, int, Truth], Setting]] = {
    "SmartNoise SQL": _smartnoise,
    "OpenDP Polars": _opendp,
    "Qrlew": _qrlew,
    "Tumult Analytics": _tumult,
}
