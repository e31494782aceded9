"""How a lake's persons are read: determined by a trial when it is opened, and by one kind of failure alone."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql.types import ByteType, DecimalType, LongType, StructField, StructType

from dialect import Catalog, Target
from dialect.catalog.model import Source
from engine.backends.lake import LakeBackend
from engine.backends.spark import frames as spark_frames
from engine.backends.spark.backend import SparkLake
from engine.backends.spark.frames import DICTIONARY_UNSUPPORTED, TYPE_MISMATCH, detect_person_reader
from engine.catalog.file import load_catalog
from engine.data.checks.lake import check_lake
from engine.errors import DataError, ExecutionFailed
from tests.support.greybox.greybox import InMemory

SOURCE = Source("parquet", "/lake/who")
CATALOG = """
format = 1
name = "bits"
backend = "spark"
remote = "sc://nowhere"
[datasets.bits]
window = "forever"
[datasets.bits.budget]
rho = 1.0
delta = 1e-9
"""
TABLE = """
[tables.{name}]
dataset = "bits"
kind = "private"
source = {{ parquet = "/lake/{name}" }}
person = "pid"
primary_key = ["pid"]
size_class = "1e1"
norms = {{ rows = 1, persons = 1 }}
[tables.{name}.columns]
pid = {{ type = "UBIGINT", nullable = false }}
"""


class Lost(PySparkException):
    """Spark's client lost its cluster, or found something that it names."""

    def __init__(self, condition: str | None = None) -> None:
        super().__init__("a value", errorClass="CONNECT", messageParameters={})
        self.condition = condition

    def getCondition(self) -> str | None:  # noqa: N802  Spark's name
        return self.condition


class MadeUp:
    """A session whose Parquet has persons of one type, and whose reading as another ends as given."""

    def __init__(self, stored: object, failure: Exception | None = None) -> None:
        self.stored, self.failure, self.asked = stored, failure, list[StructType]()
        self.read = self

    def schema(self, asked: StructType) -> MadeUp:
        self.asked.append(asked)
        return self

    def parquet(self, path: str) -> Any:
        fields = [StructField("PID", self.stored), StructField("n", ByteType(), False)]  # type: ignore[arg-type]
        rows = SimpleNamespace(schema=StructType(fields), toArrow=self._arrow)
        rows.agg = lambda *_: rows
        return rows

    def _arrow(self) -> None:
        if self.failure is not None:
            raise self.failure


def test_stored_bits_of_persons_are_read_directly() -> None:
    session = MadeUp(DecimalType(20, 0))
    found = detect_person_reader(session, SOURCE, "pid")  # type: ignore[arg-type]
    assert found.expression is None
    assert found.schema == StructType([StructField("PID", LongType()), StructField("n", ByteType(), False)])
    assert session.asked == [found.schema]


@pytest.mark.parametrize("failure", [Lost(TYPE_MISMATCH), PySparkException(f"Job aborted: {DICTIONARY_UNSUPPORTED}")])
def test_a_number_is_computed_where_they_are_stored_otherwise(failure: Exception) -> None:
    found = detect_person_reader(MadeUp(DecimalType(20, 0), failure), SOURCE, "pid")  # type: ignore[arg-type]
    assert found.schema is None and found.expression is not None and "`pid`" in found.expression


@pytest.mark.parametrize("failure", [Lost("FAILED_READ_FILE.NO_HINT"), Lost(), AnalysisException("gone"), OSError()])
def test_no_other_failure_changes_how_persons_are_read(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    session = MadeUp(DecimalType(20, 0), failure)
    with pytest.raises(type(failure)):
        detect_person_reader(session, SOURCE, "pid")  # type: ignore[arg-type]
    lake = SparkLake("sc://nowhere", {"who": SOURCE}, {"who": "pid"})
    monkeypatch.setattr(lake.sessions, "entered", lambda: nullcontext(session))
    monkeypatch.setattr(lake, "_within_time", lambda _: nullcontext())
    with pytest.raises(ExecutionFailed) as failed:
        lake.detect_person_types("who")
    assert failed.value.kind == type(failure).__name__ and not lake._read_as
    if failure.__class__ is Lost:
        monkeypatch.setattr(spark_frames, "TYPE_MISMATCH", failure.getCondition())
        lake.detect_person_types("who")
        assert lake._read_as["who"].expression is not None, "not seen"


class RecordedLake:
    """A lake that is as declared, and records its calls; the trial of one table may fail."""

    def __init__(self, fails: str = "") -> None:
        self.fails, self.tried = fails, list[str]()

    def gather(self, text: str, rows: object) -> pa.Table:
        assert self.tried, "rows are read before it is known how"
        return pa.table({"one": []})

    def stored_types(self, table: str) -> dict[str, str]:
        return {"pid": "decimal(20,0)"}

    def is_stored_table(self, table: str) -> bool:
        return True

    def detect_person_types(self, table: str) -> None:
        if table == self.fails:
            raise ExecutionFailed("Lost")
        self.tried.append(table)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    (tmp_path / "bits.toml").write_text(CATALOG + TABLE.format(name="who") + TABLE.format(name="act"))
    return load_catalog(tmp_path / "bits.toml")


def over(lake: RecordedLake) -> LakeBackend:
    return LakeBackend(Target({}), InMemory(Target({}), duckdb.connect(), ()), lake)


def test_each_table_is_tried_when_a_lake_is_opened(catalog: Catalog) -> None:
    lake = RecordedLake()
    check_lake(catalog, over(lake))
    assert lake.tried == ["table_who", "table_act"]


def test_a_lake_where_it_fails_does_not_open(catalog: Catalog) -> None:
    with pytest.raises(DataError, match="act: the lake does not answer"):
        check_lake(catalog, over(RecordedLake("table_act")))


def test_an_untried_table_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lake, session = SparkLake("sc://nowhere", {"who": SOURCE}, {"who": "pid"}), MadeUp(DecimalType(20, 0))
    monkeypatch.setattr(lake.sessions, "entered", lambda: nullcontext(session))
    monkeypatch.setattr(lake, "_opened_fingerprints", lambda *_: {})
    with pytest.raises(ExecutionFailed) as failed:
        lake.gather("SELECT count(*) FROM {who}", {})
    assert failed.value.kind == "KeyError"
