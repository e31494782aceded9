"""Guards inside the database: it refuses by itself what no code may do, as triggers of SQLite and of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import DDL, Connection, MetaData, Table, event, text

from budgets.errors import UnsafeStore

NEVER_CHANGE, NEVER_GO = "rows never change", "rows never go"

_REFUSE = "refuse_change"  # PostgreSQL's triggers call a function; SQLite's hold their statement
_FUNCTION = f"""CREATE OR REPLACE FUNCTION {_REFUSE}() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_TABLE_NAME || ': ' || TG_ARGV[0];
END
$body$"""
_PRESENT = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgenabled = 'A' AND tgrelid IN "
    "(SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)",
}


def guard_all(metadata: MetaData) -> None:
    """Make what PostgreSQL's guards call, before the first table of these."""
    event.listen(metadata, "before_create", DDL(_FUNCTION).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]


def forbid(table: Table, change: str, why: str, when: str = "") -> None:
    """Let the database refuse a change of rows; whoever empties a table whole deletes its rows."""
    table.info.setdefault("guards", set()).add(_name(table.name, change))
    for database in _PRESENT:
        for statement in _statements(database, table.name, change, why, when):
            event.listen(table, "after_create", DDL(statement).execute_if(dialect=database))  # type: ignore[no-untyped-call]


def freeze(connection: Connection, table: str) -> None:
    """Guard the rows of a table that is there already and is none of today's."""
    for change, why in (("UPDATE", NEVER_CHANGE), ("DELETE", NEVER_GO)):
        for statement in _statements(connection.dialect.name, table, change, why, ""):
            connection.exec_driver_sql(statement)


def check_guards(connection: Connection, metadata: MetaData) -> None:
    """Refuse a ledger from which a guard was taken, or switched off; raises UnsafeStore."""
    present = set(connection.execute(text(_PRESENT[connection.dialect.name])).scalars())
    missing = {name for table in metadata.tables.values() for name in table.info.get("guards", ())} - present
    if missing:
        raise UnsafeStore(
            f"The ledger lacks guards of its rows: {', '.join(sorted(missing))}.",
            "a backup of the ledger from before they were taken away.",
        )


def _name(table: str, change: str) -> str:
    return f"{table}_no_{change.lower()}"


def _statements(database: str, table: str, change: str, why: str, when: str) -> Iterator[str]:
    condition = f"WHEN ({when})" if when else ""
    name = _name(table, change)
    head = f"CREATE TRIGGER {name} BEFORE {change} ON {table}"
    if database == "sqlite":
        yield f"{head} {condition} BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
        return
    yield f"{head} FOR EACH ROW {condition} EXECUTE FUNCTION {_REFUSE}('{why}')"
    yield _fires_always(table, name)
    if change == "DELETE":
        emptied = _name(table, "TRUNCATE")
        yield f"CREATE TRIGGER {emptied} BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {_REFUSE}('{why}')"
        yield _fires_always(table, emptied)


def _fires_always(table: str, name: str) -> str:
    """Let a guard hold in sessions that replicate, too."""
    return f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
