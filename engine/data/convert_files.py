"""Convert a folder of files as they come to Parquet that a catalog can declare, before they are a dataset.

Names become identifiers, fields of structures columns, and texts the numbers and times that all of them are.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from duckdb.sqltypes import DuckDBPyType

from dialect.catalog import Source
from dialect.functions import quote_identifier, quote_text
from engine.catalog.columns import sql_type
from engine.catalog.sources import stored_paths
from engine.data.draft_catalog import (
    FOLDER_CURE,
    JSON_FORMATS,
    OTHER_FORMATS,
    files_below,
    folder_sources,
    to_identifier,
    unused,
)
from engine.data.files.csv_files import UnreadableError, first_csv_fault, read_header
from engine.data.files.stored_files import StoredFiles, connect_spilling, files_relation
from engine.data.files.text_types import MISSING, TextType, chosen, text_types
from engine.errors import CatalogError
from engine.progress import Progress, ignore_progress

TEXT_FILES = {".csv", ".tsv"}
FIRST_ROWS = 1000
SECONDS = "INTERVAL"  # which are written as seconds
UNNAMED = re.compile(r"column\d+")  # as csv_relation names them
PATTERN_SIGN = re.compile(r"[*?\[\]]")  # of a path, which would be those of other files
VALUE = re.compile(r"-?\d+(?:[.,:/-]\d+)*(?:[ T][\d:.]+)?")
AS_TEXT = {"enum", "uuid"}
AS_TIMESTAMP = {"timestamp_s", "timestamp_ms", "timestamp_ns"}


@dataclass(frozen=True, slots=True)
class ConvertedTable:
    """A table that was written, or why it was not: where it lies, the files it is of, and changes of columns."""

    path: str | None
    files: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that is written: SQL of its value, and what changed."""

    name: str
    value: str
    kind: str
    stored: str  # its name in the file; of a field with those it lies in


def convert_folder(folder: Path, target: Path, report_progress: Progress = ignore_progress) -> list[ConvertedTable]:
    """Write each table of a folder as Parquet into a folder of its own below `target`, which is new or empty.

    A run that is cut off leaves nothing there. Raises CatalogError where there is nothing to convert, or `target` is
    not empty.
    """
    if not folder.is_dir():
        raise CatalogError(str(folder), "folder", "there is no such folder.", FOLDER_CURE)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CatalogError(str(target), "to", "it is there already, and is not overwritten.", "name a new folder.")
    if PATTERN_SIGN.search(str(target.absolute())):
        raise CatalogError(str(target), "to", "its path has one of the signs * ? [ ].", "name a folder without them.")
    target.mkdir(parents=True, exist_ok=True)
    try:
        found = [*_converted_tables(folder, target, report_progress), *_unread(folder)]
    except BaseException:
        shutil.rmtree(target)
        raise
    if not any(table.path for table in found):
        shutil.rmtree(target)
        why = " ".join(
            ["there is no file in it that can be converted.", *(f"{t.files}: {t.changes[0]}" for t in found)]
        )
        raise CatalogError(str(folder), "folder", why, FOLDER_CURE)
    return found


def _converted_tables(folder: Path, target: Path, report_progress: Progress) -> Iterator[ConvertedTable]:
    """Convert the tables of a folder, one after another."""
    report_progress("reading", 0.0)
    with TemporaryDirectory(dir=target, prefix=".") as held, StoredFiles() as files:
        readable, used = _in_utf8(folder.resolve(), Path(held) / "files"), set[str]()
        sources = [*folder_sources(readable, files), *_json_sources(readable)]
        with connect_spilling(Path(held)) as connection:
            for place, (name, source) in enumerate(sources):
                label = str(Path(source.path).relative_to(readable))
                report_progress(label, place / len(sources))
                table = unused(to_identifier(name), used)
                yield _converted(connection, source, label, target / table / f"{table}.parquet")


def _in_utf8(folder: Path, staged: Path) -> Path:
    """Return a folder with links to the files of another and its subfolders, and copies in UTF-8 of other texts."""
    for path in folder.rglob("*"):
        inner = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in inner.parts):
            link = staged / PATTERN_SIGN.sub("_", str(inner))
            link.parent.mkdir(parents=True, exist_ok=True)
            while link.exists():  # another file, whose name differs in such signs
                link = link.with_stem(f"{link.stem}_")
            encoding = _encoding(path) if path.suffix.lower() in TEXT_FILES else None
            if encoding is None:
                link.symlink_to(path)
            else:
                with (
                    path.open(encoding=encoding, newline="") as old,
                    link.open("w", encoding="utf-8", newline="") as new,
                ):
                    shutil.copyfileobj(old, new)
    staged.mkdir(parents=True, exist_ok=True)
    return staged


def _encoding(path: Path) -> str | None:
    """Return the encoding of a text that is not in UTF-8: UTF-16 by its mark, else Latin-1 of Windows; None of others.

    A file in none of them is read as it is, which fails for this file alone.
    """
    with path.open("rb") as file:
        has_mark = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if has_mark else ("utf-8", "cp1252"):
        with suppress(UnicodeDecodeError), path.open(encoding=encoding) as text:
            while text.read(1 << 20):
                pass
            return None if encoding == "utf-8" else encoding
    return None


def _json_sources(folder: Path) -> Iterator[tuple[str, Source]]:
    """Yield the JSON files of a folder, one table each, and those of each subfolder as one table."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in JSON_FORMATS:
            yield path.stem, Source("json", str(path))
        for suffix in JSON_FORMATS if path.is_dir() else ():
            if (pattern := files_below(path, suffix)) is not None:
                yield path.name, Source("json", pattern)


def _unread(folder: Path) -> Iterator[ConvertedTable]:
    """Yield the files of a folder and its subfolders in formats that are not read, with what to do."""
    for path in sorted(folder.rglob("*")):
        suffix = path.suffix.lower()
        if suffix in OTHER_FORMATS and suffix not in JSON_FORMATS:
            yield ConvertedTable(None, str(path.relative_to(folder)), (f"{OTHER_FORMATS[suffix]}.",))


def _converted(connection: duckdb.DuckDBPyConnection, source: Source, label: str, path: Path) -> ConvertedTable:
    """Write one table, or state why that is not possible."""
    try:
        if source.format == "csv" and (fault := _text_fault(source.path)) is not None:
            return ConvertedTable(None, label, (f"{fault}.",))
        relation = _relation(connection, source)
        columns, left_out = _columns(connection, relation)
        if source.format == "csv":
            columns = _named(connection, relation, columns)
        if not columns:
            return ConvertedTable(None, label, ("no column is left.", *left_out))
        chosen_types = _types(connection, relation, columns, typed=source.format != "csv")
        path.parent.mkdir()
        select = ", ".join(map(_written, columns, chosen_types))
        connection.execute(f"COPY (SELECT {select} FROM {relation}) TO {quote_text(str(path))} (FORMAT parquet)")
    except (duckdb.Error, UnreadableError) as error:
        shutil.rmtree(path.parent, ignore_errors=True)
        is_too_large = isinstance(error, duckdb.ConversionException)
        cure = "a number is too large for BIGINT: store its column as text" if is_too_large else ""
        return ConvertedTable(None, label, (f"{cure or f'it cannot be read as {source.format}'}.",))
    changes = [text for column, kind in zip(columns, chosen_types, strict=True) if (text := _change(column, kind))]
    return ConvertedTable(str(path), label, (*changes, *left_out))


def _text_fault(pattern: str) -> str | None:
    """Return the first fault of CSV files, or that they have no line of names; None without one."""
    if (fault := first_csv_fault(pattern)) is not None:
        lonely = fault.endswith("instead of 1")
        return f"{fault}; the first line has to name the columns: delete what is above it" if lonely else fault
    _, *names = read_header(stored_paths(pattern)[0])
    return "the first line may be values: put a line of names before it" if any(map(VALUE.fullmatch, names)) else None


def _named(connection: duckdb.DuckDBPyConnection, relation: str, columns: list[_Column]) -> list[_Column]:
    """Leave out columns of CSV files without a name and without a value: separators at the end of lines."""
    counts = ", ".join(f"count({column.value})" for column in columns)
    row = connection.execute(f"SELECT {counts} FROM {relation}").fetchone() or ()
    return [c for c, filled in zip(columns, row, strict=True) if filled or not UNNAMED.fullmatch(c.stored)]


def _relation(connection: duckdb.DuckDBPyConnection, source: Source) -> str:
    """Write the relation of a source; CSV values are text."""
    if source.format == "json":
        return f"read_json({quote_text(source.path)}, sample_size = -1)"
    if source.format != "duckdb":
        return files_relation(source)
    connection.execute("DETACH DATABASE IF EXISTS stored")
    connection.execute("ATTACH ? AS stored (READ_ONLY)", [source.path])
    return f"stored.main.{quote_identifier(source.table or '')}"


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[list[_Column], list[str]]:
    """Return the columns to write, with identifiers as names, and what is left out."""
    found, left_out, used = list[_Column](), list[str](), set[str]()
    described = connection.sql(f"SELECT * FROM {relation}")
    for stored, kind in zip(described.columns, described.types, strict=True):
        for label, value, inner in _fields(stored, quote_identifier(stored), kind):
            cast = _cast(inner)
            if cast is None:
                left_out.append(f"{label} is left out: {inner.id.upper()}")
            else:
                name = unused(to_identifier(label), used)
                found.append(_Column(name, cast[0].format(value), cast[1], label))
    return found, left_out


def _fields(label: str, value: str, kind: DuckDBPyType) -> Iterator[tuple[str, str, DuckDBPyType]]:
    """Yield a column, or the fields of a structure and of those within: label, SQL of its value, and type."""
    if kind.id != "struct":
        yield label, value, kind
        return
    for field, inner in kind.children:
        assert isinstance(inner, DuckDBPyType)  # noqa: S101  as fields of a structure are
        yield from _fields(f"{label}.{field}", f"struct_extract({value}, {quote_text(field)})", inner)


def _cast(kind: DuckDBPyType) -> tuple[str, str] | None:
    """Return SQL that makes a stored value one of a type that catalogs know, and that type; None if there is none."""
    if kind.id in AS_TEXT:
        return "CAST({0} AS VARCHAR)", "VARCHAR"
    if kind.id in AS_TIMESTAMP:
        return "CAST({0} AS TIMESTAMP)", "TIMESTAMP"
    if kind.id == "hugeint":
        return "CAST({0} AS BIGINT)", "BIGINT"
    if kind.id == "interval":
        return "epoch({0})", SECONDS
    return ("{0}", str(kind)) if sql_type(str(kind)) is not None else None


def _types(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[_Column], *, typed: bool
) -> list[TextType | None]:
    """Return the type that all texts of a column have, or all whole numbers; None for other columns and mixed texts.

    The first rows rule most types out, so that all rows are compared with few.
    """
    possible = [text_types(column.name, column.kind, typed=typed) for column in columns]
    texts = {place: _present(columns[place]) for place, kinds in enumerate(possible) if kinds}
    if not texts:
        return [None] * len(columns)
    select = ", ".join(f"{text} AS c{place}" for place, text in texts.items())
    first = connection.execute(f"SELECT {select} FROM {relation} LIMIT {FIRST_ROWS}").fetchall()
    tests = [
        (place, kind)
        for place, column in zip(texts, zip(*first, strict=True), strict=bool(first))
        for kind in possible[place]
        if all(text is None or kind.is_like(text) for text in column)
    ]
    if not tests:
        return [None] * len(columns)
    fits = ", ".join(kind.fits(f"c{place}") for place, kind in tests)
    row = connection.execute(f"SELECT {fits} FROM (SELECT {select} FROM {relation})").fetchone() or ()
    fitting = [test for test, fits in zip(tests, row, strict=True) if fits is True]
    return [chosen(kind for place, kind in fitting if place == each) for each in range(len(columns))]


def _present(column: _Column) -> str:
    """Write the text of a column, NULL where it stands for a missing value."""
    missing = ", ".join(map(quote_text, MISSING))
    text = f"trim(CAST({column.value} AS VARCHAR))"
    return f"(CASE WHEN {text} NOT IN ({missing}) THEN {text} END)"


def _written(column: _Column, kind: TextType | None) -> str:
    """Write the select item of a column."""
    return f"{column.value if kind is None else kind.converted(_present(column))} AS {quote_identifier(column.name)}"


def _change(column: _Column, kind: TextType | None) -> str:
    """State a new name, and a type where its texts were written in another way; empty if neither."""
    renamed = f"{column.stored} -> {column.name}" if column.stored.lower() != column.name else column.name
    words = f": {kind.kind}, {kind.words}" if kind is not None and kind.words else ""
    words = ": DOUBLE, seconds" if column.kind == SECONDS else words
    return renamed + words if words or renamed != column.name else ""
