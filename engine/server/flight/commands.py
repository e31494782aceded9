"""Parser of Flight SQL messages. Only the messages that this server reads are defined.

Names and numbers are those of Apache Arrow's FlightSql.proto (format version 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as Wrapped
from google.protobuf.message import DecodeError, Message

PACKAGE = "arrow.flight.protocol.sql"
_FIELD = descriptor_pb2.FieldDescriptorProto
_TEXT, _BYTES, _NUMBER, _TRUTH = _FIELD.TYPE_STRING, _FIELD.TYPE_BYTES, _FIELD.TYPE_UINT32, _FIELD.TYPE_BOOL
_REPEATED_FIELDS = {"info", "table_types"}
MESSAGES: Mapping[str, tuple[tuple[str, int, int], ...]] = {
    "CommandGetSqlInfo": (("info", 1, _NUMBER),),
    "CommandGetCatalogs": (),
    "CommandGetDbSchemas": (("catalog", 1, _TEXT), ("db_schema_filter_pattern", 2, _TEXT)),
    "CommandGetTables": (
        ("catalog", 1, _TEXT),
        ("db_schema_filter_pattern", 2, _TEXT),
        ("table_name_filter_pattern", 3, _TEXT),
        ("table_types", 4, _TEXT),
        ("include_schema", 5, _TRUTH),
    ),
    "CommandGetTableTypes": (),
    "CommandGetPrimaryKeys": (("catalog", 1, _TEXT), ("db_schema", 2, _TEXT), ("table", 3, _TEXT)),
    "CommandStatementQuery": (("query", 1, _TEXT),),
    "CommandPreparedStatementQuery": (("prepared_statement_handle", 1, _BYTES),),
    "ActionCreatePreparedStatementRequest": (("query", 1, _TEXT),),
    "ActionClosePreparedStatementRequest": (("prepared_statement_handle", 1, _BYTES),),
    "ActionCreatePreparedStatementResult": (
        ("prepared_statement_handle", 1, _BYTES),
        ("dataset_schema", 2, _BYTES),
        ("parameter_schema", 3, _BYTES),
    ),
}


class UnsupportedCommand(Exception):
    """Bytes that are no Flight SQL command, or an unsupported one."""


@dataclass(frozen=True)
class Command:
    """A parsed command: the message's name, and the fields that were sent."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sql(self) -> str | None:
        """SQL of a query command; None for others. The handle of a prepared statement is its text."""
        if self.name == "CommandPreparedStatementQuery":
            handle: bytes = self.fields.get("prepared_statement_handle", b"")
            return handle.decode(errors="replace")
        return str(self.fields.get("query", "")) if self.name == "CommandStatementQuery" else None


def read_command(sent: bytes) -> Command:
    """Parse a command or an action's body; raises UnsupportedCommand."""
    wrapped = Wrapped()
    try:
        wrapped.ParseFromString(sent)
        name = wrapped.type_url.rpartition("/")[2].removeprefix(f"{PACKAGE}.")
        if name not in _MESSAGE_CLASSES:
            raise UnsupportedCommand
        message = _MESSAGE_CLASSES[name]()
        message.ParseFromString(wrapped.value)
    except (DecodeError, UnicodeDecodeError) as unread:
        raise UnsupportedCommand from unread
    return Command(name, {each.name: value for each, value in message.ListFields()})


def pack(name: str, **fields: bytes) -> bytes:
    """Serialize a message."""
    wrapped = Wrapped()
    wrapped.Pack(_MESSAGE_CLASSES[name](**fields))
    return wrapped.SerializeToString()


def _message_classes() -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(name="passersby/flight_sql.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            label = _FIELD.LABEL_REPEATED if field_name in _REPEATED_FIELDS else _FIELD.LABEL_OPTIONAL
            message.field.add(name=field_name, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()  # a private pool: another library may define the same messages
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


_MESSAGE_CLASSES = _message_classes()
