"""Server tables beside the ledger: hashes of keys and of sessions, jobs, shares, alerts; durable when a call returns.

A file of its own beside a ledger file, for its owner alone; tables of its own in the database of a ledger that several
servers share. Neither holds data: jobs keep questions, and answers that were released.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Table,
    Text,
    UniqueConstraint,
    case,
    delete,
    func,
    insert,
    select,
    update,
)

from budgets.stores import Store, insert_new, open_store

metadata = MetaData()

keys = Table(
    "server_keys",
    metadata,
    Column("id", Text, primary_key=True),  # shown in lists; no secret
    Column("hash", LargeBinary, nullable=False, unique=True),  # HMAC-SHA-256 of the key
    *(Column(name, Text, nullable=False) for name in ("name", "role", "made_at", "made_by", "expires_at")),
    Column("revoked_at", Text),
    Column("follows", Text),  # the key in whose place it was made
)
jobs = Table(
    "server_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("client", "request_id", "body", "state", "made_at")),
    Column("ended_at", Text),
    Column("problem", Text),  # JSON, where it was refused
    Column("rows", LargeBinary),  # the answer as an Arrow IPC stream
    UniqueConstraint("client", "request_id"),
)
sessions = Table(
    "server_sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # HMAC-SHA-256 of the cookie
    Column("key_id", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
)

forms = Table(
    "server_forms",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # HMAC-SHA-256 of a form's token: it was sent
    Column("expires_at", Text, nullable=False),
)
shares = Table(
    "server_shares",
    metadata,
    Column("id", Text, primary_key=True),  # who has it may see what was asked, and pay for the numbers
    *(
        Column(name, Text, nullable=False)
        for name in ("client", "question", "keys", "dataset", "made_at", "expires_at")
    ),
)
alerts = Table(
    "server_alerts",
    metadata,
    Column("about", Text, primary_key=True),  # which mark of which account under which cap
    Column("channel", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("said", "made_at", "due_at")),
    Column("tries", Integer, nullable=False),
    Column("sent_at", Text),
    Column("problem", Text),  # the kind of the last failure
)


MEMORY = ":memory:"
Row = RowMapping | dict[str, Any]


class Books:
    """Keys and jobs of one server, or of several that share a ledger."""

    def __init__(self, store: Store, folder: Path | None = None) -> None:
        """Keep them in a store, which is a file of a folder or lies elsewhere."""
        self._store, self.folder = store, folder

    @classmethod
    def beside(cls, ledger: str) -> Books:
        """Open the books beside a ledger; made where there are none. Raises LedgerUnavailable, UnsafeStore."""
        apart = ledger != MEMORY and "://" not in ledger
        folder = Path(ledger).absolute().parent if apart else None
        return cls(open_store(f"{ledger}.server" if apart else ledger, _prepared), folder)

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def add_key(self, row: Row, maker: str) -> bool:
        """Write a key's row where the key with which it is made lives still; tell whether it does. "" is none."""
        with self._store.writing() as connection:  # one writer at a time: the maker's is not taken back between the two
            if not _may_make(connection, maker, row):
                return False
            connection.execute(insert(keys), [dict(row)])
            return True

    def add_first(self, row: Row, *, again: bool) -> list[Row] | None:
        """Write the row of a role's first key; where one lives, only `again`. Give those taken back; None: not written.

        One writer at a time: no key of the role is made between the two, and a crash leaves both or neither.
        """
        living = keys.c.role == row["role"], keys.c.revoked_at.is_(None), keys.c.expires_at > row["made_at"]
        with self._store.writing() as connection:
            found = list[Row](connection.execute(select(keys).where(*living).order_by(keys.c.made_at)).mappings())
            if found and not again:
                return None
            connection.execute(update(keys).where(*living).values(revoked_at=row["made_at"]))
            connection.execute(insert(keys), [dict(row)])
            return found

    def key(self, **by: str | bytes) -> Row | None:
        """Find the key of some id, or of a hash."""
        wanted = select(keys).where(*(keys.c[name] == value for name, value in by.items()))
        with self._store.reading() as connection:
            return connection.execute(wanted).mappings().one_or_none()

    def all_keys(self) -> list[Row]:
        """List every key, the oldest first."""
        with self._store.reading() as connection:
            return list[Row](connection.execute(select(keys).order_by(keys.c.made_at, keys.c.id)).mappings())

    def follow_key(self, row: Row, ends: str, maker: str) -> bool:
        """Write the row of a key that follows another, which ends then at the latest; tell whether both lived.

        Both are that other and the key with which it is made; "" is none.
        """
        sooner = case((keys.c.expires_at < ends, keys.c.expires_at), else_=ends)
        lives = _lived(row["follows"], row)
        with self._store.writing() as connection:  # one writer at a time: it is not taken back between the two
            if not _may_make(connection, maker, row):
                return False
            if not connection.execute(update(keys).where(*lives).values(expires_at=sooner)).rowcount:
                return False
            connection.execute(insert(keys), [dict(row)])
            return True

    def revoke_key(self, key_id: str, now: str) -> None:
        """Take back a key and all that follow it, at once."""
        gone = select(keys.c.id).where(keys.c.id == key_id).cte("gone", recursive=True)
        gone = gone.union(select(keys.c.id).where(keys.c.follows == gone.c.id))
        since = func.coalesce(keys.c.revoked_at, now)
        with self._store.writing() as connection:
            connection.execute(update(keys).where(keys.c.id.in_(select(gone.c.id))).values(revoked_at=since))

    def add_session(self, digest: bytes, key_id: str, expires_at: str, now: str) -> None:
        """Write a session down, and forget those that have ended."""
        with self._store.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            connection.execute(insert(sessions), [{"hash": digest, "key_id": key_id, "expires_at": expires_at}])

    def session_key(self, digest: bytes, now: str) -> str | None:
        """Find whose key began a session that has not ended."""
        wanted = select(sessions.c.key_id).where(sessions.c.hash == digest, sessions.c.expires_at > now)
        with self._store.reading() as connection:
            found: str | None = connection.execute(wanted).scalar_one_or_none()
            return found

    def end_session(self, digest: bytes) -> None:
        """Forget a session."""
        with self._store.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.hash == digest))

    def take_form(self, digest: bytes, expires_at: str, now: str) -> bool:
        """Take a form that was sent, and forget those that have ended; tell whether it was not sent before."""
        with self._store.writing() as connection:
            connection.execute(delete(forms).where(forms.c.expires_at <= now))
            return insert_new(connection, forms, {"hash": digest, "expires_at": expires_at})

    def add_job(self, row: Row, *, beside: Sequence[str] = (), most: int | None = None) -> bool:
        """Write a job's row where none of its request id is there; tell whether one is there now.

        None is where `most` of the client's are in the states `beside`, counted in the same step: others write.
        """
        own, same = jobs.c.client == row["client"], jobs.c.request_id == row["request_id"]
        with self._store.writing() as connection:
            among = connection.execute(select(func.count()).where(own, jobs.c.state.in_(beside))).scalar_one()
            if most is None or among < most:
                insert_new(connection, jobs, dict(row))
            return connection.execute(select(jobs.c.id).where(own, same)).first() is not None

    def job(self, **by: str) -> Row | None:
        """Find the job of some id, or of a client's request id."""
        wanted = select(jobs).where(*(jobs.c[name] == value for name, value in by.items()))
        with self._store.reading() as connection:
            return connection.execute(wanted).mappings().one_or_none()

    def forget_jobs(self, before: str) -> None:
        """Delete jobs that ended before a moment, and their answers."""
        with self._store.writing() as connection:
            connection.execute(delete(jobs).where(jobs.c.ended_at < before))

    def jobs_in(self, *states: str, client: str | None = None) -> list[Row]:
        """List jobs in some states, the oldest first; without their answers."""
        columns = [column for column in jobs.c if column.name != "rows"]
        wanted = select(*columns).where(jobs.c.state.in_(states)).order_by(jobs.c.made_at)
        with self._store.reading() as connection:
            found = connection.execute(wanted if client is None else wanted.where(jobs.c.client == client))
            return list[Row](found.mappings())

    def add_share(self, row: Row, now: str) -> None:
        """Write a share's row, and forget those that have ended."""
        with self._store.writing() as connection:
            connection.execute(delete(shares).where(shares.c.expires_at <= now))
            connection.execute(insert(shares), [dict(row)])

    def shares_of(self, now: str, **by: str) -> list[Row]:
        """List shares of some id or client that have not ended, the oldest first."""
        named = (shares.c[name] == value for name, value in by.items())
        wanted = select(shares).where(shares.c.expires_at > now, *named).order_by(shares.c.made_at)
        with self._store.reading() as connection:
            return list[Row](connection.execute(wanted).mappings())

    def end_share(self, share_id: str) -> None:
        """Forget a share."""
        with self._store.writing() as connection:
            connection.execute(delete(shares).where(shares.c.id == share_id))

    def add_alerts(self, rows: Sequence[Row]) -> None:
        """Write rows of alerts, but for those of a mark and channel that is there: none is told twice."""
        if rows:
            with self._store.writing() as connection:
                for row in rows:
                    insert_new(connection, alerts, dict(row))

    def due_alerts(self, now: str, tries: int) -> list[Row]:
        """List alerts that are to be sent now and were tried less often than so."""
        open_, due = alerts.c.sent_at.is_(None), alerts.c.due_at <= now
        with self._store.reading() as connection:
            return list[Row](connection.execute(select(alerts).where(open_, due, alerts.c.tries < tries)).mappings())

    def all_alerts(self) -> list[Row]:
        """List every alert, the newest first."""
        with self._store.reading() as connection:
            return list[Row](connection.execute(select(alerts).order_by(alerts.c.made_at.desc())).mappings())

    def change_alert(self, row: Row, **changes: str | int | None) -> bool:
        """Change an alert that is still as it was read; tell whether it was."""
        named = (alerts.c[name] == row[name] for name in ("about", "channel", "tries"))
        with self._store.writing() as connection:
            return bool(connection.execute(update(alerts).where(*named).values(**changes)).rowcount)

    def change_job(self, job_id: str, *, only_in: tuple[str, ...], **changes: str | bytes | None) -> bool:
        """Change a job that is in one of some states; tell whether it was."""
        wanted = update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(only_in)).values(**changes)
        with self._store.writing() as connection:
            return bool(connection.execute(wanted).rowcount)


def now_text() -> str:
    """Give the moment, as rows write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def later_text(**span: float) -> str:
    """Give a moment so much later."""
    return (datetime.now(UTC) + timedelta(**span)).isoformat(timespec="milliseconds")


def _lived(key_id: str, row: Row) -> tuple[ColumnElement[bool], ...]:
    """Say that the key of an id lived when the key of a row was made."""
    return keys.c.id == key_id, keys.c.revoked_at.is_(None), keys.c.expires_at > row["made_at"]


def _may_make(connection: Connection, maker: str, row: Row) -> bool:
    """Tell whether the key lives with which another is made; who has none is known by other means."""
    return not maker or connection.execute(select(keys.c.id).where(*_lived(maker, row))).first() is not None


def _prepared(store: Store) -> Store:
    """Make the tables where there are none, or close the store."""
    try:
        with store.writing() as connection:
            metadata.create_all(connection)
    except BaseException:
        store.close()
        raise
    return store
