"""Register of data subjects' objections: durable on return, and visible to every process from then on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from budgets.log.events import Act, ActKind, Objection
from budgets.stores import clients, open_store
from budgets.stores.copy import write_register_copy
from budgets.stores.postgres import is_postgres
from budgets.stores.sqlite import MEMORY
from budgets.stores.store import Store


def register_address(ledger: str) -> str:
    """Address of a ledger's objection register: a separate file, or the same schema of a database."""
    apart = ledger != MEMORY and not is_postgres(ledger)
    return f"{ledger}.objections" if apart else ledger


class ObjectionRegister:
    """A register of objections; thread-safe and multi-process-safe."""

    def __init__(self, store: Store) -> None:
        """Use an open store."""
        self._store = store

    @classmethod
    def beside(cls, ledger: str) -> ObjectionRegister:
        """Open the register of a ledger: a separate file for a file, separate tables in a PostgreSQL database."""
        return cls(open_store(register_address(ledger), clients.prepared_register))

    def record(self, kind: ActKind, dataset: str, persons: Sequence[str], *, by: str, reason: str) -> Act:
        """Record an objection or a withdrawal for some persons, all or none; durable when this returns."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._store.writing() as connection:
            return clients.write_act(connection, Act(0, at, by, dataset, kind, reason), persons)

    def behind(self, place: int) -> tuple[Objection, ...]:
        """List what any process recorded after a position, in order of commit."""
        with self._store.reading() as connection:
            return clients.read_objections(connection, place)

    def acts(self) -> tuple[Act, ...]:
        """List the recorded events, oldest first: when, by whom and why; no persons."""
        with self._store.reading() as connection:
            return clients.read_acts(connection)

    def backup(self, ledger: str) -> None:
        """Copy the register to that of a ledger's backup, in one snapshot; raises UnsafeStore if one exists."""
        write_register_copy(self._store, register_address(ledger))

    def close(self) -> None:
        """Close the connections."""
        self._store.close()
