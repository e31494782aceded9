"""Notes: what a reader of an answer should know, each a stable code with a sentence.

Programs decide by the code; the sentence is for people and may be reworded.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoteCode(StrEnum):
    """What a note is about; `docs/answers.md` lists the codes, which never change."""

    # predicates and orders of the SQL text
    UNLISTED_VALUE = "unlisted_value"  # a constant outside the values that a column declares
    UNKNOWN_VALUE = "unknown_value"  # a constant that no row of the referenced public table holds
    FALSE_PREDICATE = "false_predicate"  # no row can satisfy a condition
    MIDNIGHT = "midnight"  # a date compared with a timestamp leaves out most of the day
    OUTSIDE_WINDOWS = "outside_windows"  # no declared privacy window can hold a row
    TIES = "ties"  # a hash decides between rows of equal order
    NAMES_AS_TEXT = "names_as_text"  # names of weekdays or months are sorted as texts
    # how numbers are made
    ROLLED_UP = "rolled_up"  # coarser groups are sums of finer released ones
    QUANTILE = "quantile"  # read from a noisy histogram
    EXTREME = "extreme"  # MIN or MAX is replaced by a quantile
    SHRUNK = "shrunk"  # numbers close to the noise are shown as such groups are on average
    CONSISTENT = "consistent"  # levels of a hierarchy were adjusted to add up
    NO_INTERVAL = "no_interval"  # made from noisy numbers, without a known interval
    FEW_VALUES = "few_values"  # fewer different values are declared than the noise of their count
    WIDE_VALUES = "wide_values"  # the largest possible value of a person decides the noise
    SELECTED = "selected"  # noisy numbers decide which rows are shown: wider intervals
    MAY_BE_NOTHING = "may_be_nothing"  # rows that noise selected, whose exact number may be 0
    INTERVALS_OMITTED = "intervals_omitted"  # too many rows to send intervals
    # bias and hidden groups
    CLIPPED = "clipped"  # contributions are clipped, with an expected bias
    PROFILE = "profile"  # clip bounds are chosen from a contribution profile, and numbers are corrected
    PAIRS = "pairs"  # a person's rows are joined with each other: bias unknown
    JOINED_ROWS = "joined_rows"  # fewer rows of a person are joined than the catalog keeps
    FAN_OUT = "fan_out"  # a row meets several public rows: bias unknown
    HIDDEN_GROUPS = "hidden_groups"  # groups with few people are hidden
    NO_GROUP = "no_group"  # no group passed the threshold
    NO_ROW = "no_row"  # later operators left no row
    NO_NUMBER = "no_number"  # only public keys are shown: the price buys nothing
    NULL_RATIO = "null_ratio"  # NULL: the denominator may be 0
    NULL_QUANTILE = "null_quantile"  # NULL: too few rows for a histogram
    NOT_COUNTED = "not_counted"  # people who are left out: consent, objection
    ELIGIBILITY = "eligibility"  # whose rows of a table are read
    # where numbers come from, and what they cost
    REHEARSAL = "rehearsal"  # synthetic rows
    STORED = "stored"  # numbers of an earlier day
    REUSED = "reused"  # derived from stored releases
    TARGET = "target"  # what a target error bought
    TARGET_OPEN = "target_open"  # columns that a target error does not bind
    WINDOWS = "windows"  # the privacy windows that are charged
    ALL_WINDOWS = "all_windows"  # no condition on time names fewer
    DERIVED_WINDOWS = "derived_windows"  # windows of rows that something was computed from
    CROSSING_WINDOWS = "crossing_windows"  # rows of one window decide what counts of another
    WHOLE_PERSON = "whole_person"  # the loss over all charged windows together
    TABLE_WINDOWS = "table_windows"  # which privacy windows a table declares


@dataclass(frozen=True)
class Note:
    """One note: a stable code and a sentence."""

    code: NoteCode
    text: str
