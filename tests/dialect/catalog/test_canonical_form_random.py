"""One question in words drawn at random: every wording has one canonical text, and the second asking is free."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import dialect
from dialect.catalog.model import Catalog
from tests.support.neighbours.two_worlds import open_worlds, with_empty_ledger

# what each condition may be called
CONDITIONS = (
    ("e.lat > 1", "1 < e.lat", "(e.lat) > 1", "CAST(e.lat AS DOUBLE) > 1", "E.LAT > 1"),
    ("e.dwell_s BETWEEN 60 AND 600", "e.dwell_s >= 60 AND e.dwell_s <= 600", "600 >= e.dwell_s AND (60 <= e.dwell_s)"),
    ("e.cell_id IN (1, 2, 3)", "e.cell_id IN (3, 2, 1, 2)"),
    ("e.lat = e.dwell_s", "e.dwell_s = e.lat"),
    ("(e.lat > 2 OR e.dwell_s < 9)", "(9 > e.dwell_s OR 2 < e.lat)"),
    ("hour(e.ts) = 8", "8 = EXTRACT(hour FROM e.ts)"),
)
JOINS = ("events e JOIN cells c ON c.cell_id = e.cell_id", "events AS e JOIN cells AS c ON (e.cell_id = c.cell_id)")
ITEMS = ("c.zone AS z", "COUNT(*) AS n", "SUM(e.dwell_s) AS s")


@st.composite
def wordings(draw: st.DrawFn, chosen: tuple[int, ...]) -> str:
    """Draw one wording of a count and a sum by zone under some conditions."""
    conditions = [draw(st.sampled_from(CONDITIONS[i])) for i in draw(st.permutations(chosen))]
    on = [draw(st.booleans()) for _ in conditions]
    joined = draw(st.sampled_from(JOINS)) + "".join(
        f" AND {c}" for c, there in zip(conditions, on, strict=True) if there
    )
    where = " AND ".join(c for c, there in zip(conditions, on, strict=True) if not there)
    items = ", ".join(draw(st.permutations(ITEMS)))
    space = draw(st.sampled_from((" ", "\n\t", " /* a comment */ ", " -- a comment\n")))
    sql = f"SELECT {items}{space}FROM {joined}{f' WHERE {where}' if where else ''} GROUP BY c.zone"
    form = draw(st.integers(0, 2))
    if form == 1:
        return f"WITH q AS ({sql}) SELECT * FROM q"
    return f"SELECT z, n, s FROM ({sql}) AS d" if form == 2 else sql


@given(data=st.data())
def test_every_equivalent_wording_has_one_canonical_text(catalog: Catalog, data: st.DataObject) -> None:
    chosen = tuple(data.draw(st.lists(st.integers(0, len(CONDITIONS) - 1), max_size=4, unique=True)))
    one, other = data.draw(wordings(chosen)), data.draw(wordings(chosen))
    texts = [[plan.canonical_text for plan in dialect.compile_query(sql, catalog).plans] for sql in (one, other)]
    assert texts[0] == texts[1], f"{one}\n{other}"


@given(data=st.data())
def test_other_conditions_have_another_text(catalog: Catalog, data: st.DataObject) -> None:
    sets = [data.draw(st.sets(st.integers(0, len(CONDITIONS) - 1), max_size=4)) for _ in range(2)]
    texts = [dialect.compile_query(data.draw(wordings(tuple(s))), catalog).plans[0].canonical_text for s in sets]
    assert (texts[0] == texts[1]) == (sets[0] == sets[1])


def test_an_equivalent_query_is_free(folder: Path) -> None:
    one = "SELECT c.zone, COUNT(*) AS n FROM events e JOIN cells c USING (cell_id) WHERE e.lat > 1 AND e.dwell_s < 9 GROUP BY 1"
    other = "with x as (select * from events where 9 > dwell_s) select count(*) m, k.zone from x, cells k where (1 < x.lat) and k.cell_id = x.cell_id group by all"
    with open_worlds(folder) as worlds, with_empty_ledger(worlds["D"]) as session:
        first = session.query(one, client="ann")
        again = session.query(other, client="ann")
        assert first.column("n").to_pylist() == again.column("m").to_pylist()
        assert sum(row["kind"] == "charged" for row in session.ledger("ann")) == 1
