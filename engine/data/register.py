"""What an owner does for people who object: record, withdraw, list; a catalog and a register are enough, no data.

What comes back is the same for whoever is in the data and whoever is not (proofs.md#objections).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from budgets import Act, ActKind, Ledger, ObjectionRegister, ParamError, UnsafeStore, check_name
from dialect.catalog.catalog import Catalog
from engine.catalog.bundled import named_dataset
from engine.data.objections import Objections
from engine.data.persons import one_person, person_column, persons_in
from engine.progress import Progress

LONGEST_REASON = 500
TOPIC = "objection"


@dataclass(frozen=True)
class Register:
    """The objections of a catalog's datasets, in one ledger."""

    catalog: Catalog
    objections: Objections
    ledger: Ledger  # where auditors read that something was done

    @classmethod
    def beside(cls, catalog: Catalog, place: str, ledger: Ledger) -> Register:
        """Open the register of a catalog's people that belongs to a ledger; raises UnsafeStore where it is not whole.

        An act that was recorded and not noted, because somebody pulled the plug in between, is noted now.
        """
        register = cls(catalog, Objections(ObjectionRegister.beside(place)), ledger)
        try:
            register._complete_notes()
        except BaseException:
            register.close()
            raise
        return register

    def object(
        self, person: str, *, reason: str, by: str, dataset: str | None = None, withdraw: bool = False
    ) -> dict[str, Any]:
        """Record that a person objects, or objects no more; durable when this returns; raises LedgerError."""
        name = named_dataset(self.catalog, dataset).name
        persons = one_person(person, *person_column(self.catalog, name))
        if any(re.search(rf"(?<!\w){re.escape(text)}(?!\w)", reason) for text in {*persons, person.strip()}):
            why = "The reason names the person, and it is kept where auditors read."
            raise ParamError(why, "say who asked and why in other words: letter of 3 October")
        return self._recorded(name, persons, _kind(withdraw), reason, by)

    def object_file(
        self,
        path: str,
        *,
        reason: str,
        by: str,
        progress: Progress,
        dataset: str | None = None,
        withdraw: bool = False,
    ) -> dict[str, Any]:
        """Record that everybody in a file objects, or nobody where a line is none; tells how many it names."""
        name = named_dataset(self.catalog, dataset).name
        persons = persons_in(Path(path), *person_column(self.catalog, name), progress)
        progress("recording", 1.0)
        different = list(dict.fromkeys(persons))
        act = self._recorded(name, different, _kind(withdraw), reason, by)
        return act | {"persons": len(different), "repeated": len(persons) - len(different)}

    def acts(self, dataset: str | None = None) -> list[dict[str, Any]]:
        """List when objections were recorded, by whom and why; not whose, nor how many."""
        name = None if dataset is None else named_dataset(self.catalog, dataset).name
        return [asdict(act) for act in self.objections.register.acts() if name in (None, act.dataset)]

    def current(self, dataset: str) -> pa.Table:
        """Give who objects now: what one execution reads."""
        return self.objections.current(dataset)

    def close(self) -> None:
        """Close the register."""
        self.objections.close()

    def _recorded(self, dataset: str, persons: list[str], kind: ActKind, reason: str, by: str) -> dict[str, Any]:
        if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
            why = f"A reason is one line of 1 to {LONGEST_REASON} signs."
            raise ParamError(why, "say who asked and why: letter of 3 October")
        check_name(by, "Who records it")
        act = self.objections.register.record(kind, dataset, persons, by=by, reason=reason.strip())
        self._note(act)  # behind it: an objection that is not noted yet holds, and is noted when this opens again
        return asdict(act)

    def _note(self, act: Act) -> None:
        said = {"act": act.act, "what": act.kind.value, "at": act.at, "reason": act.reason}
        self.ledger.note(TOPIC, said, actor=act.recorded_by, dataset=act.dataset)

    def _complete_notes(self) -> None:
        """Hold the register against what was noted of it: a lost or older one would bring people back."""
        acts = self.objections.register.acts()
        noted = {entry.said["act"]: entry for entry in self.ledger.audit(kind=f"note_{TOPIC}")}
        held = {act.act: act for act in acts}
        if any(n not in held or _told(held[n]) != (e.said["what"], e.said["at"], e.dataset) for n, e in noted.items()):
            why = "The ledger knows of objections that its register does not hold, so nothing is answered."
            raise UnsafeStore(why, "the register's own file, NAME.ledger.objections, of the same moment as the ledger")
        for act in (act for act in acts if act.act not in noted):
            self._note(act)


def _told(act: Act) -> tuple[str, str, str]:
    return act.kind.value, act.at, act.dataset


def _kind(withdraw: bool) -> ActKind:
    return ActKind.WITHDRAW if withdraw else ActKind.OBJECT
