"""Administration: clients, caps, freezes, top-ups, notes; and failures that freeze clients."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from budgets import (
    LIFETIME,
    OWNER,
    PER_QUERY,
    AccountName,
    BudgetRefused,
    Caps,
    Charge,
    Forbidden,
    Ledger,
    Loss,
    ParamError,
    administration,
)
from budgets.accounting.accounts import MAX_FAILURES_PER_CLIENT, MAX_FAILURES_PER_CLIENT_TREE, MAX_FAILURES_PER_WINDOW
from budgets.log.events import failure_event
from budgets.stores import client_tables, journal
from tests.budgets.ledger_checks import ANN, CAPS, answer, ask, check_books, item

WHY = {"actor": "eve", "reason": "agreed on Monday"}


def cap(rho: str) -> Loss:
    return Loss.rounded_up(rho, "1e-9")


# ---------------------------------------------------------------- clients


def test_a_removed_client_is_refused_and_finds_its_accounts_when_it_is_back(ledger: Ledger) -> None:
    answer(ledger, ledger.charge(ask(item("aa", "0.08"))))
    ledger.remove_client("ann", **WHY)
    for refuse in (lambda: ledger.charge(ask(request="r2")), lambda: ledger.replay("ann", "operator", ["aa"])):
        with pytest.raises(Forbidden, match=r"E_FORBIDDEN: The client 'ann' was removed\. Try: an admin"):
            refuse()
    ledger.add_client("ann", **WHY)
    with pytest.raises(BudgetRefused, match=r"has rho 0\.02 left"):
        ledger.charge(ask(item("bb", "0.03"), request="r2"))
    assert ledger.replay("ann", "operator", ["aa"])
    assert [entry.kind for entry in ledger.entries(client="ann")][-2:] == ["client_removed", "client_added"]
    check_books(ledger)


def test_removing_a_group_removes_its_members(ledger: Ledger) -> None:
    ledger.charge(ask(client="acme/maps/ann"))
    ledger.remove_client("acme", **WHY)
    for client in ("acme/maps/ann", "acme/new"):
        with pytest.raises(Forbidden, match="was removed"):
            ledger.charge(ask(client=client, request="r2"))
    assert ledger.charge(ask(client="acme2"))
    ledger.add_client("acme", **WHY)
    assert ledger.charge(ask(client="acme/maps/ann", request="r2"))
    assert ledger.verify() == ()


def test_a_group_is_refused_as_a_client(ledger: Ledger) -> None:
    ledger.charge(ask(client="acme"))
    ledger.add_client("acme/ann", **WHY)
    with pytest.raises(Forbidden, match="'acme' is a group of clients"):
        ledger.charge(ask(client="acme", request="r2"))
    ledger.charge(ask(client="acme/ann"))
    assert ledger.verify() == ()


def test_removing_an_unknown_client_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ParamError, match="There is no client 'zoe'"):
        ledger.remove_client("zoe", **WHY)
    assert ledger.entries() == ()


@pytest.mark.parametrize("client", ["", "a//b", "/a", "a/", "*", "a/*b", " ", OWNER, "a\nb"])
def test_names_that_no_client_has(ledger: Ledger, client: str) -> None:
    with pytest.raises(ParamError):
        ledger.add_client(client, **WHY)


@pytest.mark.parametrize("why", [{"actor": "", "reason": "x"}, {"actor": "eve", "reason": " "}])
def test_every_change_has_who_and_why(ledger: Ledger, why: dict[str, str]) -> None:
    for change in (ledger.add_client, ledger.remove_client):
        with pytest.raises(ParamError):
            change("ann", **why)
    with pytest.raises(ParamError):
        ledger.freeze(client="ann", **why)
    with pytest.raises(ParamError):
        ledger.cap_client("ann", "operator", cap("0.1"), **why)


# ---------------------------------------------------------------- caps


def test_an_admins_cap_holds_in_the_place_of_the_catalogs(ledger: Ledger) -> None:
    ledger.cap_client("ann", "operator", cap("0.15"), **WHY)
    assert ledger.account(ANN, CAPS.client).cap == cap("0.15")
    ledger.charge(ask(item("aa", "0.12")))
    ledger.cap_client("ann", "operator", cap("0.05"), **WHY)
    with pytest.raises(BudgetRefused, match="has rho 0 left"):
        ledger.charge(ask(item("bb"), request="r2"))
    ledger.cap_client("ann", "operator", cap("0.13"), **WHY)
    with pytest.raises(BudgetRefused, match=r"has rho 0\.01 left"):
        ledger.charge(ask(item("bb", "0.02"), request="r2"))
    ledger.charge(ask(item("bb", "0.01"), request="r2"))
    assert ledger.account(ANN).spent == Loss.rounded_up("0.13")
    check_books(ledger)


def test_a_groups_cap_holds_for_all_in_it(ledger: Ledger) -> None:
    ledger.cap_client("acme", "operator", cap("0.05"), **WHY)
    ledger.charge(ask(item("aa", "0.04"), client="acme/ann"))
    with pytest.raises(BudgetRefused, match=r"E_BUDGET: .* client 'acme' .* has rho 0\.01 left"):
        ledger.charge(ask(item("bb", "0.04"), client="acme/ben"))
    ledger.charge(ask(item("aa", "0.04"), client="acme/ben"))  # the group has paid for it
    assert ledger.account(AccountName("operator", "forever", "acme")).spent == Loss.rounded_up("0.04")
    check_books(ledger)


def test_a_cap_of_one_window_is_of_that_window(ledger: Ledger) -> None:
    ledger.cap_client("ann", "operator", cap("0.15"), scope="2026-01", **WHY)
    ledger.charge(ask(item("aa", "0.14", windows=("2026-01",))))
    with pytest.raises(BudgetRefused, match="window '2026-02'"):
        ledger.charge(ask(item("bb", "0.14", windows=("2026-02",)), request="r2"))
    check_books(ledger)


def test_a_lifetime_bounds_the_sum_over_windows(ledger: Ledger) -> None:
    ledger.cap_client("acme", "operator", cap("0.1"), scope=LIFETIME, **WHY)
    months = tuple(f"2026-{month:02}" for month in range(1, 5))
    ledger.charge(ask(item("aa", "0.02", windows=months), client="acme/ann"))
    with pytest.raises(BudgetRefused, match=r"client 'acme' over all windows .* has rho 0\.02 left"):
        ledger.charge(ask(item("bb", "0.03", windows=("2027-01",)), client="acme/ann", request="r2"))
    ledger.charge(ask(item("cc", "0.01", windows=("2027-01", "2027-02")), client="acme/ben", request="r2"))
    check_books(ledger)


def test_a_query_cap_limits_the_price_of_one_query(ledger: Ledger) -> None:
    ledger.cap_client("ann", "operator", cap("0.01"), scope=PER_QUERY, **WHY)
    with pytest.raises(BudgetRefused, match="one question of client 'ann'"):
        ledger.charge(ask(item("aa", "0.02")))
    ledger.charge(ask(item("aa", "0.02"), client="ben"))
    ledger.charge(ask(item("bb", "0.01")))


def test_the_owners_reserve_is_left_to_the_owner(ledger: Ledger) -> None:
    caps = Caps(CAPS.dataset, Loss.rounded_down("0.2", "1e-9"), reserve=Loss.rounded_up("0.02"))
    with pytest.raises(BudgetRefused, match=r"E_BUDGET_DATASET: .* all clients together") as refused:
        ledger.charge(ask(item("aa", "0.19"), caps=caps))
    assert refused.value.would_fit.rho == Loss.rounded_up("0.18").rho
    ledger.charge(ask(item("aa", "0.18"), caps=caps))
    calibration = ledger.charge(ask(item("norms", "0.02"), client=OWNER, caps=caps))
    answer(ledger, calibration)
    assert ledger.replay(OWNER, "operator", ["norms"])
    with pytest.raises(BudgetRefused):
        ledger.charge(ask(item("more", "0.0001"), client=OWNER, request="r2", caps=caps))
    assert ledger.verify() == ()


# ---------------------------------------------------------------- top-ups


def test_a_top_up_is_asked_for_approved_and_traced(ledger: Ledger) -> None:
    asked = ledger.request_top_up("ann", "operator", cap("0.15"), reason="the fair")
    ledger.request_top_up("ben", "operator", cap("0.15"), reason="me too")
    assert [(each.client, each.state) for each in ledger.top_ups(open_only=True)] == [("ann", "open"), ("ben", "open")]
    with pytest.raises(BudgetRefused):
        ledger.charge(ask(item("aa", "0.12")))
    ledger.approve_top_up(asked, **WHY)
    ledger.charge(ask(item("aa", "0.12")))
    ledger.decline_top_up(ledger.top_ups()[1].id, **WHY)
    assert [each.state for each in ledger.top_ups()] == ["approved", "declined"]
    for decide in (ledger.approve_top_up, ledger.decline_top_up):
        with pytest.raises(ParamError, match="no open request"):
            decide(asked, **WHY)
    (approved,) = ledger.entries(kind="top_up_approved")
    assert (approved.actor, approved.holder, approved.content["request"]) == ("eve", "ann", asked)
    check_books(ledger)


# ---------------------------------------------------------------- freezes


FREEZES: list[dict[str, str]] = [
    {"client": "acme"},
    {"client": "acme/ann"},
    {"dataset": "operator"},
    {"dataset": "operator", "window": "forever"},
    {"dataset": "operator", "client": "acme"},
]


@pytest.mark.parametrize("frozen", FREEZES, ids=str)
def test_a_frozen_client_is_refused_until_thawed(ledger: Ledger, frozen: dict[str, str]) -> None:
    ledger.freeze(**frozen, **WHY)
    with pytest.raises(Forbidden, match="is frozen"):
        ledger.charge(ask(client="acme/ann"))
    assert ledger.accounts() == ()
    assert ledger.charge(ask(client="zoe", dataset="mibici"))
    ledger.thaw(**frozen, **WHY)
    assert ledger.charge(ask(client="acme/ann"))
    assert ledger.verify() == ()


def test_a_frozen_window_stops_no_other(ledger: Ledger) -> None:
    ledger.freeze(dataset="operator", window="2026-01", **WHY)
    assert ledger.charge(ask(item(windows=("2026-02",))))
    with pytest.raises(Forbidden, match="window '2026-01'"):
        ledger.charge(ask(item("bb", windows=("2026-01", "2026-02")), request="r2"))


def test_a_frozen_client_gets_nothing_stored_and_a_frozen_dataset_gives_what_it_has(ledger: Ledger) -> None:
    answer(ledger, ledger.charge(ask()))
    ledger.freeze(dataset="operator", **WHY)
    assert ledger.replay("ann", "operator", ["aa"])
    ledger.freeze(client="ann", **WHY)
    with pytest.raises(Forbidden):
        ledger.replay("ann", "operator", ["aa"])


def test_freezing_requires_a_name(ledger: Ledger) -> None:
    with pytest.raises(ParamError, match="a client, a group or a dataset"):
        ledger.freeze(**WHY)


# ---------------------------------------------------------------- failures


def fail(ledger: Ledger, charge: Charge, times: int) -> None:
    for _ in range(times):
        ledger.record_failure(charge)


def test_three_failures_freeze_a_client_and_a_retry_counts(ledger: Ledger) -> None:
    fail(ledger, ledger.charge(ask()), MAX_FAILURES_PER_CLIENT - 1)
    retry = ledger.charge(ask())
    assert (retry.is_repeat, ledger.account(ANN).spent) == (True, retry.loss)
    ledger.record_failure(retry)
    with pytest.raises(Forbidden, match="'ann' is frozen"):
        ledger.charge(ask())
    assert ledger.charge(ask(client="ben"))
    (frozen,) = ledger.entries(kind="frozen")
    assert (frozen.actor, frozen.holder, frozen.content["reason"]) == ("ledger", "ann", "3 failed executions")
    assert ledger.verify() == ()


def test_an_admin_who_looked_begins_the_count_anew(ledger: Ledger) -> None:
    charge = ledger.charge(ask())
    fail(ledger, charge, MAX_FAILURES_PER_CLIENT)
    ledger.thaw(client="ann", **WHY)
    fail(ledger, charge, MAX_FAILURES_PER_CLIENT - 1)
    assert ledger.charge(ask())
    ledger.record_failure(charge)
    with pytest.raises(Forbidden):
        ledger.charge(ask())
    assert ledger.verify() == ()


def test_ten_failures_of_any_clients_freeze_a_window(ledger: Ledger) -> None:
    for number in range(MAX_FAILURES_PER_WINDOW):
        asked = ask(item(f"k{number}", windows=("2026-01", "2026-02")), client=f"client {number}")
        ledger.record_failure(ledger.charge(asked))
    for window, refused in (("2026-01", True), ("2026-02", True), ("2026-03", False)):
        charge: Callable[[], Charge] = lambda window=window: ledger.charge(  # noqa: E731
            ask(item(window, windows=(window,)), request=window)
        )
        if refused:
            with pytest.raises(Forbidden, match=f"window '{window}'"):
                charge()
        else:
            assert charge()
    ledger.thaw(dataset="operator", **WHY)
    assert ledger.charge(ask(item("again", windows=("2026-01",)), request="again"))
    assert ledger.verify() == ()


@pytest.mark.parametrize("clients", [("ann",), ("retail/ann", "retail/ben", "retail/research/cleo", "retail/dan")])
def test_one_tree_of_clients_freezes_itself_and_no_dataset(ledger: Ledger, clients: tuple[str, ...]) -> None:
    """However many of its executions fail, of however many clients, others ask on: an admin who thaws changes nothing."""
    charges = [ledger.charge(ask(item(f"k{i}"), client=client, request=f"r{i}")) for i, client in enumerate(clients)]
    for _ in range(MAX_FAILURES_PER_WINDOW):
        for client, charge in zip(clients, charges, strict=True):
            fail(ledger, charge, MAX_FAILURES_PER_CLIENT)
            ledger.thaw(client=client, **WHY)
    assert {(frozen.dataset, frozen.client) for frozen in ledger.freezes()} <= {("", clients[0].split("/")[0])}
    assert ledger.charge(ask(item("others"), client="olga", request="others"))
    assert ledger.verify() == ()


def test_a_count_without_trees_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: each failure counts against the window, whose ever it is."""
    monkeypatch.setattr(administration, "count_window_failures", lambda by_tree: by_tree[""])
    monkeypatch.setattr(administration, "MAX_COUNTED_PER_CLIENT_TREE", MAX_FAILURES_PER_WINDOW)
    with pytest.raises(AssertionError):
        test_one_tree_of_clients_freezes_itself_and_no_dataset(ledger, ("ann",))


def test_repeated_failed_charges_freeze_the_whole_client_tree(ledger: Ledger) -> None:
    failed = 0
    for number in range(MAX_FAILURES_PER_CLIENT_TREE):
        ledger.record_failure(ledger.charge(ask(item(f"k{number}"), client=f"retail/{number}", request=f"r{number}")))
        failed += 1
    with pytest.raises(Forbidden, match="'retail' of client 'retail/next' is frozen"):
        ledger.charge(ask(item("next"), client="retail/next", request="next"))
    assert failed == MAX_FAILURES_PER_CLIENT_TREE
    assert [(frozen.dataset, frozen.client) for frozen in ledger.freezes()] == [("", "retail")]
    ledger.thaw(client="retail", **WHY)
    assert ledger.charge(ask(item("next"), client="retail/next", request="next"))
    assert ledger.verify() == ()


def test_four_trees_freeze_a_window_and_three_do_not(ledger: Ledger) -> None:
    for tree in ("a", "b", "c"):
        fail(ledger, ledger.charge(ask(item(f"k {tree}"), client=tree, request=tree)), MAX_FAILURES_PER_CLIENT)
    assert ledger.charge(ask(item("before"), client="olga", request="before"))
    fourth = ledger.charge(ask(item("fourth"), client="d/one", request="fourth"))
    ledger.record_failure(fourth)
    with pytest.raises(Forbidden, match="window 'forever'"):
        ledger.charge(ask(item("after"), client="olga", request="after"))
    ledger.record_failure(fourth)
    assert len(ledger.entries(kind="frozen")) == 4  # each once
    ledger.thaw(dataset="operator", **WHY)
    assert ledger.charge(ask(item("after"), client="olga", request="after"))
    assert ledger.verify() == ()


def test_a_ledger_that_counted_by_window_alone_is_completed(ledger: Ledger) -> None:
    """One that an earlier version wrote has no counts by tree: they are made of its chain when it is opened."""
    charge = ledger.charge(ask(client="retail/ann"))
    with ledger._store.writing() as connection:
        journal.append(connection, [failure_event(charge, {"forever"})])
        for key in (("", "retail/ann", ""), ("operator", "", "forever")):
            client_tables.count_failure(connection, *key)
    assert ledger.verify() != ()
    with ledger._store.writing() as connection:
        client_tables.complete_failures(connection)
    assert ledger.verify() == ()
    with ledger._store.reading() as connection:
        assert client_tables.failures_by_tree(connection, "operator", "forever") == {"": 1, "retail": 1}


def test_failures_of_the_owner_count_against_the_window_alone(ledger: Ledger) -> None:
    charge = ledger.charge(ask(client=OWNER))
    fail(ledger, charge, MAX_FAILURES_PER_WINDOW)
    with pytest.raises(Forbidden, match="window 'forever'"):
        ledger.charge(ask())
    assert ledger.verify() == ()


# ---------------------------------------------------------------- notes


def test_a_note_is_kept_and_found(ledger: Ledger) -> None:
    sequence = ledger.note("objection", {"how": "bulk file", "persons": 3}, actor="session", dataset="operator")
    (noted,) = ledger.entries(kind="note_objection")
    assert (noted.sequence, noted.actor, noted.content["persons"]) == (sequence, "session", 3)
    for body in ({"share": 0.5}, {"at": {1: 2}}, {"yes": True}, {"raw": b""}):
        with pytest.raises(ParamError):
            ledger.note("objection", body, actor="session")
    assert ledger.verify() == ()


def test_accounts_are_shown_under_the_caps_that_hold(ledger: Ledger) -> None:
    ledger.charge(ask(item("aa", "0.02", windows=("2026-01", "2026-02"))))
    ledger.cap_client("ann", "operator", cap("0.05"), scope="2026-02", **WHY)
    names = [
        AccountName("operator", window, holder)
        for window in ("2026-01", "2026-02", "2026-03")
        for holder in ("", "ann")
    ]
    views = ledger.accounts_with_caps("operator", {name: cap("0.3") for name in names})
    assert [view.name for view in views] == names
    assert [view.spent.rho for view in views] == [Loss.rounded_up("0.02").rho] * 4 + [0, 0]
    assert [view.cap for view in views] == [CAPS.dataset, cap("0.3"), CAPS.dataset, cap("0.05"), cap("0.3"), cap("0.3")]
    assert views == tuple(ledger.account(name, cap("0.3")) for name in names)
