"""Privacy windows are listed by name, or as the first and the last of many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dialect import compile_query
from dialect.algebra.release_plan import ChargedWindows
from engine.pipeline.compiled_query import Answered
from engine.pipeline.explain import Explained, explain
from engine.pipeline.notes import charged_window_list, window_notes
from engine.pricing.compile_release import compile_release
from engine.pricing.query_terms import Request
from tests.engine.town import make_town, opened
from tests.engine.windowed_town import WINDOWED


def texts(given: Answered | Explained) -> list[str]:
    return [note.text for note in given.notes]


def test_many_windows_are_listed_as_first_and_last(tmp_path: Path) -> None:
    catalog = make_town(tmp_path, declared=WINDOWED)
    with opened(catalog, tmp_path) as engine:
        (plan,) = compile_query("SELECT COUNT(*) FROM visit", catalog).plans
        made = compile_release(plan, catalog, engine.backend, catalog.datasets[0].defaults.rho)
    assert charged_window_list([made]) == ["2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04"]
    months = tuple(f"{year}-{month:02d}" for year in (2025, 2026) for month in range(1, 13))
    many = replace(made, plan=replace(plan, charged_windows=ChargedWindows(months, derived_windows=months[:1])))
    assert charged_window_list([many]) == ["2025-01 to 2026-12, 24 windows"]
    assert "computed from 2025-01" in " ".join(note.text for note in window_notes([many]))
    assert window_notes([replace(made, plan=replace(plan, charged_windows=ChargedWindows(("forever",))))]) == ()


def test_the_account_of_tables_without_time_is_explained(tmp_path: Path) -> None:
    with opened(make_town(tmp_path, declared=WINDOWED), tmp_path) as engine:
        told = explain(engine, "SELECT COUNT(*) AS n FROM person", Request("ann"))
    assert "Charged in full: static (tables without time)." in texts(told)


def test_a_free_answer_lists_no_charged_window(tmp_path: Path) -> None:
    asked = ("SELECT COUNT(*) AS n FROM visit", Request("ann"))
    with opened(make_town(tmp_path, declared=WINDOWED), tmp_path) as engine:
        first, told, again = engine.answer(*asked), explain(engine, *asked), engine.answer(*asked)
    assert "Charged in full: 2026-10-01, 2026-10-02, 2026-10-03, 2026-10-04." in texts(first)
    for each in (told, again):
        assert "Paid for already: 2026-10-01, 2026-10-02, 2026-10-03, 2026-10-04." in texts(each)
        assert not any("harged" in note for note in texts(each))
