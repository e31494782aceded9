"""What a search does with its chunks; a file of its own, since each process of a pool reads it anew."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import pytest

from tests.nightly import search as search_module
from tests.nightly.search import EXAMPLES, Search, search


def _even(number: int) -> Counter[str]:
    assert number % 2 == 0, "an odd number"
    return Counter({EXAMPLES: 10})


def test_a_search_counts_and_reports_its_findings() -> None:
    outcome = search(Search("numbers", 100, _even), 100, 2, lambda text: None, first=0)
    assert outcome.counted[EXAMPLES] >= 50 and len(outcome.found) >= 5, "every other seed is odd"
    assert all("an odd number" in found and found.startswith("seed ") for found in outcome.found)
    assert "examples" in outcome.line()


def _one_more(number: int) -> Counter[str]:
    return Counter({EXAMPLES: 1})


def test_a_search_goes_on_until_enough_was_tried() -> None:
    outcome = search(
        Search("ones", 30, _one_more), 30, 1, lambda text: None
    )  # one process: never is another one running
    assert outcome.counted[EXAMPLES] == 30


def _slow(number: int) -> Counter[str]:
    time.sleep(0.2)
    return Counter({EXAMPLES: 1, f"seed {number}": 1})


def test_a_search_that_is_stopped_counts_what_was_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "EVERY", 0.5)

    said = []

    def stop(text: str) -> None:
        if not said:
            os.kill(os.getpid(), signal.SIGTERM)
        said.append(text)

    outcome = search(Search("naps", 10**6, _slow), 10**6, 2, stop, 7)
    assert {"seed 7", "seed 8"} <= outcome.counted.keys()
    assert 2 <= outcome.counted[EXAMPLES] < 10**6
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
