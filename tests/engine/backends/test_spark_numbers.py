"""Integers in Spark: an unsigned person is one BIGINT, however it is stored, and sums are exact.

Who objects is found at both ends of what persons are.
"""

from __future__ import annotations

from contextlib import closing
from importlib import import_module
from itertools import combinations_with_replacement
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql.connect.functions import expr

from dialect import Catalog
from dialect.algebra.release_plan import MAX_PARTIAL_GRAINS
from dialect.catalog.model import EngineName, Source
from dialect.codegen import stored_rows
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from dialect.codegen.stored_rows import same_bits_datasets
from engine.backends.spark import frames as spark_frames
from engine.backends.spark.backend import SparkLake
from engine.catalog.file import load_catalog
from engine.data.checks import lake as lake_checks
from engine.errors import ExecutionFailed
from tests.conftest import NIGHTLY
from tests.support.spark.on_lake import Both, same, session_of, truncate_unhashed
from tests.support.spark.spark_cluster import Cluster

render = import_module("dialect.codegen.partials")
LAST = 2**64 - 1
ENDS = (0, 1, 2**63 - 1, 2**63, 2**63 + 1, LAST)
PARTS = (0, 1, -3, 46_341, 2**16, 2**30, -(2**30) - 1, MAX_PARTIAL_GRAINS - 1, MAX_PARTIAL_GRAINS, -MAX_PARTIAL_GRAINS)
PRIVATE = ("who", "act", "item")
CATALOG = """
format = 1
name = "bits"
[datasets.bits]
window = "forever"
[datasets.bits.budget]
rho = 1.0
delta = 1e-9

[tables.who]
dataset = "bits"
kind = "private"
source = {{ duckdb = "bits.duckdb", table = "who" }}
person = "pid"
primary_key = ["pid"]
consent = {{ column = "consent", admitted = ["yes"] }}
size_class = "1e1"
norms = {{ rows = 1, persons = 1 }}
[tables.who.columns]
pid = {{ type = "UBIGINT", nullable = false }}
gender = {{ type = "VARCHAR", values = ["f", "m"] }}
consent = {{ type = "VARCHAR", visible = false }}

[tables.act]
dataset = "bits"
kind = "private"
source = {{ duckdb = "bits.duckdb", table = "act" }}
person = "pid"
primary_key = ["aid"]
max_rows_per_person = 50
size_class = "1e2"
norms = {{ rows = 5, persons = 2 }}
[tables.act.columns]
pid = {{ type = "{of_acts}" }}
aid = {{ type = "UBIGINT", nullable = false }}
zone = {{ type = "VARCHAR", values = ["a", "b", "c"] }}
steps = {{ type = "INTEGER", bounds = [0, 1000] }}

[tables.item]
dataset = "bits"
kind = "private"
source = {{ duckdb = "bits.duckdb", table = "item" }}
person = {{ through = ["aid -> act"], column = "pid" }}
max_rows_per_person = 50
size_class = "1e2"
norms = {{ rows = 5, persons = 2 }}
[tables.item.columns]
aid = {{ type = "UBIGINT" }}
price = {{ type = "INTEGER", bounds = [0, 20] }}
"""
ROWS = """
CREATE SCHEMA everybody;
CREATE TABLE everybody.who AS SELECT CAST(p AS UBIGINT) AS pid, ['f', 'm'][1 + CAST(p % 2 AS INTEGER)] AS gender,
       CASE WHEN p = 1 THEN 'no' ELSE 'yes' END AS consent FROM (VALUES {who}) AS t(p);
CREATE TABLE everybody.act AS SELECT CAST(p AS {of_acts}) AS pid, CAST(row_number() OVER (ORDER BY p, i) AS UBIGINT) AS aid,
       ['a', 'b', 'c'][1 + i * i % 3] AS zone, CAST(i * 7 % 40 AS INTEGER) AS steps
       FROM (VALUES {act}, (NULL)) AS t(p) CROSS JOIN range(CASE WHEN p % 3 = 0 THEN 30 ELSE 4 END) AS r(i);
CREATE TABLE everybody.item AS SELECT aid, CAST(aid % 7 AS INTEGER) AS price FROM everybody.act;
"""
QUESTIONS = (
    "SELECT zone, COUNT(*), COUNT(DISTINCT pid), SUM(steps) FROM act GROUP BY zone",
    "SELECT w.gender, COUNT(*), COUNT(DISTINCT a.pid) FROM act a JOIN who w USING (pid) GROUP BY 1",
    "SELECT n, COUNT(*) FROM (SELECT pid, COUNT(*) AS n FROM act GROUP BY 1) WHERE n BETWEEN 1 AND 40 GROUP BY n",
    "SELECT COUNT(*), SUM(price) FROM item",
    "SELECT zone, COUNT(DISTINCT steps) FROM act GROUP BY zone",
    "SELECT COUNT(*) FROM act WHERE pid IN (SELECT pid FROM who WHERE gender = 'm')",
    "SELECT COUNT(*) FROM (SELECT pid FROM act UNION SELECT pid FROM who)",
    "SELECT COUNT(*) FROM act a FULL JOIN who w ON a.pid = w.pid",
)
JOINED = (QUESTIONS[1], QUESTIONS[-1])  # where persons of two tables meet
OBJECTED = pa.table({"person": ["0", str(2**63), str(LAST), "-1", "-9223372036854775807", "nobody"]})


def declared(folder: Path, of_acts: str = "UBIGINT") -> Catalog:
    (folder / "bits.toml").write_text(CATALOG.format(of_acts=of_acts))
    return load_catalog(folder / "bits.toml")


def opened(folder: Path, remote: str, of_acts: str = "UBIGINT", persons: tuple[int, ...] = ENDS) -> Both:
    connection = duckdb.connect()
    who, act = (", ".join(f"(CAST('{p}' AS HUGEINT))" for p in each) for each in (ENDS, persons))
    connection.execute(ROWS.format(who=who, act=act, of_acts=of_acts))
    return Both(connection, declared(folder, of_acts), "everybody", PRIVATE, folder / "lake", remote)


@pytest.mark.parametrize("kind", ["UBIGINT", "DECIMAL(20, 0)", "BIGINT", "UINTEGER", "TINYINT"])
@pytest.mark.parametrize("of_spark", [False, True])
def test_a_person_is_one_bigint(kind: str, of_spark: bool, cluster: Cluster, tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        values = ", ".join(f"(TRY_CAST(CAST('{p}' AS HUGEINT) AS {kind}))" for p in (-1, *ENDS))
        connection.execute(f"CREATE TABLE t AS FROM (VALUES {values}) AS t(pid)")
        held = [p for (p,) in connection.execute("FROM t").fetchall()]
        connection.execute(f"COPY t TO '{tmp_path / 't.parquet'}'")
    source, name = Source("parquet", str(tmp_path)), f"stored_{abs(hash(kind))}"
    lake = SparkLake(cluster.remote, {"t": Source("spark", name) if of_spark else source}, {"t": "pid"})
    session_of(lake).sql(f"CREATE TABLE IF NOT EXISTS {name} USING parquet LOCATION '{tmp_path}'")
    lake.detect_person_types("t")
    assert (lake._read_as["t"].schema is not None) == (kind == "UBIGINT" and not of_spark)
    given = lake.gather("SELECT pid FROM {t}", {})
    lake.close()
    wanted = [None if p is None or p < 0 else int(p) if p < 2**63 else int(p) - 2**64 for p in held]
    assert given.schema.field("pid").type == pa.int64()
    assert sorted(given["pid"].to_pylist(), key=str) == sorted(wanted, key=str)


def test_the_trial_of_persons_reads_dictionary_encoded_rows(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "SELECT CAST(if(r < 2048, r, 7) AS UBIGINT) AS pid FROM range(4096) t(r)"
    duckdb.execute(f"COPY ({rows}) TO '{tmp_path / 't.parquet'}' (ROW_GROUP_SIZE 2048)")
    stored = duckdb.sql(f"SELECT encodings FROM parquet_metadata('{tmp_path / 't.parquet'}')").fetchall()
    assert stored == [("PLAIN",), ("PLAIN_DICTIONARY",)]
    lake, many = (
        SparkLake(cluster.remote, {"t": Source("parquet", str(tmp_path))}, {"t": "pid"}),
        "SELECT max(pid) AS n FROM {t}",
    )
    lake.detect_person_types("t")
    assert lake._read_as["t"].expression is not None
    assert lake.gather(many, {}).to_pylist() == [{"n": 2047}]
    monkeypatch.setattr(spark_frames, "expr", lambda _: expr("count(*)"))  # meets no number
    lake.detect_person_types("t")
    assert lake._read_as["t"].schema is not None
    with pytest.raises(ExecutionFailed):
        lake.gather(many, {})
    lake.close()


def test_exact_integers_are_duckdbs_for_any_objections(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate_unhashed(monkeypatch)
    with closing(opened(tmp_path, cluster.remote)) as both:
        assert both.lake.target.lake is not None and both.lake.target.lake.same_bits_datasets == {"bits"}
        read = both.lake.lake._read_as  # type: ignore[attr-defined]
        assert read["table_who"].schema is not None and read["table_act"].expression is not None, (
            "both ways meet in a join"
        )
        for sql in QUESTIONS if NIGHTLY else (*QUESTIONS[:4], *QUESTIONS[5:]):
            pairs = both.run(sql, OBJECTED)
            assert pairs and all(same(*pair) for pair in pairs), sql
            assert any(vector.any() for one, _ in pairs for vector in one.vectors)
        objections = render.objectors_to_broadcast
        monkeypatch.setattr(render, "objectors_to_broadcast", lambda admission, *_: objections(admission))
        assert not all(same(*pair) for pair in both.run(QUESTIONS[0], OBJECTED)), "not seen"


def test_persons_of_two_types_stay_what_they_are(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate_unhashed(monkeypatch)
    persons = (-1, -(2**63), 0, 1, 2**63 - 1)  # of the same bits as others of the other table
    (tmp_path / "wrong").mkdir()
    with closing(opened(tmp_path, cluster.remote, "BIGINT", persons)) as both:
        assert both.lake.target.lake is not None and not both.lake.target.lake.same_bits_datasets
        for sql in (*QUESTIONS[:3], QUESTIONS[-1]) if NIGHTLY else JOINED:
            assert all(same(*pair) for pair in both.run(sql, OBJECTED)), sql
    monkeypatch.setattr(lake_checks, "same_bits_datasets", lambda catalog: frozenset({"bits"}))
    monkeypatch.setitem(stored_rows.SAME_BITS_FORMS, "bigint", "CAST({0} AS BIGINT)")
    with closing(opened(tmp_path / "wrong", cluster.remote, "BIGINT", persons)) as taken:
        assert not all(same(*pair) for pair in taken.run(QUESTIONS[1])), "not seen"


def test_bigint_persons_require_all_person_columns_to_be_unsigned(tmp_path: Path) -> None:
    assert same_bits_datasets(declared(tmp_path)) == {"bits"}
    assert same_bits_datasets(declared(tmp_path, "BIGINT")) == frozenset()
    through = CATALOG.replace('["aid -> act"]', '["buyer -> who"]').replace(
        "price =", 'buyer = {{ type = "UBIGINT" }}\nprice ='
    )
    (tmp_path / "bits.toml").write_text(through.format(of_acts="UBIGINT"))
    assert same_bits_datasets(load_catalog(tmp_path / "bits.toml")) == frozenset()


def test_squares_are_added_exactly_and_a_planted_sum_of_64_bits_is_seen(cluster: Cluster) -> None:
    groups = list(combinations_with_replacement(PARTS, 4))
    rows = [(place, number) for place, numbers in enumerate(groups) for number in numbers]
    handed = {"rows": pa.table({"g": [g for g, _ in rows], "v": [v for _, v in rows]})}
    lake, form = SparkLake(cluster.remote, {}, {}), ENGINE_DIALECTS[EngineName.SPARK].sum_of_squares.format("v")
    given = lake.gather(f"SELECT g, {form} AS n, count(v) AS v FROM {{rows}} GROUP BY g", handed).to_pylist()
    assert {row["g"]: int(row["n"]) for row in given} == {g: sum(v * v for v in groups[g]) for g in range(len(groups))}
    with pytest.raises(ExecutionFailed):
        lake.gather("SELECT g, sum(v * v) AS n FROM {rows} GROUP BY g", handed)
    lake.close()
