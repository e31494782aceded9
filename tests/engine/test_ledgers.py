"""Which ledger belongs to a catalog, and who may make one."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import Refused
from engine.ledgers import ledger_place, opened, opened_if_there
from tests.engine.town import make_town


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    return make_town(tmp_path).path


def test_the_ledger_that_is_named_needs_no_catalog(where: str, tmp_path: Path) -> None:
    assert ledger_place("there is no such catalog", "own.ledger") == "own.ledger"
    assert Path(ledger_place(where, None)).parent == tmp_path / "data"


def test_who_acts_makes_a_ledger_and_who_only_reads_does_not(where: str) -> None:
    place = ledger_place(where, None)
    with pytest.raises(Refused, match=f"E_LEDGER: There is no ledger {place}"), opened_if_there(where, None):
        pass
    assert not Path(place).exists()
    with opened(where, None) as books:
        assert books.place == place
    with opened_if_there(where, None) as ledger:
        assert list(ledger.entries()) == []
