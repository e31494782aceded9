"""A refusal -> the same, pointing at something, with the first of its rewrites that is accepted in place of a hint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dialect.catalog.catalog import Catalog
from dialect.errors import Refusal, Suggestion, joined_differences
from dialect.parser.placeholders import filled
from dialect.parser.spans import first_word
from dialect.parser.suggestions.other_habits import in_duckdbs_words
from dialect.parser.suggestions.tries import taught

_MOST_TRIED = 4  # rewrites of one refused question
_LONGEST_TRY = 240  # characters
_STEPS = 2  # of one in DuckDB's words, a rewrite of its own may be accepted


def accepted_try(refused: Refusal, sql: str, catalog: Catalog, read: Callable[[str], object]) -> Refusal:
    """Let a refusal point at something, and try what it suggests before an analyst does, by what reads a question.

    `read` takes a text and raises Refusal, or RecursionError of what is nested too deeply. Raises nothing.
    """
    pointed = _pointed(refused, sql, catalog)
    accepted = _accepted(pointed, sql, catalog, read, _STEPS)
    return replace(pointed, hint=pointed.hint if accepted is None else str(accepted), rewrites=())


def _pointed(refused: Refusal, sql: str, catalog: Catalog) -> Refusal:
    return taught(replace(refused, span=refused.span or first_word(sql)), sql, catalog)


def _accepted(
    pointed: Refusal, sql: str, catalog: Catalog, read: Callable[[str], object], steps: int
) -> Suggestion | None:
    """Find the first rewrite that is accepted, or one of its own where it says the same in DuckDB's words.

    Placeholders are filled for the trial only.
    """
    for each in pointed.rewrites[:_MOST_TRIED]:
        if len(each.sql) > _LONGEST_TRY:
            continue
        tried = filled(each.sql)
        try:
            read(tried)
        except Refusal as again:
            if steps == 1 or each != in_duckdbs_words(sql):
                continue
            found = _accepted(_pointed(again, tried, catalog), tried, catalog, read, steps - 1)
            if found is not None:
                return replace(found, differs=joined_differences(each.differs, found.differs))
        except RecursionError:
            continue
        else:
            return each
    return None
