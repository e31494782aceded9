"""A catalog diff lists the changes before they apply, and opening refuses forbidden ones in the same words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import Refused, open_session
from engine.api.steward import list_catalog_changes
from tests.engine.town import make_town
from tests.engine.windowed_town import DAYS, WINDOWED

BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
STATIC = "SELECT gender, COUNT(*) AS n FROM person GROUP BY gender"

FORBIDDEN: dict[str, tuple[Callable[[str], str], str]] = {
    "window": (
        lambda text: (
            text.replace('"day"', '"forever"', 1)
            .replace(f'first_window = "{DAYS[0]}"\n', "")
            .replace(f'last_window = "{DAYS[-1]}"', "")
        ),
        "charged in windows of another length: day",
    ),
    "time column": (lambda text: text.replace('time_column = "day"\n', ""), "were charged by person_id at day"),
    "ceiling": (lambda text: text.replace("rho = 0.2\n", "rho = 0.3\n"), "fixed the ceiling"),
}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    with open_session(make_town(tmp_path, declared=WINDOWED).path, ledger=str(tmp_path / "books")) as session:
        session.query(BY_ZONE, client="ann")
        session.query(STATIC, client="ann")
    return tmp_path


def diff(folder: Path, change: Callable[[str], str]) -> list[tuple[str, str, str]]:
    text = change(WINDOWED)
    assert text != WINDOWED
    (folder / "new.toml").write_text(text)
    told = list_catalog_changes(str(folder / "catalog.toml"), str(folder / "new.toml"), ledger=str(folder / "books"))
    return [(row["effect"], row["key"], row["told"]) for row in told]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_forbidden_change_is_listed_by_the_diff_and_refused_at_opening(asked: Path, name: str) -> None:
    change, words = FORBIDDEN[name]
    told = [text for effect, _, text in diff(asked, change) if effect == "forbidden"]
    assert any(words in text for text in told)
    with pytest.raises(Refused) as refused:
        open_session(str(asked / "new.toml"), ledger=str(asked / "books"))
    assert any(text.startswith(refused.value.problem["message"].split(": ", 2)[-1]) for text in told)


def test_the_static_window_has_a_ceiling_of_its_own(tmp_path: Path) -> None:
    capped = WINDOWED.replace("client_rho = 0.1", "client_rho = 0.1\nstatic_rho = 0.05")
    catalog = make_town(tmp_path, declared=capped).path
    with open_session(catalog, ledger=str(tmp_path / "books")) as session:
        session.query(STATIC, client="ann")
    with open_session(catalog, ledger=str(tmp_path / "books")) as session:  # the same catalog opens again
        assert session.query(STATIC, client="ann")
    told = diff(tmp_path, lambda _: capped.replace("static_rho = 0.05", "static_rho = 0.06"))
    assert [text for effect, _, text in told if effect == "forbidden" and "fixed the ceiling" in text]
    with pytest.raises(Refused):
        open_session(str(tmp_path / "new.toml"), ledger=str(tmp_path / "books"))


def test_before_the_first_charge_everything_may_change(tmp_path: Path) -> None:
    with open_session(make_town(tmp_path, declared=WINDOWED).path, ledger=str(tmp_path / "books")):
        pass
    assert not [row for row in diff(tmp_path, FORBIDDEN["time column"][0]) if row[0] == "forbidden"]


def test_a_table_that_was_left_out_for_a_while_is_still_known(asked: Path) -> None:
    without = WINDOWED[: WINDOWED.index("[tables.visit]")] + WINDOWED[WINDOWED.index("[tables.zone]") :]
    (asked / "without.toml").write_text(without.split("[tables.purchase]")[0])
    with open_session(str(asked / "without.toml"), ledger=str(asked / "books")) as session:
        session.query("SELECT COUNT(*) AS n FROM person", client="ann")
    assert [row for row in diff(asked, FORBIDDEN["time column"][0]) if row[0] == "forbidden"]


@pytest.mark.parametrize(
    ("change", "effect", "words"),
    [
        (
            lambda text: text.replace("[datasets.town]", "[datasets.town]\nreplay_max_age = { days = 9 }"),
            "replays",
            "for 9 days",
        ),
        (lambda t: t.replace("client_rho = 0.1", "client_rho = 0.05"), "limit", "0.1 becomes 0.05."),
        (
            lambda t: t.replace("client_rho = 0.1", "client_rho = 0.1\nquery_rho = 0.05"),
            "limit",
            "no limit becomes 0.05.",
        ),
        (
            lambda t: t.replace(
                "[datasets.town.budget]", "[datasets.town.defaults]\nrho = 0.01\n[datasets.town.budget]"
            ),
            "price",
            "0.005 becomes 0.01.",
        ),
        (
            lambda t: t.replace(f'last_window = "{DAYS[-1]}"', 'last_window = "2026-10-06"'),
            "windows",
            "2 windows: new windows",
        ),
        (
            lambda t: t.replace("norms = { rows = 1, persons = 1 }", "norms = { rows = 2, persons = 1 }"),
            "bounds",
            "norms or limits",
        ),
        (lambda t: t.replace("norms = { rows = 20, persons = 3 }", ""), "bounds", "norms or limits"),
        (
            lambda t: t.replace('values = ["f", "m"]', 'values = ["f", "m", "x"]'),
            "replays",
            "at least 1 of 2 stored releases",
        ),
        (
            lambda t: t.replace('window = "day"', 'window = "day"\ndata_version = 2'),
            "replays",
            "at least 2 of 2 stored releases",
        ),
    ],
)
def test_every_effect_of_a_change_is_listed(asked: Path, change: Callable[[str], str], effect: str, words: str) -> None:
    told = diff(asked, change)
    assert any(kind == effect and words in text for kind, _, text in told), told
    assert not any(kind == "forbidden" for kind, *_ in told)


def test_budgets_leave_replays_alone(asked: Path) -> None:
    told = diff(asked, lambda text: text.replace("client_rho = 0.1", "client_rho = 0.05"))
    assert [effect for effect, *_ in told] == ["limit"]
