"""Exceptions of the client library, one class hierarchy.

PassersbyError            code, message, hint; SQL and the span in it, if any
├── RefusedError          a query that is refused as written: it cost nothing
├── BudgetError           the price exceeds the remaining budget: it cost nothing
├── ExecutionError        a query that was charged but failed
├── CatalogError          an invalid catalog, or data that contradict it
├── LedgerError           the ledger is not usable now: nothing is answered
├── AccessError           a missing, unknown or expired key, or one without permission
├── ServerError           the server is unreachable or busy; a retry with the same request id is charged once
└── InstallError          packages that are missing, or shadowed by a file of the same name
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

WIDEST = 72  # cells of SQL that are shown: a screen of 80, less the margin
CONTEXT_CELLS = 32  # cells that are kept in front of the carets, where a line is cut
ELLIPSIS = "…"


def point_at(sql: str, start: int, end: int) -> tuple[str, str]:
    """Line of SQL in which a span begins, shortened around it, and the line of carets below."""
    start = max(0, min(start, len(sql)))
    first = sql.rfind("\n", 0, start) + 1
    last = sql.find("\n", start)
    line = sql[first : len(sql) if last < 0 else last]
    left, right = start - first, min(max(end, start + 1) - first, max(len(line), start - first + 1))
    line, left, right = _shorten(line.rstrip(), left, right)
    shown = "".join(map(_one_cell, line))
    return shown, " " * _cells(shown[:left]) + "^" * max(1, _cells(shown[left:right]))


def _shorten(line: str, left: int, right: int) -> tuple[str, int, int]:
    """Shorten a long line around its marked part; an ellipsis replaces what is left out."""
    if len(line) <= WIDEST:
        return line, left, right
    begin = max(0, min(left - CONTEXT_CELLS, len(line) - WIDEST))
    shortened = line[begin : begin + WIDEST]
    right = min(right - begin, len(shortened))
    if begin + WIDEST < len(line):
        shortened += ELLIPSIS
    if begin:
        shortened, begin, right = ELLIPSIS + shortened, begin - 1, right + 1
    return shortened, left - begin, right


def _one_cell(sign: str) -> str:
    """Character as one cell; invisible ones and those that move a terminal's cursor are replaced."""
    return sign if sign.isprintable() and not unicodedata.combining(sign) else " " if sign.isspace() else "?"


def _cells(text: str) -> int:
    """Terminal cells that a text occupies."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


class PassersbyError(Exception):
    """An error with code, reason and hint; its text shows a caret under the SQL."""

    def __init__(
        self,
        code: str,
        message: str,
        hint: str = "",
        *,
        span: tuple[int, int] | None = None,
        sql: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Store the fields; the text is derived from them."""
        super().__init__(code, message, hint)
        self.code = code  # stable: docs/answers.md lists them
        self.message = message  # the reason, one sentence
        self.hint = hint  # what helps
        self.span = span  # half-open range of characters of sql
        self.sql = sql
        self.details = dict(details or {})  # further fields of the wire format

    def __str__(self) -> str:
        lines = [f"{self.code}: {self.message}", *self.caret_lines()]
        return "\n".join([*lines, f"Try: {self.hint}"] if self.hint else lines)

    def caret_lines(self) -> list[str]:
        """Return the offending line of SQL and the line with carets; empty without a span."""
        if self.sql is None or self.span is None:
            return []
        return ["", *(f"    {line}" for line in point_at(self.sql, *self.span)), ""]

    @property
    def problem(self) -> dict[str, Any]:
        """The error in its wire format."""
        span = None if self.span is None else list(self.span)
        fields = {"code": self.code, "message": self.message, "hint": self.hint, "span": span, "sql": self.sql}
        return {**fields, **self.details}


class RefusedError(PassersbyError):
    """A query that is refused as written; decided before anything was read or charged."""


class BudgetError(PassersbyError):
    """The price exceeds the remaining budget; nothing was read or charged."""

    @property
    def requested_rho(self) -> float | None:
        """Requested price."""
        return self.details.get("requested_rho")

    @property
    def remaining_rho(self) -> float | None:
        """Remaining rho of the account that is short."""
        return self.details.get("remaining_rho")

    @property
    def short_by_rho(self) -> float | None:
        """Missing rho."""
        return self.details.get("short_by_rho")

    @property
    def would_fit_rho(self) -> float | None:
        """Largest price that every account covers."""
        return self.details.get("would_fit_rho")

    @property
    def would_fit_error(self) -> dict[str, float]:
        """Half-widths that the largest price would buy, by column; empty if they depend on the answer."""
        return dict(self.details.get("would_fit_error") or {})

    @property
    def account(self) -> str | None:
        """Description of the account that is short."""
        return self.details.get("account")

    @property
    def window(self) -> str | None:
        """Window of the account that is short: `*lifetime` is the sum of all, None the limit of one query."""
        return self.details.get("window")

    @property
    def would_fit_windows(self) -> list[str]:
        """Windows of the query to which the query can be restricted so that it fits."""
        return list(self.details.get("would_fit_windows") or [])

    @property
    def other_windows(self) -> list[str]:
        """Other windows in each of which the same query fits."""
        return list(self.details.get("other_windows") or [])

    @property
    def free_at_rho(self) -> float | None:
        """A price at which this client has a stored answer, so that the query is free."""
        return self.details.get("free_at_rho")


class ExecutionError(PassersbyError):
    """A query that was charged but failed; the charge stays."""


class CatalogError(PassersbyError):
    """An invalid catalog, or data that contradict it."""


class LedgerError(PassersbyError):
    """The ledger is not usable now; without it no query is answered."""


class AccessError(PassersbyError):
    """An API key without permission here; nothing was charged."""


class ServerError(PassersbyError):
    """The server is unreachable or busy; a retry with the same request id is charged once."""

    @property
    def request_id(self) -> str | None:
        """Request id with which the query can be sent again without a second charge."""
        return self.details.get("request_id")


class InstallError(PassersbyError):
    """Packages that are missing, or shadowed by a file of the same name."""


ERRORS_BY_CODE: Mapping[str, type[PassersbyError]] = {
    "E_AUTH": AccessError,
    "E_BUDGET": BudgetError,
    "E_BUDGET_DATASET": BudgetError,
    "E_BUSY": ServerError,
    "E_CATALOG": CatalogError,
    "E_DATA": CatalogError,
    "E_EXEC": ExecutionError,
    "E_INSTALL": InstallError,
    "E_LEDGER": LedgerError,
    "E_NETWORK": ServerError,
    "E_RATE": ServerError,
    "E_SERVER": ServerError,
    "E_STATE": ServerError,
}
INSTALL_COMMAND = (
    "pip install --editable '.[{}]', in the clone of passersby"  # until the package is published on an index
)
STANDARD_FIELDS = ("code", "message", "hint", "span", "sql")


def error_from_problem(problem: Mapping[str, Any]) -> PassersbyError:
    """Build the exception from an error's wire format."""
    code, span = str(problem["code"]), problem.get("span")
    return ERRORS_BY_CODE.get(code, RefusedError)(
        code,
        str(problem["message"]),
        str(problem.get("hint") or ""),
        span=None if span is None else (int(span[0]), int(span[1])),
        sql=problem.get("sql"),
        details={key: value for key, value in problem.items() if key not in STANDARD_FIELDS},
    )
