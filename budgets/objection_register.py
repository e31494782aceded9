"""Register of data subjects' objections: durable on return, and visible to every process from then on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from budgets.log.events import Objection, ObjectionEvent, ObjectionEventKind
from budgets.stores import client_tables, open_store
from budgets.stores.copy import write_register_copy
from budgets.stores.postgres import is_postgres
from budgets.stores.sqlite import IN_MEMORY
from budgets.stores.store import Store


def register_address(ledger: str) -> str:
    """Address of a ledger's objection register: a separate file, or the same schema of a database."""
    is_separate_file = ledger != IN_MEMORY and not is_postgres(ledger)
    return f"{ledger}.objections" if is_separate_file else ledger


class ObjectionRegister:
    """A register of objections; thread-safe and multi-process-safe."""

    def __init__(self, store: Store) -> None:
        """Use an open store."""
        self._store = store

    @classmethod
    def open_for_ledger(cls, ledger: str) -> ObjectionRegister:
        """Open the register of a ledger: a separate file for a file, separate tables in a PostgreSQL database."""
        return cls(open_store(register_address(ledger), client_tables.prepare_register))

    def record(
        self, kind: ObjectionEventKind, dataset: str, persons: Sequence[str], *, by: str, reason: str
    ) -> ObjectionEvent:
        """Record an objection or a withdrawal for some persons, all or none; durable when this returns."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._store.writing() as connection:
            return client_tables.write_objection_event(
                connection, ObjectionEvent(0, at, by, dataset, kind, reason), persons
            )

    def objections_after(self, position: int) -> tuple[Objection, ...]:
        """List what any process recorded after a position, in order of commit."""
        return self._store.read(client_tables.read_objections, position)

    def events(self) -> tuple[ObjectionEvent, ...]:
        """List the recorded events, oldest first: when, by whom and why; no persons."""
        return self._store.read(client_tables.read_objection_events)

    def backup(self, ledger: str) -> None:
        """Copy the register to that of a ledger's backup, in one snapshot; raises UnsafeStore if one exists."""
        write_register_copy(self._store, register_address(ledger))

    def close(self) -> None:
        """Close the connections."""
        self._store.close()
