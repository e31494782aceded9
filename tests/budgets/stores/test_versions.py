"""A ledger of an older format is carried over whole or left as it was; one of a newer format is refused; on both stores."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from budgets import AccountName, Ledger, LedgerUnavailable, Loss, UnsafeStore
from budgets.accounts import LIFETIME
from budgets.stores import carrying, versions
from budgets.stores.opening import open_store
from budgets.stores.store import Store
from tests.budgets.books import CAPS, answer, ask, check_books, item
from tests.support import format_1


@pytest.fixture
def old(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a ledger of format 1, as a store that knows nothing newer left it."""
    with monkeypatch.context() as patch:
        patch.setattr(versions, "ensure_schema", format_1.make)
        open_store(address).close()
    return address


@pytest.fixture
def unprepared(old: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Open the ledger of format 1 and leave it as it is."""
    with monkeypatch.context() as patch:
        patch.setattr(versions, "ensure_schema", lambda connection: None)
        store = open_store(old)
    yield store
    store.close()


def spent(ledger: Ledger, dataset: str, holder: str, window: str = "forever") -> Loss:
    return ledger.account(AccountName(dataset, window, holder)).spent


def test_what_was_spent_is_spent(old: str) -> None:
    with Ledger.open(old) as ledger:
        assert spent(ledger, "operator", "") == spent(ledger, "operator", "*") == Loss(35_000_000_000, 10_000_000)
        assert spent(ledger, "operator", "ann") == spent(ledger, "operator", "ann", LIFETIME)
        assert spent(ledger, "operator", "ann") == Loss(15_000_000_000, 10_000_000)
        assert spent(ledger, "operator", "ben") == spent(ledger, "mibici", "ann") == Loss(5_000_000_000)
        assert spent(ledger, "operator", "org/eve") == Loss(20_000_000_000)
        assert not ledger.verify()


def test_what_was_paid_for_is_free(old: str) -> None:
    with Ledger.open(old) as ledger:
        assert ledger.replay("ann", "operator", ["aa", "bb"])["bb"].payload == b"answer bb"
        assert ledger.replay("ben", "operator", ["aa", "bb"]).keys() == {"aa"}
        assert {(each.question, each.wording) for each in ledger.releases("ben")} == {("question aa", "")}
        assert ledger.charge(ask(item("aa"), client="ann", request="new")).loss == Loss(0)
        assert ledger.charge(ask(item("aa"), client="org/eve", request="new")).loss == Loss.of("0.005")
        assert spent(ledger, "operator", "*") == Loss(35_000_000_000, 10_000_000)  # the dataset had paid for it
        assert not ledger.verify()


def test_a_request_of_before_is_repeated_and_settled(old: str) -> None:
    with Ledger.open(old) as ledger:
        again = ledger.charge(ask(item("cc", "0.02"), client="org/eve", request="r9"))
        assert again.repeated and again.to_run == ("cc",)
        assert answer(ledger, again) == {"cc": b"answer cc"}
        assert not ledger.verify()


def test_caps_hold_as_before(old: str) -> None:
    with Ledger.open(old) as ledger:
        ledger.charge(ask(item("ee", "0.085"), client="ann", request="most"))
        assert ledger.account(AccountName("operator", "forever", "ann")).remaining.pico_rho == 0
        ceiling = ledger.account(AccountName("operator", "forever")).cap
        assert ceiling == CAPS.dataset
        assert not ledger.verify()


def test_rows_for_people_stay(old: str) -> None:
    Ledger.open(old).close()
    store = open_store(old)
    with store.writing() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {carrying.kept_entries.name}")).scalar_one() == 18
        with pytest.raises(Exception, match="rows never"), connection.begin_nested():
            connection.execute(text(f"DELETE FROM {carrying.kept_entries.name}"))
    store.close()


def test_an_empty_ledger_is_carried_over_too(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(format_1, "ROWS", "ledger_format|1")
        patch.setattr(versions, "ensure_schema", format_1.make)
        open_store(address).close()
    with Ledger.open(address) as ledger:
        ledger.charge(ask())
        assert not ledger.verify()


@pytest.mark.parametrize("step", ["_check_names", "_events", "_insert", "verify"])
def test_a_failure_in_the_middle_leaves_the_old_ledger(
    old: str, unprepared: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with unprepared.reading() as connection:
        before = format_1.contents(connection)

    def fail(*_: object) -> None:
        raise LedgerUnavailable("planted", "")

    with monkeypatch.context() as patch:
        patch.setattr(carrying, step, fail)
        with pytest.raises(LedgerUnavailable, match="planted"):
            Ledger.open(old)
    with unprepared.reading() as connection:
        assert format_1.contents(connection) == before
    with Ledger.open(old) as ledger:  # and the next attempt is as good as the first
        assert not ledger.verify()


def test_a_chain_that_does_not_verify_is_not_begun(
    old: str, unprepared: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug writes another client than the chain says."""
    insert = carrying._insert

    def wrongly(connection: Connection, *said: object) -> None:
        insert(connection, *said)
        connection.execute(text("UPDATE clients SET state = 'removed' WHERE holder = 'ann'"))

    monkeypatch.setattr(carrying, "_insert", wrongly)
    with pytest.raises(UnsafeStore, match=r"This ledger of format 1 can't be carried over\. clients: state of the row"):
        Ledger.open(old)
    with unprepared.reading() as connection:
        assert "chain_head" not in format_1.contents(connection)


def test_two_that_carry_over_at_once_do_it_once(old: str) -> None:
    program = "import sys; from budgets import Ledger; Ledger.open(sys.argv[1]).close()"
    openers = [subprocess.Popen([sys.executable, "-c", program, old]) for _ in range(3)]
    assert [opener.wait(120) for opener in openers] == [0, 0, 0]
    with Ledger.open(old) as ledger:
        assert len(ledger.entries()) == 7  # the ledger, five charges, the accounts
        assert not ledger.verify()


def test_a_name_that_means_something_else_now_is_refused(old: str, unprepared: Store) -> None:
    with unprepared.writing() as connection:
        columns = "dataset, window_name, ceiling_pico_rho, ceiling_atto_delta, cap_pico_rho, cap_atto_delta"
        connection.execute(
            text(
                f"INSERT INTO accounts (id, {columns}, holder, spent_pico_rho, spent_atto_delta) "
                f"SELECT 99, {columns}, '*', 0, 0 FROM accounts WHERE holder = 'ben'"
            )
        )
    with pytest.raises(UnsafeStore, match=r"a client or a window named '\*', which names something else now"):
        Ledger.open(old)


def test_a_newer_format_is_refused_and_not_touched(address: str) -> None:
    with Ledger.open(address) as ledger:
        answer(ledger, ledger.charge(ask()))
        check_books(ledger)
    store = open_store(address)
    with store.writing() as connection:
        connection.execute(text("UPDATE ledger_format SET version = 99"))
    store.close()
    with pytest.raises(UnsafeStore, match="This ledger has format 99, and this version reads format 2"):
        Ledger.open(address)
