"""What noise costs in time: 10,000 private keys, and a million public ones end to end."""

from __future__ import annotations

import tempfile
import time
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np

import engine
from engine.noise import add_noise, gaussian_scale
from tests.bench.machine import table

CATALOG = """
format = 1
name = "keys"
[datasets.keys]
window = "forever"
data_version = 1
[datasets.keys.budget]
rho = 1
delta = 1e-6
[tables.rows]
dataset = "keys"
kind = "private"
source = { duckdb = "keys.duckdb", table = "rows" }
person = "person"
size_class = "1e6"
max_groups_per_person = 16
[tables.rows.norms]
rows = 4
persons = 4
[tables.rows.columns]
person = { type = "INTEGER", nullable = false }
public_key = { type = "INTEGER", nullable = false, range = [1, 1000000] }
private_key = { type = "INTEGER", nullable = false }
"""
PRIVATE = "SELECT private_key, count(DISTINCT person) AS people FROM rows GROUP BY 1"
PUBLIC = "SELECT public_key, count(*) AS n FROM rows GROUP BY 1"


def main(events: int, runs: int) -> None:
    """Print seconds end to end beside the noise's own."""
    del events, runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "catalog.toml").write_text(CATALOG)
        with duckdb.connect(str(folder / "keys.duckdb")) as connection:
            # 100,000 people, 10 rows each; every one of 10,000 private keys has about 100 people
            connection.execute(
                "CREATE TABLE rows AS SELECT (i // 10)::INTEGER AS person,"
                " (i * 7919 % 1000000 + 1)::INTEGER AS public_key, (i * 31 % 10000)::INTEGER AS private_key"
                " FROM range(1000000) AS r(i)"
            )
        with engine.open_desk(str(folder / "catalog.toml"), ledger=str(folder / "l")) as desk:
            rows = [_timed(desk, "private keys", PRIVATE), _timed(desk, "public keys", PUBLIC)]
    table(("keys", "shown", "end to end s", "one vector's noise alone s"), rows)


def _timed(desk: engine.Desk, name: str, sql: str) -> tuple[str, int, float, float]:
    desk.explain(sql, client="bench", rho="0.1")
    start = time.perf_counter()
    shown = desk.query(sql, client="bench", rho="0.1").num_rows
    seconds = time.perf_counter() - start
    count = 10_000 if name.startswith("private") else 1_000_000
    scale = gaussian_scale(4, int(Fraction("0.1") * 10**12))
    start = time.perf_counter()
    add_noise(np.zeros(count, dtype=np.int64), 4, scale, 10**11)
    return f"{count:,} {name}", shown, seconds, time.perf_counter() - start
