"""The guard of speed names what became slower, and times both engines in turn."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.bench import guard, memory, profiles, spark, speed
from tests.bench.guard import LIMITS, Guard
from tests.bench.pairs import FAST, Paired, paired

ASKED = "[part.ratio]\nquick = 1.5\n[part.ms]\nfixed = 25\n"
GUARDED = {"speed": speed.main, "memory": memory.main, "spark": spark.main, "profiles": profiles.main}


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(guard, "beyond", [])
    (tmp_path / "limits.toml").write_text(ASKED, encoding="utf-8")
    return tmp_path / "limits.toml"


def test_a_figure_beyond_its_limit_is_named(limits: Path) -> None:
    held = Guard("part", limits)
    held.ratio("quick", 1.6)
    held.milliseconds("fixed", float("nan"))
    held.ratio("without a limit", 99.0)
    assert len(guard.beyond) == 2
    assert "quick: ratio 1.6, limit 1.5" in held.summary() and held.summary().startswith("guard of part: 2 figures")


def test_a_figure_within_its_limit_is_not_named(limits: Path) -> None:
    held = Guard("part", limits)
    held.ratio("quick", 1.5)
    assert guard.beyond == [] and "nothing is beyond" in held.summary()


def test_a_planted_delay_is_found(limits: Path) -> None:
    held = Guard("part", limits)
    found = paired(lambda: time.sleep(0.002), lambda: time.sleep(0.02), 5)
    assert found.ratio > 2 and found.extra > 0.01
    held.ratio("quick", found.ratio)
    assert len(guard.beyond) == 1


def test_without_a_figure_there_is_no_verdict(limits: Path) -> None:
    assert Guard("nobody's", limits).summary() == "guard of nobody's: 0 figures have a limit"
    assert Guard("part", limits).summary().endswith("0 figures have a limit; no figure for quick; no figure for fixed")


class _ConstantStage:
    """A stage with constant times that runs no query."""

    def __init__(self, *_: object) -> None:
        pass

    def ask(self, *_: object, **__: object) -> Paired:
        return Paired(1, 2 * FAST, 2 * FAST, 1.0, 1.0, 1.0, 1.0, 0.0)

    def without_rollups(self) -> _ConstantStage:
        return self


@pytest.fixture
def guarded() -> Iterator[None]:
    """Make every guarded part run no query."""
    with pytest.MonkeyPatch.context() as silenced:
        silenced.setattr(guard, "beyond", [])
        silenced.delenv(spark.OTHER, raising=False)
        for part in (speed, memory):
            silenced.setattr(part, "opened", lambda *_: nullcontext(()))
            silenced.setattr(part, "Stage", _ConstantStage)
            silenced.setattr(part, "questions", lambda: {"Q1": "SELECT 1"})
        timed = profiles.Timed((1.0, 1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
        silenced.setattr(profiles, "_engines", lambda *_: nullcontext((None, None, None)))
        silenced.setattr(profiles, "_timed", lambda *_: timed)
        silenced.setattr(spark, "_remote", lambda *_: nullcontext(("", time.process_time)))
        silenced.setattr(spark, "_opened", lambda *_: nullcontext(_ConstantStage()))
        yield


def test_every_limit_belongs_to_a_part_that_the_guard_runs() -> None:
    assert GUARDED.keys() == tomllib.loads(LIMITS.read_text(encoding="utf-8")).keys()


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("part", GUARDED)
def test_every_limit_has_a_figure(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    limits = tomllib.loads(LIMITS.read_text(encoding="utf-8"))[part]
    GUARDED[part](events=1000, runs=1)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(f"guard of {part}: {sum(map(len, limits.values()))} figures have a limit")
    assert "no figure for" not in said


@pytest.mark.usefixtures("guarded")
def test_a_limit_whose_figure_has_another_name_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speed, "QUESTIONS", {"rows by zone and hour of the day": speed.ZONE_HOUR_ROWS})
    speed.main(events=1000, runs=1)
    assert "no figure for rows by zone and hour, by rollups" in capsys.readouterr().out
