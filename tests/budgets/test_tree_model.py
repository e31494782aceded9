"""Random histories of clients and admins, compared with a model tree of fifty lines."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgets import BudgetRefused, Caps, Forbidden, Ledger, Loss, ParamError
from tests.budgets.ledger_checks import answer, ask, item
from tests.budgets.tree_model import CEILING, EACH, LIFETIME, OWN, QUERY, RESERVE, Tree, path
from tests.support.ledger.blank_ledger import blank_ledger

SEQUENCES = int(os.environ.get("PASSERSBY_SEQUENCES", "300"))
UNIT = Loss.rounded_up("0.0001").pico_rho
CLIENTS = ["acme/maps/ann", "acme/maps/ben", "acme/eve", "zoe"]
WINDOWS = [("jan",), ("jan", "feb"), ("feb", "mar", "static")]
RELEASES = {f"k{price}{number}": (price, windows) for price in (5, 11, 23) for number, windows in enumerate(WINDOWS)}
KEYS = st.lists(st.sampled_from(sorted(RELEASES)), min_size=1, max_size=3, unique=True)
HOLDERS = sorted({holder for client in CLIENTS for holder in path(client)})
CHARGE = st.tuples(st.just("charge"), st.sampled_from([*CLIENTS, "*owner"]), KEYS)
CAP = st.tuples(
    st.just("cap"), st.sampled_from(HOLDERS), st.sampled_from([EACH, LIFETIME, QUERY, "jan"]), st.integers(0, 120)
)
BAR = st.tuples(st.sampled_from(["remove", "add", "freeze", "thaw"]), st.sampled_from(HOLDERS))
STEPS = st.lists(st.one_of(CHARGE, CHARGE, CHARGE, CAP, BAR), max_size=14)
WHY = {"actor": "eve", "reason": "a trial"}


def rho(units: int) -> Loss:
    return Loss(units * UNIT, 10**9)


CAPS = Caps(rho(CEILING), rho(OWN), reserve=Loss(RESERVE * UNIT))


def charge(ledger: Ledger, client: str, keys: list[str], number: int) -> str:
    asked = [item(key, f"{RELEASES[key][0] / 10_000:.4f}", windows=RELEASES[key][1]) for key in keys]
    try:
        answer(ledger, ledger.charge(ask(*asked, client=client, request=f"r{number}", caps=CAPS)))
    except BudgetRefused:
        return "over"
    except Forbidden:
        return "forbidden"
    return "charged"


def act(ledger: Ledger, tree: Tree, step: tuple[Any, ...], removed: set[str], frozen: set[str]) -> None:
    """Do an admin's action in the ledger and in the tree."""
    what, holder, *more = step
    if what == "cap":
        scope, cap = more
        ledger.cap_client(holder, "operator", rho(cap), scope=scope, **WHY)
        tree.now += 1
        tree.caps[holder, scope] = (tree.now, cap)
    elif what == "remove":
        try:
            ledger.remove_client(holder, **WHY)
            removed.add(holder)
        except ParamError:
            pass  # nobody of that name was ever there
    elif what == "add" and holder in CLIENTS:
        ledger.add_client(holder, **WHY)
        removed.discard(holder)
    elif what in ("freeze", "thaw"):
        getattr(ledger, what)(client=holder, **WHY)
        (frozen.add if what == "freeze" else frozen.discard)(holder)
    tree.barred = removed | frozen


def follow(history: list[tuple[Any, ...]]) -> None:
    """Replay one history in a ledger and in the tree; raises AssertionError where they differ."""
    tree, removed, frozen = Tree(RELEASES), set[str](), set[str]()
    with blank_ledger() as ledger:
        for number, step in enumerate(history):
            if step[0] == "charge":
                assert charge(ledger, step[1], step[2], number) == tree.charge(step[1], set(step[2]))
            else:
                act(ledger, tree, step, removed, frozen)
        for view in ledger.accounts():
            spent = tree.spent(view.name.holder, view.name.window)
            assert view.spent.pico_rho == spent * UNIT, f"{view.name} has spent {view.spent}, and should have {spent}"
        assert ledger.verify() == ()


# what ann and zoe pay together for jan, 44 units, leaves zoe no 11 below the reserve, and the owner no 23 below the ceiling
FULL: list[tuple[Any, ...]] = [
    ("charge", "acme/maps/ann", ["k50", "k110", "k230"]),
    ("charge", "zoe", ["k51"]),
    ("charge", "zoe", ["k111"]),
    ("charge", "*owner", ["k111"]),
    ("charge", "*owner", ["k231"]),
]


@pytest.mark.parametrize("holder", ["*", ""])
def test_an_unenforced_limit_is_found(holder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients' limit without its reserve, or no ceiling over all: the tree believes what the ledger refuses."""
    follow(FULL)
    kept = Tree.cap
    limits = {holder: CEILING if holder else 2 * CEILING}
    monkeypatch.setattr(Tree, "cap", lambda tree, who, *rest: limits.get(who) or kept(tree, who, *rest))
    with pytest.raises(AssertionError, match="over"):
        follow(FULL)


@settings(max_examples=SEQUENCES)
@given(STEPS)
def test_every_history_agrees_with_the_tree_model(history: list[tuple[Any, ...]]) -> None:
    follow(history)
