"""Time spent on noise: private keys and a million public ones end to end, against the noise drawing alone.

A release of private keys draws twice: for the weights that keys are chosen by, and for the numbers of those chosen.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np

import engine
from engine.mechanism.gaussian import add_noise, gaussian_scale
from tests.bench.machine import table

_TABLE = """
[tables.{name}]
dataset = "keys"
kind = "private"
source = {{ duckdb = "keys.duckdb", table = "{name}" }}
person = "person"
size_class = "1e6"
max_groups_per_person = 16
norms = {{ rows = 4, persons = 4 }}
[tables.{name}.columns]
person = {{ type = "INTEGER", nullable = false }}
"""
CATALOG = f"""
format = 1
name = "keys"
[datasets.keys]
window = "forever"
data_version = 1
[datasets.keys.budget]
rho = 100
delta = 1e-6
{_TABLE.format(name="rows")}
public_key = {{ type = "INTEGER", nullable = false, range = [1, 1000000] }}
private_key = {{ type = "INTEGER", nullable = false }}
{_TABLE.format(name="pairs")}
private_key = {{ type = "INTEGER", nullable = false }}
"""
# 100,000 people with 10 rows each, every one of 10,000 private keys has about 100; and 500,000 with 2 rows, 10 to a key
DATA = """
CREATE TABLE rows AS SELECT (i // 10)::INTEGER AS person, (i * 7919 % 1000000 + 1)::INTEGER AS public_key,
 (i * 31 % 10000)::INTEGER AS private_key FROM range(1000000) AS r(i);
CREATE TABLE pairs AS SELECT (i // 2)::INTEGER AS person, (i * 31 % 100000)::INTEGER AS private_key
 FROM range(1000000) AS r(i);
"""


@dataclass(frozen=True)
class Asked:
    """A question, and how many numbers its release draws noise for."""

    keys: str
    sql: str
    rho: str
    drawn: int


ASKED = (
    Asked("10,000 private", "SELECT private_key, count(DISTINCT person) AS n FROM rows GROUP BY 1", "0.1", 20_000),
    Asked("100,000 private", "SELECT private_key, count(DISTINCT person) AS n FROM pairs GROUP BY 1", "2.0", 200_000),
    Asked("1,000,000 public", "SELECT public_key, count(*) AS n FROM rows GROUP BY 1", "0.1", 1_000_000),
)


def main(events: int, runs: int) -> None:
    """Print seconds end to end (to Arrow) and of the noise alone in the same run."""
    del events
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "catalog.toml").write_text(CATALOG)
        with duckdb.connect(str(folder / "keys.duckdb")) as connection:
            connection.execute(DATA)
        with engine.open_session(str(folder / "catalog.toml"), ledger=str(folder / "l")) as session:
            rows = [_timed(session, asked, min(runs, 3)) for asked in ASKED]
    table(("keys", "shown", "end to end s", "noise alone s", "ratio"), rows)


def _timed(session: engine.Session, asked: Asked, runs: int) -> tuple[str, int, float, float, float]:
    """Query as ever new clients, each after the noise alone; medians of both and of their ratio."""
    shown, pairs = 0, []
    for run in range(runs + 1):
        terms = {"client": f"bench{run}", "rho": f"{asked.rho}000{run}"}  # no run is a repeat of another
        session.explain(asked.sql, **terms)
        alone = _noise_alone(asked.drawn)
        start = time.perf_counter()
        shown = session.query(asked.sql, **terms).num_rows
        pairs.append((time.perf_counter() - start, alone))
    ratio = statistics.median(whole / alone for whole, alone in pairs[1:])
    whole, alone = (statistics.median(column) for column in zip(*pairs[1:], strict=True))
    return asked.keys, shown, whole, alone, ratio


def _noise_alone(count: int) -> float:
    scale = gaussian_scale(4, int(Fraction("0.1") * 10**12))
    start = time.perf_counter()
    add_noise(np.zeros(count, dtype=np.int64), 4, scale, 10**11)
    return time.perf_counter() - start
