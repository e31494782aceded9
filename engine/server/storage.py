"""The server's own tables: hashes of keys and sessions, jobs, shares, alerts. Writes are durable when a call returns.

For a ledger file they are in a separate file next to it, readable by its owner only; for a ledger in a database, which
several servers may share, in tables of that database. They hold no private data: jobs contain queries, and answers
that were released.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from budgets.stores import Store, insert_new, open_store

metadata = sa.MetaData()

keys = sa.Table(
    "server_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # shown in lists; no secret
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),  # HMAC-SHA-256 of the key
    *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "role", "made_at", "made_by", "expires_at")),
    sa.Column("revoked_at", sa.Text),
    sa.Column("follows", sa.Text),  # id of the predecessor
)
jobs = sa.Table(
    "server_jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("client", "request_id", "body", "state", "made_at")),
    sa.Column("ended_at", sa.Text),
    sa.Column("problem", sa.Text),  # JSON of the refusal
    sa.Column("rows", sa.LargeBinary),  # the answer as an Arrow IPC stream
    sa.UniqueConstraint("client", "request_id"),
)
sessions = sa.Table(
    "server_sessions",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),  # HMAC-SHA-256 of the cookie
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Text, nullable=False),
)

forms = sa.Table(
    "server_forms",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),  # HMAC-SHA-256 of a submitted form's token
    sa.Column("expires_at", sa.Text, nullable=False),
)
shares = sa.Table(
    "server_shares",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # a capability: whoever has it may see the query and pay for its answer
    *(
        sa.Column(name, sa.Text, nullable=False)
        for name in ("client", "question", "keys", "dataset", "made_at", "expires_at")
    ),
)
alerts = sa.Table(
    "server_alerts",
    metadata,
    sa.Column("about", sa.Text, primary_key=True),  # JSON: threshold, account and cap
    sa.Column("channel", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("said", "made_at", "due_at")),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("sent_at", sa.Text),
    sa.Column("problem", sa.Text),  # class of the last failure
)


MEMORY = ":memory:"
Row = sa.RowMapping | dict[str, Any]


class ServerTables:
    """Tables of one server, or of several that share a ledger."""

    def __init__(self, store: Store, folder: Path | None = None) -> None:
        """Use a store; `folder` is where its file is, None for one that is no file."""
        self._store, self.folder = store, folder

    @classmethod
    def open_for(cls, ledger: str) -> ServerTables:
        """Open the tables that belong to a ledger, created if missing. Raises LedgerUnavailable, UnsafeStore."""
        has_own_file = ledger != MEMORY and "://" not in ledger
        folder = Path(ledger).absolute().parent if has_own_file else None
        return cls(open_store(f"{ledger}.server" if has_own_file else ledger, metadata.create_all), folder)

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def _rows(self, wanted: sa.Select[Any]) -> list[Row]:
        with self._store.reading() as connection:
            return list[Row](connection.execute(wanted).mappings())

    def _write(self, *statements: sa.Executable) -> bool:
        """Run statements in one transaction; return whether the last one changed a row."""
        with self._store.writing() as connection:
            return [bool(connection.execute(statement).rowcount) for statement in statements][-1]

    def add_key(self, row: Row, maker: str, ends_at: str | None = None) -> bool:
        """Insert a key, and return True, if the key that creates it, `maker`, is still valid. "" skips the check.

        A successor ends its predecessor by `ends_at` at the latest, which must still be valid, too.
        """
        with self._store.writing() as connection:  # single writer: neither key can be revoked in between
            if maker and connection.execute(sa.select(keys.c.id).where(*_was_valid(maker, row))).first() is None:
                return False
            if ends_at is not None:
                end = sa.case((keys.c.expires_at < ends_at, keys.c.expires_at), else_=ends_at)
                ended = sa.update(keys).where(*_was_valid(row["follows"], row)).values(expires_at=end)
                if not connection.execute(ended).rowcount:
                    return False
            connection.execute(sa.insert(keys), [dict(row)])
            return True

    def add_first_key(self, row: Row, *, again: bool) -> list[Row] | None:
        """Insert the first key of a role, and return the keys it revokes. None: one is valid and `again` is false.

        One transaction with a single writer: no key of the role can be added in between, and a crash leaves both
        changes or neither.
        """
        is_valid = keys.c.role == row["role"], keys.c.revoked_at.is_(None), keys.c.expires_at > row["made_at"]
        with self._store.writing() as connection:
            wanted = sa.select(keys).where(*is_valid).order_by(keys.c.made_at)
            valid_keys = list[Row](connection.execute(wanted).mappings())
            if valid_keys and not again:
                return None
            connection.execute(sa.update(keys).where(*is_valid).values(revoked_at=row["made_at"]))
            connection.execute(sa.insert(keys), [dict(row)])
            return valid_keys

    def key(self, **by: str | bytes) -> Row | None:
        """Find a key by id or by hash."""
        return next(iter(self._rows(_select(keys, by))), None)

    def all_keys(self) -> list[Row]:
        """List every key, oldest first."""
        return self._rows(sa.select(keys).order_by(keys.c.made_at, keys.c.id))

    def revoke_key(self, key_id: str, now: str) -> None:
        """Revoke a key and all its successors at once."""
        revoked = sa.select(keys.c.id).where(keys.c.id == key_id).cte("gone", recursive=True)
        revoked = revoked.union(sa.select(keys.c.id).where(keys.c.follows == revoked.c.id))
        revoked_at = sa.func.coalesce(keys.c.revoked_at, now)
        self._write(sa.update(keys).where(keys.c.id.in_(sa.select(revoked.c.id))).values(revoked_at=revoked_at))

    def add_session(self, digest: bytes, key_id: str, expires_at: str, now: str) -> None:
        """Insert a session, and delete expired ones."""
        row = {"hash": digest, "key_id": key_id, "expires_at": expires_at}
        self._write(_expired(sessions, now), sa.insert(sessions).values(row))

    def session_key(self, digest: bytes, now: str) -> str | None:
        """Id of the key that began a session; None if it has expired or is unknown."""
        found = self._rows(_select(sessions, {"hash": digest}).where(sessions.c.expires_at > now))
        return str(found[0]["key_id"]) if found else None

    def delete_session(self, digest: bytes) -> None:
        """End a console session at logout or expiry."""
        self._write(sa.delete(sessions).where(sessions.c.hash == digest))

    def record_form(self, digest: bytes, expires_at: str, now: str) -> bool:
        """Record a submitted form's token, and delete expired ones. Returns True for the first submission."""
        with self._store.writing() as connection:
            connection.execute(_expired(forms, now))
            return insert_new(connection, forms, {"hash": digest, "expires_at": expires_at})

    def add_job(self, row: Row, *, counted_states: Sequence[str] = (), max_count: int | None = None) -> bool:
        """Insert a job unless its request id exists. Returns whether a job of this request id exists now.

        Nothing is inserted where the client already has `max_count` jobs in the `counted_states`; counting and
        inserting are one transaction.
        """
        of_client, of_request = jobs.c.client == row["client"], jobs.c.request_id == row["request_id"]
        counted = sa.select(sa.func.count()).where(of_client, jobs.c.state.in_(counted_states))
        with self._store.writing() as connection:
            if max_count is None or connection.execute(counted).scalar_one() < max_count:
                insert_new(connection, jobs, dict(row))
            return connection.execute(sa.select(jobs.c.id).where(of_client, of_request)).first() is not None

    def job(self, **by: str) -> Row | None:
        """Find a job by id, or by client and request id."""
        return next(iter(self._rows(_select(jobs, by))), None)

    def delete_old_jobs(self, ended_before: str) -> None:
        """Delete jobs that ended before a moment, with their answers."""
        self._write(sa.delete(jobs).where(jobs.c.ended_at < ended_before))

    def jobs_in_states(self, *states: str, **by: str) -> list[Row]:
        """List jobs in the given states, of all clients or of one, oldest first, without their answers."""
        wanted = _select(jobs, by).where(jobs.c.state.in_(states)).order_by(jobs.c.made_at)
        return self._rows(wanted.with_only_columns(*(column for column in jobs.c if column.name != "rows")))

    def update_job(self, job_id: str, *, only_in: tuple[str, ...], **changes: str | bytes | None) -> bool:
        """Update a job that is in one of the given states; return whether it was."""
        return self._write(sa.update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(only_in)).values(**changes))

    def add_share(self, row: Row, now: str) -> None:
        """Insert a share, and delete expired ones."""
        self._write(_expired(shares, now), sa.insert(shares).values(dict(row)))

    def shares_of(self, now: str, **by: str) -> list[Row]:
        """List unexpired shares by id or client, oldest first."""
        return self._rows(_select(shares, by).where(shares.c.expires_at > now).order_by(shares.c.made_at))

    def delete_share(self, share_id: str) -> None:
        """End a share: its recipients can open the answer no more."""
        self._write(sa.delete(shares).where(shares.c.id == share_id))

    def add_alerts(self, rows: Sequence[Row]) -> None:
        """Insert alerts, except those whose threshold and channel were inserted before: none is sent twice."""
        if rows:
            with self._store.writing() as connection:
                for row in rows:
                    insert_new(connection, alerts, dict(row))

    def due_alerts(self, now: str, max_tries: int) -> list[Row]:
        """List unsent alerts that are due and have had fewer than `max_tries` attempts."""
        open_, due = alerts.c.sent_at.is_(None), alerts.c.due_at <= now
        return self._rows(sa.select(alerts).where(open_, due, alerts.c.tries < max_tries))

    def all_alerts(self) -> list[Row]:
        """List every alert, newest first."""
        return self._rows(sa.select(alerts).order_by(alerts.c.made_at.desc()))

    def update_alert(self, row: Row, **changes: str | int | None) -> bool:
        """Update an alert, and return True, unless another server has changed it since it was read."""
        named = (alerts.c[name] == row[name] for name in ("about", "channel", "tries"))
        return self._write(sa.update(alerts).where(*named).values(**changes))


def now_text() -> str:
    """Return the current time as stored in rows: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def later_text(**span: float) -> str:
    """Return the time after a span, given as timedelta's arguments, as stored in rows."""
    return (datetime.now(UTC) + timedelta(**span)).isoformat(timespec="milliseconds")


def _select(table: sa.Table, by: Mapping[str, str | bytes]) -> sa.Select[Any]:
    """Select the rows of a table whose columns have these values."""
    return sa.select(table).where(*(table.c[name] == value for name, value in by.items()))


def _expired(table: sa.Table, now: str) -> sa.Executable:
    """Delete the rows of a table that have expired."""
    return sa.delete(table).where(table.c.expires_at <= now)


def _was_valid(key_id: str, row: Row) -> tuple[sa.ColumnElement[bool], ...]:
    """Build the SQL condition that the key of this id was valid when the row's key was made."""
    return keys.c.id == key_id, keys.c.revoked_at.is_(None), keys.c.expires_at > row["made_at"]
