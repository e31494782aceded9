"""Everything that is known before data is read is public: no private table is there in most of these tests."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from dialect import Catalog, Refusal, compile_query
from dialect.catalog.model import Consent
from engine.backends.duckdb import DuckDBBackend
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import CompiledRelease, compile_release
from engine.pricing.query_terms import Request
from engine.pricing.work_limits import count_keys
from tests.engine.town import ROWS, make_town

RHO = Fraction(1, 200)
BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"


@pytest.fixture(scope="module")
def public_only(tmp_path_factory: pytest.TempPathFactory) -> DuckDBBackend:
    """Open a town of which nothing is there but the list of its zones."""
    folder = tmp_path_factory.mktemp("public")
    make_town(folder, rows=ROWS[ROWS.index("CREATE TABLE zone") :])
    names = ("person", "visit", "purchase", "zone")
    addresses = {table: f'stored0.main."{table}"' for table in names}
    return DuckDBBackend.open({"stored0": str(folder / "town.duckdb")}, addresses, folder)


KEYS_IN_LEDGERS = ["6eb76bb31cd7fc5d", "0c5704c1d501faaf", "f3bf3d0a551a0414"]


def prepared(sql: str, catalog: Catalog, backend: DuckDBBackend, rho: Fraction = RHO) -> CompiledRelease:
    (plan,) = compile_query(sql, catalog).plans
    return compile_release(plan, catalog, backend, rho)


@pytest.mark.parametrize(
    ("sql", "keys"),
    [
        ("SELECT COUNT(*) AS n FROM visit", 1),
        (BY_ZONE, 7),
        ("SELECT zone, day, COUNT(*) AS n FROM visit GROUP BY zone, day", 28),
        ("SELECT zone, COUNT(*) AS n FROM visit WHERE zone IN ('z1', 'z2') GROUP BY zone", 2),
        ("SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop", None),
        ("SELECT shop, day, COUNT(*) AS n FROM visit GROUP BY shop, day", None),
    ],
)
def test_keys_are_counted_without_any_private_table(
    town: Catalog, public_only: DuckDBBackend, sql: str, keys: int | None
) -> None:
    made = prepared(sql, town, public_only)
    assert made.key_count == keys
    assert (made.cost.threshold is not None) == (keys is None)


def test_bounds_price_and_sql_are_the_same_with_and_without_private_data(
    town: Catalog, town_engine: Engine, public_only: DuckDBBackend
) -> None:
    sql = "SELECT v.zone, p.gender, AVG(v.minutes) AS m FROM visit v JOIN person p USING (person_id) GROUP BY 1, 2"
    assert prepared(sql, town, public_only) == prepared(sql, town, town_engine.backend)


def test_the_key_of_a_release_is_that_of_plan_bounds_price_and_version(
    town: Catalog, public_only: DuckDBBackend
) -> None:
    def key(sql: str = BY_ZONE, catalog: Catalog = town, rho: Fraction = RHO) -> str:
        return prepared(sql, catalog, public_only, rho).release_key

    (dataset,) = town.datasets
    newer = replace(town, datasets=(replace(dataset, data_version=2),))
    visit = town.tables_by_name.get("visit")
    assert visit is not None and visit.clip_bounds is not None
    bounded = replace(visit, clip_bounds=replace(visit.clip_bounds, rows=5.0))
    other = replace(town, tables=tuple(bounded if table.name == "visit" else table for table in town.tables))
    keys = [
        key(),
        key(rho=Fraction(1, 100)),
        key(catalog=newer),
        key(catalog=other),
        key("SELECT zone, COUNT(minutes) AS n FROM visit GROUP BY zone"),
    ]
    assert len(set(keys)) == len(keys)
    assert key("select v.zone z, count(*) from visit v group by z") == keys[0]
    assert all(len(each) == 64 and int(each, 16) >= 0 for each in keys)


def test_eligibility_is_in_the_sql_of_queries_that_do_not_mention_consent(
    town: Catalog, public_only: DuckDBBackend
) -> None:
    assert "'yes'" in prepared(BY_ZONE, town, public_only).sql.text


def test_a_list_that_is_too_long_is_refused_before_anything_is_multiplied(
    town: Catalog, public_only: DuckDBBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def count(_: DuckDBBackend, sql: str) -> int:
        asked.append(sql)
        return 20_000

    monkeypatch.setattr(DuckDBBackend, "count", count)
    (plan,) = compile_query("SELECT zone, day, COUNT(*) AS n FROM visit GROUP BY zone, day", town).plans
    with pytest.raises(Refusal, match="20,000 values"):
        count_keys(plan, public_only)
    assert len(asked) == 2, "each list by itself, and never their product"


def test_explain_needs_no_private_table(town: Catalog, public_only: DuckDBBackend, engine: Engine) -> None:
    (made,) = replace(engine, backend=public_only).compile(compile_query(BY_ZONE, town), Request("ann")).releases
    assert made.key_count == 7


def test_data_that_are_not_there_do_not_change_a_refusal(
    town: Catalog, public_only: DuckDBBackend, town_engine: Engine
) -> None:
    for sql in ("SELECT nobody FROM visit", "SELECT ANY_VALUE(minutes) FROM visit", "SELECT shop FROM visit"):
        said = set()
        for backend in (public_only, town_engine.backend):
            with pytest.raises(Refusal) as refused:
                prepared(sql, town, backend)
            said.add(str(refused.value))
        assert len(said) == 1


def test_another_rule_of_consent_is_another_release(town: Catalog, public_only: DuckDBBackend) -> None:
    """Answers about people who are no longer admitted must not go on being served as if nothing had changed."""
    table = next(t for t in town.tables if t.primary_key and t.person is not None)
    admits = replace(table, consent=Consent(table.columns[0].name, ("yes",)))
    changed = replace(town, tables=tuple(admits if t.name == table.name else t for t in town.tables))
    keys = {prepared(BY_ZONE, catalog, public_only).release_key for catalog in (town, changed)}
    assert len(keys) == 2


def test_release_keys_survive_a_renaming_of_classes_and_fields(town: Catalog, public_only: DuckDBBackend) -> None:
    """Keys of releases that ledgers hold: whoever changes one makes clients pay for the same answer again."""
    sqls = (BY_ZONE, "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop", "SELECT AVG(minutes) AS m FROM visit")
    found = [prepared(sql, town, public_only).release_key[:16] for sql in sqls]
    assert found == KEYS_IN_LEDGERS
