"""The guard of speed names what became slower, and times both ways in turn."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.bench import guard
from tests.bench.guard import LIMITS, Guard
from tests.bench.pairs import paired

ASKED = "[part.ratio]\nquick = 1.5\n[part.ms]\nfixed = 25\n"


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(guard, "beyond", [])
    (tmp_path / "limits.toml").write_text(ASKED, encoding="utf-8")
    return tmp_path / "limits.toml"


def test_what_is_beyond_its_limit_is_named(limits: Path) -> None:
    held = Guard("part", limits)
    held.ratio("quick", 1.6)
    held.milliseconds("fixed", float("nan"))
    held.ratio("without a limit", 99.0)
    assert len(guard.beyond) == 2
    assert "quick: ratio 1.6, limit 1.5" in held.said() and held.said().startswith("guard of part: 2 figures")


def test_what_is_within_is_not(limits: Path) -> None:
    held = Guard("part", limits)
    held.ratio("quick", 1.5)
    assert guard.beyond == [] and "nothing is beyond" in held.said()


def test_a_planted_delay_is_found(limits: Path) -> None:
    held = Guard("part", limits)
    found = paired(lambda: time.sleep(0.002), lambda: time.sleep(0.02), 5)
    assert found.ratio > 2 and found.extra > 0.01
    held.ratio("quick", found.ratio)
    assert len(guard.beyond) == 1


def test_every_limit_is_one_of_a_part() -> None:
    assert Guard("speed", LIMITS).said().startswith("guard of speed: 0 figures")
