"""Sessions of a lake: recreated and configured when lost, closed when the last query has left them."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from pyspark.sql.connect.client.core import DefaultChannelBuilder
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.session import SparkSession

TOKEN_VARIABLE = "PASSERSBY_SPARK_TOKEN"  # noqa: S105  the environment variable's name
# settings that total forms rely on: https://spark.apache.org/docs/latest/configuration.html#runtime-sql-configuration
SETTINGS: Mapping[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.decimalOperations.allowPrecisionLoss": "true",
    "spark.sql.groupByOrdinal": "true",
    "spark.sql.variable.substitute": "false",
    "spark.sql.parser.escapedStringLiterals": "false",  # literals would have another meaning
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.files.ignoreCorruptFiles": "false",  # rows would be missing silently
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.execution.arrow.useLargeVarTypes": "false",
    # no row group is skipped by statistics over many people's rows (engine/backends/proofs.md#unread-rows)
    "spark.sql.parquet.filterPushdown": "false",
    "spark.sql.orc.filterPushdown": "false",
    "spark.sql.inMemoryColumnarStorage.partitionPruning": "false",  # for tables cached in memory
    "spark.sql.parquet.aggregatePushdown": "false",
    "spark.sql.orc.aggregatePushdown": "false",
    "spark.sql.optimizer.metadataOnly": "false",  # partition folders without rows would be groups
    # dates are read as written, or by the file's own metadata; else one person's date in 1500 raises an error
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.avro.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.mergeSchema": "false",
    "spark.sql.parquet.enableVectorizedReader": "true",  # gives type mismatches an error class of their own
    "spark.sql.caseSensitive": "false",  # as the catalog names columns
    "spark.sql.ansi.doubleQuotedIdentifiers": "false",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",  # else TIMESTAMP in an expression would be another type
    "spark.sql.icu.caseMappings.enabled": "true",  # defines upper and lower case
}
LEGACY_PREFIX = "spark.sql.legacy."  # behaviour of older versions: no total form relies on it
MAX_RETRIES = 5  # of one message, within half a minute; a longer outage needs a new query

logging.getLogger("SQLQueryContextLogger").disabled = True  # it would log Spark's errors, which quote values


class Sessions:
    """The current session, and those it replaced, each until its last query has left it."""

    def __init__(self, remote: str) -> None:
        """Set the address of Spark Connect; the first query connects."""
        self._remote = remote
        self._current: SparkSession | None = None
        self._use_counts = Counter[SparkSession]()  # running queries of each session, plus one for the current session
        self._connect_lock = threading.Lock()  # held while the cluster is contacted, half a minute if it is unreachable
        self._count_lock = threading.Lock()  # held briefly, so that leaving a session never waits for a cluster

    @contextmanager
    def entered(self) -> Iterator[SparkSession]:
        """Enter a configured session, which stays open until this query leaves it. Raises what Spark's client does."""
        session = self._enter()
        try:
            yield session
        finally:
            self._leave(session)

    def close(self) -> None:
        """Close all sessions, cancelling what runs in them."""
        with self._connect_lock, self._count_lock:
            left, self._current = [*self._use_counts], None
            self._use_counts.clear()
        for session in left:
            _stop(session)

    def _enter(self) -> SparkSession:
        lost = None
        with self._connect_lock:
            session = self._current
            if session is None or not _is_configured(session):
                lost, session = session, _connect(self._remote)
                self._add_use(session)
                self._current = session
            self._add_use(session)
        if lost is not None:
            self._leave(lost)
        return session

    def _add_use(self, session: SparkSession) -> None:
        with self._count_lock:
            self._use_counts[session] += 1

    def _leave(self, session: SparkSession) -> None:
        with self._count_lock:
            self._use_counts[session] -= 1
            last = self._use_counts[session] == 0
            if self._use_counts[session] <= 0:  # negative after close()
                del self._use_counts[session]
        if last:
            _stop(session)


class _Connection(DefaultChannelBuilder):
    """Builder of a session's channel that keeps the channel."""

    channel: Any = None

    def toChannel(self) -> Any:  # noqa: N802, ANN401  Spark's client calls it so, and gRPC has no types
        """Build the channel."""
        self.channel = super().toChannel()
        return self.channel


class _Session(SparkSession):
    """Session that shuts down nothing of another's, when it ends or is freed.

    Spark's own shuts down threads that all sessions of a process share. The garbage collector may free it while
    another session hands work to these, which then deadlocks.
    """

    def __init__(self, connection: _Connection) -> None:
        super().__init__(connection=connection)
        self._connection = connection

    def stop(self) -> None:
        """End the session on the cluster, and close its channel."""
        try:
            self.client.release_session()
        finally:
            self._connection.channel.close()

    def __del__(self) -> None:
        """Do nothing: `stop` has closed what belongs to this session."""


def _connect(remote: str) -> SparkSession:
    """Create a session with the settings that total forms rely on; raises if they can't be set.

    Proof: `engine/backends/proofs.md#unread-rows`.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    address = f"{remote.rstrip('/;')}{'/;' if '/;' not in remote else ';'}token={token}" if token else remote
    # without shared connections: those to a lost driver stay closed for a while after it is back
    session = _Session(_Connection(address, channelOptions=[("grpc.use_local_subchannel_pool", 1)]))
    session.client.set_retry_policies([DefaultPolicy(max_retries=MAX_RETRIES)])
    for name in [
        name for name in session.conf.getAll if name.startswith(LEGACY_PREFIX) and session.conf.isModifiable(name)
    ]:
        session.conf.unset(name)
    for name, value in SETTINGS.items():
        session.conf.set(name, value)
    return session


def _is_configured(session: SparkSession) -> bool:
    """Check that a session is alive and has its settings."""
    with suppress(Exception):
        return session.client.get_config_dict(*SETTINGS) == SETTINGS  # in one message
    return False


def _stop(session: SparkSession) -> None:
    """End a session; a lost one has ended already."""
    with suppress(Exception):
        session.stop()
