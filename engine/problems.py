"""The one wire shape of every refusal and failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from budgets import BudgetRefused, LedgerError
from dialect import Refusal
from engine.errors import CatalogError, DataError, ExecutionFailed

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
