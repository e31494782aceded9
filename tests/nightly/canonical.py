"""Two queries whose exact answers differ have two canonical texts: or one would get the release of the other.

Each question that is drawn stands beside others that differ from it in a few words; an example is one that was answered.
Under privacy windows each is asked of two catalogs that may differ in retention, consent, law and age.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from itertools import product

from hypothesis import strategies as st

from dialect import Catalog, Question, Refusal, compile_query
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.nightly.greybox import ASKED, opened
from tests.nightly.search import EXAMPLES, drawn
from tests.privacy.greybox.test_greybox_window_eligibility import LENGTHS
from tests.support.greybox.greybox import GreyBox, ReleaseRun, connect, groups
from tests.support.greybox.greybox_data import Database, declared_as, make_worlds
from tests.support.greybox.greybox_questions import databases
from tests.support.neighbours.window_admission import RULES, RuledDatabase, RuledWorlds, Rules, ruled, ruled_catalog
from tests.support.neighbours.window_questions import fill_dates
from tests.support.neighbours.window_questions import questions as windowed_questions
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
    ("'{first}'", "'{second}'", "'{last}'"),
    ("PRECEDING", "FOLLOWING"),
    ("ROWS", "RANGE"),
    ("LEAST", "GREATEST"),
    ("age", "home_cell"),
    ("cell_id", "steps", "dwell_s", "lon"),
    ("gender", "home_zone"),
    ("hour", "minute", "isodow", "month"),
)  # fmt: skip
# conditions that stand beside others, or alone: most of them leave whole windows out
OF_WINDOWS = (
    "v.day >= DATE '{first}'", "v.day >= DATE '{second}'", "v.began >= TIMESTAMP '{second}'", "NOT (v.day < DATE '{second}')",
    "v.day < DATE '{last}'", "v.began < TIMESTAMP '{last}'", "v.day BETWEEN DATE '{first}' AND DATE '{second}'",
    "date_trunc('{unit}', v.began) = TIMESTAMP '{second}'", "date_trunc('{unit}', v.day) >= DATE '{second}'",
    "v.day <> DATE '{first}'", "v.day IN (DATE '{first}', DATE '{last}')", "month(v.day) IN (2, 3, 4)", "v.place IN (1, 2)",
)  # fmt: skip
Change = Callable[[str], st.SearchStrategy[str]]
Run = Callable[[Question], Sequence[ReleaseRun]]  # the releases of a question over one database
Round = tuple[Database, list[list[str]]]
WindowedRound = tuple[PrivacyWindow, RuledDatabase, Rules, list[list[str]]]


@st.composite
def near(draw: st.DrawFn, sql: str) -> str:
    """Draw a question with one or two words changed."""
    words = list(tokens(sql))
    places = [place for place, word in enumerate(words) if others(word)]
    for place in draw(st.lists(st.sampled_from(places), min_size=1, max_size=2, unique=True)) if places else ():
        words[place] = draw(st.sampled_from(others(words[place])))
    return "".join(words)


@st.composite
def limited(draw: st.DrawFn, sql: str) -> str:
    """Draw a question with one or two conditions more, in one order or the other."""
    stated = draw(st.lists(st.sampled_from(OF_WINDOWS), min_size=1, max_size=2, unique=True))
    rows, by, keys = sql.rpartition(" GROUP BY ")
    if not by or keys.count("(") != keys.count(")"):  # of a subquery
        rows, by, keys = sql, "", ""
    outer = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", rows)))
    return f"{rows} {'AND' if ' WHERE ' in outer else 'WHERE'} {' AND '.join(stated)}{by}{keys}"


def others(word: str) -> list[str]:
    """List what may stand where a word stands."""
    same = [each for alike in ALIKE for each in alike if word.upper() in map(str.upper, alike)]
    return [each for each in dict.fromkeys(same) if each.upper() != word.upper()]


@st.composite
def families(draw: st.DrawFn, asked: st.SearchStrategy[str], changes: tuple[Change, ...] = (near,)) -> list[str]:
    """Draw a question and its neighbours in words."""
    sql = draw(asked)
    changed = st.one_of(*(change(sql) for change in changes))
    return [sql, *draw(st.lists(changed, min_size=NEAR, max_size=NEAR))]


def rounds() -> st.SearchStrategy[Round]:
    """Draw a database and families of questions."""
    asked = families(st.one_of(*ASKED))
    return st.tuples(databases(), st.lists(asked, min_size=QUESTIONS, max_size=QUESTIONS))


@st.composite
def windowed_rounds(draw: st.DrawFn) -> WindowedRound:
    """Draw a database with privacy windows, other rules for it, and families of questions."""
    window = draw(st.sampled_from(LENGTHS))
    asked = draw(
        st.lists(families(windowed_questions(), (near, limited, limited)), min_size=QUESTIONS, max_size=QUESTIONS)
    )
    return window, draw(ruled()), draw(RULES), [[fill_dates(sql, window) for sql in family] for family in asked]


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
            counted.update(hold([(partial(box.run, world="everybody", threads=1), declared)], family))

    drawn(rounds(), number, examples, look, smaller=smaller)
    return counted


def windows(number: int, examples: int = DATABASES, *, smaller: bool = True) -> Counter[str]:
    """Compare the canonical texts of families over privacy windows, under two catalogs for the same rows."""
    counted: Counter[str] = Counter()

    with connect() as connection:

        def look(one: WindowedRound) -> None:
            window, given, rules, asked = one
            worlds = RuledWorlds(connection, window, given)
            other = copy(worlds)
            other.catalog = ruled_catalog(window, rules)
            both = [(partial(each.run, world="everybody"), each.catalog) for each in (worlds, other)]
            for family in asked:
                counted.update(hold(both, family))

        drawn(windowed_rounds(), number, examples, look, smaller=smaller)
    return counted


def hold(catalogs: Sequence[tuple[Run, Catalog]], family: list[str]) -> Counter[str]:
    """Demand one exact answer of everything that has one text; raises AssertionError with two questions."""
    counted: Counter[str] = Counter()
    known: dict[str, tuple[str, str]] = {}
    for sql, (run, catalog) in product(dict.fromkeys(family), catalogs):
        try:
            question = compile_query(sql, catalog)
            ran = run(question)
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
