"""Names inside one declared table, resolved: what is meant by them, or the error that names their place."""

from __future__ import annotations

from collections.abc import Iterable

from dialect.catalog.catalog import Catalog, Column, Table
from engine.catalog.meant import meant
from engine.errors import CatalogError


class TableNames:
    """The names of one table; errors are at its keys."""

    def __init__(self, catalog: Catalog, table: Table) -> None:
        """Keep the catalog and the table whose names are looked up."""
        self.catalog = catalog
        self.table = table

    def declared(self, table: Table, name: str, key: str) -> Column:
        """Find a declared column of a table."""
        column = table.column(name)
        if column is None:
            names = [column.name for column in table.columns]
            raise self.error(key, f"{table.name} declares no column {name}.", meant(name, names, "declare it."))
        return column

    def public(self, name: str, key: str) -> Table:
        """Find a public table."""
        return self._found(name, key, (t for t in self.catalog.tables if not t.private), "public table")

    def private(self, name: str, key: str) -> Table:
        """Find a private table of the same dataset."""
        dataset = self.table.dataset
        tables = (t for t in self.catalog.tables if t.private and t.dataset == dataset)
        return self._found(name, key, tables, f"private table of dataset {dataset}")

    def _found(self, name: str, key: str, tables: Iterable[Table], kind: str) -> Table:
        """Find a table among some."""
        named = {table.name: table for table in tables}
        if name not in named:
            raise self.error(key, f"{name} is no {kind}.", meant(name, named, f"declare a {kind}."))
        return named[name]

    def only_key(self, table: Table, key: str) -> Column:
        """Find the one column that is a table's primary key."""
        if len(table.primary_key) != 1:
            cure = f"declare primary_key of {table.name} as one column."
            raise self.error(key, f"{table.name} has no primary key of one column.", cure)
        return self.declared(table, table.primary_key[0], key)

    def same_type(self, column: Column, other: Column, key: str) -> None:
        """Check that two columns can be equal."""
        if column.type != other.type:
            cure = "declare both with the same type."
            raise self.error(key, f"{column.name} is {column.type} and {other.name} is {other.type}.", cure)

    def error(self, key: str, why: str, cure: str) -> CatalogError:
        """Make an error at one key of the table."""
        return CatalogError(self.catalog.path, f"tables.{self.table.name}.{key}", why, cure)
