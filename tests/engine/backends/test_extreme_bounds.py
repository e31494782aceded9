"""Bounds in a query far beyond those of the catalog: nobody's number makes the engine raise."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dialect import compile_query
from dialect.codegen.contribution import clipping
from engine.backends.exact import NO_OBJECTIONS
from engine.errors import ExecutionFailed
from engine.pricing.compile_release import compile_release
from tests.engine.town import CATALOG, ROWS, backend_over, make_town

FEW = CATALOG.replace("norms = { rows = 20, persons = 3 }", "norms = { rows = 20, persons = 0.01 }")
ALONE = "UPDATE visit SET minutes = 0 WHERE person_id <> 7; UPDATE visit SET minutes = 60 WHERE person_id = 7"
WITHOUT = "DELETE FROM visit WHERE person_id = 7"
SUMS = "SELECT zone, SUM(minutes, contribution_bounds_per_group => ({})) AS n FROM visit GROUP BY zone"
VALUES = "SELECT zone, COUNT(DISTINCT shop, contribution_bounds_per_group => (0, {})) AS n FROM visit GROUP BY zone"


def exact(folder: Path, change: str, sql: str) -> tuple[np.ndarray, int]:
    """Exact vector of a query, and how far one person may move it."""
    folder.mkdir()
    catalog = make_town(folder, f"{ROWS}; {change}", FEW)
    with closing(backend_over(catalog, folder / "cache")) as backend:
        (plan,) = compile_query(sql, catalog).plans
        ready = compile_release(plan, catalog, backend, Fraction(1, 10))
        return backend.run(ready.sql, NO_OBJECTIONS).vectors[0], ready.bounds.vectors[0].sensitivity


@pytest.mark.parametrize("bounds", ["0, 60", "-60, 60", "30, 60", "-60, -30"])
def test_one_person_far_beyond_the_clip_bound_moves_at_most_the_sensitivity(tmp_path: Path, bounds: str) -> None:
    more, sensitivity = exact(tmp_path / "more", ALONE, SUMS.format(bounds))
    less, _ = exact(tmp_path / "less", f"{ALONE}; {WITHOUT}", SUMS.format(bounds))
    moved = sum(int(move) ** 2 for move in more - less)
    assert sensitivity**2 / 2 < moved <= sensitivity**2


def test_planted_uncapped_bounds_raise_for_one_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipping, "MAX_PARTIAL_GRAINS", 2**63 - 1)
    with pytest.raises(ExecutionFailed):
        exact(tmp_path / "more", ALONE, SUMS.format("0, 60"))
    exact(tmp_path / "less", f"{ALONE}; {WITHOUT}", SUMS.format("0, 60"))


@pytest.mark.parametrize("most", [1, 5, 1_000_000])
def test_the_largest_accepted_number_of_distinct_values_is_bounded(tmp_path: Path, most: int) -> None:
    """In seven groups, where the root of what one person moves is no whole number."""
    town = make_town(tmp_path, ROWS)
    with closing(backend_over(town, tmp_path / "cache")) as backend:
        (plan,) = compile_query(VALUES.format(most), town).plans
        (bound,) = compile_release(plan, town, backend, Fraction(1, 10)).bounds.vectors
    assert (
        bound.max_groups == 7
        and (bound.sensitivity - 1) ** 2 < 7 * most**2 * 4**bound.fraction_bits <= bound.sensitivity**2
    )
