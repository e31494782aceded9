"""Guards inside the database: it refuses by itself what no code may do, as triggers of SQLite and of PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sqlalchemy import DDL, CheckConstraint, Connection, MetaData, Table, event, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from budgets.errors import UnsafeStore

NEVER_CHANGE, NEVER_GO = "rows never change", "rows never go"

_REFUSE = "refuse_change"  # PostgreSQL's triggers call a function; SQLite's hold their statement
_BODY = """
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_TABLE_NAME || ': ' || TG_ARGV[0];
END
"""
_FUNCTION = f"CREATE OR REPLACE FUNCTION {_REFUSE}() RETURNS trigger LANGUAGE plpgsql AS $body${_BODY}$body$"
OFF = "off:"  # before the text of a trigger that does not fire in every session
_DATABASES = ("sqlite", "postgresql")
_TRIGGERS = {
    "sqlite": "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'",
    # one that fires in some sessions alone, or calls another function than ours, has another text
    "postgresql": f"SELECT c.relname, t.tgname, CASE t.tgenabled WHEN 'A' THEN '' ELSE '{OFF}' END "
    "|| CASE WHEN p.prosrc = :body THEN '' ELSE 'another function: ' END || pg_get_triggerdef(t.oid, true) "
    "FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_proc AS p ON p.oid = t.tgfoid "
    "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace",
}
_TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
_CHECKS = (
    "SELECT c.relname, pg_get_constraintdef(k.oid, true) "
    "FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid "
    "WHERE k.contype = 'c' AND k.convalidated AND c.relnamespace = current_schema()::regnamespace"
)


def guard_all(metadata: MetaData) -> None:
    """Make what PostgreSQL's guards call, before the first table of these."""
    event.listen(metadata, "before_create", DDL(_FUNCTION).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]


def forbid(table: Table, change: str, why: str, when: str = "") -> None:
    """Let the database refuse a change of rows; whoever empties a table whole deletes its rows."""
    guards = table.info.setdefault("guards", {})
    for database in _DATABASES:
        for name, statement in _statements(database, table.name, change, why, when):
            if statement.startswith("CREATE"):
                guards.setdefault(database, {})[name] = _plain(statement, database)
            event.listen(table, "after_create", DDL(statement).execute_if(dialect=database))  # type: ignore[no-untyped-call]


def check_guards(connection: Connection, metadata: MetaData) -> None:
    """Refuse a ledger from which a guard was taken, in which one was changed or switched off; raises UnsafeStore."""
    faults = guard_faults(connection, metadata)
    if faults:
        raise UnsafeStore(faults[0], "a backup of the ledger from before the guards of its rows were changed.")


def guard_faults(connection: Connection, metadata: MetaData) -> tuple[str, ...]:
    """Say which triggers and constraints of some tables are not as they were made: by text, not by name alone.

    Claim: if nothing is said, the database refuses by itself what the schema forbids. Symbols: the triggers of each
    table, and its CHECKs (in SQLite the whole table), as the database's own catalog has them. Formula: triggers are
    those that `forbid` made, each with its text, no more and no less; every CHECK of the schema is there. Source:
    proofs.md#guards. Raises nothing.
    """
    database = connection.dialect.name
    triggers = _triggers(connection)
    parts = _table_parts(connection)
    faults = []
    for table in metadata.sorted_tables:
        made = table.info.get("guards", {}).get(database, {})
        there = triggers.get(table.name, {})
        active = {name: sql for name, sql in there.items() if not sql.startswith(OFF)}
        changed = {name for name in made.keys() & active if made[name] != active[name]}
        faults.append(_fault("lacks guards of its rows", made.keys() - active))
        faults.append(_fault("has other guards than it was made with", changed))
        faults.append(_fault("has triggers that it was not made with", there.keys() - made))
        if _parts_of(table, database) - parts.get(table.name, set()):
            faults.append(_fault("has other constraints than it was made with", [table.name]))
    return tuple(filter(None, faults))


def _triggers(connection: Connection) -> dict[str, dict[str, str]]:
    """Give the text of every trigger, by table and name."""
    database = connection.dialect.name
    found: dict[str, dict[str, str]] = {}
    given = {"body": _BODY} if database == "postgresql" else {}
    for table, name, sql in connection.execute(text(_TRIGGERS[database]), given):
        found.setdefault(table, {})[name] = _plain(sql, database)
    return found


def _table_parts(connection: Connection) -> dict[str, set[str]]:
    """Give what each table is made of: in SQLite all parts of its definition, in PostgreSQL its CHECKs."""
    found: dict[str, set[str]] = {}
    if connection.dialect.name == "sqlite":
        return {table: _parts(sql) for table, sql in connection.execute(text(_TABLES)) if sql}
    for table, sql in connection.execute(text(_CHECKS)):
        found.setdefault(table, set()).add(_bare(sql))
    return found


def _parts_of(table: Table, database: str) -> set[str]:
    """Give what a table of the schema is made of, as `_table_parts` does of one that is there."""
    if database == "sqlite":
        return _parts(str(CreateTable(table).compile(dialect=sqlite.dialect())))
    checks = (each for each in table.constraints if isinstance(each, CheckConstraint))
    return {_bare(f"CHECK ({check.sqltext})") for check in checks}


def _parts(sql: str) -> set[str]:
    """Cut CREATE TABLE at the commas between its columns and constraints; what stands around them is a part too."""
    plain, parts, depth = _plain(sql, "sqlite"), [""], 0
    for sign in plain:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 1:
            parts.append("")
        else:
            parts[-1] += sign
    head, _, first = parts[0].partition("(")
    last, _, tail = parts[-1].rpartition(")")
    middle = [first, *parts[1:-1], last] if len(parts) > 1 else [first.rpartition(")")[0]]
    return {head, f"){tail}", *middle}


def _fault(what: str, names: Iterable[str]) -> str:
    return f"The ledger {what}: {', '.join(sorted(names))}." if names else ""


def _plain(sql: str, database: str) -> str:
    """Write SQL without spaces, quotes of names and capitals, and as PostgreSQL shows what it was given."""
    plain = re.sub(r'::text\b|[\s"]+', "", sql.lower())
    if database == "sqlite":
        return plain
    plain = re.sub(rf"executefunction\w+\.{_REFUSE}\(", f"executefunction{_REFUSE}(", plain)  # its body is compared
    return re.sub(r"or\(([^()]*and\([^()]*\))\)(?!and)", r"or\1", plain)  # AND binds closer than OR


def _bare(sql: str) -> str:
    """Write a CHECK without brackets, which PostgreSQL adds; its conditions have two operators at most."""
    listed = re.sub(r"\bin \(([^()]*)\)", r"= any array[\1]", sql.lower())
    return re.sub(r"[\s()]+|::text\b", "", listed)


def _name(table: str, change: str) -> str:
    return f"{table}_no_{change.lower()}"


def _statements(database: str, table: str, change: str, why: str, when: str) -> Iterator[tuple[str, str]]:
    """Give each trigger's name with a statement that makes it or lets it fire in every session."""
    condition = f"WHEN ({when})" if when else ""
    name = _name(table, change)
    head = f"CREATE TRIGGER {name} BEFORE {change} ON {table}"
    if database == "sqlite":
        yield name, f"{head} {condition} BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
        return
    yield name, f"{head} FOR EACH ROW {condition} EXECUTE FUNCTION {_REFUSE}('{why}')"
    yield name, _fires_always(table, name)
    if change == "DELETE":
        emptied = _name(table, "TRUNCATE")
        truncated = f"CREATE TRIGGER {emptied} BEFORE TRUNCATE ON {table}"
        yield emptied, f"{truncated} FOR EACH STATEMENT EXECUTE FUNCTION {_REFUSE}('{why}')"
        yield emptied, _fires_always(table, emptied)


def _fires_always(table: str, name: str) -> str:
    """Let a guard hold in sessions that replicate, too."""
    return f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
