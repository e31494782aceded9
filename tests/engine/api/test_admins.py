"""Administration of a catalog's ledger: names are checked, so that no cap or freeze is without effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import Refused, open_admin
from tests.engine.town import make_town
from tests.engine.windowed_town import DAYS, WINDOWED

WHY = {"by": "boss", "reason": "as agreed"}


@pytest.fixture
def where(tmp_path: Path) -> str:
    return str(make_town(tmp_path, declared=WINDOWED).path)


def test_a_window_is_capped_alone_and_frozen_alone(where: str, tmp_path: Path) -> None:
    with open_admin(where, ledger=str(tmp_path / "books")) as admin:
        admin.add_client("shops/ann", **WHY)
        admin.cap_client("shops/ann", "0.01", scope=DAYS[1], **WHY)
        row = next(row for row in admin.clients() if row["client"] == "shops/ann")
        assert (row["window"], row["cap_rho"], row["group"]) == (DAYS[1], 0.01, False)
        admin.cap_client("shops", "0.008", **WHY)  # of a group: in each window
        group = next(row for row in admin.clients() if row["group"])
        assert (group["client"], group["cap_rho"]) == ("shops", 0.008)
        admin.freeze(window=DAYS[2], **WHY)
        assert [(frozen["dataset"], frozen["window"], frozen["by"]) for frozen in admin.frozen()] == [
            ("town", DAYS[2], "boss")
        ]
        admin.thaw(dataset="town", **WHY)  # a dataset with all its windows
        assert admin.frozen() == []


def test_what_is_not_there_is_refused_with_what_is(where: str, tmp_path: Path) -> None:
    with (
        pytest.raises(Refused, match=r"has no window '2031-01-01'") as refused,
        open_admin(where, ledger=str(tmp_path / "books")) as admin,
    ):
        admin.freeze(window="2031-01-01", **WHY)
    assert refused.value.problem["hint"] == f"one of {DAYS[0]} to {DAYS[-1]}, or static."
