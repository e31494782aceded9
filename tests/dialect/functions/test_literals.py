"""Constants of the question are read as DuckDB reads them, or refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.algebra.relations import BoundQuery
from dialect.codegen.relations.relation import write_rows
from dialect.errors import Code, Refusal
from dialect.postprocess.question import Question

READ = (
    "5", "007", "1_000", "9223372036854775807", "-9223372036854775808", "- 9223372036854775808", "1e5", ".5", "1.", "-0.5",
    "'it''s'", "''", "TRUE", "NULL", "'a' || 'b'", "DATE '2026-10-14'", "DATE '2026-1-5'", "'2026-10-14'::DATE",
    "TIMESTAMP '2026-10-14 3:05'", "TIMESTAMP '2026-10-14T03:00:00.25'", "CAST('2026-10-14 03:00:00' AS DATE)", "5::SMALLINT",
    "CAST('12' AS BIGINT)", "CAST(' 12 ' AS INT)", "CAST('1.5e3' AS DOUBLE)", "CAST('true' AS BOOLEAN)", "TIME '10:00:05'",
    "DATE '2026-02-28' + 1", "DATE '2024-02-29' - INTERVAL 1 YEAR", "TIMESTAMP '2026-01-31 05:00:00' + INTERVAL 1 MONTH",
    "INTERVAL 3 HOUR + TIMESTAMP '2026-01-31 23:00:00'", "DATE '2026-10-14' - 14", "CAST(DATE '2026-10-14' AS TIMESTAMP)",
    "CAST(TIMESTAMP '2026-10-14 13:00:00' AS DATE)", "NULL::INT", "7::DOUBLE", "TRUE::INT", "TRY_CAST('12' AS INT)",
    "DATE '2026-12-31' + INTERVAL 2 QUARTER", "CAST(1 AS DECIMAL(4, 2))", "INTERVAL '1 day 2 hours'", "INTERVAL '01:30:00'",
    "INTERVAL (-5) DAY", "INTERVAL '-5 minutes'", "INTERVAL '1 year 2 months'", "INTERVAL '2 hours 30 minutes 5 seconds'",
    "INTERVAL 1 DAY * 7", "3 * INTERVAL '2 hours'", "-INTERVAL 1 DAY", "to_minutes(90)", "to_days(-3)", "INTERVAL 1 DECADE",
    "INTERVAL 2 CENTURY", "TIME '22:00'", "TIME '9:05:00'", "TIME '23:59:59.999999'", "TIMESTAMP '2026-10-14 12:00:00' - INTERVAL '1 day 2 hours'",
    "date_trunc('month', DATE '2026-10-14')", "3.5::BIGINT", "-(-5)",
)  # fmt: skip
PARSE = (
    "1e400", "DATE '2026-13-45'", "DATE '2026-02-30'", "DATE '20261014'", "DATE '2026-W01-1'", "DATE 'infinity'", "DATE ''",
    "TIMESTAMP '2026-10-14 25:00'", "TIMESTAMP '2026-10-14 03:00:00+02'", "TIMESTAMP 'now'", "CAST('1_000' AS INT)",
    "CAST('x' AS BIGINT)", "CAST('\N{FULLWIDTH DIGIT ONE}' AS INT)", "CAST('9223372036854775808' AS BIGINT)", "300::TINYINT",
    "CAST('70000' AS SMALLINT)", "CAST('yes' AS BOOLEAN)", "TRY_CAST('x' AS INT)", "0x10", "X'00'", "DATE '0000-01-01'",
    "TIME '25:00'",
)  # fmt: skip
FUNC = (
    "INTERVAL '1 month 2 hours'", "INTERVAL '1 day ago'", "INTERVAL '1.5 days'", "INTERVAL ''", "INTERVAL '- 1 day 2 hours'",
    "INTERVAL 1.5 DAY", "INTERVAL (1 + 1) DAY", "INTERVAL 5 MILLISECOND", "INTERVAL 2000 YEAR",
    "INTERVAL '1' YEAR TO MONTH", "INTERVAL 99999999 HOUR", "CAST('x' AS BLOB)", "[1, 2]", "CAST(1 AS TIME)",
)  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_a_constant_has_duckdbs_value(
    text: str, rows_of: Callable[[str], BoundQuery], target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    selected = rows_of(f"SELECT {text} AS x")
    written = write_rows(selected.relation, [f for _, f in selected.columns], target)
    ((ours,),), ((theirs,),) = database.execute(written).fetchall(), database.execute(f"SELECT {text}").fetchall()
    assert ours == theirs
    assert type(ours) is type(theirs) or isinstance(ours, float)  # decimals are doubles here


@pytest.mark.parametrize(("code", "text"), [*(("E_PARSE", t) for t in PARSE), *(("E_FUNC", t) for t in FUNC)])
def test_a_malformed_constant_is_refused(code: str, text: str, ask: Callable[[str], Question]) -> None:
    with pytest.raises(Refusal) as caught:
        ask(f"SELECT {text} AS x")
    assert caught.value.code == code


def test_infinity_counts_as_null_everywhere(rows_of: Callable[[str], BoundQuery]) -> None:
    assert rows_of("SELECT 'inf'::DOUBLE AS x").columns[0][1].nullable


def test_text_compared_with_a_time_is_read_as_a_time(
    refused: Callable[[str], Refusal], ask: Callable[[str], Question]
) -> None:
    assert ask("SELECT COUNT(*) FROM events WHERE ts >= '2026-10-01' AND ts < '2026-10-02 10:00'")
    assert refused("SELECT COUNT(*) FROM events WHERE ts >= 'yesterday'").code is Code.PARSE
    assert refused("SELECT COUNT(*) FROM events WHERE coalesce(ts, 'x') > '2026-10-01'").code is Code.PARSE
