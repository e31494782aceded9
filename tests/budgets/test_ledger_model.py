"""Random histories, compared with a model ledger of twenty lines."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from budgets import BudgetRefused, Caps, Loss
from tests.budgets.ledger_checks import answer, ask, check_books, item
from tests.support.ledger.blank_ledger import blank_ledger

CAPS = Caps(dataset=Loss.rounded_down("0.01", "1e-9"), client=Loss.rounded_down("0.006", "1e-9"))
PRICES = {"aa": "0.0005", "bb": "0.001", "cc": "0.002", "dd": "0.003", "ee": "0.004"}

STEPS = st.tuples(
    st.sampled_from(["ann", "ben", "eve"]),
    st.lists(st.sampled_from(sorted(PRICES)), min_size=1, max_size=3),
    st.integers(0, 5),  # request id
    st.booleans(),  # whether the answer is stored
)


@dataclass
class Reference:
    """The expected state, in units of 0.0001 rho."""

    seen: dict[str, set[str]] = field(default_factory=dict)  # by client; "" is the dataset
    stored: dict[str, bytes] = field(default_factory=dict)

    def cost(self, owner: str, keys: set[str]) -> int:
        return sum(round(float(PRICES[key]) * 10_000) for key in keys - self.seen.get(owner, set()))

    def spent(self, owner: str) -> int:
        return sum(round(float(PRICES[key]) * 10_000) for key in self.seen.get(owner, set()))

    def charge(self, client: str, keys: set[str]) -> bool:
        limits = {client: 60, "": 100}
        if any(self.spent(owner) + self.cost(owner, keys) > limit for owner, limit in limits.items()):
            return False
        for owner in limits:
            self.seen.setdefault(owner, set()).update(keys)
        return True


@given(st.lists(STEPS, max_size=20))
def test_every_history_agrees_with_the_model(history: list[tuple[str, list[str], int, bool]]) -> None:
    reference = Reference()
    done: dict[tuple[str, str], list[str]] = {}
    with blank_ledger() as ledger:
        for step, (client, drawn, number, store) in enumerate(history):
            request = f"r{number}"
            keys = done.get((client, request), drawn)
            asked = ask(*(item(key, PRICES[key]) for key in keys), client=client, request=request, caps=CAPS)
            free = reference.cost(client, set(keys)) == 0
            assert (ledger.preview(asked) == Loss(0, 0)) == free
            try:
                charge = ledger.charge(asked)
            except BudgetRefused:
                assert not reference.charge(client, set(keys))
                continue
            assert reference.charge(client, set(keys))
            assert charge.is_repeat == ((client, request) in done)
            done[client, request] = keys
            assert set(charge.to_run) == set(keys) - set(reference.stored)
            if store:
                given_back = answer(ledger, charge, f"step {step}")
                reference.stored = given_back | reference.stored
                assert given_back == {key: reference.stored[key] for key in keys}
        views = {view.name.client or "": view.spent.pico_rho // 10**8 for view in ledger.accounts()}
        assert views == {owner: reference.spent(owner) for owner in reference.seen}
        check_books(ledger)
