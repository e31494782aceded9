"""What is written for Spark is what Spark last ran: tests/sql/spark_texts.txt has a digest of each form's texts.

Spark itself runs them in tests/dialect/functions/test_functions_spark.py, which takes minutes: run that where a text has changed, as
`PASSERSBY_NIGHTLY=1 pytest tests/dialect/functions/test_functions_spark.py`, and then this file with --update.
"""

from __future__ import annotations

from hashlib import sha256
from importlib import import_module

import pytest

from dialect.functions.emitter import SPARK, UnsupportedByEngine, write_expr
from dialect.functions.signatures import NoForm
from tests.support.sql.conformance import cases, typed
from tests.support.sql.form_samples import ALL, samples
from tests.support.tree import ROOT

FILE = ROOT / "tests" / "sql" / "spark_texts.txt"


def of_forms() -> dict[str, str]:
    """Texts of each form with every choice of constants, by its function."""
    return {
        form.row_name: "\n".join(write_expr(sample.call(), SPARK) for sample in samples(form))
        for form in ALL
        if not isinstance(form.spark, NoForm)
    }


def of_expressions() -> dict[str, str]:
    """Text of each listed expression that has a form in Spark."""
    found = {}
    for case in cases():
        try:
            found[case.sql] = write_expr(typed(case.sql), SPARK)
        except UnsupportedByEngine:
            continue
    return found


def lines(texts: dict[str, str]) -> list[str]:
    return [f"{sha256(text.encode()).hexdigest()[:12]} {' '.join(shown.split())}" for shown, text in texts.items()]


def test_generated_sql_equals_the_text_last_run_on_spark(request: pytest.FixtureRequest) -> None:
    now = lines({**of_forms(), **of_expressions()})
    assert len(now) > 800
    if request.config.getoption("--update"):
        FILE.write_text("\n".join([*now, ""]), encoding="utf-8")
    reviewed = FILE.read_text(encoding="utf-8").splitlines()
    assert [line for line in now if line not in set(reviewed)] == []
    assert now == reviewed


def test_a_text_that_changed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    spark_list = import_module("dialect.functions.scalar.text")
    before = lines(of_expressions())
    ends = spark_list._slice_ends
    monkeypatch.setattr(spark_list, "_slice_ends", lambda *given: ends(*given)[::-1])
    assert lines(of_expressions()) != before
