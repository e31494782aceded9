"""An Arrow table with its card -> the JSON of docs/answers.md, which a test holds against the door's own."""

from __future__ import annotations

import datetime
import json
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa

from engine.api.wire.answer import CARD
from engine.server.http.sizes import padded_json, padded_stream, public_length

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
SQL_TYPES = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "large_string": "VARCHAR",
    "string_view": "VARCHAR",
    "date32[day]": "DATE",
    "time64[us]": "TIME",
    "null": "NULL",
}


def body_of(rows: bytes, media_type: str) -> bytes:
    """Give an answer in the form that was asked for, padded to its size class."""
    table = pa.ipc.open_stream(rows).read_all()
    card = json.loads(table.schema.metadata[CARD])
    length = public_length(table, card)
    if media_type == ARROW:
        return padded_stream(rows, length)
    text = json.dumps(answer_shape(table, card), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return padded_json(text.encode(), length)


def answer_shape(table: pa.Table, card: dict[str, Any]) -> dict[str, Any]:
    """Give columns, rows and the whole card."""
    columns = [[plain(value) for value in column.to_pylist()] for column in table.columns]
    return {
        "columns": [{"name": field.name, "type": sql_type(field.type)} for field in table.schema],
        "rows": [list(row) for row in zip(*columns, strict=True)],
        **card,
    }


def sql_type(kind: pa.DataType) -> str:
    """Name an Arrow type as DuckDB's SQL does."""
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz is None else "TIMESTAMPTZ"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return SQL_TYPES.get(str(kind), str(kind).upper())


def plain(value: object) -> object:
    """Give a value as JSON has it: times as ISO text, decimals as numbers, what is no number as null."""
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime.date() | datetime.time():
            return value.isoformat()
        case Decimal():
            return plain(float(value))
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
    return str(value)
