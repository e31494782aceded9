"""The long searches in their short forms, and that they can find something: `make nightly` runs them without end."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from dialect import bound
from engine import prepare as prepare_module
from engine.pipeline import Engine
from tests.nightly import greybox, worlds
from tests.nightly.__main__ import SEARCHES
from tests.nightly.search import EXAMPLES, Search, search
from tests.privacy.test_two_worlds_planted import only_where_somebody_was
from tests.support.greybox import SensitivityExceeded


def test_the_grey_box() -> None:
    counted = greybox.chunk(1, 4)
    assert counted[EXAMPLES] > 20
    assert counted["refused"] < counted[EXAMPLES] / 10


def test_two_worlds() -> None:
    counted = worlds.chunk(1, 12, 1)
    assert counted[EXAMPLES] > 20
    assert counted["with all rows public"] > 5


def test_the_grey_box_finds_a_norm_that_is_told_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def halved(*given: Any) -> Any:
        made = bound(*given)
        vectors = tuple(replace(v, sensitivity=max(1, v.sensitivity // 2)) for v in made.vectors)
        return replace(made, vectors=vectors)

    monkeypatch.setattr(prepare_module, "bound", halved)
    with pytest.raises(SensitivityExceeded):
        greybox.chunk(1, smaller=False)


def test_two_worlds_find_public_keys_that_are_there_only_with_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Engine.release

    def public_where_somebody_was(engine: Engine, prepared: Any) -> Any:
        public = prepared.plan.key_set is not None
        return only_where_somebody_was(engine, prepared) if public else release(engine, prepared)

    monkeypatch.setattr(Engine, "release", public_where_somebody_was)
    with pytest.raises(AssertionError):
        worlds.chunk(1, 15, 0, smaller=False)


def test_long_forms_are_as_long_as_they_are_said_to_be() -> None:
    wanted = {name: asked.wanted for name, asked in SEARCHES.items()}
    assert wanted["greybox"] == wanted["statements"] == 100_000
    assert wanted["worlds"] == 5_000


def _even(number: int) -> Counter[str]:
    assert number % 2 == 0, "an odd number"
    return Counter({EXAMPLES: 10})


def test_a_search_counts_and_tells_what_it_found() -> None:
    outcome = search(Search("numbers", 100, _even), 100, 2, lambda text: None)
    assert outcome.counted[EXAMPLES] >= 100 or len(outcome.found) >= 5
    assert all("an odd number" in found and found.startswith("seed ") for found in outcome.found)
    assert "examples" in outcome.line()
