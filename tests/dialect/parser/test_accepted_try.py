"""A suggestion is validated before it is shown: the first accepted rewrite, none that is long, few in all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.catalog.model import Catalog
from dialect.errors import Code, Refusal, Span, Suggestion, suggested
from dialect.parser.suggestions.suggest import accepted_try

ASKED = "SELECT isnull(lat, 0) FROM events"
IN_DUCKDBS_WORDS = "SELECT coalesce(lat, 0) FROM events"


def refused(*rewrites: str) -> Refusal:
    return Refusal(Code.AGG, "It is no aggregate.", "another", rewrites=suggested(rewrites))


def reading(**outcomes: BaseException) -> Callable[[str], object]:
    """Accept every text but those with a given exception."""

    def read(sql: str) -> object:
        if sql in outcomes:
            raise outcomes[sql]
        return sql

    return read


@pytest.mark.parametrize(
    ("rewrites", "shown"),
    [
        ((), "another"),
        (("good", "better"), "good"),
        (("bad", "deep", "good"), "good"),
        (("bad", "deep"), "another"),
        (("x" * 241, "good"), "good"),
        (("x" * 240,), "x" * 240),
        (("bad", "bad", "bad", "bad", "good"), "another"),
    ],
)
def test_the_first_that_is_accepted_is_shown(catalog: Catalog, rewrites: tuple[str, ...], shown: str) -> None:
    read = reading(bad=refused("worse", "good"), deep=RecursionError())
    given = accepted_try(refused(*rewrites), ASKED, catalog, read)
    assert (given.hint, given.rewrites) == (shown, ())
    assert given.span == Span(0, len("SELECT")), "it points at something"


def test_one_in_duckdbs_words_is_rewritten_once_more(catalog: Catalog) -> None:
    """What else is refused again is not gone on with, and one step is all."""
    again = {IN_DUCKDBS_WORDS: refused("good")}
    assert accepted_try(refused(IN_DUCKDBS_WORDS), ASKED, catalog, reading(**again)).hint == "good"
    assert accepted_try(refused("bad"), ASKED, catalog, reading(bad=refused("good"))).hint == "another"
    further = again | {"good": refused("better")}
    assert accepted_try(refused(IN_DUCKDBS_WORDS), ASKED, catalog, reading(**further)).hint == "another"


def test_what_differs_stands_behind_the_question(catalog: Catalog) -> None:
    counted = Refusal(Code.ROWS, "Rows never leave.", "another", rewrites=(Suggestion("good", "counts rows"),))
    assert accepted_try(counted, ASKED, catalog, reading()).hint == "good -- counts rows"


def test_placeholders_are_filled_for_the_trial_alone(catalog: Catalog) -> None:
    tried: list[str] = []
    unbounded = Refusal(Code.BOUNDS, "No bounds.", "another", rewrites=suggested(["LEAST(x, YOUR_MAX)"]))
    assert accepted_try(unbounded, ASKED, catalog, tried.append).hint == "LEAST(x, YOUR_MAX)"
    assert tried == ["LEAST(x, 10000)"]
