"""The town with complete key sets and clip bounds that clip nobody; and its numbers without noise, as an oracle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from budgets import Ledger
from dialect import Catalog
from engine.mechanism.gaussian import NoisyVector
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, ROWS, make_town, opened
from tests.engine.windowed_town import WINDOWED

COMPLETE = {
    'values_of = "zone.zone", nullable = false': 'values_of = "zone.zone", nullable = false, complete = true',
    'range = ["2026-10-01", "2026-10-04"], nullable = false': 'range = ["2026-10-01", "2026-10-04"], nullable = false, complete = true',
    "norms = { rows = 20, persons = 3 }": "norms = { rows = 2000, persons = 300, covers = 0.999 }",
    "sum_norm = 600, centred_norm = 300": "sum_norm = 60000, centred_norm = 30000",
    "sum_norm = 60, centred_norm = 30": "sum_norm = 6000, centred_norm = 3000",
    "rho = 0.2\nclient_rho = 0.1": "rho = 20\nclient_rho = 10",
}  # fmt: skip


def completed(declared: str = CATALOG, complete: bool = True) -> str:
    """Declare complete key sets, and clip bounds that nobody reaches."""
    for old, new in COMPLETE.items():
        assert old in declared
        declared = declared.replace(old, new if complete else new.replace(", complete = true", ""))
    return declared


def no_noise(exact: object, sensitivity: int, scale: float, pico_rho: int) -> NoisyVector:
    """Add no noise, so that derived answers can be compared with new ones."""
    del sensitivity, scale, pico_rho
    return NoisyVector(np.array(exact, dtype=np.int64))


@contextmanager
def held_town(folder: Path, declared: str = CATALOG, rows: str = ROWS, complete: bool = True) -> Iterator[Engine]:
    """Open the town with complete or incomplete key sets."""
    folder.mkdir(parents=True, exist_ok=True)
    with opened(make_town(folder, rows, completed(declared, complete)), folder / "cache") as engine:
        yield engine


def anew(engine: Engine, catalog: Catalog | None = None, exact: bool = False) -> Engine:
    """The same engine with an empty ledger."""
    given = {"add_noise": no_noise} if exact else {}
    return replace(engine, ledger=Ledger.open(":memory:"), catalog=catalog or engine.catalog, **given)


def ask(engine: Engine, sql: str, rho: str = "0.005", client: str = "ann") -> Answered:
    """Run a query at a price."""
    return engine.answer(sql, Request(client, rho=Fraction(rho)))


def price(answered: Answered) -> float:
    """Rho charged for an answer."""
    return float(answered.charged_loss.rho)


DAILY = WINDOWED
