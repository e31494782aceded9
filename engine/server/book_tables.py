"""The tables of the server's books: whose key is whose, what goes on, what is shared, what has been told."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

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
