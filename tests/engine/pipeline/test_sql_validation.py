"""Generated SQL is bound over tables without rows before a charge: what the engine can't plan costs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import duckdb
import pyarrow as pa
import pytest

from dialect import Catalog, Code, Refusal, Target
from dialect.binder.argument_lists import arity_of
from dialect.catalog import OPT_OUT_TABLE
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.registry import callable_names
from dialect.functions.window_functions import WINDOW_FUNCTIONS
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import NO_OBJECTIONS
from engine.backends.lockdown import EmptyTables, declared_columns
from engine.backends.lockdown import run_statement as duckdb_run
from engine.errors import ExecutionFailed
from engine.pipeline import engine as pipeline
from engine.pipeline import post_process
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pipeline.post_process import bind_release
from engine.pricing.query_terms import Request
from tests.support.binding import Unplannable, over_lake

ANN = Request("ann")
_NULLS = ("NULL", "CASE WHEN gender = 'f' THEN NULL END", "z", "'a'", "TRUE", "1")
_ROWS = "(SELECT *, NULL AS z FROM visit JOIN person USING (person_id)) AS s"
_MADE_OF = {"count_star", "count_distinct", "list_distinct", "sum_distinct", "avg_distinct"}
_AGGREGATES = sorted({*AGGREGATES} - _MADE_OF | {"count"})


def _arguments(name: str, value: str, count: int) -> str:
    if name.startswith("quantile"):
        return f"{value}, 0.5"
    return f"{value}, ','" if name == "string_agg" else ", ".join([value] * count)


def _questions() -> Iterator[str]:
    """Queries whose functions and aggregates take untyped NULLs and other constants as arguments."""
    for name in filter(str.isidentifier, callable_names()):
        arity = arity_of(name)
        assert arity is not None
        for count in range(arity.minimum, (arity.maximum or arity.minimum + 2) + 1):
            for value in _NULLS[:2]:
                call = f"{name}({', '.join([value] * count)})"
                yield f"SELECT COUNT(*) FROM {_ROWS} WHERE {call} IS NULL"
                yield f"SELECT {call} AS k, COUNT(*) FROM {_ROWS} GROUP BY 1"
                yield f"SELECT gender, {call.replace(value, 'NULL')} AS k, COUNT(*) FROM person GROUP BY 1"
    for sign in (
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "||",
        "&",
        "|",
        "<<",
        "=",
        "<",
        "IS DISTINCT FROM",
        "AND",
        "OR",
        "LIKE",
    ):
        yield f"SELECT COUNT(*) FROM {_ROWS} WHERE (NULL {sign} NULL) IS NULL"
    for name in _AGGREGATES:
        for value in _NULLS:
            plain = _arguments(name, value, max(1, AGGREGATES[name].argument_count if name in AGGREGATES else 1))
            yield f"SELECT {name}({plain}) FROM {_ROWS}"
            yield f"SELECT {name}({plain.replace('z', 'NULL')}) FROM (SELECT gender, COUNT(*) AS n FROM person GROUP BY 1)"
            for each in ("", "DISTINCT "):
                for order in ("", " ORDER BY NULL", " ORDER BY day"):
                    of_each = f"SELECT person_id, {name}({each}{plain}{order}) AS x FROM {_ROWS} GROUP BY person_id"
                    yield f"SELECT COUNT(*) FROM ({of_each}) WHERE x IS NULL"
            over = f"{name}({plain}) OVER (PARTITION BY person_id ORDER BY NULL)"
            yield f"SELECT COUNT(*) FROM (SELECT person_id, {over} AS x FROM {_ROWS}) WHERE x IS NULL"
    for name, function in WINDOW_FUNCTIONS.items():
        for value in _NULLS:
            call = f"{name}({', '.join([value, '2'][: function.min_arguments])})"
            over = f"{call} OVER (PARTITION BY person_id ORDER BY {value})"
            yield f"SELECT COUNT(*) FROM (SELECT person_id, {over} AS x FROM {_ROWS}) WHERE x IS NULL"


QUESTIONS = tuple(dict.fromkeys(_questions()))
# of the 31 forms that were accepted, charged and never answered
FOUND = (
    "SELECT COUNT(*) FROM (SELECT person_id, SUM(DISTINCT NULL) AS x FROM visit GROUP BY person_id) WHERE x IS NULL",
    "SELECT COUNT(*) FROM (SELECT person_id, STDDEV(NULL) AS x FROM visit GROUP BY person_id) WHERE x IS NULL",
    "SELECT COUNT(*) FROM visit WHERE hour(NULL) IS NULL",
    "SELECT COUNT(*) FROM person WHERE is_weekend(CASE WHEN gender = 'f' THEN NULL END)",
    "SELECT COUNT(*) FROM (SELECT person_id, NULL AS z FROM visit) AS s WHERE hour(z) IS NULL",
)


def _asked(engine: Engine, questions: tuple[str, ...]) -> tuple[int, list[str]]:
    """Prepare and bind questions; give how many the reader takes, and which of these are refused when they are bound."""
    taken, refused = 0, []
    for sql in questions:
        try:
            query = engine.compile(engine.read(sql, "ann"), ANN)
        except Refusal as refusal:
            assert refusal.__cause__ is None, sql
            continue
        taken += 1
        try:
            engine.bind(query)
        except Refusal:
            refused.append(sql)
    return taken, refused


@pytest.mark.parametrize("part", range(6))
def test_every_accepted_constant_can_be_bound_by_the_engine(engine: Engine, part: int) -> None:
    taken, refused = _asked(engine, QUESTIONS[part::6])
    assert refused == []
    assert taken > 100


@pytest.mark.parametrize("sql", FOUND)
def test_a_charged_query_without_an_answer_is_answered(engine: Engine, sql: str) -> None:
    assert engine.answer(sql, ANN).answer.table.num_rows == 1


@pytest.mark.parametrize(
    "sql", ["SELECT SUM(minutes) FROM visit", "SELECT shop, SUM(minutes) FROM visit GROUP BY shop"]
)
def test_a_query_that_the_engine_cannot_bind_is_refused_for_free(engine: Engine, sql: str) -> None:
    stuck = replace(engine, backend=Unplannable(engine.backend, "minutes"))
    for ask in (lambda: stuck.answer(sql, ANN), lambda: explain(stuck, sql, ANN)):
        with pytest.raises(Refusal) as refused:
            ask()
        assert refused.value.code is Code.FUNC
        assert "minutes" not in str(refused.value) and "Binder" not in str(refused.value)
    with pytest.raises(Refusal):
        stuck.charge(sql, engine.compile(engine.read(sql, "ann"), ANN).releases, ANN)
    assert engine.ledger.entries(kind="charged") == ()
    assert engine.answer(sql, ANN).charged_loss.pico_rho > 0  # what can be bound is charged as before


def test_an_outer_query_that_cannot_be_bound_is_refused_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "SELECT gender, n + 1 AS m FROM (SELECT gender, COUNT(*) AS n FROM person GROUP BY gender)"

    def no_plan(*_: object) -> None:
        raise ExecutionFailed("BinderException")

    with monkeypatch.context() as patched:
        patched.setattr("engine.pipeline.post_process.run_outer", no_plan)
        with pytest.raises(Refusal) as refused:
            engine.answer(sql, ANN)
    assert refused.value.code is Code.FUNC
    assert engine.ledger.entries(kind="charged") == ()
    assert engine.answer(sql, ANN).answer.table.num_rows == 3


def test_a_charge_without_binding_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: SQL that no engine plans is charged."""
    monkeypatch.setattr(Engine, "bind", lambda *_: None)
    monkeypatch.setattr(Engine, "_bind_releases", lambda *_: ())
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_a_query_that_the_engine_cannot_bind_is_refused_for_free(engine, "SELECT SUM(minutes) FROM visit")


def test_a_question_is_bound_once_for_each_client(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    met = []

    def counted(*given: object) -> object:
        met.append(given)
        return bind_release(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "bind_release", counted)
    sql = "SELECT gender, COUNT(*) FROM person GROUP BY gender"
    for client in ("ann", "ben"):
        explain(engine, sql, Request(client))
        engine.answer(sql, Request(client))
        engine.answer(sql, Request(client))
    assert len(met) == 2


def test_binding_reads_no_row(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Binding sees the types of tables and not their rows: the opened data are not queried."""
    sql = "SELECT shop, z.name, SUM(minutes) FROM visit v JOIN zone z USING (zone) GROUP BY 1, 2"
    query = engine.compile(engine.read(sql, "ann"), ANN)
    assert engine.backend.empty

    def read(*_: object) -> None:
        raise AssertionError("the data were read")

    monkeypatch.setattr(DuckDBBackend, "run_over", read)
    engine.bind(query)


def test_a_statement_that_was_bound_is_not_parsed_again_to_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    sql, met, run = "SELECT zone, SUM(minutes) FROM visit GROUP BY zone", list[tuple[str, bool]](), duckdb_run

    def recorded(connection: object, text: str, tables: object, parsed: object = None) -> pa.Table:
        met.append((text, parsed is not None))
        return run(connection, text, tables, parsed)  # type: ignore[arg-type]

    monkeypatch.setattr("engine.backends.duckdb.run_statement", recorded)
    query = engine.compile(engine.read(sql, "ann"), ANN)
    engine.bind(query)
    runs = [engine.backend.run(query.releases[0].sql).vectors[0].tolist() for _ in range(2)]
    assert runs[0] == runs[1]
    assert [parsed for text, parsed in met if "group_sums" in text] == [True, False]
    with ThreadPoolExecutor(1) as elsewhere:
        engine.bind(engine.compile(engine.read(sql, "ben"), Request("ben")))
        elsewhere.submit(engine.backend.run, query.releases[0].sql).result()
    assert met[-1][1] is False, "a thread runs what it has parsed itself"


def test_a_query_is_bound_after_the_eligible_people_were_materialized(engine: Engine) -> None:
    """The empty tables, which are copied from what is opened, have the place of the eligible people then."""
    opened = replace(engine, backend=replace(engine.backend, _empty=[]))  # type: ignore[type-var]
    query = opened.compile(opened.read("SELECT zone, COUNT(*) FROM visit GROUP BY zone", "ann"), ANN)
    assert opened.backend.run(query.releases[0].sql).vectors[0].sum() > 0
    opened.bind(query)


def test_empty_tables_are_those_that_are_attached_and_have_no_row(town_engine: Engine) -> None:
    empty, target = town_engine.backend.empty, town_engine.backend.target
    for table, address in target.addresses.items():
        rows = empty._connection.execute(f"SELECT * FROM {address}").fetchall()  # type: ignore[attr-defined]
        stored = town_engine.backend.run_over(f"SELECT * FROM {address} LIMIT 0", {})  # type: ignore[attr-defined]
        assert rows == []
        assert empty.columns(f"SELECT * FROM {address}", {}).schema == stored.schema, table
    assert empty.columns(f"SELECT * FROM {OPT_OUT_TABLE}", {}) == NO_OBJECTIONS


def test_empty_tables_are_locked(town_engine: Engine) -> None:
    for sql in ("SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM nothing"):
        with pytest.raises(ExecutionFailed) as failed:
            town_engine.backend.empty.columns(sql, {})
        assert not re.search("passwd|nothing", str(failed.value))


def test_declared_tables_stand_in_for_a_lakes(town: Catalog) -> None:
    """Where people's rows lie in a lake, the same plan is bound in DuckDB over what the catalog declares."""
    private = [table for table in town.tables if table.private]
    empty = EmptyTables.copy_of(duckdb.connect(), Target({}), declared_columns(private))
    for table in private:
        found = empty.columns(f'SELECT * FROM declared.main."{table.name}"', {})
        assert found.column_names == [column.name for column in table.columns]


def test_a_bind_refusal_never_contains_the_engine_s_text() -> None:
    with pytest.raises(Refusal) as refused, post_process._refusing_unbindable():
        raise ExecutionFailed("secret")
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "sql",
    [
        *FOUND,
        "SELECT z.name, SUM(minutes), COUNT(DISTINCT person_id) FROM visit v JOIN zone z USING (zone) GROUP BY 1",
        "SELECT shop, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY shop",
        "SELECT MEDIAN(minutes) FROM visit JOIN person USING (person_id)",
    ],
)
def test_binding_sends_nothing_to_a_lake(engine: Engine, sql: str) -> None:
    """The DuckDB form of the same plan is bound in place of Spark's, and what can't be bound is refused as free."""
    lake = replace(engine, backend=over_lake(engine))
    query = lake.compile(lake.read(sql, "ann"), ANN)
    assert any(each.sql.ordering_sql for each in query.releases)
    lake.bind(query)
    assert explain(lake, sql, ANN).loss.pico_rho > 0
