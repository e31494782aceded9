"""What is known of a question is computed once: fresh, repeated and explained questions, by counting calls."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

import pytest

from dialect.planner.compilation import bind_tree, split_query
from dialect.postprocess.noise_propagation import are_noisy, column_forms
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.compile_release import price_release, unpriced_release
from engine.pricing.price import price
from engine.pricing.query_terms import Request, resolve_terms
from tests.engine.complete_town import anew
from tests.engine.town import make_town, opened
from tests.engine.windowed_town import WINDOWED

ANN = Request("ann")
EARLIER = "SELECT zone, COUNT(*) AS n FROM visit WHERE day = DATE '2026-10-02' GROUP BY zone"
QUESTION = "SELECT zone, COUNT(*) AS n, AVG(coins) AS m, COUNT(*) + 1 AS more FROM visit GROUP BY zone"
ONCE = {
    "terms": resolve_terms,
    "planning": split_query,
    "analysis": unpriced_release,
    "price": price,
    "compiled": price_release,
    "noise": column_forms,
    "noisy": are_noisy,
}
WINDOWS = {**ONCE, "binding": bind_tree}
BY_PERSON = "SELECT COUNT(*) AS n FROM (SELECT person_id, COUNT(*) AS visits FROM visit{where} GROUP BY person_id) WHERE visits > 1"


@contextmanager
def counted(names: dict[str, Callable[..., object]]) -> Iterator[Counter[str]]:
    """Count the calls of some functions, wherever they were imported; of cached ones the computations."""
    codes = {getattr(each, "__wrapped__", each).__code__: name for name, each in names.items()}
    calls: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in codes:
            calls[codes[frame.f_code]] += 1

    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@pytest.fixture
def asking(engine: Engine) -> Engine:
    own = anew(engine)
    own.answer(EARLIER, ANN)  # a stored release, whose plan is known without reading its SQL again
    return own


def answered_with_outlook(engine: Engine) -> Answered:
    """Answer the question as a session does, with the outlook for more like it."""
    answered = engine.answer(QUESTION, ANN)
    engine.budget_outlook(answered.query)
    return answered


def test_a_fresh_question_computes_each_fact_once(asking: Engine) -> None:
    with counted(ONCE) as calls:
        answered = answered_with_outlook(asking)
    assert answered.charged_loss.pico_rho
    assert {name: calls[name] for name in ONCE} == dict.fromkeys(ONCE, 1)


def test_a_repeated_question_computes_its_terms_alone(asking: Engine) -> None:
    answered_with_outlook(asking)
    with counted(ONCE) as calls:
        again = answered_with_outlook(asking)
    assert not again.charged_loss.pico_rho
    assert {name: calls[name] for name in ONCE} == dict.fromkeys(ONCE, 0) | {"terms": 1}


def test_an_explained_question_computes_each_fact_once(asking: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.pipeline.advice.suggest_rewrites", lambda *_: ())  # rewrites are other questions
    with counted(ONCE) as calls:
        explain(asking, QUESTION, ANN)
    assert {name: calls[name] for name in ONCE} == dict.fromkeys(ONCE, 1)


@pytest.fixture(scope="module")
def in_windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("windows")
    with opened(make_town(folder, declared=WINDOWED), folder) as engine:
        yield engine


def test_a_question_of_one_window_computes_each_fact_once(in_windows: Engine) -> None:
    with counted(WINDOWS) as calls:
        in_windows.answer(BY_PERSON.format(where=" WHERE day = DATE '2026-10-02'"), ANN)
    assert {name: calls[name] for name in WINDOWS} == dict.fromkeys(WINDOWS, 1)


def test_a_question_that_mixes_windows_is_bound_again_and_priced_once(in_windows: Engine) -> None:
    """Ranges of a person's aggregates grow with the number of windows, which follows from the first plan."""
    with counted(WINDOWS) as calls:
        answered = in_windows.answer(BY_PERSON.format(where=""), ANN)
    assert answered.query.releases[0].plan.charged_windows.windows_per_unit == 4
    twice = dict.fromkeys(("binding", "planning", "noise", "noisy"), 2)
    assert {name: calls[name] for name in WINDOWS} == dict.fromkeys(WINDOWS, 1) | twice


def test_a_question_that_is_compiled_twice_is_found(asking: Engine) -> None:
    with counted(ONCE) as calls:
        for each in (asking, replace(asking)):
            each.compile(each.read(QUESTION, "ann"), ANN)
    assert calls["planning"] == calls["price"] == calls["terms"] == 2
