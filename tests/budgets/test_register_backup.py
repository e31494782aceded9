"""A register of objections is copied as of one moment, whole, and never over another."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest

from budgets import Ledger, ObjectionEvent, ObjectionEventKind, ObjectionRegister, UnsafeStore, register_address


def acts(ledger: Path) -> tuple[ObjectionEvent, ...]:
    with closing(ObjectionRegister.open_for_ledger(str(ledger))) as register:
        return register.events()


def test_a_register_is_copied_whole_and_never_over_another(tmp_path: Path) -> None:
    ledger, copy = tmp_path / "city.ledger", tmp_path / "copy.ledger"
    with Ledger.open(ledger) as kept, closing(ObjectionRegister.open_for_ledger(str(ledger))) as register:
        register.record(ObjectionEventKind.OBJECT, "city", ["7", "8"], by="ana", reason="a letter")
        register.record(ObjectionEventKind.WITHDRAW, "city", ["8"], by="ana", reason="another")
        kept.backup(copy)
        register.backup(str(copy))
        held = register.objections_after(0)
        with pytest.raises(UnsafeStore):
            register.backup(str(copy))
    with closing(ObjectionRegister.open_for_ledger(str(copy))) as register:
        assert register.objections_after(0) == held and len(held) == 3
        register.record(ObjectionEventKind.OBJECT, "city", ["9"], by="ana", reason="it goes on")
    assert len(acts(ledger)) == 2 and len(acts(copy)) == 3
    assert stat.S_IMODE(Path(register_address(str(copy))).stat().st_mode) == 0o600
