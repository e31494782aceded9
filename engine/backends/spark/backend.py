"""Apache Spark through Spark Connect: private rows are stored in a lake, and only bounded SQL is sent there.

A query carries everything that it reads: the lake's tables by name or path, and public rows next to the text. Nothing
is left in the session, so that a new one answers as the old one did (`engine/backends/proofs.md#backends`).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from dialect.catalog import Source
from engine.backends.spark.frames import PersonKeyReader, declared_type, detect_person_reader, frame
from engine.backends.spark.session import Sessions
from engine.errors import ExecutionFailed

FINGERPRINT_SQL = (
    "SELECT '{0}' AS n, count(*) AS files, bit_xor(xxhash64(path, length, modificationTime)) AS file_hash FROM {{0}}"
)
PLAIN_FORMATS = ("parquet", "orc")  # formats in which every row of every file is valid
_SIGNED_TYPES = {
    pa.uint8(): pa.int64(),
    pa.uint16(): pa.int64(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
}


class SparkLake:
    """Tables of one lake, with a session that is recreated when lost."""

    def __init__(
        self, remote: str, sources: Mapping[str, Source], persons: Mapping[str, str], seconds: float = 600
    ) -> None:
        """Set where tables are stored, and which person columns are read as the BIGINT of the same bits."""
        self.sessions = Sessions(remote)
        self._sources, self._persons, self._seconds = sources, persons, seconds
        self._read_as: dict[str, PersonKeyReader] = {}  # person key conversions, determined by `detect_person_types`
        self._fingerprints: dict[str, object] = {}  # storage fingerprint of each table when it was first opened
        self._numbers = itertools.count()

    def gather(self, text: str, rows: Mapping[str, pa.Table]) -> pa.Table:
        """Run SQL with placeholders for the lake's tables and for the rows sent along.

        Claim: the result was computed from the files that were opened. Symbols: their number, and a hash of their
        names, sizes and times. Formula: the same after as when they were opened. Source:
        engine/backends/proofs.md#same-files. Raises ExecutionFailed.
        """
        with _hiding_errors() as kinds:
            sources_read = {name: source for name, source in self._sources.items() if f"{{{name}}}" in text}
            with self.sessions.entered() as session:
                fingerprints = self._opened_fingerprints(session, sources_read)
                named: dict[str, Any] = {
                    n: _broadcast(session, table) for n, table in rows.items() if f"{{{n}}}" in text
                }
                named |= {name: self._rows(session, name) for name in sources_read}
                with self._within_time(session):
                    gathered = session.sql(text, **named).toArrow()
                    if _fingerprints(session, sources_read) == fingerprints:
                        return gathered
        raise ExecutionFailed(*kinds)

    def storage_fingerprints(self) -> Mapping[str, object]:
        """Fingerprint of each table's storage when it was first opened. Raises ExecutionFailed."""
        with _hiding_errors() as kinds, self.sessions.entered() as session:
            return self._opened_fingerprints(session, self._sources)
        raise ExecutionFailed(*kinds)

    def stored_types(self, table: str) -> Mapping[str, str]:
        """Return the stored type of each column of a table, by lower-case name. Raises ExecutionFailed."""
        with _hiding_errors() as kinds:
            source = self._sources[table]
            with self.sessions.entered() as session:
                self._opened_fingerprints(session, {table: source})
                return {field.name.lower(): declared_type(field) for field in frame(session, source).schema.fields}
        raise ExecutionFailed(*kinds)

    def is_stored_table(self, table: str) -> bool:
        """Check that a table's rows are stored in files, and not computed by a view. Raises ExecutionFailed."""
        with _hiding_errors() as kinds:
            source = self._sources[table]
            if source.format != "spark":
                return True
            with self.sessions.entered() as session:
                return _is_table(session, source.path)
        raise ExecutionFailed(*kinds)

    def files_reflect_changes(self, table: str) -> bool:
        """Check that a table's file list changes whenever its rows do. Raises ExecutionFailed.

        That holds for plain formats: none of their metadata marks rows as deleted, as deletion vectors and snapshots
        do.
        """
        with _hiding_errors() as kinds:
            source = self._sources[table]
            if source.format != "spark":
                return True
            with self.sessions.entered() as session:
                return _table_format(session, source.path) in PLAIN_FORMATS
        raise ExecutionFailed(*kinds)

    def detect_person_types(self, table: str) -> None:
        """Determine how the person keys of a table are read, by reading them. Raises ExecutionFailed."""
        with _hiding_errors() as kinds:
            if table in self._persons:
                with self.sessions.entered() as session, self._within_time(session):
                    self._read_as[table] = detect_person_reader(session, self._sources[table], self._persons[table])
            return
        raise ExecutionFailed(*kinds)

    def close(self) -> None:
        """Close its sessions."""
        self.sessions.close()

    def _opened_fingerprints(self, session: SparkSession, sources: Mapping[str, Source]) -> Mapping[str, object]:
        """Fingerprints of tables when they were first opened."""
        new = {name: source for name, source in sources.items() if name not in self._fingerprints}
        for name, fingerprint in _fingerprints(session, new).items():
            self._fingerprints.setdefault(name, fingerprint)
        return {name: self._fingerprints[name] for name in sources}

    def _rows(self, session: SparkSession, name: str) -> Any:  # noqa: ANN401  Spark's own types differ by version
        source = self._sources[name]
        return self._read_as[name].frame(session, source) if name in self._persons else frame(session, source)

    @contextmanager
    def _within_time(self, session: SparkSession) -> Iterator[None]:
        """Interrupt a statement at its time limit, on the cluster too."""
        tag = f"passersby{next(self._numbers)}"
        timer = threading.Timer(self._seconds, session.interruptTag, (tag,))
        timer.daemon = True
        session.addTag(tag)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            session.removeTag(tag)


@contextmanager
def _hiding_errors() -> Iterator[list[str]]:
    """Suppress every exception of Spark and its client, also as context: any of them may quote a value.

    The class names are collected, for the log.
    """
    kinds = list[str]()
    try:
        yield kinds
    except Exception as failure:
        kinds.append(type(failure).__name__)


def _is_table(session: SparkSession, path: str) -> bool:
    """Check that a name is a table and not any kind of view."""
    found = session.catalog.getTable(path)
    return found.tableType in ("MANAGED", "EXTERNAL") and not found.isTemporary


def _table_format(session: SparkSession, path: str) -> str:
    """Storage format of a table, in lower case."""
    rows = session.sql("DESCRIBE TABLE EXTENDED IDENTIFIER(:table)", args={"table": path}).toArrow().to_pylist()
    return next((str(row["data_type"]).lower() for row in rows if row["col_name"] == "Provider"), "")


def _fingerprints(session: SparkSession, sources: Mapping[str, Source]) -> Mapping[str, object]:
    """Fingerprint the storage of tables: folders by file names, sizes and times, Spark tables by file names."""
    tables = {name: source.path for name, source in sources.items() if source.format == "spark"}
    fingerprints: dict[str, object] = {
        name: (_is_table(session, path), sorted(session.table(path).inputFiles())) for name, path in tables.items()
    }
    folders: dict[str, Any] = {name: _list_files(session, sources[name].path) for name in sources if name not in tables}
    if folders:
        rows = session.sql(
            " UNION ALL ".join(FINGERPRINT_SQL.replace("{0}", name) for name in folders), **folders
        ).toArrow()
        fingerprints |= {name: fingerprint for name, *fingerprint in zip(*rows.to_pydict().values(), strict=True)}
    return fingerprints


def _list_files(session: SparkSession, path: str) -> Any:  # noqa: ANN401  as above
    """List files, also in subfolders; their content is not read."""
    return session.read.format("binaryFile").option("recursiveFileLookup", "true").load(path)


def _broadcast(session: SparkSession, table: pa.Table) -> Any:  # noqa: ANN401  as above
    """Broadcast a local table; unsigned integers, which Spark lacks, become wider ones."""
    columns: list[Any] = [column.cast(_SIGNED_TYPES.get(column.type, column.type)) for column in table.columns]
    plain = pa.table(columns, names=table.column_names)
    schema = None if plain.num_rows else from_arrow_schema(plain.schema)  # Spark can't infer a schema without rows
    return session.createDataFrame(plain, schema)
