"""Declared sources -> DuckDB files that can be opened read-only: one consistent copy of files, checked for its keys.

Tables of a DuckDB file are used where they lie. Parquet and CSV files are copied once, typed and sorted by person, into
the cache folder, which only its owner can read; changed files make a new copy.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import duckdb

from dialect.catalog import Catalog, Column, Source, Table
from dialect.write_expr import name
from engine.errors import DataError
from engine.stored_files import OFFLINE

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Snapshot:
    """Files to attach, and where every declared table lies in them."""

    files: dict[str, str]  # alias -> path
    addresses: dict[str, str]  # table -> alias.schema.table


def snapshot(catalog: Catalog, cache: Path, progress: Progress) -> Snapshot:
    """Make or find the snapshot of a catalog; raises DataError where files are not what it says."""
    files: dict[str, str] = {}
    addresses: dict[str, str] = {}
    for table in catalog.tables:
        if table.source.format == "duckdb":
            alias = next((a for a, path in files.items() if path == table.source.path), f"stored{len(files)}")
            files[alias] = table.source.path
            addresses[table.name] = f"{alias}.main.{name(table.source.table or table.name)}"
    copied = [table for table in catalog.tables if table.source.format != "duckdb"]
    if copied:
        files["copied"] = str(_copy(catalog, copied, cache, progress))
        addresses |= {table.name: f"copied.main.{name(table.name)}" for table in copied}
    made = Snapshot(files, addresses)
    _check(catalog, made)
    return made


def _copy(catalog: Catalog, tables: list[Table], cache: Path, progress: Progress) -> Path:
    folder = cache / f"snapshot-{_fingerprint(tables)}"
    target = folder / "data.duckdb"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        unfinished = Path(work) / "data.duckdb"
        with duckdb.connect(str(unfinished), config=OFFLINE) as connection:
            ordered = sorted(tables, key=lambda table: table.private)  # public ones first: joins look them up
            for position, table in enumerate(ordered):
                progress(f"copying {table.name}", position / len(ordered))
                _create(connection, table)
        unfinished.chmod(0o600)
        unfinished.replace(target)
    progress("copied", 1.0)
    return target


def _create(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    looked_up = {join.column for join in table.source.joins}
    stored = [column for column in table.columns if column.name not in looked_up]
    columns = [f"TRY_CAST(t.{name(c.name)} AS {c.stored_type}) AS {name(c.name)}" for c in stored]
    columns += [f"j{i}.{name(join.take)} AS {name(join.column)}" for i, join in enumerate(table.source.joins)]
    joins = "".join(
        f" LEFT JOIN {name(join.table)} AS j{i} ON t.{name(join.on)} = j{i}.{name(_only_key(connection, join.table))}"
        for i, join in enumerate(table.source.joins)
    )
    person = table.person.column if table.person is not None and not table.person.through else None
    order = f" ORDER BY {name(person)}" if person else ""
    read = f"SELECT {', '.join(columns)} FROM {_reader(table.source)} AS t{joins}{order}"
    key = (
        f", PRIMARY KEY ({', '.join(map(name, table.primary_key))})" if not table.private and table.primary_key else ""
    )
    types = ", ".join(f"{name(c.name)} {c.stored_type}" for c in [*stored, *_looked_up(table)])
    try:
        connection.execute(f"CREATE TABLE {name(table.name)} ({types}{key})")
        connection.execute(f"INSERT INTO {name(table.name)} {read}")
    except duckdb.Error:
        cure = "run passersby catalog check, which says what is wrong with the files"
        raise DataError(table.name, "its files can't be read as declared.", cure) from None


def _looked_up(table: Table) -> list[Column]:
    return [column for join in table.source.joins for column in table.columns if column.name == join.column]


def _only_key(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    rows = connection.execute(
        "SELECT unnest(constraint_column_names) FROM duckdb_constraints()"
        " WHERE table_name = ? AND constraint_type = 'PRIMARY KEY'",
        [table],
    ).fetchall()
    return str(rows[0][0])


def _reader(source: Source) -> str:
    path = "'" + source.path.replace("'", "''") + "'"
    if source.format == "csv":
        return f"read_csv({path}, header = true, all_varchar = true)"
    return f"read_parquet({path})"


def _fingerprint(tables: list[Table]) -> str:
    """Name what decides the copy: declarations, files with size and time, DuckDB's minor version."""
    digest = hashlib.sha256(duckdb.__version__.rsplit(".", 1)[0].encode())
    for table in tables:
        digest.update(repr((table.name, table.source, [(c.name, c.stored_type) for c in table.columns])).encode())
        paths = sorted(glob(table.source.path))  # noqa: PTH207  a stored pattern, not a folder to walk
        if not paths:
            raise DataError(table.name, f"there is no file {table.source.path}.", "correct source in the catalog")
        for path in paths:
            facts = os.stat(path)  # noqa: PTH116
            digest.update(repr((path, facts.st_size, facts.st_mtime_ns)).encode())
    return digest.hexdigest()[:16]


def _check(catalog: Catalog, made: Snapshot) -> None:
    """Enforce the keys that privacy rests on: one row per person, one row per foreign key, one row per public key."""
    with duckdb.connect(config=OFFLINE) as connection:
        for alias, path in made.files.items():
            try:
                connection.execute(f"ATTACH ? AS {alias} (READ_ONLY)", [path])
            except duckdb.Error:
                raise DataError(alias, f"{path} can't be opened.", "make the data, or correct source") from None
        targets = {target for table in catalog.tables if table.person for _, target in table.person.through}
        for table in catalog.tables:
            of_person = table.person is not None and table.primary_key == (table.person.column,)
            if table.primary_key and (of_person or table.name in targets or not table.private):
                _check_unique(connection, table, made.addresses[table.name])


def _check_unique(connection: duckdb.DuckDBPyConnection, table: Table, address: str) -> None:
    keys = ", ".join(map(name, table.primary_key))
    nulls = " OR ".join(f"{name(column)} IS NULL" for column in table.primary_key)
    twice = f"SELECT 1 FROM {address} GROUP BY {keys} HAVING count(*) > 1"
    try:
        found = connection.execute(f"SELECT 1 FROM {address} WHERE {nulls} UNION ALL ({twice}) LIMIT 1").fetchall()
    except duckdb.Error:
        raise DataError(table.name, "a declared column is not there.", "run passersby catalog check") from None
    if found:
        raise DataError(
            table.name,
            f"its primary key ({keys}) is not unique or has NULLs.",
            "keep one row per key, or drop primary_key",
        )
