"""Apache Spark through Spark Connect: people's rows lie in a lake, and only bounded SQL is sent there.

A question carries all that it reads: the lake's tables by name or path, and public rows beside the text. Nothing is
left in the session, so that a new one answers as the old one did (`engine/backends/proofs.md#backends`).
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
from engine.backends.spark.frames import ReadAs, frame, kind, read_as
from engine.backends.spark.session import Sessions
from engine.errors import ExecutionFailed

FILES = "SELECT '{0}' AS n, count(*) AS files, bit_xor(xxhash64(path, length, modificationTime)) AS said FROM {{0}}"
PLAIN = ("parquet", "orc")  # formats of files alone: all that lies in them counts
_WIDER = {pa.uint8(): pa.int64(), pa.uint16(): pa.int64(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20, 0)}


class SparkLake:
    """The tables of one lake, and a session that is made anew when it was lost."""

    def __init__(
        self, remote: str, sources: Mapping[str, Source], persons: Mapping[str, str], seconds: float = 600
    ) -> None:
        """Name the places of tables, and the columns of some that are read as the BIGINT of the same bits."""
        self.sessions = Sessions(remote)
        self._sources, self._persons, self._seconds = sources, persons, seconds
        self._read_as: dict[str, ReadAs] = {}  # of these, since they were tried
        self._opened: dict[str, object] = {}  # what each table was stored in
        self._numbers = itertools.count()

    def gather(self, text: str, rows: Mapping[str, pa.Table]) -> pa.Table:
        """Run SQL whose places in braces are the lake's tables and the rows that are handed.

        Claim: what is given was made of the files that were opened. Symbols: their number, and a hash of their names,
        sizes and times. Formula: the same after as when they were opened. Source:
        engine/backends/proofs.md#same-files. Raises
        ExecutionFailed.
        """
        with _constant_words() as kinds:
            read = {name: source for name, source in self._sources.items() if f"{{{name}}}" in text}
            with self.sessions.entered() as session:
                opened = self._as_opened(session, read)
                named: dict[str, Any] = {n: _handed(session, table) for n, table in rows.items() if f"{{{n}}}" in text}
                named |= {name: self._rows(session, name) for name in read}
                with self._within_time(session):
                    gathered = session.sql(text, **named).toArrow()
                    if _stored(session, read) == opened:
                        return gathered
        raise ExecutionFailed(*kinds)

    def stored(self) -> Mapping[str, object]:
        """Say of each table what it is stored in, as it was met first; raises ExecutionFailed."""
        with _constant_words() as kinds, self.sessions.entered() as session:
            return self._as_opened(session, self._sources)
        raise ExecutionFailed(*kinds)

    def types(self, table: str) -> Mapping[str, str]:
        """Give the columns of a table, in lower case, and what they are stored as; raises ExecutionFailed."""
        with _constant_words() as kinds:
            source = self._sources[table]
            with self.sessions.entered() as session:
                self._as_opened(session, {table: source})
                return {field.name.lower(): kind(field) for field in frame(session, source).schema.fields}
        raise ExecutionFailed(*kinds)

    def is_stored(self, table: str) -> bool:
        """Tell whether a table's rows lie in files, and are not made when they are read; raises ExecutionFailed."""
        with _constant_words() as kinds:
            source = self._sources[table]
            if source.format != "spark":
                return True
            with self.sessions.entered() as session:
                return _is_table(session, source.path)
        raise ExecutionFailed(*kinds)

    def tells_changes(self, table: str) -> bool:
        """Tell whether a table's files are others whenever its rows are; raises ExecutionFailed.

        So it is where nothing beside the files says which of their rows count, as deletion vectors and snapshots do.
        """
        with _constant_words() as kinds:
            source = self._sources[table]
            if source.format != "spark":
                return True
            with self.sessions.entered() as session:
                return _provider(session, source.path) in PLAIN
        raise ExecutionFailed(*kinds)

    def try_persons(self, table: str) -> None:
        """Find how the persons of a table are read, by reading them; raises ExecutionFailed."""
        with _constant_words() as kinds:
            if table in self._persons:
                with self.sessions.entered() as session, self._within_time(session):
                    self._read_as[table] = read_as(session, self._sources[table], self._persons[table])
            return
        raise ExecutionFailed(*kinds)

    def close(self) -> None:
        """Let go of its sessions."""
        self.sessions.close()

    def _as_opened(self, session: SparkSession, sources: Mapping[str, Source]) -> Mapping[str, object]:
        """Say what tables were stored in when they were met first, which is when the lake is opened."""
        new = {name: source for name, source in sources.items() if name not in self._opened}
        for name, stored in _stored(session, new).items():
            self._opened.setdefault(name, stored)
        return {name: self._opened[name] for name in sources}

    def _rows(self, session: SparkSession, name: str) -> Any:  # noqa: ANN401  Spark's own types differ by version
        source = self._sources[name]
        return self._read_as[name].frame(session, source) if name in self._persons else frame(session, source)

    @contextmanager
    def _within_time(self, session: SparkSession) -> Iterator[None]:
        """Interrupt what takes too long, on the cluster too."""
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
def _constant_words() -> Iterator[list[str]]:
    """Let no error of the client or of Spark come out, nor be the context of another: any of them may quote a value.

    The name of its class is given, for the log.
    """
    kinds = list[str]()
    try:
        yield kinds
    except Exception as failure:
        kinds.append(type(failure).__name__)


def _is_table(session: SparkSession, path: str) -> bool:
    """Tell a table from views of any kind."""
    found = session.catalog.getTable(path)
    return found.tableType in ("MANAGED", "EXTERNAL") and not found.isTemporary


def _provider(session: SparkSession, path: str) -> str:
    """Name the format that a table is kept in, in lower case."""
    told = session.sql("DESCRIBE TABLE EXTENDED IDENTIFIER(:table)", args={"table": path}).toArrow().to_pylist()
    return next((str(row["data_type"]).lower() for row in told if row["col_name"] == "Provider"), "")


def _stored(session: SparkSession, sources: Mapping[str, Source]) -> Mapping[str, object]:
    """Say what tables are stored in: the files of folders by name, size and time, those of Spark's tables by name."""
    tables = {name: source.path for name, source in sources.items() if source.format == "spark"}
    said: dict[str, object] = {
        name: (_is_table(session, path), sorted(session.table(path).inputFiles())) for name, path in tables.items()
    }
    folders: dict[str, Any] = {name: _listed(session, sources[name].path) for name in sources if name not in tables}
    if folders:
        rows = session.sql(" UNION ALL ".join(FILES.replace("{0}", name) for name in folders), **folders).toArrow()
        said |= {name: told for name, *told in zip(*rows.to_pydict().values(), strict=True)}
    return said


def _listed(session: SparkSession, path: str) -> Any:  # noqa: ANN401  as above
    """List files, also those in folders below; their content is not read."""
    return session.read.format("binaryFile").option("recursiveFileLookup", "true").load(path)


def _handed(session: SparkSession, table: pa.Table) -> Any:  # noqa: ANN401  as above
    """Send rows along; unsigned integers, which Spark has not, as wider ones."""
    columns: list[Any] = [column.cast(_WIDER.get(column.type, column.type)) for column in table.columns]
    plain = pa.table(columns, names=table.column_names)
    schema = None if plain.num_rows else from_arrow_schema(plain.schema)  # nothing can be told of no rows
    return session.createDataFrame(plain, schema)
