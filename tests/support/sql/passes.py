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
    choosing = replace(prepared, plan=choice.plan, bounds=choice.bounds, sql=choice.sql, selection=None)
    numbers = replace(prepared, plan=prepared.unpriced_release.measured_plan, selection=None)
    first = backend.run(choice.sql, objected)
    keys = every_other(first.keys) if chosen_keys is None else chosen_keys
    again = choice.second
    second = (
        []
        if again is None
        else [(replace(choosing, plan=again.plan, sql=again.sql), backend.run(again.sql, objected, keys))]
    )
    return [(choosing, first), *second, (numbers, backend.run(prepared.sql, objected, keys))]


def choose_keys(prepared: CompiledRelease, backend: Any) -> pa.Table | None:
    """Choose some keys of one world to be used in every world; None if keys are public."""
    return None if prepared.selection is None else every_other(backend.run(prepared.selection.sql).keys)


def every_other(keys: pa.Table) -> pa.Table:
    """Every other key, in public order."""
    return keys.take(pa.array(range(0, keys.num_rows, 2), pa.int64()))
