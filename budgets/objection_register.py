"""The register of objections beside a ledger: durable when it is acknowledged, seen by every process from then on."""

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
    """Return where the register of a ledger lies: in a file beside a file, in the same schema of a database."""
    apart = ledger != MEMORY and not is_postgres(ledger)
    return f"{ledger}.objections" if apart else ledger


class ObjectionRegister:
    """One register, safe for many threads, and for many processes at once."""

    def __init__(self, store: Store) -> None:
        """Keep the acts in a store."""
        self._store = store

    @classmethod
    def beside(cls, ledger: str) -> ObjectionRegister:
        """Open the register of a ledger: a file of its own beside a file, tables of its own in a server's database."""
        return cls(open_store(register_address(ledger), clients.prepared_register))

    def record(self, kind: ActKind, dataset: str, persons: Sequence[str], *, by: str, reason: str) -> Act:
        """Write an act about some persons, all or none; durable when this returns."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._store.writing() as connection:
            return clients.write_act(connection, Act(0, at, by, dataset, kind, reason), persons)

    def behind(self, place: int) -> tuple[Objection, ...]:
        """Give what was recorded behind a place, by any process."""
        with self._store.reading() as connection:
            return clients.read_objections(connection, place)

    def acts(self) -> tuple[Act, ...]:
        """List what was recorded, oldest first: when, by whom and why."""
        with self._store.reading() as connection:
            return clients.read_acts(connection)

    def backup(self, ledger: str) -> None:
        """Write all acts beside a ledger's backup, as of one moment; raises UnsafeStore where a register is."""
        write_register_copy(self._store, register_address(ledger))

    def close(self) -> None:
        """Close its connections."""
        self._store.close()
