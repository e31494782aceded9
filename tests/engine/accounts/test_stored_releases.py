"""What is stored: when it was made, by whose money, and whether it is still repeated; no numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from budgets.stores import journal
from engine import open_session
from engine.accounts.stored_releases import list_stored_releases
from engine.api.objection_counts import release_objection_count
from engine.api.session import Session
from engine.catalog.file import load_catalog
from tests.engine.aged_town import AGED, Clock
from tests.engine.town import make_town

COUNT = "SELECT count(*) AS n FROM visit"


def test_stored_releases_show_whether_they_are_still_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "datetime", Clock)
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    with open_session(make_town(tmp_path, declared=AGED).path, ledger=":memory:") as session:
        for days in (-31, -29):
            monkeypatch.setattr(Clock, "off", timedelta(days=days))
            session.query(f"{COUNT} WHERE coins = {-days % 5}", client="ann")
        monkeypatch.setattr(Clock, "off", timedelta(0))
        release_objection_count(session.engine, rho="0.001", by="eve")
        (town,) = list_stored_releases(session.engine.ledger, session.engine.catalog)
    assert (town["dataset"], town["replay_max_age_days"]) == ("town", 30)
    found = [(each["age_days"], each["repeated"], each["by_owner"]) for each in town["releases"]]
    assert found == [(31, False, False), (29, True, False), (0, True, True)]
    assert "visit" in town["releases"][0]["question"]
    assert set(town["releases"][0]) == {"release_id", "made_at", "age_days", "repeated", "question", "by_owner", "sql"}


def test_what_was_made_of_data_of_another_version_is_not_called_repeated(tmp_path: Path) -> None:
    catalog = load_catalog(make_town(tmp_path).path)
    (dataset,) = catalog.datasets
    with open_session(catalog.path, ledger=":memory:") as session:
        session.query(COUNT, client="ann")
        newer = replace(session.engine, catalog=replace(catalog, datasets=(replace(dataset, data_version=2),)))
        Session(newer).query(f"{COUNT} WHERE coins = 1", client="ann")
        (town,) = list_stored_releases(newer.ledger, newer.catalog)
        Session(newer).query(COUNT, client="ann")
        (after,) = list_stored_releases(newer.ledger, newer.catalog)
    assert [each["repeated"] for each in town["releases"]] == [False, True]
    assert [each["repeated"] for each in after["releases"]] == [False, True, True]  # and so it was made anew
