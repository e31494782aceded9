"""Metadata of Flight SQL: catalogs, schemas, tables, keys and server info. Public, the same for everybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

import pyarrow as pa

from engine.api.wire.statements import is_like
from engine.server.flight.commands import Command

TableShapes = list[dict[str, Any]]  # wire shapes of tables
TABLE_TYPE = "TABLE"
UNNAMED_SCHEMA = {"catalog_name": "", "db_schema_name": ""}  # queries name tables without catalog and schema
NAMES = (pa.field("catalog_name", pa.utf8()), pa.field("db_schema_name", pa.utf8()))
_NAME = pa.field("table_name", pa.utf8(), False)
TABLES = pa.schema([*NAMES, _NAME, pa.field("table_type", pa.utf8(), False)])
WITH_COLUMNS = TABLES.append(pa.field("table_schema", pa.binary(), False))
CATALOGS = pa.schema([pa.field("catalog_name", pa.utf8(), False)])
SCHEMAS = pa.schema([NAMES[0], pa.field("db_schema_name", pa.utf8(), False)])
TYPES = pa.schema([pa.field("table_type", pa.utf8(), False)])
KEYS = pa.schema(
    [
        *NAMES,
        _NAME,
        pa.field("column_name", pa.utf8(), False),
        pa.field("key_name", pa.utf8()),
        pa.field("key_sequence", pa.int32(), False),
    ]
)
_VALUES = (
    pa.field("string_value", pa.utf8()),
    pa.field("bool_value", pa.bool_()),
    pa.field("bigint_value", pa.int64()),
    pa.field("int32_bitmask", pa.int32()),
    pa.field("string_list", pa.list_(pa.utf8())),
    pa.field("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
)
INFO = pa.schema([pa.field("info_name", pa.uint32(), False), pa.field("value", pa.dense_union(list(_VALUES)), False)])
SERVER_INFO: Mapping[int, str | bool] = {0: "passersby", 1: metadata.version("passersby"), 2: pa.__version__, 3: True}
ARROW_TYPES: Mapping[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "DOUBLE": pa.float64(),
    "FLOAT": pa.float64(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), pa.int64()),
    "UBIGINT": pa.uint64(),
}


def arrow_type(name: str) -> pa.DataType:
    """Arrow type of an SQL type; text for unknown ones."""
    if name.endswith("[]"):
        return pa.list_(arrow_type(name.removesuffix("[]")))
    return pa.float64() if name.startswith("DECIMAL") else ARROW_TYPES.get(name.upper(), pa.utf8())


def arrow_schema(columns: Iterable[Mapping[str, Any]]) -> pa.Schema:
    """Arrow schema of columns that are given by name and SQL type."""
    return pa.schema([pa.field(column["name"], arrow_type(column["type"])) for column in columns])


def schema_of(command: Command) -> pa.Schema | None:
    """Arrow schema of a metadata command's result; None for other commands."""
    if command.name == "CommandGetTables":
        return WITH_COLUMNS if command.fields.get("include_schema") else TABLES
    return {
        "CommandGetCatalogs": CATALOGS,
        "CommandGetDbSchemas": SCHEMAS,
        "CommandGetTableTypes": TYPES,
        "CommandGetPrimaryKeys": KEYS,
        "CommandGetSqlInfo": INFO,
    }.get(command.name)


def metadata_result(command: Command, tables: TableShapes) -> pa.Table:
    """Build the result of a metadata command. Tables are in an unnamed catalog and schema."""
    schema = schema_of(command)
    assert schema is not None  # noqa: S101  checked by the caller
    if command.name == "CommandGetSqlInfo":
        return _server_info(command.fields.get("info") or SERVER_INFO)
    if command.name == "CommandGetTableTypes":
        return pa.table([[TABLE_TYPE]], schema=schema)
    if command.name == "CommandGetPrimaryKeys":
        rows = [
            {**UNNAMED_SCHEMA, "table_name": t["name"], "column_name": column, "key_sequence": place}
            for t in tables
            if t["name"] == command.fields.get("table")
            for place, column in enumerate(t["primary_key"], 1)
        ]
        return pa.Table.from_pylist(rows, schema=schema)
    if command.name != "CommandGetTables":  # the only catalog, or its only schema
        return pa.Table.from_pylist([{name: UNNAMED_SCHEMA[name] for name in schema.names}], schema=schema)
    rows = [
        {
            **UNNAMED_SCHEMA,
            "table_name": t["name"],
            "table_type": TABLE_TYPE,
            "table_schema": arrow_schema(t["columns"]).serialize().to_pybytes(),
        }
        for t in tables
        if _is_selected(command, t["name"])
    ]
    return pa.Table.from_pylist(rows, schema=WITH_COLUMNS).select(schema.names)


def _is_selected(command: Command, name: str) -> bool:
    """Is a table selected by the command's filters? They are catalog, schema, name pattern and types."""
    fields = command.fields
    types, schema = fields.get("table_types") or [TABLE_TYPE], fields.get("db_schema_filter_pattern") or ""
    matches_name = is_like(name, fields.get("table_name_filter_pattern", "%"))
    return not fields.get("catalog") and is_like("", schema) and TABLE_TYPE in types and matches_name


def _server_info(info_codes: Iterable[int]) -> pa.Table:
    known_info = [(number, SERVER_INFO[number]) for number in dict.fromkeys(info_codes) if number in SERVER_INFO]
    texts = [fact for _, fact in known_info if isinstance(fact, str)]
    truths = [fact for _, fact in known_info if isinstance(fact, bool)]
    kinds = [int(isinstance(fact, bool)) for _, fact in known_info]
    places = [kinds[:i].count(kind) for i, kind in enumerate(kinds)]
    children = [
        pa.array(values, each.type) for each, values in zip(_VALUES, (texts, truths, [], [], [], []), strict=True)
    ]
    union = pa.UnionArray.from_dense(
        pa.array(kinds, pa.int8()), pa.array(places, pa.int32()), children, [each.name for each in _VALUES]
    )
    return pa.table([pa.array([number for number, _ in known_info], pa.uint32()), union], schema=INFO)
