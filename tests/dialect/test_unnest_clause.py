"""Lists of a row's own: whose rows they make, what they are called, what is known of a member, how many count."""

from __future__ import annotations

import duckdb
import pytest

from dialect import Catalog, Refusal, Target, read
from dialect.engine_name import EngineName
from dialect.private_plan import PrivatePlan
from dialect.relations import PerPerson, Relation
from dialect.unnest import MOST_MEMBERS, Unnest
from dialect.write_rows import write_rows
from tests.support.attack_catalog import attack_catalog
from tests.support.worlds import make_world

BOTH = "UNNEST([s.home_zone, s.gender]) AS u(x)"


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return attack_catalog(tmp_path_factory.mktemp("attack"))


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_world("operator", tmp_path_factory.mktemp("operator"))


def _plan(sql: str, catalog: Catalog) -> PrivatePlan:
    (plan,) = read(sql, catalog).plans
    return plan


def _unnest(relation: Relation) -> tuple[Relation, Unnest]:
    while not isinstance(relation.operator, Unnest):
        relation = relation.operator.source  # type: ignore[union-attr]
    return relation, relation.operator


@pytest.mark.parametrize("stays", ["CROSS JOIN {}", "LEFT JOIN {} ON TRUE", ", LATERAL {}", "JOIN {} ON x <> 'Z1'"])
def test_rows_stay_their_persons_and_are_no_longer_one_each(stays: str, attack: Catalog) -> None:
    relation, operator = _unnest(_plan(f"SELECT COUNT(*) FROM subscribers s {stays.format(BOTH)}", attack).source)
    assert isinstance(relation, PerPerson) and relation.person.is_person
    assert isinstance(operator.source, PerPerson) and operator.source.one_row_per_person
    assert not relation.one_row_per_person and operator.member not in operator.source.fields
    assert not operator.member.is_person and not operator.member.of_person
    assert operator.stays == stays.startswith("LEFT")


# what is asked -> where the keys come from; None: private keys
LISTS: dict[str, list[str] | None] = {
    "SELECT z, COUNT(*) FROM trip t, UNNEST([t.o_zone, t.d_zone]) AS z GROUP BY z": ["zone.zone_id"],
    "SELECT z, COUNT(*) FROM trip t, UNNEST([t.mode, 'all']) AS u(z) GROUP BY z": ["the declared list of mode"],
    "SELECT h, COUNT(*) FROM visit, range(hour(start_ts), 20) AS h GROUP BY h": ["the range of h"],
    "SELECT z, COUNT(*) FROM (SELECT subscriber_id, LIST(zone_id) AS zs FROM visit GROUP BY 1), UNNEST(zs) AS u(z) GROUP BY z": [
        "zone.zone_id"
    ],
    "SELECT zone_id, COUNT(*) FROM trip, UNNEST(via_zones) AS u(zone_id) JOIN zone USING (zone_id) GROUP BY 1": [
        "zone"
    ],
    "SELECT z, COUNT(*) FROM trip, UNNEST(via_zones) AS u(z) WHERE z IN ('Z1', 'Z2') GROUP BY z": [
        "a condition of the question"
    ],
    "SELECT z, COUNT(*) FROM trip, UNNEST(via_zones) AS u(z) GROUP BY z": None,
    "SELECT h, COUNT(*) FROM event, generate_series(0, tac) AS u(h) GROUP BY h": None,
}


@pytest.mark.parametrize("sql", LISTS)
def test_what_is_known_of_a_member_lists_its_keys(sql: str, operator: Catalog) -> None:
    keys = _plan(sql, operator).key_set
    assert (None if keys is None else [source.what for source in keys.sources]) == LISTS[sql]


def test_a_star_does_not_show_the_list_of_the_select_list(attack: Catalog) -> None:
    inside = "SELECT *, UNNEST([age, 1]) AS a FROM subscribers"
    assert read(f"SELECT AVG(LEAST(GREATEST(a, 0), 9)) FROM ({inside})", attack).plans
    with pytest.raises(Refusal) as refused:
        read(f'SELECT COUNT("unnest") FROM ({inside})', attack)
    assert "There is no column" in refused.value.why


def _members(sql: str, catalog: Catalog, zone: str = "Z") -> list[object]:
    """Run the rows of a list as DuckDB has them, over one row of a person."""
    plan = _plan(sql, catalog)
    relation, operator = _unnest(plan.source)
    target = Target({"subscribers": "s"})
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE s AS SELECT 1 AS subscriber_id, 'f' AS gender, '{zone}' AS home_zone")
        text = write_rows(relation, [operator.member], target)
        return [value for (value,) in connection.execute(text).fetchall()]


@pytest.mark.parametrize("many", [1, 999, 1_000, 1_001, 1_500])
def test_the_first_thousand_members_count(many: int, attack: Catalog) -> None:
    sql = "SELECT COUNT(*) FROM subscribers, UNNEST(string_split(home_zone, '')) AS u(x)"
    zone = "".join(chr(ord("a") + place % 26) for place in range(many))
    assert _members(sql, attack, zone) == list(zone[:MOST_MEMBERS])


@pytest.mark.parametrize(("ends", "many"), [("1, 1000", 1_000), ("1, 1001", 0), ("-500, 499", 1_000), ("5, 4", 0)])
def test_a_series_of_more_than_may_count_is_none(ends: str, many: int, attack: Catalog) -> None:
    first, last = ends.split(", ")
    sql = f"SELECT COUNT(*) FROM subscribers, generate_series({first} + length(gender) - 1, {last}) AS g(x)"
    assert len(_members(sql, attack)) == many
    ranged = sql.replace("generate_series", "range").replace(f", {last})", f", {int(last) + 1})")
    assert len(_members(ranged, attack)) == many


def test_spark_explodes_as_many(attack: Catalog) -> None:
    plan = _plan(f"SELECT COUNT(*) FROM subscribers s LEFT JOIN {BOTH} ON TRUE", attack)
    relation, operator = _unnest(plan.source)
    text = write_rows(relation, [operator.member], Target({"subscribers": "s"}, EngineName.SPARK))
    assert "explode_outer(slice(array(" in text and f", 1, {MOST_MEMBERS}))" in text
