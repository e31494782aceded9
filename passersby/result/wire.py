"""JSON shape of an answer (docs/answers.md)."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from passersby.result.card import Answer

if TYPE_CHECKING:
    import pyarrow

CARD_KEYS = (
    "intervals", "interval_parts", "predicted_bias", "bias_within", "reliability", "advice", "confidence",
    "simultaneous", "selection", "may_be_nothing", "price", "remaining", "outlook", "release_id", "replayed",
    "made_from", "numbers_of", "windows", "thresholds", "clip_bounds", "notes", "note_codes",
)  # fmt: skip
# Arrow's name of a type -> SQL's
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


def wire_of(result: Answer) -> dict[str, Any]:
    """Columns, rows and card of an answer; a rehearsal has one more key."""
    schema = result.arrow().schema
    shape: dict[str, Any] = {
        "columns": [{"name": field.name, "type": sql_type(field.type)} for field in schema],
        "rows": [[plain(value) for value in row] for row in result.rows],
        **{key: result.card.get(key) for key in CARD_KEYS},
    }
    return {**shape, "rehearsal": True} if result.rehearsal else shape


def sql_type(kind: pyarrow.DataType) -> str:
    """DuckDB's SQL name of an Arrow type."""
    import pyarrow.types

    if pyarrow.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz is None else "TIMESTAMPTZ"
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pyarrow.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return SQL_TYPES.get(str(kind), str(kind).upper())


def plain(value: object) -> object:
    """Value as JSON: times as ISO text, decimals as numbers, non-finite numbers as null."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case datetime.date() | datetime.time():
            return value.isoformat()
        case Decimal():
            return plain(float(value))
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case bool() | int() | float() | str() | None:
            return value
    return str(value)
