"""The passes of a release with exact numbers: one for public keys, two for partition selection.

The second pass gets every other existing key, the same in all worlds: whichever keys noise would have selected, its
numbers move by at most their sensitivities.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from engine.backends.exact import NOBODY_OBJECTED, Exact
from engine.pricing.prepare import Prepared


def passes(
    prepared: Prepared, backend: Any, objected: pa.Table = NOBODY_OBJECTED, handed: pa.Table | None = None
) -> list[tuple[Prepared, Exact]]:
    """Run the passes of a release without noise; the second over `handed`, or over some of its own keys."""
    choice = prepared.choice
    if choice is None:
        return [(prepared, backend.run(prepared.sql, objected))]
    choosing = replace(prepared, plan=choice.plan, bounds=choice.bounds, sql=choice.sql, choice=None)
    numbers = replace(prepared, plan=prepared.sized.numbers, choice=None)
    first = backend.run(choice.sql, objected)
    keys = every_other(first.keys) if handed is None else handed
    return [(choosing, first), (numbers, backend.run(prepared.sql, objected, keys))]


def handed_by(prepared: Prepared, backend: Any) -> pa.Table | None:
    """Choose some keys of one world to be used in every world; None if keys are public."""
    return None if prepared.choice is None else every_other(backend.run(prepared.choice.sql).keys)


def every_other(keys: pa.Table) -> pa.Table:
    """Every other key, in public order."""
    return keys.take(pa.array(range(0, keys.num_rows, 2), pa.int64()))
