"""Errors of the engine.

EngineError
├── CatalogError       an invalid catalog: file, key, cure
├── ExecutionFailed    the one run-time failure: constant text, the charge stays (E_EXEC)
└── DataError          files that contradict the catalog; raised when the engine opens, so only stewards meet it

Every refusal and failure leaves in one wire shape: `Refused`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

from budgets import BudgetRefused, LedgerError
from dialect import Code, Refusal
from dialect.diagnostics import Diagnostic


class EngineError(Exception):
    """Base class of the engine's errors."""


class ExecutionFailed(EngineError):
    """The query was charged and then failed. Carries neither data values nor text of the backend."""

    code = "E_EXEC"
    why = "The question could not be answered within the limits of this machine; the charge stays."
    hint = "ask again with the same request id, or for fewer groups or a shorter time"

    def __init__(self, kind: str = "") -> None:
        """Keep the class name of the underlying error, for the operator's log only: no message shows it."""
        super().__init__()
        self.kind = kind

    def __str__(self) -> str:
        """Return the constant message."""
        return f"{self.code}: {self.why} Try: {self.hint}"


def redact(error: Exception) -> LedgerError | ExecutionFailed:
    """Replace an error raised once rows may have been read by one that reveals nothing about them.

    Claim: code and text reveal that making the release failed, and nothing of how. Symbols: `error`, the error raised.
    Formula: a LedgerError depends on no row and passes unchanged; everything else becomes one constant text, with its
    class name for the log. Source: proofs.md#answer. Raises nothing.
    """
    return error if isinstance(error, LedgerError | ExecutionFailed) else ExecutionFailed(type(error).__name__)


@contextmanager
def refuse_before_charge(failure: TooLarge, *, when: bool = True) -> Iterator[None]:
    """Raise a failure that happens before any charge as a refusal. The body reads only public or released data."""
    try:
        yield
    except ExecutionFailed:
        if not when:
            raise
        raise EngineKind.TOO_LARGE_HERE.at(failure=failure) from None


class DataError(EngineError):
    """Data files that contradict the catalog."""

    def __init__(self, table: str, why: str, cure: str) -> None:
        """Name the table, what is wrong with it, and the cure."""
        super().__init__(f"{table}: {why} Cure: {cure}")
        self.table, self.why, self.cure = table, why, cure


@dataclass
class CatalogError(EngineError):
    """An invalid catalog."""

    file: str
    key: str  # dotted path inside the file, e.g. tables.visit.columns.dwell_min.bounds
    why: str
    cure: str
    other_errors: tuple[CatalogError, ...] = ()  # further errors in the same catalog

    def __str__(self) -> str:
        """Return file, key, reason and cure in one line."""
        return f"{self.file}: {self.key}: {self.why} Cure: {self.cure}"


class TooLarge(StrEnum):
    """What the machine has no room for before a charge: the value of field `failure`."""

    HOLDINGS = "What you hold can't be looked through for this answer"
    CONSISTENCY = "Releases that you hold can't be made to agree"
    PUBLIC_TABLES = "The public tables of this question can't be read"
    POLYGONS = "The polygons can't be read"
    REHEARSAL = "The rehearsal can't be run"
    PUBLIC_LISTS = "The public lists of this question can't be counted"


# fmt: off
@unique
class EngineKind(Diagnostic):
    """Kinds of refusals of what only the engine knows: prices, work, workflows, and what is stored."""

    # E_COMPLEX
    TOO_LARGE_HERE = (Code.COMPLEX, "{failure} within the limits of this machine; nothing was charged.",
        "join fewer or smaller tables, or name some values of a key in WHERE")
    PERSON_ROWS_TOO_MANY = (Code.COMPLEX,
        "The rows of one person may grow to {rows:,} here, by joins that meet many rows each.",
        ("join public tables by equality with their primary key, or aggregate per person before joining; "
         "where a person has one row in a table, its owner declares primary_key"))
    PERSON_ROWS_TOO_MANY_IN_WINDOWS = (Code.COMPLEX,
        ("The rows of one person may grow to {rows:,} over {windows:,} windows of time here, "
         "by joins that meet many rows each."),
        ("join public tables by equality with their primary key, or aggregate per person before joining, "
         "or a shorter time"))
    PERSON_ROWS_TOO_LARGE = (Code.COMPLEX,
        ("The rows of one person may fill {gigabytes:,.1f} GB of memory here: "
         "much is gathered of many rows or long texts."),
        ("a shorter time, or cut text to what is needed, as left(x, 20) does, or aggregate per person before joining; "
         "where people have fewer rows than the catalog allows, its owner declares max_rows_per_person"))
    PERSON_WORK = (Code.COMPLEX,
        "The rows of one person may take as much work here as {steps:,.0f} plain rows; {limit:,.0f} are allowed.",
        ("join public tables by equality with their primary key, or aggregate per person before joining; "
         "cut text to what is needed, as left(x, 20) does, before it is searched"))
    TOTAL_WORK = (Code.COMPLEX,
        "All rows together may take as much work here as {steps:,.0f} plain rows; {limit:,.0f} are allowed.",
        ("join public tables by equality with their primary key, or aggregate per person before joining; "
         "cut text to what is needed, as left(x, 20) does, before it is searched"))
    # E_STMT
    FREE_STATEMENT = Code.STMT, "This costs nothing: a query answers it for free.", "query it instead"
    # E_TABLE
    NO_POLYGONS = Code.TABLE, "{table} has no polygons.", "a public table with a column of type POLYGON"
    SEVERAL_DATASETS = Code.TABLE, "A question looks at one dataset.", "ask one question of each"
    # E_FUNC
    ENGINE_CANNOT_PLAN = (Code.FUNC, "The engine can't plan the SQL of this question; nothing was charged.",
        "give a NULL its type, CAST(NULL AS DOUBLE), or leave out what is computed of constants alone")
    NOT_IN_LAKE = (Code.FUNC, "This catalog's people lie in a Spark lake, and {missing}.",
        "another function: docs/spark.md names those that Spark has not")
    # E_KEY
    TOO_MANY_GROUPS = (Code.KEY,
        "The answer would have more than {limit:,} keys; the widest list is {key} with {values:,} values.",
        "a coarser key instead of {key}, or a WHERE that names some of its values")
    UNLISTED_VALUE = (Code.KEY,
        ("{column}: {value} is none of its declared values. "
         "No row should match: the price would buy noise alone."), "one of {values}")
    UNKNOWN_VALUE = (Code.KEY,
        ("{column}: {value} is no {listed} of {table}. "
         "No row should match: the price would buy noise alone."), "one of {values}")
    UNKNOWN_VALUE_OF_MANY = (Code.KEY,
        ("{column}: {value} is no {listed} of {table}. "
         "No row should match: the price would buy noise alone."),
        "SELECT DISTINCT {listed} FROM {table} ORDER BY 1 -- lists them, for free")
    NO_RESULT = (Code.KEY,
        "{call} is never {value}. No row matches: the price would buy noise alone.", "one of {values}")
    NO_DECLARED_DATE = (Code.KEY,
        ("{column}: its declared range, {first} to {last}, has no date that meets the conditions. "
         "No row should match: the price would buy noise alone."), "dates from {first} to {last}")
    TOO_MANY_GROUPS_TO_COUNT = (Code.KEY,
        ("The answer would have more than {limit:,} keys; "
         "the widest list is {key} with more than {counted:,} values."),
        "a coarser key instead of {key}, or a WHERE that names some of its values")
    # E_WINDOW
    NOT_A_WINDOW_OF = (Code.WINDOW, "{name} is not asked of {window}, or that is no declared window.",
        "one of {first} to {last}")
    # E_PARAM
    REPEATED_NO_MORE = (Code.PARAM,
        "These numbers are repeated no more: they are too old, or data or rules have changed since.",
        "the question itself, as a new one")
    ONLY_PUBLIC_TABLES = Code.PARAM, "This question looks at public tables alone.", "anybody may ask it, for free"
    SHARED_TARGET = (Code.PARAM, "What a question for an error costs depends on who asks.",
        "the same question with the rho that it cost")
    NOT_RELEASED_YET = (Code.PARAM, "{name} is not released yet.",
        "passersby standing run, by whoever runs this dataset")
    WINDOW_NOT_RELEASED_YET = (Code.PARAM, "{name} is not released of {window} yet.",
        "passersby standing run, by whoever runs this dataset")
    NOT_HELD = (Code.PARAM, "You do not hold the numbers of this question as they are.",
        "ask it first; if it was made of other answers of yours, share those")
    RHO_TOO_SMALL_FOR_NUMBERS = Code.PARAM, "This rho is too little for {count} noisy numbers.", "rho = 0.005"
    RHO_TOO_SMALL = (Code.PARAM, "A question costs at least rho {min_rho}, which is epsilon {epsilon:.3g}.",
        "rho = {min_rho}, or more")
    RHO_TOO_SMALL_FOR_RELEASES = Code.PARAM, "This is too little for {parts} releases.", "rho = 0.005"
    CONFIDENCE_RANGE = Code.PARAM, "A confidence is a share from 0.5 to 0.999999.", "{example}"
    RHO_AND_TARGET = Code.PARAM, "rho and target_error both decide what the question costs.", "one of them"
    TARGET_RANGE = (Code.PARAM, "A target error is an amount above 0, or a share of at most 100%.",
        "target_error 50, or 5%")
    NO_NOISY_NUMBER = (Code.PARAM, "No shown number has noise in it.",
        "rho = 0.005, or the numbers themselves as columns")
    TARGET_OUT_OF_REACH = (Code.PARAM, "Even rho {max_rho:,} does not reach this error.",
        "target_error = 50, or another larger one")
    PREDICTED_TARGET_OUT_OF_REACH = (Code.PARAM, "Even rho {max_rho:,} does not reach this error.",
        "a larger target_error")
    HELD_ANSWER_TOO_WEAK = (Code.PARAM,
        "What you hold of this question is too weak to tell how wide its intervals will be.",
        "ask with a higher rho first")
    HELD_ANSWER_NEAR_ZERO = (Code.PARAM,
        "What you hold of this question is not clear of 0 within its noise, so that no share of it is known.",
        "target_error = 50, an amount; or rho = 0.005 first")
    WIDTH_OF_NO_ANSWER = (Code.PARAM,
        "How wide such intervals are depends on the answer, and you hold none of this question to tell from.",
        "ask with rho = 0.0005 first; or COUNT(*) and SUM(x) as columns of their own")
    WIDTH_OF_NO_PROFILE = (Code.PARAM,
        "How wide such intervals are depends on how much people contribute, which nobody has measured yet.",
        "ask once with rho = 0.0005, which measures it; or have the owner calibrate")
    SHARE_OF_NO_ANSWER = (Code.PARAM,
        "A share is taken of an answer that you hold already, and you hold none of this question.",
        "target_error = 50, an amount; or ask with rho = 0.0005 first")
    SIMULTANEOUS_PRIVATE_KEYS = (Code.PARAM,
        "Simultaneous intervals need a list of groups that is known without the data; here it is private.",
        "intervals = 'each'")


AnyProblem = Refusal | CatalogError | LedgerError | DataError | ExecutionFailed
REFUSAL_ERRORS = (Refusal, CatalogError, LedgerError, DataError, ExecutionFailed)


class Refused(Exception):
    """A query, catalog or ledger operation was refused; `problem` is the wire shape of the refusal."""

    def __init__(self, problem: dict[str, Any]) -> None:
        """Keep the wire shape."""
        super().__init__(f"{problem['code']}: {problem['message']}")
        self.problem = problem


@contextmanager
def refusals(sql: str | None = None) -> Iterator[None]:
    """Re-raise refusals of a query, and errors of a catalog, its data files, the ledger or the execution, as Refused.

    `sql` is the query's text, in which the span of a refusal counts.
    """
    try:
        yield
    except REFUSAL_ERRORS as error:
        raise Refused(problem(error, sql)) from error


def problem(error: AnyProblem, sql: str | None) -> dict[str, Any]:
    """Return the wire shape of an error, with its SQL span or its budget amounts where it has them."""
    if isinstance(error, Refusal):
        span = None if error.span is None else [error.span.start, error.span.end]
        return problem_shape(str(error.code), error.why, error.hint, sql, span)
    if isinstance(error, CatalogError):
        shape = problem_shape("E_CATALOG", f"{error.file}: {error.key}: {error.why}", error.cure, sql)
        return shape | {"file": error.file, "key": error.key}
    if isinstance(error, DataError):
        return problem_shape("E_DATA", f"{error.table}: {error.why}", error.cure, sql)
    if isinstance(error, ExecutionFailed):
        return problem_shape(error.code, error.why, error.hint, sql)
    assert isinstance(error, LedgerError)  # noqa: S101  the dialect raises nothing else
    shape = problem_shape(str(error.code or "E_LEDGER"), error.why, error.hint, sql)
    return shape | _amounts(error) if isinstance(error, BudgetRefused) else shape


def problem_shape(
    code: str, message: str, hint: str, sql: str | None = None, span: list[int] | None = None
) -> dict[str, Any]:
    """Return the wire shape of a refusal from its parts."""
    return {"code": code, "message": message, "hint": hint, "span": span, "sql": sql}


def _amounts(error: BudgetRefused) -> dict[str, Any]:
    return {
        "account": error.account,
        "window": error.window,
        "requested_rho": float(error.requested.rho),
        "remaining_rho": float(error.remaining.rho),
        "short_by_rho": float(error.short_by.rho),
        "would_fit_rho": float(error.would_fit.rho),
        **error.alternatives,
    }
