"""Every allowed form never raises for any stored value, and has DuckDB's own value wherever DuckDB has one."""

from __future__ import annotations

import duckdb
import pytest

from dialect.algebra.expressions import Literal
from dialect.catalog.model import SqlType
from dialect.functions.emitter import quote_literal, write_expr
from dialect.functions.registry import OVERLOADS_BY_NAME as FORMS
from dialect.functions.signatures import Function, Partial
from tests.support.sql.form_samples import ALL, STORED, STORED_AS, TYPES, Sample, samples
from tests.support.sql.plain import MACROS

ENGINE_TYPES = {
    SqlType.BIGINT: {"BIGINT", "INTEGER"},  # 32 bits where nothing asks for more
    SqlType.VARCHAR_LIST: {"VARCHAR[]"},
    SqlType.TIMESTAMPTZ: {"TIMESTAMP WITH TIME ZONE"},
}
CUT = {"||", "concat", "concat_ws", "replace", "regexp_replace", "array_to_string"}
COMPARED_BY_SIGN = {"levenshtein", "jaccard", "jaro_winkler_similarity"}
NEVER_NULL = {"coalesce", "least", "greatest"}


@pytest.fixture(scope="module")
def stored() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(MACROS.read_text(encoding="utf-8"))
    for kind, values in STORED.items():
        rows = ", ".join(f"({value})" for value in values)
        as_type = STORED_AS.get(kind) or TYPES[kind].value
        connection.execute(
            f"CREATE TABLE s_{kind} AS SELECT CAST(x AS {as_type}) AS x FROM (VALUES {rows}, (NULL)) v(x)"
        )
    return connection


def _query(sample: Sample, columns: str) -> str:
    tables = ", ".join(f"s_{kind} AS t{name}({name})" for name, kind in sample.columns())
    return f"SELECT {columns}" + (f" FROM {tables}" if tables else "")


def _far(value: object) -> bool:
    text = str(value)
    return (
        text in {"inf", "-inf", "nan"}
        or "inf" in text
        or "BC" in text
        or len(text.split("-", maxsplit=1)[0]) > 4
        or text.startswith(("0001-", "9999-"))
    )


@pytest.mark.parametrize("form", ALL, ids=lambda form: form.row_name)
def test_a_form_is_total_and_has_duckdbs_value_and_the_declared_type(
    form: Function, stored: duckdb.DuckDBPyConnection
) -> None:
    for sample in samples(form):
        inputs = [name for name, _ in sample.columns()]
        shown = [f"CAST({name} AS VARCHAR)" for name in inputs]
        call, plain = write_expr(sample.call()), sample.plain()
        same = f"({call}) IS NOT DISTINCT FROM TRY({plain})"
        columns = [*shown, f"typeof({call})", call, f"TRY({plain})", same]
        rows = stored.execute(_query(sample, ", ".join(columns))).fetchall()  # a form that raises fails here
        assert rows
        types = ENGINE_TYPES.get(sample.call().type, {sample.call().type.value})
        for *given, kind, ours, theirs, equal in rows:
            _check(form, tuple(given), ours, stored, sample)
            assert kind in types, sample
            if not equal and not _differs_on_purpose(form, tuple(given), ours, theirs):
                assert ours is not None or theirs is None or _raises(stored, sample, tuple(given)), (
                    call,
                    given,
                    ours,
                    theirs,
                )
                assert theirs is None and _raises(stored, sample, tuple(given)), (call, given, ours, theirs)
        _check_unsigned(sample, stored)


def _check_unsigned(sample: Sample, stored: duckdb.DuckDBPyConnection) -> None:
    """Replace integers by unsigned numbers: nothing raises."""
    kinds = tuple("unsigned" if kind == "int" else kind for kind in sample.kinds)
    if "unsigned" in kinds:
        wide = Sample(sample.form, kinds)
        stored.execute(_query(wide, write_expr(wide.call()))).fetchall()


def _check(
    form: Function, given: tuple[object, ...], ours: object, stored: duckdb.DuckDBPyConnection, sample: Sample
) -> None:
    """Check what inference believes of a form: when it is NULL, and which values it can give."""
    holes = [value is None for value in given]
    if form.is_strict and any(holes):
        assert ours is None, given
    if not any(holes) and ours is None and form.name not in NEVER_NULL:
        far = any(_far(value) for value in given)
        assert form.partial.is_ordinary or (form.partial is Partial.BEYOND_CALENDAR and far), (
            sample,
            given,
        )
    if form.listed_values and ours is not None:
        assert ours in form.listed_values, (given, ours)


def _differs_on_purpose(form: Function, given: tuple[object, ...], ours: object, theirs: object) -> bool:
    """Is this one of the few places where the dialect deliberately differs from DuckDB?"""
    if ours is None and (form.partial is Partial.BEYOND_CALENDAR or form.argument_kinds == ("date", "days")):
        return any(_far(value) for value in given)
    if form.name in {"/", "pow", "atan2", "cot", "to_varchar", "bearing_deg"} and any(
        str(value) == "-0.0" for value in given
    ):
        return True  # 0.0 and -0.0 are one value
    if form.name in CUT:
        return isinstance(ours, str) and len(ours) == 1_000 and str(theirs).startswith(ours)  # memory has an end
    if form.name in COMPARED_BY_SIGN:
        return any(len(str(value)) > 1_000 for value in given)  # and so has time
    if form.name in {"make_timestamp", "epoch_ms"} and form.partial is Partial.FOR_SOME_VALUES:
        return ours is None and abs(int(str(given[0]))) > 8 * 10**15  # a quarter of a million years away
    if form.name == "make_date":
        return ours is None and not 1 <= int(str(given[0])) <= 9999
    return isinstance(ours, float) and isinstance(theirs, float) and _close(ours, theirs)


def _close(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= 1e-12 * max(abs(one), abs(other))


def _raises(stored: duckdb.DuckDBPyConnection, sample: Sample, given: tuple[object, ...]) -> bool:
    """Does DuckDB itself raise for these values, and so has none?"""
    names = [name for name, _ in sample.columns()]
    where = " AND ".join(
        f"CAST({name} AS VARCHAR) IS NOT DISTINCT FROM {quote_literal(Literal(value, SqlType.VARCHAR))}"  # type: ignore[arg-type]
        for name, value in zip(names, given, strict=True)
    )
    tables = ", ".join(f"s_{kind} AS t{name}({name})" for name, kind in sample.columns())
    try:
        stored.execute(f"SELECT {sample.plain()} FROM (SELECT * FROM {tables} WHERE {where}) q").fetchall()
    except duckdb.Error:
        return True
    return False


def test_every_form_of_a_name_is_reached() -> None:
    unreached = [form.row_name for form in ALL if not list(samples(form))]
    assert not unreached


def test_equal_intervals_have_one_epoch(stored: duckdb.DuckDBPyConnection) -> None:
    """Equal values must be indistinguishable: MAX and GROUP BY keep whichever comes first."""
    spans = ("12 month", "360 day", "1 year", "8640 hour", "1 month", "30 day", "-13 month", "-390 day", "1000 year")
    values = ", ".join(f"(INTERVAL '{span}')" for span in spans)
    form = next(f for f in FORMS["epoch"] if f.argument_kinds == ("span",))

    def rows(epoch: str) -> list[tuple[bool, bool]]:
        pairs = f"SELECT {epoch.format('a.x')} = {epoch.format('b.x')}, a.x = b.x FROM v a, v b"
        return stored.execute(f"WITH v(x) AS (VALUES {values}) {pairs}").fetchall()

    assert len(rows(form.duckdb)) == len(spans) ** 2
    assert all(alike == equal for alike, equal in rows(form.duckdb))
    assert not all(alike == equal for alike, equal in rows("epoch({0})"))  # the engine's own tells them apart
