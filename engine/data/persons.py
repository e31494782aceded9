"""Text, or a file of a steward -> persons as the catalog names them; every line is one, or nothing is taken.

Nothing is looked up: a person who is in no table is taken like any other, or the answer would tell who is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from budgets import ParamError
from dialect.catalog.admission import LONGEST_PERSON
from dialect.catalog.catalog import Catalog, SqlType
from engine.progress import Progress

WHOLE = re.compile(r"[+-]?\d{1,20}", re.ASCII)
NO_TEXT = re.compile("[\0\ud800-\udfff]")  # what no store of objections holds
LEAST, MOST = -(2**63), 2**64 - 1  # of every integer type that a catalog may declare
SHOWN_LINES = 10
PROGRESS_LINES = 100_000
HINT = "one person a line, or a column that is called like the catalog's: {}"


def person_column(catalog: Catalog, dataset: str) -> tuple[str, SqlType]:
    """Find what a dataset calls its persons, and their type; raises ParamError where it has none."""
    tables = (t for t in catalog.tables if t.dataset == dataset and t.person is not None and not t.person.through)
    for table in tables:
        column = table.column(table.person.column) if table.person is not None else None
        if column is not None:
            return column.name, column.type
    raise ParamError(f"Dataset {dataset} has no persons.", "name a dataset with private tables")


def person(text: str | None, kind: SqlType) -> str | None:
    """Write a person as they are compared; None for what can be none.

    Claim: whoever is read can object. Symbols: the text of a stored person. Formula: of texts, 1 to 1,000 characters
    without NUL, which is what scans read; of integers, all of 64 bits. Source: dialect/proofs.md#can-object.
    """
    if text is None:
        return None
    if kind is SqlType.VARCHAR:
        return text if 1 <= len(text) <= LONGEST_PERSON and not NO_TEXT.search(text) else None
    bare = text.strip()
    return str(int(bare)) if WHOLE.fullmatch(bare) and LEAST <= int(bare) <= MOST else None


def one_person(text: str, column: str, kind: SqlType) -> list[str]:
    """Take one person; raises ParamError, which repeats nothing of it."""
    found = person(text, kind)
    if found is None:
        what = "an integer" if kind is not SqlType.VARCHAR else "text of 1 to 1,000 characters"
        raise ParamError(f"This is no {column}: persons of this dataset are {what}.", "write one as the data have it")
    return [found]


def persons_in(path: Path, column: str, kind: SqlType, progress: Progress) -> list[str]:
    """Read a CSV or Parquet file, one person for each line that is not empty, those named twice as often.

    Raises ParamError with the number of bad lines and the first of them.
    """
    reader = _parquet if path.suffix.lower() == ".parquet" else _csv
    found: list[str] = []
    bad: list[int] = []
    for line, text, fraction in _opened(reader, path, column):
        taken = person(text, kind)
        if taken is None:
            bad.append(line)
        else:
            found.append(taken)
        if line % PROGRESS_LINES == 0:
            progress("reading persons", fraction)
    if bad:
        shown = ", ".join(map(str, bad[:SHOWN_LINES])) + (", ..." if len(bad) > SHOWN_LINES else "")
        why = f"{len(bad):,} of {len(bad) + len(found):,} lines name no person, so nothing was recorded: line {shown}."
        header = f"; if line 1 holds names, let that of the persons be {column}" if bad == [1] else ""
        raise ParamError(why, f"correct these lines, and send the whole file again{header}")
    if not found:
        raise ParamError("The file names nobody.", HINT.format(column))
    return found


Line = tuple[int, str | None, float]  # its number, its text, the part of the file before it


def _opened(reader: Callable[[Path, str], Iterable[Line]], path: Path, column: str) -> Iterator[Line]:
    try:
        yield from reader(path, column)
    except (OSError, UnicodeError, csv.Error, pa.ArrowException):
        raise ParamError(f"The file {path} can't be read.", "a CSV file in UTF-8, or a Parquet file") from None


def _csv(path: Path, column: str) -> Iterator[Line]:
    """Read a CSV file with a line of names, or one of persons alone; a line with a comma too much names nobody."""
    size = max(1, path.stat().st_size)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows, read = csv.reader(file, strict=True), 0
        place: int | None = None
        width = 0
        for row in rows:
            read += sum(map(len, row)) + 1
            if place is None:
                place, is_header = _place(row, column)
                width = len(row)
                if is_header:
                    continue
            if row:
                named = place < len(row) <= width
                yield rows.line_num, row[place] if named else None, min(1.0, read / size)


def _place(first: list[str], column: str) -> tuple[int, bool]:
    """Find which column of a CSV file names persons, and whether its first line holds names."""
    names = [text.strip().lower() for text in first]
    if column in names:
        return names.index(column), True
    if len(first) > 1:
        raise ParamError(f"No column of the file is called {column}.", HINT.format(column))
    return 0, False


def _parquet(path: Path, column: str) -> Iterator[Line]:
    """Read a column of a Parquet file."""
    file = pq.ParquetFile(path)
    names = {name.lower(): name for name in file.schema_arrow.names}
    if column not in names and len(names) > 1:
        raise ParamError(f"No column of the file is called {column}.", HINT.format(column))
    stored = names.get(column, next(iter(names.values())))
    line, lines = 0, max(1, file.metadata.num_rows)
    for batch in file.iter_batches(columns=[stored]):
        for found in batch.column(0):
            line += 1
            value = found.as_py()
            named = isinstance(value, str | int | Decimal | UUID) and not isinstance(value, bool)
            yield line, str(value) if named else None, line / lines
