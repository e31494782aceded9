"""Ledger binding: which ledger keeps the budget of which data files, and its last seen state.

Data charged in one ledger can't be queried with the budget of another, nor with an older copy of the same one. A mark
is a file, written before a dataset's first charge, in the owner's data folder, readable by the owner alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from budgets import Anchor, Charge, ChargeRequest, Ledger, LedgerError, UnsafeStore, shown_address
from dialect.catalog import Catalog
from engine.catalog.sources import SourceFiles, share_files, source_files
from engine.data.files.durable import make_folder_durably, write_durably

BINDING_FORMAT = 1
IN_MEMORY = ":memory:"
MIN_RECORD_SECONDS = 1.0  # seconds between two records of a ledger's state


@dataclass(frozen=True)
class LedgerBinding:
    """Binding of one dataset's files to a ledger."""

    file: Path
    dataset: str
    sources: tuple[str, ...]  # path patterns of its private tables
    address: str  # of the ledger, without a password; for display
    anchor: Anchor

    def write(self) -> None:
        """Write the mark durably."""
        content = {"mark_format": BINDING_FORMAT, "dataset": self.dataset, "sources": list(self.sources)}
        write_durably(self.file, json.dumps({**content, "address": self.address, "anchor": self.anchor.to_json()}))

    @classmethod
    def read(cls, file: Path) -> LedgerBinding:
        """Load a mark. Raises UnsafeStore for an unreadable one: it may forbid what is about to happen."""
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["mark_format"] != BINDING_FORMAT:
                raise ValueError
            return cls(
                file,
                content["dataset"],
                tuple(content["sources"]),
                content["address"],
                Anchor.from_json(content["anchor"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as failure:
            raise UnsafeStore(f"The mark {file} can't be read.", "the mark from a backup of that folder.") from failure


def exists_or_needs_no_file(address: str) -> bool:
    """Check that opening a ledger creates no file: the file exists, or the address is not a file."""
    return address == IN_MEMORY or "://" in address or Path(address).exists()


def open_bound_ledger(address: str, catalog: Catalog, folder: Path | None) -> Ledger:
    """Open a catalog's ledger and verify it against the marks of a folder, if any; one in memory writes none.

    A missing ledger file is refused before it is created if a mark names another ledger. Raises LedgerError.
    """
    bindings = None if folder is None else LedgerBindings(folder, catalog, shown_address(address))
    if bindings is not None and not exists_or_needs_no_file(address):
        bindings.check_none_bound()
    ledger = Ledger.open(address) if bindings is None or address == IN_MEMORY else BoundLedger.open(address)
    try:
        _check_exported_anchor(ledger)
        if bindings is None:
            return ledger
        bindings.check(ledger)
    except BaseException:
        ledger.close()
        raise
    if isinstance(ledger, BoundLedger):
        ledger.bindings = bindings
    return ledger


def bound_anchors(folder: Path, ledger_id: str) -> list[Anchor]:
    """Last seen states of a ledger, from its marks. Raises UnsafeStore."""
    bindings = [LedgerBinding.read(file) for file in sorted(folder.glob(f"{ledger_id}-*.json"))]
    return [binding.anchor for binding in bindings]


def _check_exported_anchor(ledger: Ledger) -> None:
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


class BoundLedger(Ledger):
    """Ledger that writes marks: before a dataset's first charge, and periodically with its state."""

    bindings: LedgerBindings | None = None

    def charge(self, request: ChargeRequest) -> Charge:
        """Mark the dataset, charge, and record the ledger's state. Raises as a ledger does."""
        if self.bindings is None:
            return super().charge(request)
        self.bindings.before_charge(self, request.dataset)
        charge = super().charge(request)
        self.bindings.after_charge(self)
        return charge

    def close(self) -> None:
        """Record the ledger's state in its marks, and close it."""
        with suppress(LedgerError, OSError):  # the state recorded before stays valid
            if self.bindings is not None:
                self.bindings.record(self)
        super().close()


@dataclass
class LedgerBindings:
    """Marks of one catalog's datasets, checked against all marks in a folder."""

    folder: Path
    catalog: Catalog
    address: str
    bindings: dict[str, LedgerBinding] = field(default_factory=dict)
    recorded_at: float = 0.0
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)  # threads charge concurrently

    def check(self, ledger: Ledger) -> None:
        """Refuse to query marked data with another ledger, or with one that was rolled back.

        Claim: files charged in one ledger are not queried with another's budget, nor with an older state's. Symbols:
        sources of marks and of the catalog; id and rows of the ledger. Formula: sources overlap => same id, same
        dataset, and the marked row is there. Source: proofs.md#marks. Raises UnsafeStore.
        """
        ledger_id = ledger.anchor().ledger_id
        for binding, dataset in self._overlapping():
            if binding.anchor.ledger_id != ledger_id:
                _refuse_other_ledger(binding, dataset)
            if binding.dataset != dataset:
                _refuse_other_dataset(binding, dataset)
            ledger.check_anchor(binding.anchor)
            self.bindings[dataset] = binding

    def check_none_bound(self) -> None:
        """Refuse to create a ledger for marked data: its id would be another. Raises UnsafeStore."""
        for binding, dataset in self._overlapping():
            _refuse_other_ledger(binding, dataset)

    def before_charge(self, ledger: Ledger, dataset: str) -> None:
        """Mark those files of a dataset that have no mark yet, durably.

        Raises UnsafeStore if another ledger, or another dataset, has marked one of them.
        """
        with self._lock:
            if not self._is_marked(dataset):
                with self._exclusive():
                    self.check(ledger)  # another process may have marked them meanwhile
                    self._bind(ledger, dataset, self._sources(dataset))

    def after_charge(self, ledger: Ledger) -> None:
        """Record the ledger's state, at most once per interval."""
        if time.monotonic() - self.recorded_at > MIN_RECORD_SECONDS:
            self.record(ledger)

    def record(self, ledger: Ledger) -> None:
        """Record the ledger's state in the marks; they get no files, as only a charge checks those of other marks."""
        with self._lock:
            if self.bindings:
                with self._exclusive():
                    for dataset in self.bindings:
                        self._bind(ledger, dataset)
            self.recorded_at = time.monotonic()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Exclude other processes, which have other ledgers, from the folder between a check and its mark."""
        make_folder_durably(self.folder)
        opened = os.open(self.folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)  # released when the process ends, for any reason
            yield
        finally:
            os.close(opened)

    def _is_marked(self, dataset: str) -> bool:
        """Check that the mark of a dataset names all its files: then no other ledger can mark them."""
        return dataset in self.bindings and set(self._sources(dataset)) <= set(self.bindings[dataset].sources)

    def _bind(self, ledger: Ledger, dataset: str, added: tuple[str, ...] = ()) -> None:
        """Write a dataset's mark. Sources of an earlier one stay, also of another catalog with this dataset's name."""
        anchor = ledger.anchor()
        file = self.folder / f"{anchor.ledger_id}-{dataset}.json"
        earlier = LedgerBinding.read(file) if file.exists() else None
        if earlier is not None and dataset not in self.bindings:
            ledger.check_anchor(earlier.anchor)
        known = self.bindings.get(dataset)
        bound = [each.sources for each in (earlier, known) if each is not None]
        sources = tuple(dict.fromkeys((*chain.from_iterable(bound), *added)))
        self.bindings[dataset] = LedgerBinding(file, dataset, sources, self.address, anchor)
        self.bindings[dataset].write()

    def _overlapping(self) -> Iterator[tuple[LedgerBinding, str]]:
        """Pair each mark with each dataset of the catalog that shares a file with it."""
        bindings = [LedgerBinding.read(file) for file in sorted(self.folder.glob("*.json"))]
        for binding in bindings:
            bound_files = [source_files(source) for source in binding.sources]
            for dataset in self.catalog.datasets:
                own_files = self._private_files(dataset.name)
                if any(share_files(one, other) for one in bound_files for other in own_files):
                    yield binding, dataset.name

    def _sources(self, dataset: str) -> tuple[str, ...]:
        return tuple(table.source.path for table in self.catalog.private_tables(dataset))

    def _private_files(self, dataset: str) -> list[SourceFiles]:
        return [source_files(source) for source in self._sources(dataset)]


def _refuse_other_ledger(binding: LedgerBinding, dataset: str) -> None:
    named = f"--ledger {binding.address} on the command line, ledger={binding.address!r} in Python"
    if not exists_or_needs_no_file(binding.address):
        _refuse_missing_ledger(binding, dataset, named)
    raise UnsafeStore(
        f"The files of dataset {dataset} are charged in another ledger, {binding.address}: "
        "a second one would give their "
        "people's privacy away twice.",
        f"{named}; if that ledger is gone for good, remove {binding.file}, "
        "and know that what it spent is then spent on "
        "top.",
    )


def _refuse_missing_ledger(binding: LedgerBinding, dataset: str, named: str) -> None:
    raise UnsafeStore(
        f"The files of dataset {dataset} are charged in the ledger {binding.address}, and that is not there: a new one "
        "would have forgotten what was spent.",
        f"restore it from a backup, as docs/operations.md#restore says; where it was moved, move it back: {named}.",
    )


def _refuse_other_dataset(binding: LedgerBinding, dataset: str) -> None:
    raise UnsafeStore(
        f"The files of dataset {dataset} are charged as dataset {binding.dataset}, which has a budget of its own.",
        f"name the dataset {binding.dataset} again.",
    )
