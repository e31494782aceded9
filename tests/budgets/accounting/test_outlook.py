"""The budget forecast is exact: so many more queries are accepted and not one more, and suggested prices fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets import (
    EACH_WINDOW,
    LIFETIME,
    PER_QUERY,
    AccountName,
    AccountView,
    BudgetRefused,
    Caps,
    ChargeRequest,
    Ledger,
    Loss,
    PricedRelease,
)
from budgets.accounting.accounts import MIN_QUERY_RHO
from budgets.accounting.outlook import Outlook, PayingAccounts, _count_fits, outlook
from budgets.accounting.privacy_loss import ZERO_LOSS
from budgets.charging import read_paying_accounts
from tests.budgets.ledger_checks import ask, item
from tests.support.ledger.blank_ledger import blank_ledger

WINDOWS = ("2026-01", "2026-02", "2026-03", "static")
WHY = {"actor": "admin", "reason": "a test"}
CLIENTS = ("acme/city/ann", "acme/ben", "carl")

rhos = st.integers(5, 60).map(lambda thousandths: Loss.rounded_up(f"{thousandths / 1000:.3f}", "1e-9"))
caps = st.builds(
    Caps,
    dataset=st.just(Loss.rounded_up("0.2", "1e-9")),
    client=rhos,
    reserve=st.sampled_from([ZERO_LOSS, Loss.rounded_up("0.03")]),
    static=st.sampled_from([None, Loss.rounded_up("0.04", "1e-9")]),
    query=st.one_of(st.none(), rhos),
    lifetime=st.one_of(st.none(), rhos),
)
touched = st.lists(st.sampled_from(WINDOWS), min_size=1, max_size=4, unique=True).map(tuple)
losses = st.builds(
    Loss,
    st.integers(2_000_000_000, 9_000_000_000),
    st.sampled_from([0, 0, 10_000_000, 33_333_333]),
)
releases = st.lists(st.tuples(losses, touched), min_size=1, max_size=3)
grants = st.lists(
    st.tuples(
        st.sampled_from(["acme", "acme/city", *CLIENTS]),
        st.sampled_from([EACH_WINDOW, LIFETIME, PER_QUERY, *WINDOWS]),
        rhos,
    ),
    max_size=3,
)
questions = st.lists(st.tuples(st.sampled_from(CLIENTS), releases), max_size=6)


class Asking:
    """A ledger, and queries that are new each time."""

    def __init__(self, ledger: Ledger, caps: Caps) -> None:
        self.ledger, self.caps, self.asked = ledger, caps, 0

    def request(self, client: str, parts: Sequence[tuple[Loss, tuple[str, ...]]]) -> ChargeRequest:
        self.asked += 1
        items = [PricedRelease(f"{self.asked}.{i}", loss, "q", windows) for i, (loss, windows) in enumerate(parts)]
        return ask(*items, client=client, request=f"r{self.asked}", caps=self.caps)

    def accepts(self, request: ChargeRequest) -> bool:
        try:
            self.ledger.charge(request)
        except BudgetRefused:
            return False
        return True

    def again(self, request: ChargeRequest) -> ChargeRequest:
        return self.request(request.client, [(each.loss, each.windows) for each in request.releases])


def opened() -> AbstractContextManager[Ledger]:
    """Open a ledger for one history."""
    return blank_ledger()


@contextmanager
def histories(caps: Caps, grants: Sequence[tuple[str, str, Loss]], questions: Sequence[object]) -> Iterator[Asking]:
    with opened() as ledger:
        asking = Asking(ledger, caps)
        for client, parts in questions:  # type: ignore[misc]
            asking.accepts(asking.request(client, parts))
        for holder, scope, cap in grants:  # after the questions: a cap may lie below what is spent
            ledger.cap_client(holder, "operator", cap, scope=scope, **WHY)
        yield asking


def at_price(request: ChargeRequest, fits: Loss, asking: Asking) -> ChargeRequest:
    """The same request at another price, divided as before."""
    rho, delta = (sum(getattr(each.loss, part) for each in request.releases) for part in ("pico_rho", "atto_delta"))
    most = fits.atto_delta if delta else 0
    parts = [
        (Loss(fits.pico_rho * e.loss.pico_rho // rho, most * e.loss.atto_delta // delta if delta else 0), e.windows)
        for e in request.releases
    ]
    return asking.request(request.client, parts)


@settings(max_examples=60, deadline=None)
@given(caps, grants, questions, st.sampled_from(CLIENTS), releases)
def test_the_forecast_number_of_queries_is_accepted_and_one_more_refused(
    caps: Caps, grants: list[tuple[str, str, Loss]], before: list[object], client: str, parts: list[object]
) -> None:
    with histories(caps, grants, before) as asking:
        request = asking.request(client, parts)  # type: ignore[arg-type]
        promised = asking.ledger.outlook(request, WINDOWS)
        assert (promised.binding_account is None) <= (promised.queries_left == 0)
        for left in range(promised.queries_left, 0, -1):
            request = asking.again(request)
            assert asking.ledger.outlook(request).queries_left == left
            asking.ledger.charge(request)
        with pytest.raises(BudgetRefused) as refused:
            asking.ledger.charge(asking.again(request))
        end = asking.ledger.outlook(request, WINDOWS)
        assert refused.value.would_fit == end.would_fit
        assert end.queries_left == 0


@settings(max_examples=60, deadline=None)
@given(caps, grants, questions, st.sampled_from(CLIENTS), releases, st.sampled_from(["price", "fewer", "elsewhere"]))
def test_a_price_that_would_fit_is_accepted(
    caps: Caps, grants: list[tuple[str, str, Loss]], before: list[object], client: str, parts: list[object], how: str
) -> None:
    with histories(caps, grants, before) as asking:
        request = asking.request(client, parts)  # type: ignore[arg-type]
        told = asking.ledger.outlook(request, WINDOWS)
        for instead in _instead(asking, request, told, how):
            assert asking.accepts(instead)


def _instead(asking: Asking, request: ChargeRequest, told: Outlook, how: str) -> Iterator[ChargeRequest]:
    parts = [(each.loss, each.windows) for each in request.releases]
    if how == "price" and told.would_fit != ZERO_LOSS:
        delta = sum(each.loss.atto_delta for each in request.releases)
        if not delta or told.would_fit.atto_delta >= delta:
            yield at_price(request, told.would_fit, asking)
    elif how == "fewer" and told.fitting_windows:
        kept = [
            (loss, tuple(w for w in windows if w in told.fitting_windows) or told.fitting_windows)
            for loss, windows in parts
        ]
        yield asking.request(request.client, kept)
    elif how == "elsewhere" and told.other_windows:
        yield asking.request(request.client, [(loss, told.other_windows[:1]) for loss, _ in parts])


@settings(max_examples=60, deadline=None)
@given(caps, grants, questions, st.sampled_from(CLIENTS), touched)
def test_a_little_more_than_fits_is_refused(
    caps: Caps, grants: list[tuple[str, str, Loss]], before: list[object], client: str, windows: tuple[str, ...]
) -> None:
    with histories(caps, grants, before) as asking:
        fits = asking.ledger.outlook(asking.request(client, [(Loss.rounded_up("0.005"), windows)])).would_fit
        more = Loss(max(fits.pico_rho, int(MIN_QUERY_RHO * 10**12) - 1) + 1, 0)
        assert not asking.accepts(asking.request(client, [(more, windows)]))
        if fits != ZERO_LOSS:
            assert asking.accepts(asking.request(client, [(Loss(fits.pico_rho, 0), windows)]))


def test_a_price_is_refused_by_account_caps_too() -> None:
    """The most of one question is no promise that an account holds as much."""
    caps = Caps(
        Loss.rounded_down("0.2", "1e-9"), Loss.rounded_down("0.1", "1e-9"), query=Loss.rounded_up("0.05", "1e-9")
    )
    with blank_ledger() as ledger:
        ledger.charge(ask(item("aa", "0.05"), caps=caps))
        ledger.charge(ask(item("bb", "0.03"), request="r2", caps=caps))
        with pytest.raises(BudgetRefused, match=r"at most rho 0\.02 fits"):
            ledger.charge(ask(item("cc", "0.06"), request="r3", caps=caps))


def test_another_price_is_another_release_that_the_dataset_pays_too() -> None:
    """What others have paid for is free for the dataset; what would fit is not."""
    caps = Caps(Loss.rounded_down("0.1", "1e-9"), Loss.rounded_down("0.09", "1e-9"))
    with blank_ledger() as ledger:
        ledger.charge(ask(item("aa", "0.08"), client="ben", caps=caps))
        ledger.charge(ask(item("bb", "0.015"), request="r2", caps=caps))
        with pytest.raises(BudgetRefused, match=r"at most rho 0\.005 fits") as refused:
            ledger.charge(ask(item("aa", "0.08"), request="r3", caps=caps))
        assert refused.value.remaining.rho == Loss.rounded_up("0.075").rho
        ledger.charge(ask(item("cc", "0.005"), request="r4", caps=caps))


def test_a_frozen_client_has_no_queries_left(ledger: Ledger) -> None:
    request = ask(item("aa"))
    assert ledger.outlook(request).queries_left == 20
    ledger.freeze(client="ann", **WHY)
    told = ledger.outlook(request)
    assert (told.queries_left, told.blocked_reason) == (0, "The client 'ann' is frozen.")


def test_fewer_windows_are_suggested_if_the_lifetime_cap_is_short(ledger: Ledger) -> None:
    caps = replace(ask().caps, lifetime=Loss.rounded_up("0.03", "1e-9"))
    months = ("2026-01", "2026-02", "2026-03", "2026-04")
    request = ask(item("aa", "0.01", windows=months), caps=caps)
    told = ledger.outlook(request, (*months, "2026-05"))
    assert (told.queries_left, told.fitting_windows, told.other_windows) == (0, months[1:], ("2026-05",))
    assert told.would_fit.rho == Loss.rounded_up("0.0075").rho
    assert told.binding_account is not None and told.binding_account.name.window == LIFETIME


def test_each_of_many_daily_windows_is_examined_once() -> None:
    """Ten times the windows take some ten times the looks at accounts, where nothing fits: it is paid for by nobody."""
    looks = [_looks(windows) for windows in (40, 400)]
    assert looks[1] < 20 * looks[0]


def _looks(windows: int) -> int:
    """Number of account names read while the forecast of an unaffordable query is computed."""
    days = tuple(f"day {number:04}" for number in range(windows))
    caps = Caps(dataset=Loss.rounded_down("1", "1e-9"), client=Loss.rounded_down("0.01", "1e-9"))
    request = ask(item("aa", "0.02", windows=days[:1]), client="acme/city/ann", caps=caps)
    with Ledger.open(":memory:") as ledger, ledger._store.reading() as connection:
        room = read_paying_accounts(connection, request, days)
    counted = list[int]()
    views = Counted(dict(room.views), counted)
    found = outlook(replace(room, views=views), request.distinct_releases, days)
    assert not found.queries_left and not found.other_windows
    return sum(counted)


class Counted(dict[AccountName, AccountView]):
    """Accounts that count how many of them were walked over."""

    def __init__(self, views: dict[AccountName, AccountView], counted: list[int]) -> None:
        super().__init__(views)
        self.counted = counted

    def items(self) -> Any:
        self.counted.append(len(self))
        return super().items()


def test_a_quadratic_walk_over_accounts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def debits(room: PayingAccounts, items: Sequence[PricedRelease]) -> tuple[tuple[AccountView, Loss], ...]:
        losses = {window: each.loss for each in items for window in each.windows}
        return tuple((view, losses[name.window]) for name, view in room.views.items() if name.window in losses)

    monkeypatch.setattr(PayingAccounts, "debits", debits)
    with pytest.raises(AssertionError):
        test_each_of_many_daily_windows_is_examined_once()


def test_rho_or_delta_runs_out_first() -> None:
    loss = Loss.rounded_up("0.1", "1e-9")
    assert _count_fits(Loss.rounded_up("1", "3e-9"), loss) == 3
    assert _count_fits(Loss.rounded_up("0.2", "1e-6"), loss) == 2
    assert _count_fits(Loss.rounded_up("0.3"), Loss.rounded_up("0.1")) == 3
