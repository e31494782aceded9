"""The adversarial cases' catalog, and its data in a DuckDB, for all tests of the dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

import dialect
from dialect.algebra.codegen_types import Target
from dialect.algebra.relations import BoundQuery
from dialect.algebra.release_plan import PrivatePlan
from dialect.binder.query import bind_query
from dialect.catalog.model import Catalog
from dialect.errors import Refusal
from dialect.parser.compile_context import CompileContext
from dialect.parser.parser import parse
from dialect.postprocess.question import Question
from tests.support.neighbours.attack_catalog import attack_catalog

Ask = Callable[[str], Question]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attack")


@pytest.fixture(scope="session")
def catalog(folder: Path) -> Catalog:
    return attack_catalog(folder)


@pytest.fixture(scope="session")
def target(catalog: Catalog) -> Target:
    return Target({table.name: table.name for table in catalog.tables})


@pytest.fixture(scope="session")
def database(catalog: Catalog, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(folder / "D" / "attack.duckdb"), read_only=True, config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture(scope="session")
def ask(catalog: Catalog) -> Ask:
    """Read a query."""
    return lambda sql: dialect.compile_query(sql, catalog)


@pytest.fixture(scope="session")
def plan_of(ask: Ask) -> Callable[[str], PrivatePlan]:
    """Plan of a query with one release."""

    def only(sql: str) -> PrivatePlan:
        (plan,) = ask(sql).plans
        return plan

    return only


@pytest.fixture(scope="session")
def rows_of(catalog: Catalog) -> Callable[[str], BoundQuery]:
    """Bind a query without checking whether its rows may be released."""
    return lambda sql: bind_query(parse(sql), CompileContext(catalog, sql))


@pytest.fixture(scope="session")
def refused(ask: Ask) -> Callable[[str], Refusal]:
    """Refusal of a query that must be refused."""

    def caught(sql: str) -> Refusal:
        with pytest.raises(Refusal) as found:
            ask(sql)
        return found.value

    return caught
