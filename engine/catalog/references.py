"""Cross-references of a catalog: every name resolves, and every private row has exactly one person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from dialect.catalog import Catalog, ClipBoundsByKeys, Column, ColumnValues, PersonPath, SourceJoin, SqlType, Table
from engine.catalog.columns import DATED_TYPES, TableResolver, check_place_column
from engine.catalog.privacy_windows import check_windows
from engine.catalog.tables import MovementResolver
from engine.catalog.toml_section import IDENTIFIER, ErrorCollector, suggestion
from engine.errors import CatalogError

PERSON_TYPES = (SqlType.BIGINT, SqlType.VARCHAR)
VALUE_DECLARATIONS = ("bounds", "domain", "sum_clip_bound", "centred_sum_clip_bound", "centre")  # fields of Column
TEXT_LITERAL = re.compile(r"'[^']*'")
COLUMN_NAME = re.compile(r"\b[^\W\d]\w*\b(?! *\()")  # not a function call


def check_references(catalog: Catalog, mistakes: ErrorCollector) -> None:
    """Collect every name in the catalog that does not resolve to a declaration of the required kind."""
    for table in catalog.tables:
        for check in _TableCheck(catalog, table).checks():
            mistakes.collect(None, check)
    check_windows(catalog, mistakes)
    for dataset in catalog.datasets:
        tables = catalog.private_tables(dataset.name)
        mistakes.collect(None, _check_person_types, catalog, tables)
        mistakes.collect(None, _check_consent_tables, catalog, tables)


class _TableCheck(TableResolver):
    """The reference checks of one table."""

    def checks(self) -> Iterator[Callable[[], None]]:
        """Yield the checks; each stops at its first error."""
        table = self.table
        yield self.check_dataset
        yield partial(self.check_own_columns, "primary_key", table.primary_key)
        yield partial(self.check_own_columns, "sorted_by", table.sorted_by)
        yield self.check_time_column
        for column in table.columns:
            yield partial(self.check_domain, column)
            yield partial(check_place_column, self.catalog, table, column)
            yield partial(self.check_measured_bounds, column)
        for i, join in enumerate(table.source.joins):
            yield partial(self.check_join, i, join)
        if table.private:
            yield from (self.check_person_path, self.check_consent)
            yield MovementResolver(self.catalog, table).check
            for i, by_keys in enumerate(table.clip_bounds.by_keys if table.clip_bounds else ()):
                yield partial(self.check_clip_bounds, i, by_keys)

    def check_dataset(self) -> None:
        """Check that the table's dataset is declared."""
        names = {dataset.name for dataset in self.catalog.datasets}
        if self.table.dataset not in names:
            cure = suggestion(self.table.dataset, names, "declare it.")
            raise self.error("dataset", f"no dataset {self.table.dataset} is declared.", cure)

    def check_own_columns(self, key: str, names: tuple[str, ...]) -> None:
        """Check that the columns named at a key are declared, and can be compared: no polygons."""
        for name in names:
            if self.declared_column(self.table, name, key).type is SqlType.POLYGON:
                raise self.error(key, f"{name} is a polygon, which is equal to nothing.", "name other columns.")

    def check_time_column(self) -> None:
        """Check that the time column is a date or a timestamp."""
        if self.table.time_column is not None:
            column = self.declared_column(self.table, self.table.time_column, "time_column")
            if column.type not in DATED_TYPES:
                cure = "name a DATE, TIMESTAMP or TIMESTAMPTZ column."
                raise self.error("time_column", f"{column.name} holds no date and no time.", cure)

    def check_domain(self, column: Column) -> None:
        """Check that a domain from another table is a public column of the same type."""
        if isinstance(column.domain, ColumnValues):
            key = f"columns.{column.name}.values_of"
            source = self.public_table(column.domain.table, key)
            self.check_same_type(column, self.declared_column(source, column.domain.column, key), key)

    def check_measured_bounds(self, column: Column) -> None:
        """Check that bounds are measured in a private table, and of a column that analysts see."""
        if column.measures_bounds and not (self.table.private and column.visible):
            why = f"{column.name} is {'hidden' if self.table.private else 'public'}, and nothing measures its bounds."
            raise self.error(f"columns.{column.name}.bounds", why, "remove bounds.")

    def check_join(self, i: int, join: SourceJoin) -> None:
        """Check that a lookup column is read by the single-column primary key of a public table."""
        looked_up = [other.column for other in self.table.source.joins]
        key = f"joins[{i}]"
        column = self.declared_column(self.table, join.column, f"{key}.column")
        on = self.declared_column(self.table, join.join_column, f"{key}.on")
        if join.join_column in looked_up:
            cure = "name a column that the source has."
            raise self.error(f"{key}.on", f"{join.join_column} is itself looked up.", cure)
        if looked_up.index(join.column) < i:
            raise self.error(f"{key}.column", f"{join.column} is looked up twice.", "keep one of the two.")
        target = self.public_table(join.table, f"{key}.table")
        self.check_same_type(on, self.single_key_column(target, f"{key}.table"), f"{key}.on")
        self.check_same_type(column, self.declared_column(target, join.source_column, f"{key}.take"), f"{key}.take")

    def check_person_path(self) -> None:
        """Check that the person column exists, in this table or at the end of its foreign-key path."""
        path = self.table.person
        if path is None:
            raise self.error("person", "a private table has a person.", "name the person column.")
        table = self.table
        for i, (own, name) in enumerate(path.through):
            key = f"person.through[{i}]"
            column = self.declared_column(table, own, key)
            table = self.private_table(name, key)
            self.check_same_type(column, self.single_key_column(table, key), key)
        if path.through and (table.person is None or table.person.through or table.person.column != path.column):
            cure = f"end the path at a table whose own person column is {path.column}."
            raise self.error("person.column", f"{path.column} is not the person column of {table.name}.", cure)
        self._check_path_suffixes(path)
        column = self.declared_column(table, path.column, "person.column" if path.through else "person")
        if not path.through:
            self._check_person_column(column)

    def _check_path_suffixes(self, path: PersonPath) -> None:
        """Check that all rows along a foreign-key path share one person: each table has the rest as its own path."""
        for i, (_, name) in enumerate(path.through):
            key = f"person.through[{i}]"
            if self.private_table(name, key).person != PersonPath(path.column, path.through[i + 1 :]):
                cure = f"let {name} reach its person by the rest of this path, or take a path through other tables."
                raise self.error(key, f"rows of {name} may be another person's.", cure)

    def check_consent(self) -> None:
        """Check that consent is declared on a table with one row per person, in a text or boolean column."""
        table, consent = self.table, self.table.consent
        if consent is None:
            return
        column = self.declared_column(table, consent.column, "consent.column")
        if table.person is None or table.person.through or table.primary_key != (table.person.column,):
            cure = "move consent to the table whose primary_key is the person column alone"
            if table.person is not None and not table.person.through:
                cure += f', or write primary_key = ["{table.person.column}"] here, if a person has one row'
            cure += "."
            raise self.error("consent", "this table does not have one row a person.", cure)
        kind = {SqlType.VARCHAR: str, SqlType.BOOLEAN: bool}.get(column.type)
        if kind is None or consent.column in table.primary_key:
            cure = "name a VARCHAR or BOOLEAN column."
            raise self.error("consent.column", f"{column.name} cannot hold a state of consent.", cure)
        if any(type(state) is not kind for state in consent.eligible_values):
            cure = f"write {column.type} values, as {column.name} holds them."
            raise self.error("consent.admitted", f"a state is no {column.type}.", cure)

    def check_clip_bounds(self, i: int, by_keys: ClipBoundsByKeys) -> None:
        """Check that clip bounds by keys name declared, bounded columns, and each set of keys once."""
        key = f"norms.by_keys[{i}]"
        for text in by_keys.keys:
            self._check_key_text(text, f"{key}.keys")
        earlier = self.table.clip_bounds.by_keys[:i] if self.table.clip_bounds else ()
        if any(set(by_keys.keys) == set(usual.keys) for usual in earlier):
            raise self.error(f"{key}.keys", "these keys have norms already.", "keep one of the two.")
        for name in by_keys.sums:
            column = self.declared_column(self.table, name, f"{key}.sums.{name}")
            if column.bounds is None:
                cure = f"give {name} bounds, or remove its norm."
                raise self.error(f"{key}.sums.{name}", f"{name} has no bounds.", cure)

    def _check_key_text(self, text: str, key: str) -> None:
        """Check that a group key is in the planner's canonical form: lower case, without table names."""
        bare = TEXT_LITERAL.sub("", text)
        words = set(COLUMN_NAME.findall(bare))
        known = {column.name for table in self.catalog.tables for column in table.columns}
        if bare != bare.lower() or re.search(r"\w\.[^\W\d]", bare) or not words:
            examples = "origin_zone, hour(started_at), cast(started_at as date)"
            cure = f"write it in lower case and without a table: {examples}."
            raise self.error(key, f"{text} is not how a key is written.", cure)
        if (IDENTIFIER.fullmatch(text) and text not in known) or not words & known:
            raise self.error(key, f"{text} names no declared column.", suggestion(text, known, "declare it."))

    def _check_person_column(self, column: Column) -> None:
        """Check that the person column has a key's type, and declares no bounds or values."""
        key = f"columns.{column.name}"
        if column.type not in PERSON_TYPES:
            cure = "use an integer or VARCHAR column."
            raise self.error("person", f"a {column.type} column cannot name persons.", cure)
        if any(getattr(column, name) is not None for name in VALUE_DECLARATIONS):
            cure = "keep only type, nullable and visible."
            raise self.error(key, "the person column has neither bounds nor norms nor values.", cure)


def _check_person_types(catalog: Catalog, tables: tuple[Table, ...]) -> None:
    """Check that all private tables of a dataset have the same type of person key."""
    # the first table sets the type; other wrong types are reported at their own tables
    found = [(table, column.type) for table, column in _person_columns(tables)]
    for table, kind in found:
        if kind != found[0][1] and {kind, found[0][1]} <= set(PERSON_TYPES):
            why = f"persons are {kind} here and {found[0][1]} in {found[0][0].name}."
            cure = (
                "name persons by the same type; other people, as drivers beside passengers, are a dataset of their own."
            )
            raise CatalogError(catalog.path, f"tables.{table.name}.person", why, cure)


def _person_columns(tables: tuple[Table, ...]) -> Iterator[tuple[Table, Column]]:
    """Yield the tables with a person column of their own, and that column."""
    for table in tables:
        if table.person and not table.person.through and (column := table.columns_by_name.get(table.person.column)):
            yield table, column


def _check_consent_tables(catalog: Catalog, tables: tuple[Table, ...]) -> None:
    """Check that at most one table of a dataset declares consent."""
    with_consent = [table.name for table in tables if table.consent]
    if len(with_consent) > 1:
        why = f"consent is declared in {with_consent[0]} too."
        raise CatalogError(catalog.path, f"tables.{with_consent[1]}.consent", why, "keep consent in one table.")
