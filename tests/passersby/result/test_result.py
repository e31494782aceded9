"""An answer as Arrow, pandas, polars, JSON and plain Python: the same numbers, and intervals never lost."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable

import pandas
import polars
import pyarrow
import pytest

from passersby.client.connection import Connection
from passersby.errors import InstallError
from passersby.result.result import Result
from passersby.result.wire import plain, sql_type
from tests.passersby.cards import result

COUNT = "SELECT day, count(*) AS visits FROM visit GROUP BY day ORDER BY day"
NAMES = ["day", "visits", "visits_low", "visits_high"]


@pytest.fixture
def answer(ana: Connection) -> Result:
    return ana.query(COUNT)


def test_rows_columns_and_length(answer: Result) -> None:
    assert answer.columns == ["day", "visits"]
    assert len(answer) == 4
    assert list(answer) == answer.rows
    assert answer.rows[0][0] == datetime.date(2026, 10, 1)


def test_intervals_hold_the_shown_numbers(answer: Result) -> None:
    assert set(answer.intervals) == {"visits"}
    ends = answer.intervals["visits"]
    shown = [max(0, visits) for _, visits in answer.rows]  # noise may take a count below 0, where intervals end
    assert all(pair and pair[0] <= visits <= pair[1] for visits, pair in zip(shown, ends, strict=True))


def test_arrow_has_the_selected_columns_and_the_card(answer: Result) -> None:
    table = answer.arrow()
    assert table.column_names == ["day", "visits"]
    card = json.loads(table.schema.metadata[b"passersby"])
    assert card == answer.card
    assert card["price"]["rho"] == 0.005


def test_pandas_has_interval_columns_behind(answer: Result) -> None:
    frame = answer.df()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == NAMES
    assert list(answer.df(intervals=False).columns) == NAMES[:2]
    assert pandas.api.types.is_datetime64_any_dtype(frame["day"])
    shown = frame.visits.clip(lower=0)  # by noise a number may lie below its interval, which is cut at 0
    assert ((frame.visits_low <= shown) & (frame.visits <= frame.visits_high)).all()


def test_polars_has_interval_columns_behind(answer: Result) -> None:
    frame = answer.pl()
    assert isinstance(frame, polars.DataFrame)
    assert frame.columns == NAMES
    assert answer.pl(intervals=False).columns == NAMES[:2]


@pytest.mark.parametrize(("package", "make"), [("pandas", Result.df), ("polars", Result.pl)])
def test_a_missing_package_names_its_extra(
    package: str, make: Callable[[Result], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InstallError) as missing:
        make(result({"n": [1]}))
    assert missing.value.code == "E_INSTALL"
    assert f"pip install --editable '.[{package}]'" in missing.value.hint
    assert package in missing.value.message


def test_the_card_s_parts_have_names(answer: Result) -> None:
    assert answer.confidence == 0.95
    assert answer.price["rho"] == 0.005
    assert answer.remaining["client"]["rho"] == pytest.approx(0.095)
    assert answer.release_id
    assert not answer.replayed
    assert not answer.rehearsal
    assert answer.notes


def test_a_missing_interval_is_null_everywhere() -> None:
    made = result({"n": [1, None]}, {"n": [[0.5, 1.5], None]})
    assert made.intervals == {"n": [(0.5, 1.5), None]}
    assert made.df()["n_low"].isna().tolist() == [False, True]
    assert made.pl()["n_low"].to_list() == [0.5, None]
    assert made.to_wire()["intervals"] == {"n": [[0.5, 1.5], None]}
    assert "NULL" in repr(made)


def test_a_taken_name_gets_an_underscore() -> None:
    made = result({"n": [1], "n_low": [7], "n_low_": [8]}, {"n": [[0.5, 1.5]]})
    assert list(made.df().columns) == ["n", "n_low", "n_low_", "n_low__", "n_high"]
    assert made.df()["n_low"].tolist() == [7]


def test_an_empty_answer_shows_its_columns() -> None:
    made = result({"zone": pyarrow.array([], pyarrow.string()), "n": pyarrow.array([], pyarrow.int64())}, {"n": []})
    assert "zone" in repr(made)
    assert made.to_wire()["rows"] == []
    assert list(made.df().columns) == ["zone", "n", "n_low", "n_high"]
    assert "zone" in made._repr_html_()


def test_a_table_without_a_card_is_still_a_result() -> None:
    made = Result(pyarrow.table({"n": [1]}))
    assert made.rows == [(1,)]
    assert made.card == {}
    assert "no noise" in repr(made)
    assert made._repr_html_()


def test_the_text_is_readable(answer: Result) -> None:
    text = repr(answer)
    assert "2026-10-01" in text
    assert " ± " in text
    assert "19 more at this price · rho 0.005 (epsilon 0.57) · 95% intervals" in text
    assert "95% intervals · price rho 0.005 (epsilon 0.57 at delta 1e-9)" in answer.details
    assert "you rho 0.095 of 0.1, all clients rho 0.195 of 0.2" in answer.details


def test_a_long_answer_is_truncated_in_text_and_complete_in_data() -> None:
    made = result({"i": list(range(1000))})
    assert "960 more rows, i 40 to 999: answer.rows" in repr(made)
    assert len(repr(made).splitlines()) < 60
    assert len(made.df()) == 1000


def test_hidden_days_are_named_as_dates() -> None:
    days = [datetime.datetime(2026, 10, 1) + datetime.timedelta(days=day) for day in range(50)]
    assert "10 more rows, d 2026-11-10 to 2026-11-19: " in repr(result({"d": days}))


def test_hidden_rows_are_named_and_a_hidden_largest_number_too() -> None:
    zones, falling = [f"z{i}" for i in range(50)], list(range(50, 0, -1))
    rising = result({"zone": zones, "n": falling[::-1]}, {"n": [[n - 1, n + 1] for n in falling[::-1]]})
    assert "10 more rows, zone z40 to z49: answer.rows; the largest n is among them: ORDER BY n DESC" in " ".join(
        repr(rising).split()
    )
    assert "the largest" not in repr(result({"zone": zones, "n": falling}, {"n": [[n - 1, n + 1] for n in falling]}))


def test_json_has_values_as_json_knows_them() -> None:
    moment = datetime.datetime(2026, 10, 1, 8, 30)
    made = result({"t": [moment], "d": [float("nan")], "l": [["a", None]], "b": [True]})
    assert made.to_wire()["rows"] == [["2026-10-01T08:30:00", None, ["a", None], True]]
    assert [column["type"] for column in made.to_wire()["columns"]] == ["TIMESTAMP", "DOUBLE", "VARCHAR[]", "BOOLEAN"]
    json.dumps(made.to_wire(), allow_nan=False)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pyarrow.int16(), "SMALLINT"),
        (pyarrow.uint64(), "UBIGINT"),
        (pyarrow.float32(), "FLOAT"),
        (pyarrow.timestamp("us", "UTC"), "TIMESTAMPTZ"),
        (pyarrow.decimal128(18, 3), "DECIMAL(18,3)"),
        (pyarrow.list_(pyarrow.list_(pyarrow.string())), "VARCHAR[][]"),
        (pyarrow.time64("us"), "TIME"),
    ],
)
def test_types_are_called_as_in_sql(kind: pyarrow.DataType, name: str) -> None:
    assert sql_type(kind) == name


def test_values_unknown_to_json_become_text() -> None:
    assert plain(datetime.timedelta(minutes=1)) == "0:01:00"
    assert plain({"a": (1, float("inf"))}) == {"a": [1, None]}
