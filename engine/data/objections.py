"""Objections (GDPR Art. 21): record, withdraw and list them, and the table of objectors that an execution reads.

An execution reads one immutable table, as of the process's last read of the register (proofs.md#objections). The owner
needs the catalog and the register to record objections, but no data.

Persons come from text or from a steward's file, with the catalog's person key; every line must name a person, or
nothing is recorded. No person is looked up in the data: unknown ones are recorded too, or the response would reveal who
is in the data.
"""

from __future__ import annotations

import csv
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from budgets import Ledger, ObjectionEvent, ObjectionEventKind, ObjectionRegister, ParamError, UnsafeStore, check_name
from dialect.catalog import MAX_PERSON_CHARACTERS, Catalog, SqlType
from engine.backends.exact import NO_OBJECTIONS
from engine.catalog.bundled import find_dataset
from engine.data.files.csv_files import DELIMITERS, QUOTE, most_frequent_delimiter
from engine.progress import Progress


@dataclass(frozen=True)
class _ReadEntries:
    """What was read of a register up to a position; replaced as a whole."""

    position: int
    persons: Mapping[str, Mapping[str, None]]  # dataset -> current objectors, in order of objection
    tables: Mapping[str, pa.Table]


class CurrentObjectors:
    """The current objectors of one register; new entries are read before every execution."""

    def __init__(self, register: ObjectionRegister) -> None:
        """Wrap a register; nothing is read yet."""
        self.register = register
        self._lock = threading.Lock()
        self._read = _ReadEntries(0, {}, {})

    def current_objectors(self, dataset: str) -> pa.Table:
        """Return a dataset's current objectors, as an immutable table with the column `person`."""
        with self._lock:
            self._read_new_entries()
            return self._read.tables.get(dataset, NO_OBJECTIONS)

    def close(self) -> None:
        """Close the register."""
        self.register.close()

    def _read_new_entries(self) -> None:
        """Apply the register's new entries, from any process; whether a person is in the data makes no difference.

        Where anything fails or is interrupted, nothing counts as read, and the next call reads the same entries.
        """
        newer = self.register.objections_after(self._read.position)
        if not newer:
            return
        changed = {o.dataset: dict(self._read.persons.get(o.dataset, {})) for o in newer}
        for objection in newer:
            if objection.kind is ObjectionEventKind.OBJECT:
                changed[objection.dataset][objection.person] = None
            else:
                changed[objection.dataset].pop(objection.person, None)
        tables = {dataset: _objector_table(persons) for dataset, persons in changed.items()}
        # one assignment, so that an interruption leaves all of it or nothing
        self._read = _ReadEntries(
            newer[-1].position, {**self._read.persons, **changed}, {**self._read.tables, **tables}
        )


def _objector_table(persons: Iterable[str]) -> pa.Table:
    """Build the table of objectors that executions read."""
    return pa.table({"person": pa.array(list(persons), pa.string())})


INTEGER_TEXT = re.compile(r"[+-]?\d{1,20}", re.ASCII)
UNSTORABLE_CHARACTERS = re.compile("[\0\ud800-\udfff]")  # characters that the register cannot store
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1  # range over all declared integer types
SHOWN_LINES = 10
PROGRESS_LINES = 100_000
UNCLEAR_CURE = "quote a key that has white space at its ends, or one of , ; | and tab in a file of one column"
FILE_FORMAT_CURE = "one person a line, or a column that is called like the catalog's: {}"


def person_column(catalog: Catalog, dataset: str) -> tuple[str, SqlType]:
    """Return the name and type of a dataset's person key. Raises ParamError where it has none."""
    tables = (t for t in catalog.tables if t.dataset == dataset and t.person is not None and not t.person.through)
    for table in tables:
        column = table.columns_by_name.get(table.person.column) if table.person is not None else None
        if column is not None:
            return column.name, column.type
    raise ParamError(f"Dataset {dataset} has no persons.", "name a dataset with private tables")


def normalize_person(text: str | None, kind: SqlType) -> str | None:
    """Normalize a person key for comparison with stored ones; None if it cannot be one.

    Claim: every person whose rows are read can object. Symbols: the text of a stored person. Formula: texts of 1 to
    1,000 characters without NUL, which is what scans read; all integers of 64 bits. Source:
    dialect/codegen/proofs.md#can-object.
    """
    if text is None:
        return None
    if kind is SqlType.VARCHAR:
        return text if 1 <= len(text) <= MAX_PERSON_CHARACTERS and not UNSTORABLE_CHARACTERS.search(text) else None
    bare = text.strip()
    return str(int(bare)) if INTEGER_TEXT.fullmatch(bare) and MIN_INTEGER <= int(bare) <= MAX_INTEGER else None


def parse_person(text: str, column: str, kind: SqlType) -> list[str]:
    """Parse one person key. Raises ParamError, which does not repeat the text."""
    found = normalize_person(text, kind)
    if found is None:
        what = "an integer" if kind is not SqlType.VARCHAR else "text of 1 to 1,000 characters"
        raise ParamError(f"This is no {column}: persons of this dataset are {what}.", "write one as the data have it")
    return [found]


def read_persons(path: Path, column: str, kind: SqlType, progress: Progress) -> list[str]:
    """Read the person keys of a CSV or Parquet file, one per non-empty line, duplicates included.

    Raises ParamError with the number of bad lines and the first of them. A text that may not be the key as the data
    have it is bad too: its objection would be recorded, and match nobody.
    """
    reader = _parquet_lines if path.suffix.lower() == ".parquet" else _csv_lines
    found: list[str] = []
    bad: list[int] = []
    unclear = False
    for line, text, fraction, is_exact in _read_lines(reader, path, column):
        normalized = normalize_person(text, kind)
        if kind is SqlType.VARCHAR and not is_exact:
            bad.append(line)
            unclear = True
        elif normalized is None:
            bad.append(line)
        else:
            found.append(normalized)
        if line % PROGRESS_LINES == 0:
            progress("reading persons", fraction)
    if bad:
        shown = ", ".join(map(str, bad[:SHOWN_LINES])) + (", ..." if len(bad) > SHOWN_LINES else "")
        why = f"{len(bad):,} of {len(bad) + len(found):,} lines name no person, so nothing was recorded: line {shown}."
        header = f"; if line 1 holds names, let that of the persons be {column}" if bad == [1] else ""
        quoting = f"; {UNCLEAR_CURE}" if unclear else ""
        raise ParamError(why, f"correct these lines, and send the whole file again{quoting}{header}")
    if not found:
        raise ParamError("The file names nobody.", FILE_FORMAT_CURE.format(column))
    return found


Line = tuple[int, str | None, float, bool]  # line number, person text, fraction of the file read, is it exact


def _read_lines(reader: Callable[[Path, str], Iterable[Line]], path: Path, column: str) -> Iterator[Line]:
    """Read the lines of a file. Raises ParamError for unreadable files."""
    try:
        yield from reader(path, column)
    except (OSError, UnicodeError, csv.Error, pa.ArrowException):
        raise ParamError(f"The file {path} can't be read.", "a CSV file in UTF-8, or a Parquet file") from None


def _csv_lines(path: Path, column: str) -> Iterator[Line]:
    """Yield the lines of a CSV file, with a header or of one column; a line with too many fields has no person."""
    size = max(1, path.stat().st_size)
    with path.open(encoding="utf-8-sig", newline="") as file:
        delimiter = most_frequent_delimiter(file.readline())  # as data files are read
        file.seek(0)
        read, place, width = 0, -1, 0
        for line, row, written in _records(file, delimiter):
            read += sum(map(len, row)) + 1
            if place < 0:
                place, is_header = _person_position(row, column)
                width = len(row)
                if is_header:
                    continue
            if row:
                has_person = place < len(row) <= width
                is_exact = not has_person or _is_exact(written[place], alone=width == 1)
                yield line, row[place] if has_person else None, min(1.0, read / size), is_exact


def _records(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield the number of each record's last line, its fields, and the fields as they are written."""
    lines: list[str] = []

    def read_lines() -> Iterator[str]:
        for line in file:
            lines.append(line)
            yield line

    rows = csv.reader(read_lines(), delimiter=delimiter, strict=True)
    field = re.compile(rf'("(?:[^"]|"")*"|[^{re.escape(delimiter)}\r\n]*)(?:{re.escape(delimiter)}|[\r\n]*\Z)')
    for row in rows:
        yield rows.line_num, row, field.findall("".join(lines))
        lines.clear()


def _is_exact(written: str, *, alone: bool) -> bool:
    """Return whether a field is surely the whole text of a key: quoted, or without white space at its ends.

    In a file of one column nothing tells the delimiter, so an unquoted key has none of them.
    """
    if written.startswith(QUOTE):
        return True
    return written == written.strip() and not (alone and any(delimiter in written for delimiter in DELIMITERS))


def _person_position(first: list[str], column: str) -> tuple[int, bool]:
    """Return the position of the person column in a CSV file, and whether its first line is a header."""
    names = [text.strip().lower() for text in first]
    if column in names:
        return names.index(column), True
    if len(first) > 1 or any(re.search(rf"(?<!\w){re.escape(column)}(?!\w)", name) for name in names):
        raise ParamError(f"No column of the file is called {column}.", FILE_FORMAT_CURE.format(column))
    return 0, False


def _parquet_lines(path: Path, column: str) -> Iterator[Line]:
    """Yield the values of the person column of a Parquet file."""
    file = pq.ParquetFile(path)
    names = {name.lower(): name for name in file.schema_arrow.names}
    if column not in names and len(names) > 1:
        raise ParamError(f"No column of the file is called {column}.", FILE_FORMAT_CURE.format(column))
    stored = names.get(column, next(iter(names.values())))
    line, lines = 0, max(1, file.metadata.num_rows)
    for batch in file.iter_batches(columns=[stored]):
        for found in batch.column(0):
            line += 1
            value = found.as_py()
            is_key = isinstance(value, str | int | Decimal | UUID) and not isinstance(value, bool)
            yield line, str(value) if is_key else None, line / lines, True


MAX_REASON_LENGTH = 500
TOPIC = "objection"


def _check_reason(reason: str, persons: Iterable[str], kind: SqlType) -> None:
    """Check that a reason contains no person's key, as a word or as a number. Raises ParamError, which repeats none."""
    if kind is SqlType.VARCHAR:
        words = (text.strip() for text in persons if text.strip() in reason)
        is_named = any(word and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", reason) for word in words)
    else:
        is_named = not _numbers(reason).isdisjoint(persons)
    if is_named:
        why = "The reason names a person who is recorded, and it is kept where auditors read."
        raise ParamError(why, "say who asked and why without a key, nor a day or year that is one: letter of October")


def _numbers(reason: str) -> set[str]:
    """Return the integers of a reason, as stored persons are written: 17 for 017, and -17 and 17 for -17."""
    found = re.findall(r"(?<!\w)\d+(?!\w)", reason)
    negative = re.findall(r"-(\d+)(?!\w)", reason)
    return {str(int(digits)) for digits in found} | {str(-int(digits)) for digits in negative}


@dataclass(frozen=True)
class CatalogObjections:
    """The objections to a catalog's datasets, with the ledger that audits them."""

    catalog: Catalog
    objections: CurrentObjectors
    ledger: Ledger  # audit notes of each event

    @classmethod
    def open_with_ledger(cls, catalog: Catalog, ledger_path: str, ledger: Ledger) -> CatalogObjections:
        """Open the objection register stored next to a ledger. Raises UnsafeStore where it is incomplete.

        An entry that was recorded but not noted in the ledger, because of a crash in between, is noted now.
        """
        register = cls(catalog, CurrentObjectors(ObjectionRegister.open_for_ledger(ledger_path)), ledger)
        try:
            register._reconcile_notes()
        except BaseException:
            register.close()
            raise
        return register

    def object(
        self, person: str, *, reason: str, by: str, dataset: str | None = None, withdraw: bool = False
    ) -> dict[str, Any]:
        """Record one person's objection or its withdrawal; durable on return. Raises ParamError, LedgerError."""
        name = find_dataset(self.catalog, dataset).name
        column, kind = person_column(self.catalog, name)
        persons = parse_person(person, column, kind)
        _check_reason(reason, persons, kind)
        return self._record(name, persons, withdraw, reason, by)

    def object_file(
        self, path: str, *, reason: str, by: str, progress: Progress, dataset: str | None = None, withdraw: bool = False
    ) -> dict[str, Any]:
        """Record the objections of all persons in a file, or of none if a line is bad; return how many it names.

        Raises ParamError, LedgerError.
        """
        name = find_dataset(self.catalog, dataset).name
        column, kind = person_column(self.catalog, name)
        persons = read_persons(Path(path), column, kind, progress)
        _check_reason(reason, persons, kind)
        progress("recording", 1.0)
        different = list(dict.fromkeys(persons))
        act = self._record(name, different, withdraw, reason, by)
        return act | {"persons": len(different), "repeated": len(persons) - len(different)}

    def events(self, dataset: str | None = None) -> list[dict[str, Any]]:
        """List the recorded events: when, by whom and why, without persons and their number."""
        name = None if dataset is None else find_dataset(self.catalog, dataset).name
        return [asdict(act) for act in self.objections.register.events() if name in (None, act.dataset)]

    def current_objectors(self, dataset: str) -> pa.Table:
        """Return the current objectors of a dataset, for one execution."""
        return self.objections.current_objectors(dataset)

    def close(self) -> None:
        """Close the register."""
        self.objections.close()

    def _record(self, dataset: str, persons: list[str], withdraw: bool, reason: str, by: str) -> dict[str, Any]:
        """Record an event in the register, then note it in the ledger."""
        if not reason.strip() or len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
            why = f"A reason is one line of 1 to {MAX_REASON_LENGTH} signs."
            raise ParamError(why, "say who asked and why: letter of 3 October")
        check_name(by, "Who records it")
        kind = ObjectionEventKind.WITHDRAW if withdraw else ObjectionEventKind.OBJECT
        act = self.objections.register.record(kind, dataset, persons, by=by, reason=reason.strip())
        self._note(act)  # after recording: an unnoted objection is in force, and is noted when the register opens again
        return asdict(act)

    def _note(self, act: ObjectionEvent) -> None:
        """Note an event in the ledger, without its persons."""
        body = {"act": act.act, "what": act.kind.value, "at": act.at, "reason": act.reason}
        self.ledger.note(TOPIC, body, actor=act.recorded_by, dataset=act.dataset)

    def _reconcile_notes(self) -> None:
        """Compare the register with the ledger's notes: a lost or older register would readmit objectors.

        Raises UnsafeStore if a noted event is missing; events without a note are noted. Notes are read before the
        register, where every noted event is already, so that another process can record one meanwhile.
        """
        noted = self._noted_events()
        acts = self.objections.register.events()
        recorded = {act.act: (act.kind.value, act.at, act.dataset) for act in acts}
        if any(recorded.get(number) != event for number, event in noted.items()):
            why = "The ledger knows of objections that its register does not hold, so nothing is answered."
            raise UnsafeStore(why, "the register's own file, NAME.ledger.objections, of the same moment as the ledger")
        if recorded.keys() - noted.keys():
            noted = self._noted_events()  # again: the other process has probably noted its own
        for act in (act for act in acts if act.act not in noted):
            self._note(act)

    def _noted_events(self) -> dict[int, tuple[str, str, str | None]]:
        """Return the ledger's notes of events by number: what, when, and the dataset."""
        notes = self.ledger.entries(kind=f"note_{TOPIC}")
        return {n.content["act"]: (n.content["what"], n.content["at"], n.dataset) for n in notes}
