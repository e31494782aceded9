"""The ledger's schema: an append-only chain, the tables derived from it, and triggers that guard them.

    entries       the chain: what happened; every other table is derived from it
    chain_head    its last entry: the ledger's id, a sequence, a hash
    accounts      one row per (dataset, holder, window): the balances, which only grow
    charges       one row per request of a client            charge_keys  the releases it requested
    questions     one row per release key: query and price   purchases    which holder has paid for it
    releases      one row per release key: the one result
    client_names  one client or group for each folded name (budgets/accounting/accounts.py)
    clients, caps, freezes, failures, top_ups                admin decisions, and what admins have to look at

Guards are triggers of SQLite and PostgreSQL: the database itself refuses what no code may do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from budgets.accounting.accounts import EVERYBODY
from budgets.accounting.privacy_loss import THRESHOLD_DELTA_DIVISOR
from budgets.errors import UnsafeStore

NEVER_CHANGE, NEVER_DELETE = "rows never change", "rows never go"

_GUARD_FUNCTION_NAME = "refuse_change"  # PostgreSQL triggers call this function; SQLite's contain their statement
_GUARD_FUNCTION_BODY = """
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_TABLE_NAME || ': ' || TG_ARGV[0];
END
"""
_GUARD_FUNCTION = (
    f"CREATE OR REPLACE FUNCTION {_GUARD_FUNCTION_NAME}()"
    f" RETURNS trigger LANGUAGE plpgsql AS $body${_GUARD_FUNCTION_BODY}$body$"
)
DISABLED_PREFIX = "off:"  # prefix of the definition of a trigger that does not fire in every session
_DATABASES = ("sqlite", "postgresql")
_TRIGGER_QUERIES = {
    "sqlite": "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'",
    # a trigger that is not always enabled, or calls another function, gets a different text
    "postgresql": f"SELECT c.relname, t.tgname, CASE t.tgenabled WHEN 'A' THEN '' ELSE '{DISABLED_PREFIX}' END "
    "|| CASE WHEN p.prosrc = :body THEN '' ELSE 'another function: ' END || pg_get_triggerdef(t.oid, true) "
    "FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_proc AS p ON p.oid = t.tgfoid "
    "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace",
}
_TABLE_QUERY = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
_CHECK_QUERY = (
    "SELECT c.relname, pg_get_constraintdef(k.oid, true) "
    "FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid "
    "WHERE k.contype = 'c' AND k.convalidated AND c.relnamespace = current_schema()::regnamespace"
)


def create_guard_function(metadata: sa.MetaData) -> None:
    """Create the function that PostgreSQL's guard triggers call, before the first table."""
    sa.event.listen(metadata, "before_create", sa.DDL(_GUARD_FUNCTION).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]


def forbid_change(table: sa.Table, change: str, why: str, when: str = "") -> None:
    """Add a guard trigger that rejects a change of rows; a guard against DELETE also rejects TRUNCATE."""
    guards = table.info.setdefault("guards", {})
    for database in _DATABASES:
        for name, statement in _guard_statements(database, table.name, change, why, when):
            if statement.startswith("CREATE"):
                guards.setdefault(database, {})[name] = _normalize_trigger(statement, database)
            sa.event.listen(table, "after_create", sa.DDL(statement).execute_if(dialect=database))  # type: ignore[no-untyped-call]


def check_guards(connection: sa.Connection, tables: sa.MetaData) -> None:
    """Refuse a ledger whose guard triggers were removed, changed or disabled; raises UnsafeStore."""
    faults = guard_faults(connection, tables)
    if faults:
        raise UnsafeStore(faults[0], "a backup of the ledger from before the guards of its rows were changed.")


def guard_faults(connection: sa.Connection, metadata: sa.MetaData) -> tuple[str, ...]:
    """Report triggers and constraints whose definition differs from the schema's.

    Claim: if nothing is reported, the database itself rejects what the schema forbids. Symbols: the triggers of each
    table, and its CHECKs (in SQLite the whole table), as in the database's own catalog. Formula: the triggers are
    exactly those that `forbid_change` made, compared by text; every CHECK of the schema exists. Source:
    proofs.md#guards. Raises nothing.
    """
    database = connection.dialect.name
    triggers = _triggers(connection)
    parts = _table_parts(connection)
    faults = []
    for table in metadata.sorted_tables:
        expected = table.info.get("guards", {}).get(database, {})
        actual = triggers.get(table.name, {})
        active = {name: sql for name, sql in actual.items() if not sql.startswith(DISABLED_PREFIX)}
        changed = {name for name in expected.keys() & active if expected[name] != active[name]}
        faults.append(_fault_text("lacks guards of its rows", expected.keys() - active))
        faults.append(_fault_text("has other guards than it was made with", changed))
        faults.append(_fault_text("has triggers that it was not made with", actual.keys() - expected))
        if _expected_parts(table, database) - parts.get(table.name, set()):
            faults.append(_fault_text("has other constraints than it was made with", [table.name]))
    return tuple(filter(None, faults))


def _triggers(connection: sa.Connection) -> dict[str, dict[str, str]]:
    """Read the definition of every trigger, by table and name."""
    database = connection.dialect.name
    found: dict[str, dict[str, str]] = {}
    parameters = {"body": _GUARD_FUNCTION_BODY} if database == "postgresql" else {}
    for table, name, sql in connection.execute(sa.text(_TRIGGER_QUERIES[database]), parameters):
        found.setdefault(table, {})[name] = _normalize_trigger(sql, database)
    return found


def _table_parts(connection: sa.Connection) -> dict[str, set[str]]:
    """Read the parts of each table: in SQLite the whole definition, in PostgreSQL the CHECKs."""
    found: dict[str, set[str]] = {}
    if connection.dialect.name == "sqlite":
        return {table: _definition_parts(sql) for table, sql in connection.execute(sa.text(_TABLE_QUERY)) if sql}
    for table, sql in connection.execute(sa.text(_CHECK_QUERY)):
        found.setdefault(table, set()).add(_normalize_check(sql))
    return found


def _expected_parts(table: sa.Table, database: str) -> set[str]:
    """List the parts that a table of the schema must have, comparable to those of `_table_parts`."""
    if database == "sqlite":
        return _definition_parts(str(CreateTable(table).compile(dialect=sqlite.dialect())))
    checks = (each for each in table.constraints if isinstance(each, sa.CheckConstraint))
    return {_normalize_check(f"CHECK ({check.sqltext})") for check in checks}


def _definition_parts(sql: str) -> set[str]:
    """Split CREATE TABLE at the commas between columns and constraints; head and tail are parts too."""
    plain, parts, depth = _normalize_trigger(sql, "sqlite"), [""], 0
    for character in plain:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 1:
            parts.append("")
        else:
            parts[-1] += character
    head, _, first = parts[0].partition("(")
    last, _, tail = parts[-1].rpartition(")")
    middle = [first, *parts[1:-1], last] if len(parts) > 1 else [first.rpartition(")")[0]]
    return {head, f"){tail}", *middle}


def _fault_text(what: str, names: Iterable[str]) -> str:
    """Describe a fault of some tables or triggers; empty if there are none."""
    return f"The ledger {what}: {', '.join(sorted(names))}." if names else ""


def _normalize_trigger(sql: str, database: str) -> str:
    """Normalize trigger SQL: no spaces, quotes or capitals, and as PostgreSQL prints it."""
    plain = re.sub(r'::text\b|[\s"]+', "", sql.lower())
    if database == "sqlite":
        return plain
    # compared above
    plain = re.sub(rf"executefunction\w+\.{_GUARD_FUNCTION_NAME}\(", f"executefunction{_GUARD_FUNCTION_NAME}(", plain)
    return re.sub(r"or\(([^()]*and\([^()]*\))\)(?!and)", r"or\1", plain)  # AND binds closer than OR


def _normalize_check(sql: str) -> str:
    """Normalize a CHECK: no parentheses, because PostgreSQL adds some; conditions have at most two operators."""
    listed = re.sub(r"\bin \(([^()]*)\)", r"= any array[\1]", sql.lower())
    return re.sub(r"[\s()]+|::text\b", "", listed)


def _guard_name(table: str, change: str) -> str:
    """Name the trigger that forbids a change of a table."""
    return f"{table}_no_{change.lower()}"


def _guard_statements(database: str, table: str, change: str, why: str, when: str) -> Iterator[tuple[str, str]]:
    """Pairs of a trigger's name and a statement that creates it or enables it in every session."""
    condition = f"WHEN ({when})" if when else ""
    name = _guard_name(table, change)
    head = f"CREATE TRIGGER {name} BEFORE {change} ON {table}"
    if database == "sqlite":
        yield name, f"{head} {condition} BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
        return
    yield name, f"{head} FOR EACH ROW {condition} EXECUTE FUNCTION {_GUARD_FUNCTION_NAME}('{why}')"
    yield name, _enable_always(table, name)
    if change == "DELETE":
        truncate_guard = _guard_name(table, "TRUNCATE")
        truncate_head = f"CREATE TRIGGER {truncate_guard} BEFORE TRUNCATE ON {table}"
        yield truncate_guard, f"{truncate_head} FOR EACH STATEMENT EXECUTE FUNCTION {_GUARD_FUNCTION_NAME}('{why}')"
        yield truncate_guard, _enable_always(table, truncate_guard)


def _enable_always(table: str, name: str) -> str:
    """Enable a guard in replicating sessions too."""
    return f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"


FORMAT_VERSION = 2

metadata = sa.MetaData()

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # byte order of names on every server


def _table(name: str, *parts: sa.Column[object] | sa.CheckConstraint | sa.UniqueConstraint | sa.Index) -> sa.Table:
    """Declare a table of the ledger; strict: SQLite checks the types of values."""
    return sa.Table(name, metadata, *parts, sqlite_strict=True)


def _keys(*names: str) -> Iterator[sa.Column[object]]:
    """Declare text columns of the primary key."""
    return (sa.Column(name, _TEXT, nullable=False, primary_key=True) for name in names)


def _texts(*names: str) -> Iterator[sa.Column[object]]:
    """Declare text columns without NULL."""
    return (sa.Column(name, _TEXT, nullable=False) for name in names)


def _unit_column(name: str) -> sa.Column[object]:
    """Declare a column of integers from 0 on: units of a loss, sequences, counts."""
    return sa.Column(name, _INTEGER, sa.CheckConstraint(f"{name} >= 0"), nullable=False)


def _loss_columns(prefix: str = "") -> Iterator[sa.Column[object]]:
    """Declare the two columns of a loss."""
    return (_unit_column(f"{prefix}{part}") for part in ("pico_rho", "atto_delta"))


def _charge_id_column(*, primary_key: bool = False) -> sa.Column[object]:
    """Declare a reference to a charge."""
    return sa.Column("charge_id", _INTEGER, sa.ForeignKey("charges.id"), nullable=False, primary_key=primary_key)


ledger_format = _table("ledger_format", sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))

chain_head = _table(
    "chain_head", *_keys("ledger_id"), _unit_column("sequence"), sa.Column("row_hash", sa.LargeBinary, nullable=False)
)

entries = _table(
    "entries",
    sa.Column("sequence", _INTEGER, primary_key=True, autoincrement=False),
    *_texts("at", "kind", "dataset", "holder", "actor", "request_id", "body"),
    sa.Column("previous_hash", sa.LargeBinary, nullable=False, unique=True),  # unique: the chain has no forks
    sa.Column("row_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Index("entries_of_holder", "holder", "sequence"),
    sa.Index("entries_of_kind", "kind", "sequence"),
)

accounts = _table(
    "accounts",
    *_keys("dataset", "holder", "window_name"),
    *_loss_columns("ceiling_"),  # dataset account: its first cap, permanent; others: their highest cap so far
    *_loss_columns("cap_"),  # current cap
    *_loss_columns("spent_"),  # its delta on thresholds
    sa.CheckConstraint("spent_pico_rho <= ceiling_pico_rho"),
    sa.CheckConstraint(f"spent_atto_delta <= ceiling_atto_delta / {THRESHOLD_DELTA_DIVISOR}"),  # integer division
)

charges = _table(
    "charges",
    sa.Column("id", _INTEGER, primary_key=True, autoincrement=False),  # sequence of the ledger entry
    *_texts("client", "request_id", "body_digest", "dataset"),
    *_loss_columns(),
    *_texts("versions"),
    sa.UniqueConstraint("client", "request_id"),
)

charge_keys = _table(
    "charge_keys",
    _charge_id_column(primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    *_texts("release_key"),
)

questions = _table(
    "questions",
    *_keys("dataset", "release_key"),
    *_loss_columns(),
    *_texts("windows"),  # JSON array, in the order of the first charge
    *_texts("question"),
)

purchases = _table("purchases", *_keys("dataset", "holder", "release_key"), _charge_id_column())

releases = _table(
    "releases",
    *_keys("dataset", "release_key"),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),  # hashed with the payload, which could be guessed otherwise
    *_texts("settled_at"),
    _charge_id_column(),
)

clients = _table(
    "clients",
    *_keys("holder"),
    *_texts("state"),  # active or removed
    sa.Column("is_group", sa.Integer, sa.CheckConstraint("is_group IN (0, 1)"), nullable=False),
)

client_names = _table(  # one client for each name, in any spelling
    "client_names", *_keys("folded"), sa.Column("holder", _TEXT, nullable=False, unique=True)
)

caps = _table(
    "caps",
    *_keys("dataset", "holder", "scope"),
    *_loss_columns(),
    _unit_column("sequence"),  # of the entry of the latest grant
)

freezes = _table(
    "freezes",
    *_keys("dataset", "holder", "window_name"),  # empty: every dataset, all clients, every window
    sa.Column("frozen", sa.Integer, sa.CheckConstraint("frozen IN (0, 1)"), nullable=False),
    _unit_column("sequence"),
)

failures = _table(
    "failures",
    *_keys("dataset", "holder", "window_name"),
    _unit_column("times"),  # failures since the last thaw
)

top_ups = _table(
    "top_ups",
    sa.Column("id", _INTEGER, primary_key=True, autoincrement=False),  # sequence of the request's entry
    *_texts("dataset", "client", "scope"),
    *_loss_columns(),
    *_texts("state"),  # open, approved or declined
)

APPEND_ONLY = (entries, charges, charge_keys, questions, purchases, releases, client_names)
MUTABLE = (accounts, chain_head, clients, caps, freezes, failures, top_ups)  # rows change but are never deleted
PROJECTIONS = (ledger_format, *MUTABLE, *APPEND_ONLY[1:])


create_guard_function(metadata)
for _rows in APPEND_ONLY:
    forbid_change(_rows, "UPDATE", NEVER_CHANGE)
    forbid_change(_rows, "DELETE", NEVER_DELETE)
for _rows in MUTABLE:
    forbid_change(_rows, "DELETE", NEVER_DELETE)
forbid_change(
    accounts,
    "UPDATE",
    "no refund, no new name, no new ceiling",
    "NEW.spent_pico_rho < OLD.spent_pico_rho OR NEW.spent_atto_delta < OLD.spent_atto_delta "
    "OR NEW.dataset <> OLD.dataset OR NEW.window_name <> OLD.window_name OR NEW.holder <> OLD.holder "
    f"OR (OLD.holder = '{EVERYBODY}' AND (NEW.ceiling_pico_rho <> OLD.ceiling_pico_rho "
    "OR NEW.ceiling_atto_delta <> OLD.ceiling_atto_delta))",
)
