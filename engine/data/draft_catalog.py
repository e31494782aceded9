"""Draft catalogs: a TOML template from a folder of files; nothing is queryable until the steward declares it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from string import Template

from dialect.catalog import Source, SqlType
from engine.catalog.columns import sql_type
from engine.catalog.toml_section import IDENTIFIER
from engine.data.checks.person_names import may_name_people, names_people, row_name
from engine.data.files.csv_files import UnreadableError, csv_header_fault
from engine.data.files.stored_files import StoredFiles, is_uuid, uuid_cure
from engine.errors import CatalogError

BUNDLED = Path(__file__).parents[1] / "catalog" / "catalogs_bundled"
HEAD_TEMPLATE, KEYS_TEMPLATE = BUNDLED / "new_head.toml", BUNDLED / "keys.toml"
FORMATS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".duckdb": "duckdb", ".db": "duckdb"}
HOW_TO_CONVERT = "passersby catalog convert does it"
JSON_FORMATS = (".json", ".jsonl", ".ndjson")
OTHER_FORMATS = (
    dict.fromkeys(JSON_FORMATS, "passersby catalog convert reads it")
    | dict.fromkeys((".xlsx", ".xls", ".feather", ".orc", ".avro", ".sqlite"), "export it as one of them")
    | dict.fromkeys((".gz", ".zip", ".zst", ".bz2"), "unpack it")
)
LETTERS = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d"})
# a name that ends in a number: after a separator, or of four digits, as versions like v2 are no parts of one table
NUMBERED = re.compile(r"([^*?\[\]]*?[^\d\W_][^*?\[\]\d]*?)(?:[-_. ]+\d|\d{4})[\d\-_. ]*")
NAMES = (SqlType.BIGINT, SqlType.VARCHAR)
TABLE_TEMPLATE = """
## -------------------------------------------------------------------------------- $name
# [tables.$name]
# dataset = "$dataset"
# kind = ""                    # "private" where rows are about persons, "public" where nobody is in them
# source = $source
$grows# primary_key = []             # columns that name one row; the person's column where a person has one row$key
## only where kind is "private":
# person = ""                  # column that names the person a row is about$person
# size_class = ""              # order of magnitude of the number of rows: "1e6"
$time## in every case: the columns that analysts may use. Add bounds = [0, 100] to a number that is summed or averaged
## (values beyond count as these ends), or bounds = "measure" where you do not know; values = ["N", "S"],
## range = [0, 23] or values_of = "TABLE.COLUMN" to a key; nullable = false where every row has a value, else answers by
## it have a group for NULL
# [tables.$name.columns]"""
CSV_INGEST_NOTE = "## passersby ingest adds rows to Parquet alone: passersby catalog convert makes it such\n"
FOLDER_CURE = "give a folder with your files."


def draft_catalog(folder: Path) -> str:
    """Return the draft catalog of a folder as TOML, every table commented out; no values are read.

    Finds Parquet and CSV files and the tables of DuckDB files in the folder, and Parquet and CSV files in its
    subfolders, each of which is one table. Files that differ in a number alone, as those of several months do, are one
    table if they have the same columns. Raises CatalogError where there is none that can be read.
    """
    if not folder.is_dir():
        raise CatalogError(str(folder), "folder", "there is no such folder.", FOLDER_CURE)
    folder = folder.resolve()
    dataset, used = to_identifier(folder.name), set[str]()
    sections = [Template(HEAD_TEMPLATE.read_text("utf-8")).substitute(name=dataset, folder=_printable(folder.name))]
    with StoredFiles() as files:
        named = [(unused(to_identifier(found), used), source) for found, source in folder_sources(folder, files)]
        columns = {name: _columns(source, files) for name, source in named}
        faults = {name: _fault(source, folder, files) for name, source in named}
        for name, source in named:
            if faults[name] is None:
                hints = {
                    "key": _key_hint(name, columns),
                    "person": _person_hint(name, columns),
                    "time": _time_line(columns[name]),
                }
                declared = _table_declaration(name, dataset, source, folder, hints)
                sections += [declared, *_column_declarations(source, files)]
    left_out = [fault for fault in faults.values() if fault is not None]
    left_out += [
        f"{path.name}: only Parquet, CSV and DuckDB files are read; {how}"
        for path in sorted(folder.iterdir())
        if (how := OTHER_FORMATS.get(path.suffix.lower()))
    ]
    if len(sections) == 1:
        why = "there are no Parquet, CSV or DuckDB files in it that can be read."
        raise CatalogError(str(folder), "folder", " ".join([why, *(f"{each}." for each in left_out[:3])]), FOLDER_CURE)
    noted = [f"## - {_printable(each)}" for each in left_out]
    return "\n".join([*sections, *(["\n## Left out:"] if noted else []), *noted]) + "\n"


def catalog_keys() -> str:
    """Explain every key of a catalog, as TOML with comments."""
    return Template(KEYS_TEMPLATE.read_text("utf-8")).substitute(name="mine")


def unused(name: str, used: set[str]) -> str:
    """Return a name, numbered if it is in use already, and add it to those in use."""
    found = next(each for each in chain([name], (f"{name}_{i}" for i in count(2))) if each not in used)
    used.add(found)
    return found


def to_identifier(text: str) -> str:
    """Convert a text to an identifier: ASCII lower case, with underscores for other characters."""
    plain = unicodedata.normalize("NFKD", text.translate(LETTERS)).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9_]+", "_", plain).strip("_")[:50]
    return name if IDENTIFIER.fullmatch(name) else f"t_{name}"


def _printable(text: str) -> str:
    """Replace unprintable characters, so that a text stays within one comment line."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def folder_sources(folder: Path, files: StoredFiles) -> Iterator[tuple[str, Source]]:
    """Yield (name, source) of each possible table in a folder."""
    paths = sorted(folder.iterdir())
    series = _numbered_series(paths, files)
    for path in paths:
        kind = FORMATS.get(path.suffix.lower())
        if path.is_dir():
            yield from _folder_tables(path)
        elif kind == "duckdb":
            yield from _database_tables(path, files)
        elif path in series:
            if path == series[path][0]:  # the first of them stands for all
                prefix = _numbered_prefix(path)
                yield prefix, Source(str(kind), str(folder / f"{prefix}*{path.suffix}"))
        elif kind:
            yield path.stem, Source(kind, str(path))


def _numbered_series(paths: Sequence[Path], files: StoredFiles) -> dict[Path, list[Path]]:
    """Find the files that belong to a series, with all of it: visits_2026-01.csv, visits_2026-02.csv.

    Their names differ after a common beginning in digits and separators alone, no other file begins so, and all have
    the same columns.
    """
    found = dict[Path, list[Path]]()
    for path in paths:
        prefix = _numbered_prefix(path)
        numbered = [each for each in paths if each.name.startswith(prefix) and each.suffix == path.suffix]
        if path in found or not prefix or len(numbered) < 2 or FORMATS.get(path.suffix.lower()) in (None, "duckdb"):
            continue
        if all(_numbered_prefix(each) == prefix for each in numbered) and _have_equal_columns(numbered, files):
            found |= dict.fromkeys(numbered, numbered)
    return found


def _numbered_prefix(path: Path) -> str:
    """Beginning of a file name before the number that ends it; empty if it ends in none."""
    found = NUMBERED.fullmatch(path.stem)
    return "" if found is None or path.is_dir() else found[1]


def _have_equal_columns(paths: Sequence[Path], files: StoredFiles) -> bool:
    """Return whether files have the same columns of the same types; False for one that cannot be read."""
    try:
        columns = [files.columns(Source(FORMATS[path.suffix.lower()], str(path)), guessed=True) for path in paths]
    except UnreadableError:
        return False
    return all(each == columns[0] for each in columns)


def _folder_tables(folder: Path) -> Iterator[tuple[str, Source]]:
    """Yield a subfolder as one table per file type, with a glob pattern over its files."""
    for suffix in (".parquet", ".csv", ".tsv"):
        if (pattern := files_below(folder, suffix)) is not None:
            yield folder.name, Source(FORMATS[suffix], pattern)


def files_below(folder: Path, suffix: str) -> str | None:
    """Return a glob pattern of the files of a type in a folder, and below it where there are such; None of none."""
    if any(folder.glob(f"*/**/*{suffix}")):
        return str(folder / "**" / f"*{suffix}")
    return str(folder / f"*{suffix}") if any(folder.glob(f"*{suffix}")) else None


def _database_tables(path: Path, files: StoredFiles) -> Iterator[tuple[str, Source]]:
    """Yield the tables of a DuckDB file; none if another program wrote the file."""
    try:
        tables = files.tables(str(path))
    except UnreadableError:
        return
    for table in tables:
        yield table, Source("duckdb", str(path), table)


def _columns(source: Source, files: StoredFiles) -> dict[str, str]:
    """Types of the columns of a source, by name in lower case; none if it cannot be read, or has no names."""
    try:
        columns = files.columns(source, guessed=True)
        has_header = source.format != "csv" or _has_header_row(source, columns, files)
    except UnreadableError:
        return {}
    return {name.lower(): kind for name, kind in columns.items()} if has_header else {}


def _person_hint(name: str, columns: Mapping[str, Mapping[str, str]]) -> str:
    """Which columns of a table may name people: named like that, those that other tables have too first."""
    likely = [
        (column, [other for other, theirs in columns.items() if other != name and column in theirs])
        for column, kind in columns[name].items()
        if IDENTIFIER.fullmatch(column) and may_name_people(column) and (is_uuid(kind) or sql_type(kind) in NAMES)
    ]
    likely.sort(key=lambda found: (not names_people(found[0]), -len(found[1])))
    texts = [f"{column} (also in {', '.join(others[:3])})" if others else column for column, others in likely[:2]]
    return f": perhaps {' or '.join(texts)}" if texts else ""


def _key_hint(name: str, columns: Mapping[str, Mapping[str, str]]) -> str:
    """Which column may name a row: the first, named like the table or like columns of another one, and no person."""
    first = next(iter(columns[name]), "")
    if not IDENTIFIER.fullmatch(first) or may_name_people(first) or sql_type(columns[name][first]) not in NAMES:
        return ""
    row = row_name(first)
    theirs = (row_name(column) for other, found in columns.items() if other != name for column in found)
    is_likely = row in name or any(each == row or each.endswith(f"_{row}") for each in theirs)
    return f": perhaps {first}" if is_likely else ""


def _time_line(columns: Mapping[str, str]) -> str:
    """Declare the first time as that at which a row happened; empty if there is none."""
    times = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)
    found = [name for name, kind in columns.items() if sql_type(kind) in times and IDENTIFIER.fullmatch(name)]
    return f'# time_column = "{found[0]}"   # when a row happened; windows of time need it\n' if found else ""


def _table_declaration(name: str, dataset: str, source: Source, folder: Path, hints: Mapping[str, str]) -> str:
    """Write the commented-out declaration of a table."""
    path = str(Path(source.path).relative_to(folder))
    inside = f", table = {_toml_string(source.table)}" if source.table else ""
    stored = f"{{ {source.format} = {_toml_string(path)}{inside} }}"
    ingest_note = CSV_INGEST_NOTE if source.format == "csv" else ""
    return Template(TABLE_TEMPLATE).substitute(name=name, dataset=dataset, source=stored, grows=ingest_note, **hints)


def _toml_string(text: str) -> str:
    """Write a TOML string."""
    return json.dumps(text, ensure_ascii=False)


def _fault(source: Source, folder: Path, files: StoredFiles) -> str | None:
    """Return why a source cannot be read, after its path; None if it can."""
    path = Path(source.path).relative_to(folder)
    if source.format == "csv" and (fault := csv_header_fault(source.path)) is not None:
        return fault if fault.startswith(str(path)) else f"{path}: {fault}"
    try:
        files.columns(source, guessed=True)
    except UnreadableError:
        return f"{path} cannot be read as {source.format}"
    return None


def _column_declarations(source: Source, files: StoredFiles) -> Iterable[str]:
    """Write the column declarations, one per line, or a comment that states why not."""
    columns = files.columns(source, guessed=True)
    if source.format == "csv" and not _has_header_row(source, columns, files):
        return [
            "## Not listed, because the first line of the file may be values and no names. Where it is names,",
            '## list the columns yourself: name = { type = "VARCHAR" }, or passersby catalog convert does it.',
        ]
    return _column_lines(columns, source)


def _has_header_row(source: Source, columns: dict[str, str], files: StoredFiles) -> bool:
    """Return whether a CSV file begins with a header; False for all-text files, where a header looks like values."""
    return files.has_header(source.path) and set(columns.values()) != {"VARCHAR"}


def _column_lines(columns: dict[str, str], source: Source) -> Iterator[str]:
    """Write each supported column as a declaration, and for the others a comment with the reason."""
    seen: set[str] = set()
    for stored_name, stored_type in columns.items():
        name, kind = stored_name.lower(), sql_type(stored_type)
        if not IDENTIFIER.fullmatch(name) or name in seen:
            other = to_identifier(stored_name)
            yield f"## {_printable(stored_name)} is left out: rename it in the file, as {other}; {HOW_TO_CONVERT}."
        elif is_uuid(stored_type) and source.format != "duckdb":
            yield f'# {name} = {{ type = "VARCHAR" }}  # stored as UUID, read as its text in lower case'
        elif is_uuid(stored_type) or stored_type.startswith("ENUM("):
            # the full type of an ENUM or STRUCT contains values or field names
            short = stored_type.partition("(")[0]
            yield f"## {name} is left out: the type {short} is not supported in a DuckDB table."
            yield f"## To use it, {uuid_cure(name, source.table)}"
        elif kind is None:
            how = f" Store its fields as columns: {HOW_TO_CONVERT}." if stored_type.startswith("STRUCT(") else ""
            yield f"## {name} is left out: the type {stored_type.partition('(')[0]} is not supported.{how}"
        else:
            zone = ', time_zone = ""' if kind is SqlType.TIMESTAMPTZ else ""
            yield f'# {name} = {{ type = "{stored_type}"{zone} }}'
        seen.add(name)
