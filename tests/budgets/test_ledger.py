"""Charge, run, settle: who pays, what is free, what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from budgets import (
    LIFETIME,
    STATIC_WINDOW,
    BudgetRefused,
    Caps,
    CeilingRaised,
    EntryKind,
    IdempotencyError,
    Ledger,
    LedgerError,
    Loss,
    ProtocolError,
)
from budgets.stores import journal
from tests.budgets.ledger_checks import (
    ANN,
    BEN,
    CAPS,
    SHARED,
    answer,
    ask,
    check_books,
    check_one_result,
    check_request_ids_are_the_clients,
    item,
)


def spent(ledger: Ledger) -> tuple[str, str, str]:
    """Rho spent by ann, ben and the dataset."""
    accounts = ((ANN, CAPS.client), (BEN, CAPS.client), (SHARED, CAPS.dataset))
    ann, ben, dataset = (f"{float(ledger.account(name, cap).spent.rho):g}" for name, cap in accounts)
    return ann, ben, dataset


# ---------------------------------------------------------------- paying


def test_a_first_question_is_paid_by_client_and_dataset(ledger: Ledger) -> None:
    request = ask(item("aa", "0.01"), item("bb", "0.02"))
    assert ledger.preview(request) == Loss.rounded_up("0.03")
    assert ledger.accounts() == ()  # a preview opens nothing
    charge = ledger.charge(request)
    assert (charge.loss, charge.to_run, dict(charge.stored)) == (Loss.rounded_up("0.03"), ("aa", "bb"), {})
    assert answer(ledger, charge) == {"aa": b"answer aa", "bb": b"answer bb"}
    assert spent(ledger) == ("0.03", "0", "0.03")
    check_books(ledger)


def test_a_snapshot_read_sees_no_concurrent_charge(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger") as ledger, ThreadPoolExecutor(1) as beside:
        ledger.charge(ask())
        with ledger.snapshot():
            assert [each.release_key for each in ledger.paid_releases("ann")] == ["aa"]
            beside.submit(ledger.charge, ask(item("bb"), request="r2")).result()
            with ledger.snapshot():  # of the same
                assert [each.release_key for each in ledger.paid_releases("ann")] == ["aa"]
            assert beside.submit(ledger.paid_releases, "ann").result()[1].release_key == "bb"
            assert ledger.account(SHARED).spent == ask().releases[0].loss
        assert [each.release_key for each in ledger.paid_releases("ann")] == ["aa", "bb"]


def test_the_same_question_again_is_free(ledger: Ledger) -> None:
    answer(ledger, ledger.charge(ask()))
    assert ledger.replay("ann", "operator", ["aa", "zz"])["aa"].payload == b"answer aa"
    again = ledger.charge(ask(request="r2"))
    assert (again.loss, again.to_run, dict(again.stored)) == (Loss(0, 0), (), {"aa": b"answer aa"})
    assert ledger.preview(ask(request="r3")) == Loss(0, 0)
    assert spent(ledger) == ("0.005", "0", "0.005")


def test_another_client_pays_itself_and_the_dataset_nothing(ledger: Ledger) -> None:
    answer(ledger, ledger.charge(ask()))
    assert ledger.replay("ben", "operator", ["aa"]) == {}
    assert ledger.preview(ask(client="ben")) == Loss.rounded_up("0.005")
    charge = ledger.charge(ask(client="ben"))
    assert (charge.loss, charge.to_run, dict(charge.stored)) == (Loss.rounded_up("0.005"), (), {"aa": b"answer aa"})
    assert spent(ledger) == ("0.005", "0.005", "0.005")
    assert ledger.replay("ben", "operator", ["aa"])["aa"].payload == b"answer aa"
    check_books(ledger)


def test_a_query_is_charged_only_for_its_new_releases(ledger: Ledger) -> None:
    answer(ledger, ledger.charge(ask(item("aa", "0.01"))))
    charge = ledger.charge(ask(item("bb", "0.02"), item("aa", "0.01"), request="r2"))
    assert (charge.loss, charge.release_keys, charge.to_run) == (Loss.rounded_up("0.02"), ("bb", "aa"), ("bb",))
    assert dict(charge.stored) == {"aa": b"answer aa"}
    assert answer(ledger, charge) == {"aa": b"answer aa", "bb": b"answer bb"}
    check_books(ledger)


def test_concurrent_first_askers_get_one_result(ledger: Ledger) -> None:
    check_one_result(ledger)
    assert spent(ledger) == ("0.005", "0.005", "0.005")
    assert [entry.kind for entry in ledger.entries()].count(EntryKind.RELEASED) == 1
    check_books(ledger)


def test_the_same_client_twice_at_once_pays_once(ledger: Ledger) -> None:
    first, second = ledger.charge(ask()), ledger.charge(ask(request="r2"))
    assert (second.loss, second.to_run) == (Loss(0, 0), ("aa",))
    assert answer(ledger, second, "second") == answer(ledger, first, "first") == {"aa": b"second aa"}
    assert spent(ledger) == ("0.005", "0", "0.005")


def test_datasets_and_windows_have_accounts_of_their_own(ledger: Ledger) -> None:
    months = ("2026-01", "2026-02")
    ledger.charge(ask(item("aa", "0.06", windows=months)))
    ledger.charge(ask(item("aa", "0.06"), request="r2", dataset="mibici"))
    ledger.charge(ask(item("bb", "0.06", windows=("2026-03",)), request="r3"))
    with pytest.raises(BudgetRefused, match="window '2026-02'"):
        ledger.charge(ask(item("cc", "0.06", windows=("2026-02",)), request="r4"))
    accounts = ledger.accounts("operator")
    assert [view.spent for view in accounts if view.name.window != LIFETIME] == [Loss.rounded_up("0.06")] * 9
    assert [view.spent for view in accounts if view.name.window == LIFETIME] == [Loss.rounded_up("0.18")]
    assert {view.name.dataset for view in ledger.accounts()} == {"operator", "mibici"}
    check_books(ledger)


def test_no_window_is_debited_when_one_is_short(ledger: Ledger) -> None:
    ledger.charge(ask(item("aa", "0.09", windows=("2026-02",))))
    before = ledger.accounts()
    with pytest.raises(BudgetRefused, match="window '2026-02'"):
        ledger.charge(ask(item("bb", "0.05", windows=("2026-01", "2026-02", "2026-03")), request="r2"))
    assert ledger.accounts() == before
    assert ledger.charge(ask(item("bb", "0.01", windows=("2026-01", "2026-02")), request="r2")).loss.rho


# ---------------------------------------------------------------- caps


def test_a_cap_is_spent_to_the_last_unit_and_not_beyond(ledger: Ledger) -> None:
    ledger.charge(ask(item("aa", "0.0999")))
    with pytest.raises(BudgetRefused):
        ledger.charge(ask(item("bb", "0.000100000001"), request="r2"))
    ledger.charge(ask(item("bb", "0.0001"), request="r2"))
    assert ledger.account(ANN).remaining.rho == 0
    check_books(ledger)


def test_thresholds_use_a_tenth_of_delta(ledger: Ledger) -> None:
    ledger.charge(ask(item("aa", "0.01", "1e-10")))
    with pytest.raises(BudgetRefused, match="short by rho 0 and delta 1e-18"):
        ledger.charge(ask(item("bb", "0.01", "1e-18"), request="r2"))
    assert ledger.account(SHARED).spent_epsilon_delta.delta == pytest.approx(1e-9)
    check_books(ledger)


def test_a_refusal_costs_nothing_and_fixes_nothing(ledger: Ledger) -> None:
    with pytest.raises(BudgetRefused):
        ledger.charge(ask(item("aa", "0.5")))
    assert (ledger.accounts(), ledger.entries(), ledger.paid_releases("ann")) == ((), (), ())
    wider = Caps(Loss.rounded_up(1, "1e-9"), Loss.rounded_up(1, "1e-9"))
    assert ledger.charge(ask(item("aa", "0.5"), caps=wider)).is_repeat is False  # the request id is still free


def test_many_clients_share_the_datasets_ceiling(ledger: Ledger) -> None:
    for client in ("ann", "ben"):
        ledger.charge(ask(item(f"of {client}", "0.1"), client=client))
    with pytest.raises(BudgetRefused) as refused:
        ledger.charge(ask(item("of eve"), client="eve"))
    assert refused.value.code == "E_BUDGET_DATASET"


def test_the_first_charge_fixes_the_ceiling_for_good(ledger: Ledger) -> None:
    ledger.charge(ask())
    lower, higher = (Caps(Loss.rounded_up(rho, "1e-9"), CAPS.client) for rho in ("0.007", "0.3"))
    with pytest.raises(CeilingRaised):
        ledger.charge(ask(item("bb"), request="r2", caps=higher))
    with pytest.raises(CeilingRaised):
        ledger.check_caps("operator", ["forever"], higher)
    ledger.check_caps("operator", ["forever"], lower)
    ledger.check_caps("operator", ["2027-01"], higher)  # a window that nobody has asked about yet
    with pytest.raises(BudgetRefused, match=r"has rho 0\.002"):
        ledger.charge(ask(item("bb"), request="r2", caps=lower))
    ledger.charge(ask(item("bb", "0.002"), request="r2", caps=lower))
    assert ledger.account(SHARED).cap == lower.dataset
    with pytest.raises(BudgetRefused):
        ledger.charge(ask(item("cc"), request="r3", caps=lower))
    ledger.charge(ask(item("cc"), request="r3"))  # back up to the ceiling, nothing given back
    assert spent(ledger) == ("0.012", "0", "0.012")
    assert ledger.account(SHARED, higher.dataset).cap == CAPS.dataset  # shown no higher than the ceiling
    assert [entry.kind for entry in ledger.entries()].count(EntryKind.CAP_CHANGED) == 2


@pytest.mark.parametrize("raised", [("0.06", "1e-9"), ("0.05", "2e-9")], ids=["rho", "delta"])
def test_opening_holds_the_static_window_to_its_own_ceiling(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, raised: tuple[str, str]
) -> None:
    def capped(*static: str) -> Caps:
        return Caps(Loss.rounded_up("0.2", "3e-9"), CAPS.client, static=Loss.rounded_up(*static))

    ledger.charge(ask(item(windows=["2026-10"]), caps=capped("0.05", "1e-9")))
    ledger.charge(ask(item("bb", windows=[STATIC_WINDOW]), request="r2", caps=capped("0.05", "1e-9")))
    for same_or_less in (("0.05", "1e-9"), ("0.04", "1e-10")):
        ledger.check_caps("operator", ["2026-10", STATIC_WINDOW], capped(*same_or_less))
    with pytest.raises(CeilingRaised, match="static"):
        ledger.check_caps("operator", ["2026-10", STATIC_WINDOW], capped(*raised))
    monkeypatch.setattr(Caps, "ceiling", lambda caps, _: caps.dataset)  # planted: one ceiling for all windows
    with pytest.raises(CeilingRaised):
        ledger.check_caps("operator", ["2026-10", STATIC_WINDOW], capped("0.05", "1e-9"))  # never opens again
    check_books(ledger)


def test_a_cap_below_what_is_spent_blocks_and_never_resets(ledger: Ledger) -> None:
    ledger.charge(ask(item("aa", "0.05")))
    tight = Caps(CAPS.dataset, Loss.rounded_up("0.01", "1e-9"))
    with pytest.raises(BudgetRefused, match="has rho 0"):
        ledger.charge(ask(item("bb"), request="r2", caps=tight))
    assert ledger.account(ANN, tight.client).remaining.rho == 0
    assert ledger.account(ANN).spent == Loss.rounded_up("0.05")


def test_a_clients_cap_may_be_raised_below_the_ceiling(ledger: Ledger) -> None:
    ledger.charge(ask(item("aa", "0.1")))
    topped_up = Caps(CAPS.dataset, Loss.rounded_up("0.15", "1e-9"))
    ledger.charge(ask(item("bb", "0.05"), request="r2", caps=topped_up))
    assert ledger.account(ANN).cap == topped_up.client
    check_books(ledger)


def test_unused_accounts_can_be_viewed(ledger: Ledger) -> None:
    assert ledger.account(ANN, CAPS.client).remaining.rho == CAPS.client.rho
    with pytest.raises(LedgerError, match="Nothing was ever charged"):
        ledger.account(ANN)


# ---------------------------------------------------------------- request ids


def test_a_retry_gets_what_the_first_try_got(ledger: Ledger) -> None:
    first = ledger.charge(ask())
    retry = ledger.charge(ask())
    assert (retry.id, retry.loss, retry.to_run, retry.is_repeat) == (first.id, first.loss, ("aa",), True)
    answer(ledger, retry)
    settled = ledger.charge(ask())
    assert (settled.to_run, dict(settled.stored)) == ((), {"aa": b"answer aa"})
    assert spent(ledger) == ("0.005", "0", "0.005")
    check_books(ledger)


def test_a_request_id_stands_for_one_body(ledger: Ledger) -> None:
    ledger.charge(ask())
    for other in (ask(body="another"), ask(dataset="mibici")):
        with pytest.raises(IdempotencyError):
            ledger.charge(other)
    assert spent(ledger) == ("0.005", "0", "0.005")


def test_a_repeat_may_need_less_than_was_charged_and_never_more(ledger: Ledger) -> None:
    """What its first run has stored may say a part of the question now."""
    first = ledger.charge(ask(item("aa"), item("bb"), request="r1"))
    ledger.settle(first, {"aa": b"one", "bb": b"two"})
    again = ledger.charge(ask(item("aa"), request="r1"))
    assert (again.is_repeat, again.stored["aa"], again.to_run) == (True, b"one", ())
    with pytest.raises(IdempotencyError):
        ledger.charge(ask(item("aa"), item("cc"), request="r1"))


def test_request_ids_belong_to_a_client(ledger: Ledger) -> None:
    check_request_ids_are_the_clients(ledger)
    check_books(ledger)


def test_a_retry_after_new_data_is_refused(ledger: Ledger) -> None:
    answer(ledger, ledger.charge(ask(item("old"))))
    ledger.charge(ask(item("old 2"), request="r2"))
    for keys, request in (("new", "r1"), ("new 2", "r2")):
        with pytest.raises(IdempotencyError, match="the data have a new version, or the engine has, or it is too old"):
            ledger.charge(ask(item(keys), request=request))
    assert dict(ledger.charge(ask(item("old"))).stored) == {"old": b"answer old"}


# ---------------------------------------------------------------- protocol


def test_only_what_was_paid_for_is_stored(ledger: Ledger) -> None:
    charge = ledger.charge(ask())
    with pytest.raises(ProtocolError):
        ledger.settle(charge, {"aa": b"1", "bb": b"2"})
    assert ledger.replay("ann", "operator", ["aa", "bb"]) == {}
    with Ledger.open(":memory:") as other, pytest.raises(ProtocolError):
        other.settle(charge, {"aa": b"1"})


def test_a_key_means_one_price_and_one_set_of_windows(ledger: Ledger) -> None:
    ledger.charge(ask())
    for other in (ask(item("aa", "0.004"), request="r2"), ask(item("aa", windows=("2026-01",)), request="r2")):
        for refuse in (ledger.charge, ledger.preview):
            with pytest.raises(ProtocolError, match="one price and one set of windows"):
                refuse(other)


def test_parts_of_a_charge_may_settle_one_by_one(ledger: Ledger) -> None:
    charge = ledger.charge(ask(item("aa"), item("bb")))
    assert dict(ledger.settle(charge, {"bb": b"2"})) == {"bb": b"2"}
    assert dict(ledger.settle(charge, {"aa": b"1", "bb": b"3"})) == {"aa": b"1", "bb": b"2"}


def check_another_profile(ledger: Ledger) -> None:
    """Settle two runs of numbers that rest on a profile, each on its own: the second gets what the first stored."""
    first = ledger.charge(ask(item("profile"), item("aa")))
    second = ledger.charge(ask(item("profile"), item("aa"), item("bb"), client="ben"))
    one = ledger.settle(first, {"profile": b"1", "aa": b"on 1"}, {"aa": "profile"})
    payloads = {"profile": b"2", "aa": b"on 2", "bb": b"on 2"}
    other = ledger.settle(second, payloads, {"aa": "profile", "bb": "profile"})
    assert dict(one) == dict(other) == {"profile": b"1", "aa": b"on 1"}
    held = ledger.replay("ben", "operator", ["profile", "aa", "bb"])
    assert {key: each.payload for key, each in held.items()} == dict(other)


def test_numbers_of_another_profile_than_the_stored_one_are_dropped(ledger: Ledger) -> None:
    check_another_profile(ledger)


def test_a_planted_result_that_is_taken_for_the_stored_one_is_found(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = journal.write_release
    monkeypatch.setattr(journal, "write_release", lambda *given: write(*given) or "0" * 64)
    with pytest.raises(AssertionError):
        check_another_profile(ledger)


# ---------------------------------------------------------------- reading


def test_entries_record_every_event(ledger: Ledger) -> None:
    answer(ledger, ledger.charge(ask()))
    ledger.charge(ask(client="ben", request="r9"))
    rows = [(entry.kind, entry.dataset, entry.holder, entry.actor, entry.request_id) for entry in ledger.entries()]
    assert rows == [
        ("opened", "", "", "ledger", ""),
        ("account_opened", "operator", "ann", "ann", "r1"),
        ("account_opened", "operator", "ann", "ann", "r1"),
        ("charged", "operator", "ann", "ann", "r1"),
        ("released", "operator", "ann", "ann", "r1"),
        ("account_opened", "operator", "ben", "ben", "r9"),
        ("account_opened", "operator", "ben", "ben", "r9"),
        ("charged", "operator", "ben", "ben", "r9"),
    ]
    cap = [200_000_000_000, 1_000_000_000]
    opened, lifetime, charged = (entry.content for entry in ledger.entries()[1:4])
    assert opened["caps"] == {"": cap, "*": cap, "ann": [cap[0] // 2, cap[1]]}
    assert (opened["windows"], lifetime["windows"], list(lifetime["caps"])) == (["forever"], ["*lifetime"], ["ann"])
    price = [5_000_000_000, 0]
    release = {"key": "aa", "loss": price, "windows": 0, "payers": ["", "*", "ann"], "question": "question aa"}
    assert (charged["windows"], charged["releases"], charged["versions"]) == ([["forever"]], [release], "versions 1")
    of_ben = {"key": "aa", "loss": price, "windows": 0, "payers": ["ben"]}
    assert ledger.entries()[-1].content["releases"] == [of_ben]


def test_rows_are_found(ledger: Ledger) -> None:
    answer(ledger, ledger.charge(ask()))
    ledger.charge(ask(client="ben", request="r9"))
    rows = ledger.entries()
    assert [entry.sequence for entry in rows] == list(range(1, 9))
    assert ledger.entries(limit=2) == rows[-2:]
    assert {entry.holder for entry in ledger.entries(client="ben")} == {"ben"}
    assert ledger.entries(dataset="mibici") == ()
    assert [entry.holder for entry in ledger.entries(kind="charged")] == ["ann", "ben"]
    assert ledger.entries(client="ben") == rows[-3:]
    assert ledger.entries(since=rows[4].at)[-1] == rows[-1]
    assert ledger.entries(since="9999") == ()


def test_releases_lists_what_a_client_has_paid_for(ledger: Ledger) -> None:
    answer(ledger, ledger.charge(ask()))
    ledger.charge(ask(item("bb", windows=("2026-01", "2026-02")), request="r2"))
    settled, charged = ledger.paid_releases("ann")
    assert (settled.release_key, settled.canonical_query, settled.loss) == (
        "aa",
        "question aa",
        Loss.rounded_up("0.005"),
    )
    assert settled.settled_at is not None and charged.settled_at is None
    assert charged.windows == ("2026-01", "2026-02")
    assert ledger.paid_releases("ben") == ()


def test_each_client_finds_what_it_paid_for_in_its_own_words(ledger: Ledger) -> None:
    ledger.charge(ask(wording="how many?"))
    ledger.charge(ask(client="ben", request="r2", wording="tell me how many"))
    ledger.charge(ask(request="r3", wording="how many, once more"))  # free: it bought nothing
    ledger.charge(ask(item("bb"), request="r4"))  # as rows were before wordings were kept
    assert [paid.query_text for paid in ledger.paid_releases("ann")] == ["how many?", ""]
    assert [paid.query_text for paid in ledger.paid_releases("ben")] == ["tell me how many"]
    assert ["wording" in row.content for row in ledger.entries(kind="charged")] == [True, True, True, False]
    assert ledger.verify() == ()


def test_a_ledger_is_there_when_it_is_opened_again(address: str) -> None:
    with Ledger.open(address) as ledger:
        answer(ledger, ledger.charge(ask()))
    with Ledger.open(address) as ledger:
        assert ledger.replay("ann", "operator", ["aa"])["aa"].payload == b"answer aa"
        assert ledger.charge(ask(request="r2")).loss == Loss(0, 0)
        check_books(ledger)


def test_no_budget_depends_on_a_clock(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for request, year in enumerate(("2026", "2036", "1999")):
        monkeypatch.setattr(journal, "now_text", lambda year=year: f"{year}-01-01T00:00:00+00:00")
        ledger.charge(ask(item(f"of {year}", "0.03"), request=f"r{request}"))
    with pytest.raises(BudgetRefused, match=r"has rho 0\.01"):
        ledger.charge(ask(item("more", "0.03"), request="r9"))
    check_books(ledger)


def test_a_charge_of_a_years_days(ledger: Ledger) -> None:
    days = tuple(f"day {day}" for day in range(365))
    ledger.charge(ask(item(windows=days)))
    assert len(ledger.accounts()) == 3 * 365 + 1
    assert [entry.kind for entry in ledger.entries()] == ["opened", "account_opened", "account_opened", "charged"]
    check_books(ledger)
