"""A suggestion is validated before it is shown: the first accepted rewrite, none that is long, few in all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.catalog.model import Catalog
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, Span, Suggestion, to_suggestions
from dialect.parser.suggestions.candidates import with_compiling_suggestion

ASKED = "SELECT isnull(lat, 0) FROM events"
IN_DUCKDBS_WORDS = "SELECT coalesce(lat, 0) FROM events"


def refused(*rewrites: str) -> Refusal:
    return Kind.UNKNOWN_AGGREGATE.at(None, to_suggestions(rewrites), name="first_of", hint="another")


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
        (("x" * 801, "good"), "good"),
        (("x" * 800,), "x" * 800),
        (("bad", "bad", "bad", "bad", "good"), "another"),
    ],
)
def test_the_first_accepted_suggestion_is_shown(catalog: Catalog, rewrites: tuple[str, ...], shown: str) -> None:
    read = reading(bad=refused("worse", "good"), deep=RecursionError())
    given = with_compiling_suggestion(refused(*rewrites), ASKED, catalog, read)
    assert (given.hint, given.rewrites) == (shown, ())
    assert given.span == Span(0, len("SELECT")), "it points at something"


def test_a_suggestion_in_duckdb_syntax_is_rewritten_again(catalog: Catalog) -> None:
    """What else is refused again is not gone on with, and one step is all."""
    again = {IN_DUCKDBS_WORDS: refused("good")}
    assert with_compiling_suggestion(refused(IN_DUCKDBS_WORDS), ASKED, catalog, reading(**again)).hint == "good"
    assert with_compiling_suggestion(refused("bad"), ASKED, catalog, reading(bad=refused("good"))).hint == "another"
    further = again | {"good": refused("better")}
    assert with_compiling_suggestion(refused(IN_DUCKDBS_WORDS), ASKED, catalog, reading(**further)).hint == "another"


def test_a_difference_in_meaning_follows_the_suggested_query(catalog: Catalog) -> None:
    counted = Kind.ROWS_OF_PEOPLE.at(None, (Suggestion("good", "counts rows"),))
    assert with_compiling_suggestion(counted, ASKED, catalog, reading()).hint == "good -- counts rows"


def test_placeholders_are_filled_for_the_trial_alone(catalog: Catalog) -> None:
    tried: list[str] = []
    unbounded = Kind.NO_DECLARED_BOUNDS.at(None, to_suggestions(["LEAST(x, YOUR_MAX)"]), name="SUM", clamped="another")
    assert with_compiling_suggestion(unbounded, ASKED, catalog, tried.append).hint == "LEAST(x, YOUR_MAX)"
    assert tried == ["LEAST(x, 10000)"]
