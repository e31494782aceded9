"""Spark data frames of a lake's tables, with unsigned person keys read as the BIGINT of the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql.connect.functions import expr
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from dialect.catalog import Source
from dialect.codegen import SAME_BITS_FORMS, SPARK_UNSIGNED_TYPE
from dialect.functions import quote_spark_identifier

# https://spark.apache.org/docs/latest/sql-error-conditions.html#failed_read_file
TYPE_MISMATCH = "FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH"
DICTIONARY_UNSUPPORTED = "java.lang.UnsupportedOperationException"  # raised by ParquetDictionary without an error class


@dataclass(frozen=True)
class PersonKeyReader:
    """How the person keys of a table are read: by a schema, by an expression, or unchanged if not integers."""

    person: str
    schema: StructType | None = None
    expression: str | None = None

    def frame(self, session: SparkSession, source: Source) -> Any:  # noqa: ANN401  Spark's own types differ by version
        """Read the table with its person keys converted."""
        if self.schema is not None:
            return session.read.schema(self.schema).parquet(source.path)
        rows = frame(session, source)
        return rows if self.expression is None else rows.withColumn(self.person, expr(self.expression))


def frame(session: SparkSession, source: Source) -> Any:  # noqa: ANN401  as above
    """Read a table as it is stored."""
    return session.table(source.path) if source.format == "spark" else session.read.parquet(source.path)


def detect_person_reader(session: SparkSession, source: Source, person: str) -> PersonKeyReader:
    """Determine how person keys are read as the BIGINT of the same bits (dialect/codegen/proofs.md#same-bits).

    Parquet stores an unsigned number as these bits, which is what Spark reads where a BIGINT is requested. It does not
    do so for decimals that are stored as decimals, nor for dictionary-encoded values: for these, and for Spark's own
    tables, the number is computed. Any part of any file may have a dictionary, so all are read. Every other exception
    is raised.
    """
    schema = frame(session, source).schema
    kinds = {field.name: declared_type(field) for field in schema.fields if field.name.lower() == person}
    if source.format != "spark" and SPARK_UNSIGNED_TYPE in kinds.values():
        fields = [StructField(f.name, LongType() if f.name in kinds else f.dataType, f.nullable) for f in schema.fields]
        as_bits = PersonKeyReader(person, StructType(fields))
        try:
            # reads every row
            as_bits.frame(session, source).agg(expr(f"max({quote_spark_identifier(person)})")).toArrow()
        except PySparkException as failure:
            if failure.getCondition() != TYPE_MISMATCH and DICTIONARY_UNSUPPORTED not in str(failure):
                raise
        else:
            return as_bits
    expression = next((SAME_BITS_FORMS.get(each) for each in kinds.values()), None)
    return PersonKeyReader(
        person, expression=None if expression is None else expression.replace("{0}", quote_spark_identifier(person))
    )


def declared_type(field: Any) -> str:  # noqa: ANN401  as above
    """Name of a column's type; CHAR and VARCHAR, which Spark reports as STRING, by their declared type."""
    char_type = str(field.metadata.get("__CHAR_VARCHAR_TYPE_STRING", ""))
    return char_type if "char(" in char_type.replace("varchar(", "") else str(field.dataType.simpleString())
