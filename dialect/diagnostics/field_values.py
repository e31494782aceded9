"""Enumerated fields of refusals: what a field says where it is no name, SQL or number.

Each member has the text that the templates of `kinds` show.
"""

from __future__ import annotations

from enum import StrEnum


class Disclosure(StrEnum):
    """Why an aggregate is not answered over many people: the value of field `reason`."""

    ONE_PERSONS_VALUE = "would return the value of one person"
    VALUES_OF_PERSONS = "would return the values of persons"
    EVERYBODYS_VALUES = "would return everybody's values"
    ONE_PERSON_IS_SO = "would tell whether any one person is so"
    ONE_PERSON_IS_NOT_SO = "would tell whether any one person is not so"
    TURNED_BY_ONE_PERSON = "can be turned by one person alone"
    MOVED_BY_ONE_PERSON = "moves by values that one person alone may have"
    UNKNOWN_NOISE = "is a sketch, whose noise is not known"
    UNSUPPORTED = "is not in the dialect"


class AggregateHint(StrEnum):
    """What may replace a refused aggregate, where it is not one call: the value of field `hint`."""

    GROUP_BY_COLUMN = "GROUP BY the column, and COUNT(*) of each value"
    MOST_FREQUENT = "GROUP BY the column ORDER BY COUNT(*) DESC LIMIT 1"
    BINS = "GROUP BY FLOOR(x / 10) * 10, and COUNT(*) of each bin"
    PER_PERSON_FIRST = "per person in a subquery that groups by the person, then COUNT(*)"
    CALL_PER_LEVEL = "QUANTILE_CONT(x, 0.5), one call for each level"
    OTHER_AGGREGATES = "COUNT, SUM or AVG"


class ArgumentTypes(StrEnum):
    """What an aggregate takes as its argument: the value of field `accepted`."""

    NUMBERS = "numbers"
    CONDITION = "a condition"
    TEXT_OR_INTEGERS = "text or integers"
    INTEGERS = "integers"
    TEXT = "text"
    ANYTHING = "anything"


class OptionValues(StrEnum):
    """What an option of the privacy clause takes: the value of field `accepted`."""

    AMOUNT = "a number above 0 and at most 100"
    DELTA = "a number from 1e-18 to 0.1"
    COUNT = "a whole number from 1 to 1,000,000"
    KEY_HANDLING = "'public' or 'private'"
    TARGET_ERROR = "an amount above 0, or a share of at most '100%'"
    FLAG = "true or false"
    CONFIDENCE = "a share from 0.5 to 0.999999"
    COVERAGE = "'each' or 'simultaneous'"


class Unnamed(StrEnum):
    """What is referred to without a name: the value of a field that is a name elsewhere."""

    PERSON_KEY = "the person key"
    PERSON = "the person"
    TABLE = "this table"
    SELECTED = "what is shown"
    UNIT = "of this kind"
    KEYS = "the keys"
