"""Ledger binding: which ledger keeps the budget of which data files, and its last seen state.

Data charged in one ledger can't be queried with the budget of another, nor with an older copy of the same one. A mark
is a file, written before a dataset's first charge, in the owner's data folder, readable by the owner alone.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from budgets import Anchor, Charge, ChargeRequest, Ledger, LedgerError, UnsafeStore, shown_address
from dialect.catalog import Catalog
from engine.catalog.sources import Files, overlap, stored_files
from engine.data.files.durable import make_folder_durably, write_durably

MARK_FORMAT = 1
IN_MEMORY = ":memory:"
BETWEEN_TWO = 1.0  # seconds between two records of a ledger's state


@dataclass(frozen=True)
class Mark:
    """Binding of one dataset's files to a ledger."""

    file: Path
    dataset: str
    sources: tuple[str, ...]  # path patterns of its private tables
    address: str  # of the ledger, without a password; for display
    anchor: Anchor

    def write(self) -> None:
        """Write the mark durably."""
        told = {"mark_format": MARK_FORMAT, "dataset": self.dataset, "sources": list(self.sources)}
        write_durably(self.file, json.dumps({**told, "address": self.address, "anchor": self.anchor.to_json()}))

    @classmethod
    def read(cls, file: Path) -> Mark:
        """Load a mark. Raises UnsafeStore for an unreadable one: it may forbid what is about to happen."""
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            if told["mark_format"] != MARK_FORMAT:
                raise ValueError
            return cls(file, told["dataset"], tuple(told["sources"]), told["address"], Anchor.from_json(told["anchor"]))
        except (OSError, ValueError, KeyError, TypeError) as failure:
            raise UnsafeStore(f"The mark {file} can't be read.", "the mark from a backup of that folder.") from failure


def is_there(address: str) -> bool:
    """Check that opening a ledger creates no file: the file exists, or the address is not a file."""
    return address == IN_MEMORY or "://" in address or Path(address).exists()


def open_marked(address: str, catalog: Catalog, folder: Path | None) -> Ledger:
    """Open a catalog's ledger and verify it against the marks of a folder, if any; one in memory writes none.

    A missing ledger file is refused before it is created if a mark names another ledger. Raises LedgerError.
    """
    marks = None if folder is None else Marks(folder, catalog, shown_address(address))
    if marks is not None and not is_there(address):
        marks.check_none()
    ledger = Ledger.open(address) if marks is None or address == IN_MEMORY else MarkedLedger.open(address)
    try:
        _check_exported(ledger)
        if marks is None:
            return ledger
        marks.check(ledger)
    except BaseException:
        ledger.close()
        raise
    if isinstance(ledger, MarkedLedger):
        ledger.marks = marks
    return ledger


def marked_anchors(folder: Path, ledger_id: str) -> list[Anchor]:
    """Last seen states of a ledger, from its marks. Raises UnsafeStore."""
    marks = [Mark.read(file) for file in sorted(folder.glob(f"{ledger_id}-*.json"))]
    return [mark.anchor for mark in marks]


def _check_exported(ledger: Ledger) -> None:
    """Verify a ledger against the anchor file that PASSERSBY_ANCHOR names. Raises LedgerError."""
    named = os.environ.get("PASSERSBY_ANCHOR")
    if named:
        try:
            text = Path(named).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            raise UnsafeStore(
                f"The anchor {named} can't be read.", "PASSERSBY_ANCHOR=FILE, from `ledger anchor`."
            ) from None
        ledger.check_anchor(Anchor.from_json(text))


class MarkedLedger(Ledger):
    """Ledger that writes marks: before a dataset's first charge, and periodically with its state."""

    marks: Marks | None = None

    def charge(self, request: ChargeRequest) -> Charge:
        """Mark the dataset, charge, and record the ledger's state. Raises as a ledger does."""
        if self.marks is None:
            return super().charge(request)
        self.marks.before_charge(self, request.dataset)
        charge = super().charge(request)
        self.marks.after_charge(self)
        return charge

    def close(self) -> None:
        """Record the ledger's state in its marks, and close it."""
        with suppress(LedgerError, OSError):  # the state recorded before stays valid
            if self.marks is not None:
                self.marks.note(self)
        super().close()


@dataclass
class Marks:
    """Marks of one catalog's datasets, checked against all marks in a folder."""

    folder: Path
    catalog: Catalog
    address: str
    made: dict[str, Mark] = field(default_factory=dict)
    noted: float = 0.0
    _one_at_a_time: threading.RLock = field(default_factory=threading.RLock, repr=False)  # threads charge concurrently

    def check(self, ledger: Ledger) -> None:
        """Refuse to query marked data with another ledger, or with one that was rolled back.

        Claim: files charged in one ledger are not queried with another's budget, nor with an older state's. Symbols:
        sources of marks and of the catalog; id and rows of the ledger. Formula: sources overlap => same id, same
        dataset, and the marked row is there. Source: proofs.md#marks. Raises UnsafeStore.
        """
        mine = ledger.anchor().ledger_id
        for mark, dataset in self._met():
            if mark.anchor.ledger_id != mine:
                _refuse_other(mark, dataset)
            if mark.dataset != dataset:
                _refuse_name(mark, dataset)
            ledger.check_anchor(mark.anchor)
            self.made[dataset] = mark

    def check_none(self) -> None:
        """Refuse to create a ledger for marked data: its id would be another. Raises UnsafeStore."""
        for mark, dataset in self._met():
            _refuse_other(mark, dataset)

    def before_charge(self, ledger: Ledger, dataset: str) -> None:
        """Mark a dataset that has no mark yet, durably."""
        with self._one_at_a_time:
            if dataset not in self.made:
                self.check(ledger)  # another process may have marked it meanwhile
                self._mark(ledger, dataset)

    def after_charge(self, ledger: Ledger) -> None:
        """Record the ledger's state, at most once per interval."""
        if time.monotonic() - self.noted > BETWEEN_TWO:
            self.note(ledger)

    def note(self, ledger: Ledger) -> None:
        """Record the ledger's state in the marks."""
        with self._one_at_a_time:
            for dataset in self.made:
                self._mark(ledger, dataset)
            self.noted = time.monotonic()

    def _mark(self, ledger: Ledger, dataset: str) -> None:
        anchor = ledger.anchor()
        make_folder_durably(self.folder)
        file = self.folder / f"{anchor.ledger_id}-{dataset}.json"
        earlier = self.made[dataset].sources if dataset in self.made else ()
        sources = tuple(dict.fromkeys((*earlier, *(files.pattern for files in self._private(dataset)))))
        self.made[dataset] = Mark(file, dataset, sources, self.address, anchor)
        self.made[dataset].write()

    def _met(self) -> Iterator[tuple[Mark, str]]:
        """Pair each mark with each dataset of the catalog that shares a file with it."""
        marks = [Mark.read(file) for file in sorted(self.folder.glob("*.json"))]
        for mark in marks:
            marked = [stored_files(source) for source in mark.sources]
            for dataset in self.catalog.datasets:
                mine = self._private(dataset.name)
                if any(overlap(one, other) for one in marked for other in mine):
                    yield mark, dataset.name

    def _private(self, dataset: str) -> list[Files]:
        tables = [table for table in self.catalog.tables if table.private and table.dataset == dataset]
        return [stored_files(table.source.path) for table in tables]


def _refuse_other(mark: Mark, dataset: str) -> None:
    named = f"--ledger {mark.address} on the command line, ledger={mark.address!r} in Python"
    if not is_there(mark.address):
        _refuse_missing(mark, dataset, named)
    raise UnsafeStore(
        f"The files of dataset {dataset} are charged in another ledger, {mark.address}: a second one would give their "
        "people's privacy away twice.",
        f"{named}; if that ledger is gone for good, remove {mark.file}, and know that what it spent is then spent on "
        "top.",
    )


def _refuse_missing(mark: Mark, dataset: str, named: str) -> None:
    raise UnsafeStore(
        f"The files of dataset {dataset} are charged in the ledger {mark.address}, and that is not there: a new one "
        "would have forgotten what was spent.",
        f"restore it from a backup, as docs/operations.md#restore says; where it was moved, move it back: {named}.",
    )


def _refuse_name(mark: Mark, dataset: str) -> None:
    raise UnsafeStore(
        f"The files of dataset {dataset} are charged as dataset {mark.dataset}, which has a budget of its own.",
        f"name the dataset {mark.dataset} again.",
    )
