"""Terminal display: values stay unchanged, and bars match their numbers."""

from __future__ import annotations

from functools import partial

import pytest
from rich.console import Console

from passersby.client.connection import Connection
from passersby.errors import error_from_problem
from passersby.result.bars import CELLS, budget_bar, interval_bar, is_clear
from passersby.result.result import Budget
from passersby.result.terminal import as_text, show_error, show_explanation, show_result
from passersby.result.terminal_lists import declared_windows, show_history, show_ledger, show_tables
from passersby.text.numbers import declared_text
from tests.passersby.cards import result

ESCAPE = "\x1b[31m[red]x[/red]\a"


def test_markup_and_escapes_in_data_are_shown_not_obeyed() -> None:
    text = as_text(show_result, result({ESCAPE: [ESCAPE, "[bold]y[/bold]"]}, notes=[ESCAPE]))
    assert "\x1b" not in text
    assert "\a" not in text
    assert "[red]x[/red]" in text
    assert "[bold]y[/bold]" in text


def test_an_error_is_the_same_in_colour_and_in_text() -> None:
    error = error_from_problem(
        {"code": "E_COLUMN", "message": "No [b].", "hint": "[c]", "span": [7, 11], "sql": "SELECT nope FROM visit"}
    )
    assert as_text(show_error, error) == str(error)
    console = Console(force_terminal=True, color_system="standard", width=100)
    with console.capture() as captured:
        console.print(show_error(error))
    assert "\x1b[1;31mE_COLUMN" in captured.get()


def test_half_widths_stand_in_one_column() -> None:
    text = as_text(show_result, result({"n": [5, 1000, -20]}, {"n": [[-5, 15], [990, 1010], [-120, 80]]}))
    assert len({line.index("±") for line in text.splitlines() if "±" in line}) == 1


def test_an_explanation_shows_everything_that_is_known(ana: Connection) -> None:
    told = ana.explain("SELECT shop, avg(minutes) AS minutes FROM visit GROUP BY shop")
    text = told.details
    for part in (
        "Price",
        "Left",
        "Columns",
        "Keys",
        "Contribution bounds",
        "Thresholds",
        "note:",
    ):
        assert part in text
    assert "depends on the answer" in text
    assert max(map(len, text.splitlines())) <= 100
    assert repr(told) == as_text(show_explanation, told)
    assert text.index("note:") < text.index("Columns")
    assert "SQL over the data" not in text
    assert "SQL over the data" not in repr(told)
    assert "SQL over the data" in as_text(partial(show_explanation, sql=True), told)


def test_a_bar_is_full_to_the_low_end_and_shaded_to_the_high_one() -> None:
    bars = interval_bar([50, 100], [(25.0, 75.0), (75.0, 100.0)])
    assert [bar.plain for bar in bars] == ["█" * 6 + "▒" * 12, "█" * 18 + "▒" * 6]
    assert max(len(bar.plain) for bar in bars) == CELLS


@pytest.mark.parametrize(
    ("values", "ends"), [([-5], [(-6.0, -4.0)]), ([None], [None]), ([], []), (["a"], [(0.0, 1.0)]), ([0], [(0.0, 0.0)])]
)
def test_no_bar_is_drawn_where_it_would_be_meaningless(
    values: list[object], ends: list[tuple[float, float] | None]
) -> None:
    assert interval_bar(values, ends) == []


def test_one_interval_that_noise_put_below_zero_takes_no_bar_from_the_others() -> None:
    below = [(-30.0, -1.0)]
    bars = interval_bar([100] * 19 + [-15], [(75.0, 100.0)] * 19 + below)
    assert [len(bar) for bar in bars] == [CELLS] * 19 + [0]
    assert interval_bar([100] * 8 + [-15], [(75.0, 100.0)] * 8 + below) == [], "one in nine is no chance"


def test_a_number_that_may_be_noise_has_a_word_in_place_of_its_bar() -> None:
    numbers, ends = [1000, 300, 10, 20], [[950, 1050], [210, 390], [-40, 60], [5, 105]]
    answer = result({"n": numbers}, {"n": ends}, reliability={"n": ["good", "poor", "noise", "poor"]})
    clear, poor, noise, wide = (line.split() for line in as_text(show_result, answer).splitlines()[2:6])
    assert clear[-1].startswith("█") and poor[-2].startswith("█") and poor[-1] == "poor"
    assert noise[-3:] == ["may", "be", "0"] and wide[-1] == "poor", "half of an interval is wider than the number"
    assert not {"█", "▒"} & set(" ".join(noise + wide))


def test_a_number_beyond_its_interval_is_as_clear_as_the_nearer_end() -> None:
    assert not is_clear(-987, (1, 913)) and is_clear(-987, (-1200, -800)) and is_clear(990, (900, 980))


def test_words_stay_where_bars_find_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    columns = {"place": ["a long name of a place in town"] * 3, "n": [100, 200, 3]}
    answer = result(columns, {"n": [[90, 110], [190, 210], [-7, 13]]}, reliability={"n": ["good", "good", "noise"]})
    text = as_text(show_result, answer)
    assert "may be 0" in text and "█" not in text


@pytest.mark.parametrize(("share", "full"), [(0, 0), (1e-6, 1), (0.5, 20), (1, 40), (1.2, 40)])
def test_a_budget_bar_shows_the_share(share: float, full: int) -> None:
    assert budget_bar(share).plain == "█" * full + "░" * (40 - full)


def test_nothing_spent_and_everything_spent_can_be_shown() -> None:
    account = {"dataset": "d", "window": "forever", "client": None, "epsilon": 0.0, "delta": 9e-10, "cap_epsilon": 1.0}
    for cap, spent in ((1.0, 0.0), (1.0, 1.0), (0.0, 0.0)):
        budget = Budget(accounts=[{**account, "cap_rho": cap, "spent_rho": spent, "remaining_rho": cap - spent}])
        assert "all clients" in repr(budget) and "d, all clients" in budget.details


def test_an_account_of_all_windows_is_no_window_of_that_name() -> None:
    account = {
        "dataset": "d",
        "client": "ana",
        "window": "*lifetime",
        "cap_rho": 1.0,
        "spent_rho": 0.0,
        "epsilon": None,
    }
    budget = Budget(accounts=[{**account, "remaining_rho": 1.0}])
    assert "d, client ana  all windows together" in budget.details and "*" not in budget.details
    assert "client ana   all windows together" in repr(budget) and "*" not in repr(budget)


def test_empty_lists_have_a_text() -> None:
    assert as_text(show_history, []) == "Nothing was asked yet."
    assert as_text(show_ledger, []) == "The ledger is empty."


def test_a_ledger_row_of_all_windows_is_described_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    row = {"sequence": 3, "at": "2026-11-27T20:17:44+00:00", "kind": "account_opened", "dataset": "town"}
    row |= {"client": "ana", "asked_by": "ana", "rho": None, "delta": None, "body": '{"windows": ["*lifetime"]}'}
    shown = as_text(show_ledger, [row])
    assert "all windows together" in " ".join(shown.split()) and "*" not in shown


def test_a_release_is_shown_with_its_client_s_sql_if_known() -> None:
    row = {"release_id": "ab12", "dataset": "d", "question": "plan", "rho": 0.005, "delta": 0.0, "settled_at": None}
    shown = as_text(show_history, [{**row, "sql": "SELECT 1"}, {**row, "sql": None}])
    assert [line.strip() for line in shown.splitlines()[1:5]] == [
        "rho 0.005",
        "SELECT 1",
        "rho 0.005",
        "canonical: plan",
    ]
    assert "canonical: plan" not in as_text(show_history, [{**row, "sql": "SELECT 1"}])
    assert "canonical: plan" in as_text(partial(show_history, details=True), [{**row, "sql": "SELECT 1"}])


def test_a_history_has_one_price_a_question_and_fits_a_screen() -> None:
    row = {"release_id": "ab12", "dataset": "d", "question": "plan", "delta": 0.0, "settled_at": "2026-11-30T13:15:00"}
    parts = [{**row, "sql": f"SELECT {i}", "rho": rho} for i in range(30) for rho in (0.0005, 0.0045)]
    shown = as_text(show_history, parts).splitlines()
    assert len(shown) <= 25 and shown[1] == "20 earlier questions"
    assert shown[2:4] == ["2026-11-30 13:15   rho 0.005", "  SELECT 20"]
    assert as_text(partial(show_history, details=True), parts).count("SELECT") == 30
    long = [{**row, "rho": 0.005, "sql": f"SELECT {i}, {', '.join(['COUNT(*)'] * 200)}"} for i in range(10)]
    shown = as_text(show_history, long).splitlines()
    assert len(shown) <= 25 and shown[2].startswith("  SELECT 0, COUNT(*)") and shown[2].endswith("…")


def test_a_long_ledger_shows_its_last_rows() -> None:
    row = {"at": "2026-11-27T20:17:44+00:00", "kind": "charged", "dataset": "town", "client": "ana", "asked_by": "ana"}
    row |= {"rho": 0.005, "delta": None, "body": "{}"}
    rows = [{**row, "sequence": i} for i in range(1, 82)]
    shown = as_text(show_ledger, rows).splitlines()
    assert len(shown) <= 25 and any(line.startswith("81 ") for line in shown) and "61 earlier rows: --limit 81" in shown
    assert len(as_text(partial(show_ledger, most=81), rows).splitlines()) > 81
    assert "earlier" not in as_text(partial(show_ledger, details=True), rows)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ({"values": ["a", "b"]}, "one of a, b"),
        ({"values": list(range(9))}, "one of 0, 1, 2, 3, 4, 5, 3 more"),
        ({"values_of": "zone.zone"}, "one of zone.zone"),
        ({"range": [0, 23]}, "from 0 to 23"),
        ({"bounds": [0.0, 1440.0]}, "clamped to 0 to 1440"),
        ({}, ""),
    ],
)
def test_what_is_declared_of_a_column(column: dict[str, object], text: str) -> None:
    assert declared_text(column) == text


def test_a_table_is_shown_in_full() -> None:
    norms = {
        "rows": 50.0,
        "persons": 6.5,
        "covers": 0.98,
        "by_keys": [{"keys": ["zone", "hour(ts)"], "rows": 22.0, "persons": None, "sums": {"minutes": 1200.0}}],
    }
    minutes = {"name": "minutes", "type": "DOUBLE", "nullable": False, "bounds": [0, 60], "sum_norm": 3000.0}
    table = {
        "name": "visit",
        "kind": "private",
        "person": "person_id",
        "size_class": "1e5",
        "primary_key": ["visit_id"],
        "time_column": "ts",
        "movement": {"zone": "cell.zone_id", "lon": "cell.lon", "lat": "cell.lat"},
        "norms": norms,
        "max_rows_per_person": 1000,
        "max_groups_per_person": 40,
        "columns": [minutes, {"name": "ts", "type": "TIMESTAMP", "nullable": True, "time_zone": "Europe/Berlin"}],
    }
    shown = " ".join(as_text(partial(show_tables, details=True), [table]).split())  # however wide the terminal is
    for line in (
        "Every row is about one person_id.",
        "Place of a row: cell.zone_id, cell.lon, cell.lat. Try stays(visit), trips(visit).",
        "minutes DOUBLE clamped to 0 to 60; never NULL",
        "ts TIMESTAMP hours and dates of Europe/Berlin",
        "zone, hour(ts) 22 6.5 minutes 1200",
        "anything else 50 6.5 minutes 3000",
        "With private keys at most 40 groups of a person are kept.",
    ):
        assert line in shown
    short = " ".join(as_text(show_tables, [table]).split())
    assert "visit private · about 100,000 rows · a person is a person_id" in short
    assert "clipped per person (L2): 50 rows, 6.5 people, minutes 3000; less for usual keys" in short
    assert "anything else" not in short
    undeclared = {**table, "norms": None}
    for details in (False, True):
        shown = " ".join(as_text(partial(show_tables, details=details), [undeclared]).split())
        assert "o clip bounds are declared: each question measures" in shown and "expects" not in shown
    assert "With private keys at most 40 groups of a person are kept." in shown


MONTHS = {"window": "month", "first_window": "2026-01", "last_window": "2026-03"}


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        (
            {**MONTHS, "first_day": "2026-01-01", "last_day": "2026-03-31"},
            "days 2026-01-01 to 2026-03-31, charged by month: 2026-01 to 2026-03",
        ),
        ({"window": "forever"}, "one privacy window: a person's whole history"),
        ({}, ""),  # a public table
    ],
)
def test_a_table_states_its_days_and_privacy_windows(declared: dict[str, object], text: str) -> None:
    assert declared_windows(declared) == text
    each = {"name": "visit", "kind": "private", "person": "person_id", "columns": [], **declared}
    shown = " ".join(as_text(show_tables, [each, {**each, "name": "trip"}]).split())
    assert shown.count(text) == 1 if text else "window" not in shown
    assert "passersby tables NAME" in shown


def test_a_table_that_is_too_wide_is_transposed() -> None:
    wide = {f"a_rather_long_name_{i}": [f"value{i}", "other"] for i in range(9)}
    lines = as_text(show_result, result(wide)).splitlines()
    assert max(map(len, lines)) <= 100 and not any("…" in line for line in lines)
    assert [line.split() for line in lines[:9]] == [[name, values[0]] for name, values in wide.items()]
    assert lines[9] == "" and lines[10].split() == ["a_rather_long_name_0", "other"]
    narrow = as_text(show_result, result({"a": ["x y z " * 60], "b": [1]})).splitlines()
    assert narrow[0].split() == ["a", "b"]  # long text is folded, and needs no turning


def test_words_stand_behind_numbers_of_a_transposed_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    columns = {**{f"a_rather_long_name_{i}": ["value"] for i in range(3)}, "n": [100], "m": [3]}
    answer = result(columns, {"n": [[90, 110]], "m": [[-7, 13]]}, reliability={"n": ["good"], "m": ["noise"]})
    lines = [line.rstrip() for line in as_text(show_result, answer).splitlines()]
    assert [line for line in lines if line.startswith(("n ", "m "))][:2] == [
        "n" + " " * 22 + "100 ± 10",
        "m" + " " * 22 + "3 ± 10   may be 0",
    ]


def test_bars_give_way_to_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two text keys and three numbers: bars where there is room, and whole keys everywhere."""
    numbers = {f"n{i}": [1234567 + i, 7654321, 2345678, 3456789] for i in range(3)}
    ends = {name: [[n - 5678, n + 5678] for n in values] for name, values in numbers.items()}
    answer = result({"from_zone": ["Old town", "A", "B", "C"], "to_zone": ["Harbour", "D", "E", "F"], **numbers}, ends)
    shown = {}
    for columns in ("140", "100", "60"):
        monkeypatch.setenv("COLUMNS", columns)
        shown[columns] = as_text(show_result, answer)
        assert "Old town" in shown[columns] and "Harbour" in shown[columns] and "…" not in shown[columns]
    assert [("█" in text) for text in shown.values()] == [True, False, False]


def test_ends_of_intervals_are_written_like_the_numbers_between_them() -> None:
    pairs = [[11900, 12745], [2100, 2300]]
    text = as_text(show_result, result({"n": [12345, 2200], "low": [11900, 2100], "year": [2026, 2027]}, {"n": pairs}))
    assert "11,900" in text and "2,100" in text and "2026" in text and "2,026" not in text
