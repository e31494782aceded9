"""Who objects, as this process last read it: an execution gets one table that never changes (proofs.md#objections)."""

from __future__ import annotations

import threading

import pyarrow as pa

from budgets import ActKind, ObjectionRegister
from engine.backends.exact import NOBODY_OBJECTED


class Objections:
    """The objections of one register; what is new is read before every execution."""

    def __init__(self, register: ObjectionRegister) -> None:
        """Keep the register; nothing is read yet."""
        self.register = register
        self._lock = threading.Lock()
        self._place = 0
        self._persons: dict[str, dict[str, None]] = {}  # dataset -> who objects
        self._tables: dict[str, pa.Table] = {}

    def current(self, dataset: str) -> pa.Table:
        """Give who objects now, as one table that never changes."""
        with self._lock:
            self._read_on()
            return self._tables.get(dataset, NOBODY_OBJECTED)

    def close(self) -> None:
        """Close the register."""
        self.register.close()

    def _read_on(self) -> None:
        """Read what was recorded since, by any process; whether its persons are in the data makes no difference."""
        newer = self.register.behind(self._place)
        for objection in newer:
            objecting = self._persons.setdefault(objection.dataset, {})
            if objection.kind is ActKind.OBJECT:
                objecting[objection.person] = None
            else:
                objecting.pop(objection.person, None)
            self._place = objection.place
        for dataset in {objection.dataset for objection in newer}:
            self._tables[dataset] = pa.table({"person": pa.array(list(self._persons[dataset]), pa.string())})
