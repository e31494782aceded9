"""The passes of a release with exact numbers: one for public keys, two or three with partition selection.

A second round of selection and the last pass get every other existing key, the same in all worlds: whichever keys noise
would have selected, their numbers move by at most their sensitivities.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from engine.backends.exact import NO_OBJECTIONS, Exact
from engine.pricing.compile_release import CompiledRelease


def passes(
    prepared: CompiledRelease, backend: Any, objected: pa.Table = NO_OBJECTIONS, chosen_keys: pa.Table | None = None
) -> list[tuple[CompiledRelease, Exact]]:
    """Run the passes of a release without noise; after the first over `chosen_keys`, or over some of its own keys."""
    choice = prepared.selection
    if choice is None:
        return [(prepared, backend.run(prepared.sql, objected))]
    numbers = replace(prepared, plan=prepared.unpriced_release.measured_plan, selection=None)
    choosing = [replace(numbers, plan=each.plan, bounds=choice.bounds, sql=each.sql) for each in choice.rounds]
    first = backend.run(choosing[0].sql, objected)
    keys = every_other(first.keys) if chosen_keys is None else chosen_keys
    further = [(each, backend.run(each.sql, objected, keys)) for each in (*choosing[1:], numbers)]
    return [(choosing[0], first), *further]


def choose_keys(prepared: CompiledRelease, backend: Any) -> pa.Table | None:
    """Choose some keys of one world to be used in every world; None if keys are public."""
    return None if prepared.selection is None else every_other(backend.run(prepared.selection.rounds[0].sql).keys)


def every_other(keys: pa.Table) -> pa.Table:
    """Every other key, in public order."""
    return keys.take(pa.array(range(0, keys.num_rows, 2), pa.int64()))
