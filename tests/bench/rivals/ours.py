"""This engine on the same file: guessed clip bounds, a calibration paid from the same epsilon, one query.

What a steward would declare is declared from what anybody knows: at most how many groups there are, and that a person
has some tens of rows. The rest is measured with noise, and the price of that is taken off the question's: epsilon and
delta of the table are those of both together.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import engine
from budgets import rho_from_epsilon
from tests.bench.rivals.questions import DELTA, EPSILON, Asked
from tests.bench.rivals.worlds import World

DELTA_THRESHOLDS = DELTA / 10  # of private keys; the rest is the conversion's
RHO_ALL = rho_from_epsilon(EPSILON, DELTA - DELTA_THRESHOLDS)
RHO_CALIBRATION = Fraction(int(RHO_ALL * 10**5), 10**6)  # a tenth of it, as where a catalog says nothing
PRIVATE = "WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private')"
GUESSED_GROUPS = 40  # of a person, where keys are private
GUESSED_ROWS = 100  # of a person, if all fall into one group: what a steward says who knows nothing better

CATALOG = """
format = 1
name = "flat"
[datasets.flat]
window = "forever"
data_version = 1
[datasets.flat.defaults]
rho = 0.005
delta = 1e-7
confidence = 0.95
[datasets.flat.budget]
rho = 1
delta = 1e-5
[datasets.flat.calibration]
rho = {calibration}
[tables.flat]
dataset = "flat"
kind = "private"
source = {{ parquet = "{path}" }}
person = "person"
sorted_by = ["person"]
max_rows_per_person = 10000
max_groups_per_person = {groups}
size_class = "1e{size}"
[tables.flat.norms]
rows = {rows}
persons = {persons:.3g}
by_keys = [{{ keys = [{keys}], rows = {usual:.3g}, persons = {persons:.3g} }}]
[tables.flat.columns]
person = {{ type = "BIGINT", nullable = false }}
{columns}
"""


@dataclass(frozen=True)
class Given:
    """One answer of this engine."""

    answers: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    noise: dict[str, float]  # half-width of what noise alone asks of an unbiased number
    bias: float | None  # predicted share of a total
    within: dict[str, float]  # how far numbers may be off where that is given back, and averages: share and amount
    setting: str


def ask(asked: Asked, world: World, runs: int) -> list[Given]:
    """Run one query several times, each with its own ledger and calibration."""
    return [_once(asked, world) for _ in range(runs)]


def _once(asked: Asked, world: World) -> Given:
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, PASSERSBY_DATA=folder):  # marks of its own
        place, ledger = Path(folder) / "catalog.toml", str(Path(folder) / "ledger")
        place.write_text(catalog(asked, world))
        engine.calibrate_catalog(str(place), by="bench", ledger=ledger, confirm=lambda told: True)
        rho = RHO_ALL - RHO_CALIBRATION
        sql = asked.sql.replace("SELECT", f"SELECT {PRIVATE}", 1) if asked.private else asked.sql
        told = f"{int(rho * 10**12) / 10**12:.12f}"
        with engine.open_session(str(place), ledger=ledger) as session:
            explained = session.explain(sql, client="bench", rho=told)
            table = session.query(sql, client="bench", rho=told)
    return _given(asked, explained, table)


def catalog(asked: Asked, world: World) -> str:
    """Declare the table as a steward without knowledge of the data would."""
    groups = math.prod(len(world.keys[key]) for key in asked.keys)
    persons = math.sqrt(min(groups, GUESSED_ROWS) / 2)
    usual = GUESSED_ROWS / math.sqrt(min(groups, GUESSED_ROWS) / 2)
    columns = [
        f'{key} = {{ type = "INTEGER", nullable = false, values = {list(world.keys[key])} }}' for key in asked.keys
    ]
    if asked.value:
        low, high = asked.ends
        sums = (
            f"centred_norm = {high * usual / 4:.4g}" if asked.kind == "mean" else f"sum_norm = {high * usual / 2:.4g}"
        )
        columns.append(f'{asked.value} = {{ type = "DOUBLE", nullable = false, bounds = [{low}, {high}], {sums} }}')
    return CATALOG.format(
        path=world.path, groups=min(groups, GUESSED_GROUPS), size=round(math.log10(world.rows)), rows=GUESSED_ROWS,
        persons=persons, usual=usual, columns="\n".join(columns), calibration=float(RHO_CALIBRATION),
        keys=", ".join(f'"{key}"' for key in asked.keys),
    )  # fmt: skip


def _given(asked: Asked, explained: dict, table) -> Given:
    card = json.loads(table.schema.metadata[b"passersby"])
    rows = table.to_pydict()
    keys = [",".join(str(rows[key][i]) for key in asked.keys) for i in range(table.num_rows)]
    found = dict(zip(keys, rows["n"], strict=True))
    ends = {key: tuple(pair) for key, pair in zip(keys, card["intervals"]["n"], strict=True) if pair is not None}
    half = explained["expected_error"]["n"]
    noise = dict.fromkeys(keys, half) if half is not None else {}
    told = "; ".join(f"{bound['vector']}: norm {bound['norm']:.4g}" for bound in explained["bounds"])
    bias, within = explained["predicted_bias"]["n"], explained["bias_within"].get("n", {})
    return Given({k: v for k, v in found.items() if v is not None}, ends, noise, bias, within, told)
