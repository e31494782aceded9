"""Everything below a release point is a function of persons' row multisets: threads and row order change nothing.

A crowd of rows fills several row groups, so that threads have something to share, and its doubles are such that no two
orders of adding them agree. Bounds are the declared ones, and they bind: norms, L0 and R.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest

from dialect import Target, compile_query
from dialect.catalog import OPT_OUT_TABLE
from dialect.catalog.model import Catalog
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import Exact
from engine.backends.lockdown import LOCKDOWN_SETTINGS
from engine.backends.scratch import Scratch
from engine.catalog.file import load_catalog
from engine.pricing import compile_release as compile_release_module
from engine.pricing.compile_release import compile_release
from tests.support.sql import planted_codegen
from tests.support.sql.oracle import same
from tests.support.sql.passes import passes

ROWS = 260_000  # more than two row groups
FEW = 2_000
SHUFFLES = 10_000 if os.environ.get("PASSERSBY_NIGHTLY") else 40
TRIES = 20  # one comes out the same by chance: few persons' doubles add up to nearly zero
TABLES = """
CREATE TABLE act AS
SELECT hash(i) % {persons} AS pid, ['0.1', '0.2', '0.3', '-0.6', '0.7', '-0.7'][1 + i % 6]::DOUBLE AS x,
       hash(i, 1) % 5 AS tied, 'k' || hash(i, 2) % 900 AS word, hash(i, 3) % 40 AS place,
       TIMESTAMP '2026-10-01' + to_seconds(CAST(hash(i, 4) % 86400 AS BIGINT)) AS t
FROM range({rows}) AS r(i);
CREATE TABLE who AS SELECT i AS pid, 'g' || i % 3 AS g, i % 7 > 0 AS consent FROM range({persons}) AS r(i);
"""
CATALOG = """
format = 1
name = "crowd"
[datasets.crowd]
window = "forever"
[datasets.crowd.budget]
rho = 1.0
delta = 1e-9
[tables.act]
dataset = "crowd"
kind = "private"
source = { duckdb = "crowd.duckdb", table = "act" }
person = "pid"
max_rows_per_person = 12
max_groups_per_person = 9
size_class = "1e5"
norms = { rows = 30, persons = 3 }
[tables.act.columns]
pid = { type = "UBIGINT", nullable = false }
x = { type = "DOUBLE", bounds = [-1, 1] }
tied = { type = "UBIGINT", range = [0, 4] }
word = { type = "VARCHAR" }
place = { type = "UBIGINT", range = [0, 39] }
t = { type = "TIMESTAMP" }
[tables.who]
dataset = "crowd"
kind = "private"
source = { duckdb = "crowd.duckdb", table = "who" }
person = "pid"
primary_key = ["pid"]
size_class = "1e3"
norms = { rows = 1, persons = 1 }
consent = { column = "consent", admitted = [true] }
[tables.who.columns]
pid = { type = "BIGINT", nullable = false }
g = { type = "VARCHAR", values = ["g0", "g1", "g2"] }
consent = { type = "BOOLEAN" }
"""
PER_PERSON = "(SELECT pid, {0} FROM act GROUP BY pid)"
QUESTIONS = {
    "scaled sums of doubles": "SELECT place, COUNT(*), SUM(x), AVG(x), COUNT(DISTINCT pid) FROM act GROUP BY place",
    "a person's sum of doubles in WHERE": f"SELECT COUNT(*) FROM {PER_PERSON.format('SUM(x) AS s')} WHERE s > 0",
    "a person's mean of doubles as a key": f"SELECT m > 0.0000001 AS up, COUNT(*) FROM {PER_PERSON.format('AVG(x) AS m')} GROUP BY up",
    "a sum of persons' sums": f"SELECT SUM(LEAST(GREATEST(s, -9), 9)) FROM {PER_PERSON.format('SUM(x) AS s')}",
    "the first of many that tie": f"SELECT first, COUNT(*) FROM {PER_PERSON.format('arg_min(place, tied) AS first')} GROUP BY first",
    "the last of many that tie": f"SELECT AVG(LEAST(GREATEST(last, 0), 39)) FROM {PER_PERSON.format('arg_max(place, tied) AS last')}",
    "private keys, L0 of each person": "SELECT word, COUNT(*), SUM(x) FROM act GROUP BY word",
    "rows cut before a join": "SELECT a.place, COUNT(*) FROM act a JOIN act b ON a.pid = b.pid AND a.t < b.t GROUP BY a.place",
    "rows cut before a left join": "SELECT COUNT(*), SUM(b.x) FROM act a LEFT JOIN act b ON a.pid = b.pid AND a.place = b.place AND a.t < b.t",
    "persons' words joined to persons": "SELECT g, SUM(x), COUNT(*) FROM act JOIN who USING (pid) GROUP BY g",
    "the place of rows that tie": "SELECT place, COUNT(*) FROM (SELECT place, row_number() OVER (PARTITION BY pid ORDER BY tied) AS n FROM act) WHERE n <= 2 GROUP BY place",
    "the row before one that ties": "SELECT before, COUNT(*) FROM (SELECT lag(place) OVER (PARTITION BY pid ORDER BY tied DESC) AS before FROM act) GROUP BY before",
    "two orders of rows that are alike": "SELECT COUNT(*) FROM (SELECT row_number() OVER (PARTITION BY pid ORDER BY tied) AS n, row_number() OVER (PARTITION BY pid ORDER BY x DESC) AS m FROM (SELECT pid, tied, x FROM act)) WHERE n = m",
    "a running sum of doubles": "SELECT COUNT(*) FROM (SELECT sum(x) OVER (PARTITION BY pid ORDER BY t) AS s FROM act) WHERE s > 0",
    "the last of peers": "SELECT last, COUNT(*) FROM (SELECT last_value(place) OVER (PARTITION BY pid ORDER BY tied) AS last FROM act) GROUP BY last",
    "windows over a person's groups": "SELECT n, COUNT(*) FROM (SELECT place, row_number() OVER (PARTITION BY pid ORDER BY COUNT(*)) AS n FROM act GROUP BY pid, place) WHERE place < 5 AND n < 30 GROUP BY n",
    "different places of a person": "SELECT place, COUNT(*) FROM (SELECT DISTINCT pid, place, tied FROM act) GROUP BY place",
}
IN_FIXED_POINT = r"CAST\(sum\(TRY_CAST\(round\((\w+) \* \d+\) AS BIGINT\)\) AS DOUBLE\) / \d+"
IN_TOTAL_ORDER = r"struct_extract\(min\(struct_pack\(o := (\w+), h := .*?, v := (\w+)\)\) FILTER \(WHERE [^)]*\), 'v'\)"
BY_HASH = r"(PARTITION BY \w+) ORDER BY .*?\) AS row_rank"
PLANTED = {
    "doubles are added as they come": (
        "a person's sum of doubles in WHERE",
        planted_codegen.text(r"sum(\1)", IN_FIXED_POINT),
    ),
    "the first that comes wins a tie": (
        "the first of many that tie",
        planted_codegen.text(r"arg_min(\2, \1)", IN_TOTAL_ORDER),
    ),
    "the first R rows are kept": ("rows cut before a join", planted_codegen.text(r"\1) AS row_rank", BY_HASH)),
    "the first L0 keys are kept": (
        "private keys, L0 of each person",
        planted_codegen.text(r"\1) AS row_rank", BY_HASH),
    ),
}


@dataclass(frozen=True)
class Crowd:
    """One database in memory whose rows can be put into any order."""

    catalog: Catalog
    connection: duckdb.DuckDBPyConnection
    backend: DuckDBBackend

    def shuffle(self, number: int) -> None:
        """Put the rows of act into another order."""
        self.connection.execute(f"CREATE OR REPLACE TABLE act AS FROM act ORDER BY hash(rowid + {number} * 7919)")

    def run(self, sql: str, threads: int) -> tuple[Exact, ...]:
        """Exact integers of a query under the declared bounds."""
        self.connection.execute(f"SET threads = {threads}")
        made = (
            compile_release(plan, self.catalog, self.backend, Fraction(1, 100))
            for plan in compile_query(sql, self.catalog).plans
        )
        return tuple(exact for each in made for _, exact in passes(each, self.backend))


def _crowd(folder: Path, rows: int) -> Crowd:
    (folder / "catalog.toml").write_text(CATALOG, encoding="utf-8")
    connection = duckdb.connect(config={**LOCKDOWN_SETTINGS, "threads": 2, "memory_limit": "2GB"})
    connection.execute(TABLES.format(rows=rows, persons=max(20, rows // 200)))
    connection.execute(f"CREATE TABLE {OPT_OUT_TABLE} (person VARCHAR); SET TimeZone='UTC'")
    target = Target({"act": "memory.main.act", "who": "memory.main.who"})
    backend = DuckDBBackend(target, connection, Scratch(folder))
    return Crowd(load_catalog(folder / "catalog.toml"), connection, backend)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """Make the crowd once; tests leave it in another order."""
    made = _crowd(tmp_path_factory.mktemp("crowd"), ROWS)
    yield made
    made.backend.close()


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """Make a crowd small enough to be shuffled often."""
    made = _crowd(tmp_path_factory.mktemp("few"), FEW)
    yield made
    made.backend.close()


def _moved(crowd: Crowd, sql: str) -> bool:
    """Do threads or row order change an exact integer or a key?"""
    first = crowd.run(sql, 1)
    if not all(same(first, crowd.run(sql, threads)) for threads in (2, 4)):
        return True
    for number, threads in ((1, 4), (2, 2)):
        crowd.shuffle(number)
        if not same(first, crowd.run(sql, threads)):
            return True
    return False


@pytest.mark.parametrize("title", QUESTIONS)
def test_threads_and_row_order_change_no_exact_integer(title: str, crowd: Crowd) -> None:
    assert not _moved(crowd, QUESTIONS[title])


@pytest.mark.parametrize(
    "title", ["scaled sums of doubles", "a sum of persons' sums", "private keys, L0 of each person"]
)
def test_no_shuffle_changes_an_exact_integer(title: str, few: Crowd) -> None:
    first = few.run(QUESTIONS[title], 1)
    for number in range(SHUFFLES):
        few.shuffle(number)
        assert same(first, few.run(QUESTIONS[title], 1 + number % 4)), f"shuffle {number}"


@pytest.mark.parametrize("bug", PLANTED)
def test_a_dependence_on_row_order_is_found(bug: str, crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    title, spoiling = PLANTED[bug]
    planted_codegen.plant_change(compile_release_module, spoiling)(monkeypatch)
    assert any(_moved(crowd, QUESTIONS[title]) for _ in range(TRIES))
