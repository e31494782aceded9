"""One client for each name: other spellings open no other account, whoever writes, on both stores."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from budgets import Ledger, LedgerError, UnsafeStore
from budgets.accounting.accounts import check_client_name, folded_name, normal_name
from budgets.accounting.privacy_loss import Loss
from budgets.errors import Forbidden, ParamError
from budgets.stores import client_tables
from budgets.stores.open import open_store
from budgets.stores.schema import client_names, clients
from tests.budgets.ledger_checks import ask

WHY = {"actor": "root", "reason": "a test"}
NOT_NORMAL = (
    " ana", "ana ", "olga\u00a0", "an\u200da", "ana\u200b", "\ufeffana", "ana\u202e", "a\u0301na", "\uff41na", "ana\u3164",
    "ana\ufe0f", "ana\u2800", "org /ana", "org/ ana", "org\uff0fana", "an  a", "ana\u00ad", "\u212bna", "o\u0308rg/ana",
    "ana\ufffc", "ana\U00016fe4", "an\U0001d159a", "ana\U0001107f", "org\u2215ana", "org\u2044ana", "org\u29f8ana", "\u00bd",
)  # fmt: skip
OTHER_SPELLINGS = ("ANA", "Ana", "aNA")
CAP = Loss(10**11, 10**9)


@pytest.mark.parametrize("name", NOT_NORMAL)
def test_a_name_in_another_form_is_refused_with_the_normal_one(name: str, ledger: Ledger) -> None:
    with pytest.raises(ParamError) as refused:
        ask(client=name)
    assert normal_name(name) in str(refused.value) or not name.isprintable()
    check_client_name(normal_name(name))
    with pytest.raises(LedgerError):
        ledger.add_client(name, **WHY)


@pytest.mark.parametrize("name", [".", "..", "org/.", "../ana", "org/../ana", "\u2024", "org/\u2025"])
def test_no_part_of_a_path_is_a_dot_or_two(name: str, ledger: Ledger) -> None:
    with pytest.raises(ParamError):
        check_client_name(name)
    with pytest.raises(LedgerError):
        ledger.add_client(name, **WHY)
    assert ledger.clients() == ()


@given(st.text(max_size=12))
def test_the_normal_form_is_idempotent_and_accepted(name: str) -> None:
    normal = normal_name(name)
    assert normal_name(normal) == normal == unicodedata.normalize("NFKC", normal)
    assert folded_name(normal) == folded_name(name) == folded_name(folded_name(name))
    assert folded_name(name.swapcase()) == folded_name(name) or name.swapcase().casefold() != name.casefold()


@pytest.mark.parametrize("name", OTHER_SPELLINGS)
def test_another_spelling_is_refused_without_a_charge_or_account(name: str, ledger: Ledger) -> None:
    ledger.charge(ask(client="ana"))
    accounts = ledger.accounts()
    with pytest.raises(Forbidden, match="differs from 'ana' in its spelling alone"):
        ledger.charge(ask(client=name, request="r2"))
    assert ledger.accounts() == accounts
    assert [member.client for member in ledger.clients()] == ["ana"]
    assert ledger.verify() == ()


@pytest.mark.parametrize(
    ("first", "other"), [("org/ana", "ORG/ben"), ("org", "Org/ana"), ("org/ana", "Org"), ("Stra\u00dfe", "STRASSE")]
)
def test_groups_are_spelt_one_way_too(first: str, other: str, ledger: Ledger) -> None:
    ledger.add_client(first, **WHY)
    with pytest.raises(Forbidden, match="spelling"):
        ledger.add_client(other, **WHY)


def test_no_admin_acts_on_a_spelling_that_nobody_has(ledger: Ledger) -> None:
    """A freeze or a cap of ANA would look done, and hold for nobody."""
    ledger.add_client("ana", **WHY)
    for act in (
        lambda: ledger.freeze(client="ANA", **WHY),
        lambda: ledger.cap_client("ANA", "operator", CAP, **WHY),
        lambda: ledger.request_top_up("ANA", "operator", CAP, reason="more"),
    ):
        with pytest.raises(Forbidden, match="spelling"):
            act()


def test_two_simultaneous_spellings_make_one_client_and_one_refusal(ledger: Ledger) -> None:
    outcomes = ledger._charge_batch(
        [ask(client="ana"), ask(client="ANA", request="r2"), ask(client="ben", request="r3")]
    )
    assert [isinstance(outcome, Forbidden) for outcome in outcomes] == [False, True, False]
    assert ledger.verify() == ()


def test_the_database_itself_keeps_one_client_for_each_name(address: str) -> None:
    with Ledger.open(address) as ledger:
        ledger.add_client("ana", **WHY)
    store = open_store(address)
    for row in ({"folded": "ana", "holder": "ANA"}, {"folded": "other", "holder": "ana"}):
        with pytest.raises(LedgerError) as refused, store.writing() as connection:
            connection.execute(insert(client_names), [row])
        assert isinstance(refused.value.__cause__, IntegrityError)
    store.close()


def test_a_planted_ledger_that_ignores_spellings_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check the row of names still refuses to be written twice, and verify misses it."""
    ledger.charge(ask(client="ana"))
    monkeypatch.setattr(client_tables, "check_spelling", lambda *_: None)
    ledger.charge(ask(client="ANA", request="r2"))
    assert any("client_names" in found for found in ledger.verify())


def test_opening_an_older_ledger_reports_a_name_with_two_spellings(address: str) -> None:
    def before(*names: str) -> None:
        with store.writing() as connection:
            connection.execute(insert(clients), [{"holder": n, "state": "active", "is_group": 0} for n in names])

    store = open_store(address)
    with store.writing() as connection:
        connection.exec_driver_sql("DROP TABLE client_names")
    before("ana", "ben")
    Ledger.open(address).close()
    before("olga", "olga ")
    store.close()
    with pytest.raises(UnsafeStore, match="one name in two spellings: 'olga' and 'olga '"):
        Ledger.open(address)


def test_a_copy_keeps_the_names(ledger: Ledger, tmp_path: Path) -> None:
    ledger.add_client("org/ana", **WHY)
    ledger.backup(tmp_path / "copy.sqlite")
    with Ledger.open(tmp_path / "copy.sqlite") as copy:
        assert copy.verify() == ()
        with pytest.raises(Forbidden, match="spelling"):
            copy.add_client("Org/ben", **WHY)
