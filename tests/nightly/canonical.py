"""Two queries whose exact answers differ have two canonical texts: or one would get the release of the other.

Each question that is drawn stands beside others that differ from it in a few words; an example is one that was answered.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st

from dialect import Catalog, Refusal, compile_query
from tests.nightly.greybox import ASKED, opened
from tests.nightly.search import EXAMPLES, drawn
from tests.support.greybox.greybox import GreyBox, groups
from tests.support.greybox.greybox_data import Database, declared_as, make_worlds
from tests.support.greybox.greybox_questions import databases
from tests.support.sql.broken_sql import tokens

DATABASES = 8  # of a chunk
QUESTIONS, NEAR = 3, 6  # of a database, and of a question
# words that may stand in each other's place
ALIKE = (
    ("<", "<=", ">", ">=", "=", "<>"),
    ("SUM", "AVG", "COUNT", "MIN", "MAX", "ARG_MIN", "FIRST", "LAST", "MEDIAN", "MODE", "STDDEV", "VARIANCE", "LAG", "LEAD"),
    ("+", "-", "*", "/", "//", "%"),
    ("0", "1", "2", "3", "5", "7", "30", "60", "100", "700"),
    ("LEFT", "INNER", "RIGHT"),
    ("UNION", "INTERSECT", "EXCEPT"),
    ("ASC", "DESC"),
    ("FIRST", "LAST"),
    ("AND", "OR"),
    ("PRECEDING", "FOLLOWING"),
    ("ROWS", "RANGE"),
    ("LEAST", "GREATEST"),
    ("age", "home_cell"),
    ("cell_id", "steps", "dwell_s", "lon"),
    ("gender", "home_zone"),
    ("hour", "minute", "isodow"),
)  # fmt: skip
Round = tuple[Database, list[list[str]]]


@st.composite
def near(draw: st.DrawFn, sql: str) -> str:
    """Draw a question with one or two words changed, or NOT or DISTINCT put in."""
    words = list(tokens(sql))
    places = [place for place, word in enumerate(words) if others(word)]
    for place in draw(st.lists(st.sampled_from(places), min_size=1, max_size=2, unique=True)) if places else ():
        words[place] = draw(st.sampled_from(others(words[place])))
    return "".join(words)


def others(word: str) -> list[str]:
    """List what may stand where a word stands."""
    same = [each for alike in ALIKE for each in alike if word.upper() in map(str.upper, alike)]
    return [each for each in dict.fromkeys(same) if each.upper() != word.upper()]


@st.composite
def families(draw: st.DrawFn) -> list[str]:
    """Draw a question and its neighbours in words."""
    sql = draw(st.one_of(*ASKED))
    return [sql, *draw(st.lists(near(sql), min_size=NEAR, max_size=NEAR))]


def rounds() -> st.SearchStrategy[Round]:
    """Draw a database and families of questions."""
    return st.tuples(databases(), st.lists(families(), min_size=QUESTIONS, max_size=QUESTIONS))


def chunk(number: int, examples: int = DATABASES, *, smaller: bool = True) -> Counter[str]:
    """Compare the canonical texts of some families with their exact answers."""
    counted: Counter[str] = Counter()

    def look(one: Round) -> None:
        database, asked = one
        connection, catalog = opened()
        make_worlds(connection, database)
        declared = declared_as(catalog, database.declared)
        box = GreyBox(connection, declared)
        for family in asked:
            counted.update(hold(box, declared, family))

    drawn(rounds(), number, examples, look, smaller=smaller)
    return counted


def hold(box: GreyBox, catalog: Catalog, family: list[str]) -> Counter[str]:
    """Demand one exact answer of everything that has one text; raises AssertionError with two questions."""
    counted: Counter[str] = Counter()
    known: dict[str, tuple[str, str]] = {}
    for sql in dict.fromkeys(family):
        try:
            question = compile_query(sql, catalog)
            ran = box.run(question, "everybody", 1)
        except Refusal:
            counted["refused"] += 1
            continue
        counted[EXAMPLES] += 1
        passes = Counter[str]()  # a release with private keys runs several times
        for release in ran:
            key = release.prepared.release_key
            passes[key] += 1
            exact = repr(sorted(groups(release.exact).items()))
            first, answer = known.setdefault(f"{key} {passes[key]}", (sql, exact))
            counted["texts met again"] += first != sql
            assert answer == exact, f"one text, two answers:\n{first}\n{sql}"
    return counted
