"""The long searches in their short forms, and that they can find something: `make nightly` runs them without end."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from dialect import bound_contributions
from dialect.algebra.release_plan import PrivatePlan
from dialect.planner import releases, window_charging
from engine.pipeline.engine import Engine
from engine.pricing import compile_release as compile_release_module
from engine.pricing.compile_release import release_key
from tests.nightly import canonical, extremes, grammar, greybox, parser, places, soak, worlds
from tests.nightly import eligibility as eligibility_nightly
from tests.nightly.__main__ import SEARCHES, run
from tests.nightly.search import EXAMPLES, Search
from tests.privacy.planted.test_two_worlds_planted import only_where_somebody_was
from tests.support.greybox.greybox import SensitivityExceeded
from tests.support.sql.statement_outcome import outcome


def test_the_grey_box() -> None:
    counted = greybox.chunk(1, 2)
    assert counted["questions"] > 8
    assert counted[EXAMPLES] == 12 * counted["questions"]  # three persons, and each pair of neighbours among them
    assert counted["pairs that moved"] > counted[EXAMPLES] / 4
    assert counted["refused"] < counted["questions"] / 5


def test_the_grey_box_of_a_grammar() -> None:
    counted = grammar.chunk(1, 2)
    assert counted[EXAMPLES] > 6
    assert counted["that moved"] > 2


def test_the_grey_box_of_a_grammar_under_windows() -> None:
    counted = grammar.windows(1, 1)
    assert counted[EXAMPLES] > 2
    assert counted["that cross windows"] > 0


def test_the_grey_box_of_places() -> None:
    counted = places.chunk(1, 4)
    assert counted[EXAMPLES] > 15
    assert counted["refused"] == 0


def test_extreme_statistics() -> None:
    counted = extremes.chunk(1, 2)
    assert counted[EXAMPLES] == extremes.DATABASES * counted["questions"]
    assert counted["questions"] > 8
    assert counted["refused"] < counted["questions"] / 2


def test_eligibility_under_privacy_windows() -> None:
    counted = eligibility_nightly.windows(1, 4)
    assert counted[EXAMPLES] > 1
    assert counted["lost something"] > 0


def test_the_soak_of_a_server() -> None:
    counted = soak.chunk(1, seconds=6, analysts=50)
    assert counted["fresh: answered"] > 5
    assert counted["repeat: answered"] > 20


def test_canonical_texts() -> None:
    counted = canonical.chunk(1, 6)
    assert counted[EXAMPLES] > 40
    assert counted["texts met again"] > 0


def test_canonical_texts_without_numbers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    key = release_key

    def without_numbers(plan: PrivatePlan, *given: Any) -> str:
        frame, *texts = (re.sub(r"bigint \d+", "bigint", text) for text in (plan.canonical_groups, *plan.vector_texts))
        return key(replace(plan, canonical_groups=frame, vector_texts=tuple(texts)), *given)

    monkeypatch.setattr(compile_release_module, "release_key", without_numbers)
    with pytest.raises(AssertionError, match="one text, two answers"):
        canonical.chunk(1, 60, smaller=False)


def test_canonical_texts_under_privacy_windows() -> None:
    counted = canonical.windows(1, 3)
    assert counted[EXAMPLES] > 40
    assert counted["texts met again"] > 0


def test_key_lists_that_no_canonical_text_has_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "_implied_list_text", lambda *_: "")
    with pytest.raises(AssertionError, match="one text, two answers"):
        canonical.windows(5, 60, smaller=False)


def test_two_worlds() -> None:
    counted = worlds.chunk(1, 4, 1, 2)
    assert counted[EXAMPLES] > 20
    assert counted["with all rows public"] > 5


def test_the_grey_box_finds_an_understated_sensitivity(monkeypatch: pytest.MonkeyPatch) -> None:
    def halved(*given: Any, **named: Any) -> Any:
        made = bound_contributions(*given, **named)
        vectors = tuple(replace(v, sensitivity=max(1, v.sensitivity // 2)) for v in made.vectors)
        return replace(made, vectors=vectors)

    monkeypatch.setattr(compile_release_module, "bound_contributions", halved)
    with pytest.raises(SensitivityExceeded):
        greybox.chunk(1, smaller=False)
    with pytest.raises(SensitivityExceeded):
        grammar.chunk(1, 20)


def test_the_grammar_finds_windows_that_cross_and_count_as_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    charged = window_charging._charged_windows
    monkeypatch.setattr(window_charging, "_charged_windows", lambda *given: replace(charged(*given), is_crossing=False))
    with pytest.raises(SensitivityExceeded):
        grammar.windows(1, 20)


def test_two_worlds_find_public_keys_that_are_there_only_with_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Engine.measure_release

    def public_where_somebody_was(engine: Engine, prepared: Any, *read: Any) -> Any:
        public = prepared.plan.key_set is not None
        return only_where_somebody_was(engine, prepared, *read) if public else release(engine, prepared, *read)

    monkeypatch.setattr(Engine, "measure_release", public_where_somebody_was)
    with pytest.raises(AssertionError):
        worlds.chunk(1, 15, 0, 0, smaller=False)


def test_long_searches_have_their_documented_length() -> None:
    wanted = {name: asked.wanted for name, asked in SEARCHES.items()}
    assert wanted["greybox"] == wanted["extremes"] == wanted["statements"] == 100_000
    assert wanted["worlds"] == 5_000
    assert wanted["parser"] == 200_000


def test_a_text_that_raises_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sql: str, *given: Any) -> str:
        if "(" in sql and "?" in sql:
            raise ValueError(sql)
        return outcome(sql, *given)

    monkeypatch.setattr(parser, "outcome", broken)
    assert parser.smallest("SELECT COUNT(cell_id ? 3) FROM events") == "(?"


def test_a_search_without_its_tool_reports_that_it_was_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    lacking = Search("bytes", 10, places.chunk, lambda: "the fuzzer is not installed")
    assert run(lacking, 1.0, 1).counted[EXAMPLES] == 0
    assert capsys.readouterr().out.endswith("bytes: not run, the fuzzer is not installed\n")
