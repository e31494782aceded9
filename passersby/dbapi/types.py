"""Type objects of PEP 249: each compares equal to the SQL types of its category."""

from __future__ import annotations


class TypeObject(frozenset[str]):
    """A set of SQL types, comparable to a column's type code; DECIMAL(9,2) counts as DECIMAL."""

    def __eq__(self, other: object) -> bool:
        return other.partition("(")[0] in self if isinstance(other, str) else super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = frozenset.__hash__


STRING = TypeObject({"VARCHAR"})
BINARY = TypeObject({"BLOB"})
NUMBER = TypeObject(
    {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
    | {"FLOAT", "DOUBLE", "DECIMAL"}
)
DATETIME = TypeObject({"DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ"})
ROWID = TypeObject()
