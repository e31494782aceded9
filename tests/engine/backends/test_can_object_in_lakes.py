"""Of a lake, too, nobody is read whose key no objection can hold: Spark takes the very texts that the register takes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from dialect.catalog.model import EngineName, SqlType
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from engine.backends.duckdb import DuckDBBackend
from engine.backends.lake import LakeBackend
from engine.catalog.file import load_catalog
from engine.data.objections import normalize_person
from engine.data.open_data import open_data
from engine.data.snapshot import open_snapshot
from tests.engine.data.test_can_object import COUNTS, KEYS, READ, make_keys
from tests.support.spark.lake import as_lake
from tests.support.spark.on_lake import both, same, session_of
from tests.support.spark.spark_cluster import Cluster

QUIET = lambda stage, part: None  # noqa: E731
BROKEN = "CAST(unhex('61FF') AS STRING)"  # bytes that are no UTF-8
CAN_OBJECT = ENGINE_DIALECTS[EngineName.SPARK].is_objectable


def _both(folder: Path, cluster: Cluster) -> tuple[list[int], list[int]]:
    """Count the persons of each place on both engines, and say what Spark finds of single texts."""
    town = load_catalog(Path(make_keys(folder / "keys", KEYS, "parquet")))
    made = open_snapshot(town, folder / "cache", QUIET)
    duck = DuckDBBackend.open(made.files, made.addresses, folder / "cache")
    (folder / "lake").mkdir()
    lake = as_lake(town, folder / "lake", cluster.remote, made.files, made.addresses)
    backend = open_data(lake, folder / "cache", QUIET)
    assert isinstance(backend, LakeBackend)
    try:
        for sql in COUNTS[:3]:
            assert all(same(*pair) for pair in both(sql, (town, duck), (lake, backend)))
        ((of_duck, of_spark),) = both(COUNTS[0], (town, duck), (lake, backend))
        session = session_of(backend.lake)
        for key in KEYS:
            (row,) = session.sql(f"SELECT {CAN_OBJECT.format(':k')} AS taken", args={"k": key}).collect()
            assert row.taken == (normalize_person(key, SqlType.VARCHAR) is not None), repr(key[:20])
        (broken,) = session.sql(f"SELECT {CAN_OBJECT.format(BROKEN)} AS taken").collect()
        assert not broken.taken
    finally:
        backend.close()
        duck.close()
    counted = [[int(n > 0) for n in exact.vectors[0].tolist()] for exact in (of_duck, of_spark)]  # in grains
    return counted[0], counted[1]


def test_a_lake_reads_only_persons_whom_the_register_accepts(tmp_path: Path, cluster: Cluster) -> None:
    of_duck, of_spark = _both(tmp_path, cluster)
    assert of_spark == of_duck == [int(key in READ) for key in KEYS]


def test_a_lake_that_reads_everybody_is_found(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("dialect.codegen.relations.relation"), "_objectable_predicates", lambda *_: [])
    of_duck, of_spark = _both(tmp_path, cluster)
    assert sum(of_spark) == sum(of_duck) == len(KEYS) > len(READ)
