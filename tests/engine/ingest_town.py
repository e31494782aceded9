"""The windowed town with its visits in a folder of Parquet files, and files of new visits."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import duckdb
import pyarrow as pa

from dialect import Catalog, compile_query
from engine.catalog.file import load_catalog
from engine.data.open_data import open_data
from engine.pricing.compile_release import compile_release
from tests.engine.town import make_town
from tests.engine.windowed_town import WINDOWED

VISITS = 3000
DECLARED = WINDOWED.replace(
    'source = { duckdb = "town.duckdb", table = "visit" }', 'source = { parquet = "visits/*.parquet" }'
).replace('values_of = "zone.zone", nullable = false', 'values_of = "zone.zone", nullable = false, complete = true')
HEADER = "visit_id,person_id,zone,minutes,coins,shop,day"
GOOD = ("5001,1,z1,10.5,2,shop 1,2026-10-04", "5002,2,z2,,3,shop 2,2026-10-04", "5003,3,z1,7,1,shop 9,2026-10-03")
SECRET = "8675309"  # a value of refused rows: nobody is shown it
BAD = {
    "person_id is no BIGINT": f"5101,no{SECRET},z1,1,1,a,2026-10-04",
    "minutes is no DOUBLE": f"5102,1,z1,m{SECRET},1,a,2026-10-04",
    "coins is no INTEGER": f"5103,1,z1,1,{SECRET}0000,a,2026-10-04",
    "visit_id is NULL": f",1,z1,1,1,{SECRET},2026-10-04",
    "day is NULL": f"5104,1,z1,1,1,{SECRET},",
    "day is out of range": f"5105,1,z1,1,1,{SECRET},2026-10-05",
    "zone is not in its list": f"5106,1,z{SECRET},1,1,a,2026-10-04",
    "the primary key is there already": f"17,1,z1,1,1,{SECRET},2026-10-04",
    "the primary key names several new rows": f"5107,1,z1,1,1,{SECRET},2026-10-04\n5107,2,z1,1,1,b,2026-10-04",
}


def make(folder: Path) -> Path:
    """Make the town, and give its catalog file."""
    make_town(folder, declared=DECLARED)
    (folder / "visits").mkdir()
    with duckdb.connect(str(folder / "town.duckdb")) as connection:
        for half in (0, 1):
            rows = f"SELECT *, 1 AS beside FROM visit WHERE visit_id % 2 = {half}"
            connection.execute(f"COPY ({rows}) TO '{folder}/visits/visits-{half}.parquet' (FORMAT parquet)")
    return folder / "catalog.toml"


def new_file(path: Path, *lines: str) -> str:
    """Write new visits as CSV."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return str(path)


def visits(catalog: Catalog, cache: Path) -> int:
    """Count the visits of admitted people exactly, as a question does before its noise."""
    with closing(open_data(catalog, cache, lambda *_: None)) as backend:
        (plan,) = compile_query("SELECT count(*) AS n FROM visit", catalog).plans
        made = compile_release(plan, catalog, backend, Fraction(1, 10))
        return int(backend.run(made.sql, pa.table({"person": pa.array([], pa.string())})).vectors[0].sum())


def state(where: Path, cache: Path) -> tuple[int, str]:
    """Number of visits that a query counts, and the version of the data."""
    catalog = load_catalog(where)
    return visits(catalog, cache), catalog.datasets_by_name["town"].full_data_version
