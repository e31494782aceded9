"""Every way in which the door says no, one tree.

PassersbyError            code, message, hint; the SQL and the span in it, where there are some
├── RefusedError          a question that is not answered as it stands: it cost nothing
├── BudgetError           what is left does not cover the price: it cost nothing
├── ExecutionError        a question that was charged and could not be answered
├── CatalogError          a catalog that is not accepted, or data that are not as it says
├── LedgerError           a ledger that cannot be used now: nothing is answered
├── AccessError           a key that is missing, unknown, over or for something else
├── ServerError           a server that does not answer, or not now; the same request id is charged once
└── InstallError          packages that are missing, or hidden by a file of the same name
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from passersby.text.caret import point_at


class PassersbyError(Exception):
    """A no with its reasons; its text shows code, why, a caret under the SQL, and what to try."""

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
        """Keep the fields; the text is made from them."""
        super().__init__(code, message, hint)
        self.code = code  # stable: docs/answers.md lists them
        self.message = message  # one sentence: why
        self.hint = hint  # what to try
        self.span = span  # half-open range of characters of sql
        self.sql = sql
        self.details = dict(details or {})  # further fields of the wire shape

    def __str__(self) -> str:
        lines = [f"{self.code}: {self.message}", *self.caret_lines()]
        return "\n".join([*lines, f"Try: {self.hint}"] if self.hint else lines)

    def caret_lines(self) -> list[str]:
        """Give the line of SQL that is meant, and the line with the carets; none without a span."""
        if self.sql is None or self.span is None:
            return []
        return ["", *(f"    {line}" for line in point_at(self.sql, *self.span)), ""]

    @property
    def problem(self) -> dict[str, Any]:
        """Give the wire shape of the error."""
        span = None if self.span is None else list(self.span)
        told = {"code": self.code, "message": self.message, "hint": self.hint, "span": span, "sql": self.sql}
        return {**told, **self.details}


class RefusedError(PassersbyError):
    """A question that is not answered as it stands; decided before anything was read or charged."""


class BudgetError(PassersbyError):
    """A price that what is left does not cover; nothing was read or charged."""

    @property
    def requested_rho(self) -> float | None:
        """Give the price that was asked for."""
        return self.details.get("requested_rho")

    @property
    def remaining_rho(self) -> float | None:
        """Give what is left of the account that is short."""
        return self.details.get("remaining_rho")

    @property
    def short_by_rho(self) -> float | None:
        """Give what is missing."""
        return self.details.get("short_by_rho")

    @property
    def would_fit_rho(self) -> float | None:
        """Give the largest price that every account covers."""
        return self.details.get("would_fit_rho")

    @property
    def would_fit_error(self) -> dict[str, float]:
        """Give the half-widths that the largest price would buy, by column; none where they depend on the answer."""
        return dict(self.details.get("would_fit_error") or {})

    @property
    def account(self) -> str | None:
        """Give whose account is short."""
        return self.details.get("account")

    @property
    def window(self) -> str | None:
        """Give the window whose account is short: `*lifetime` over all windows, None for the most of one question."""
        return self.details.get("window")

    @property
    def would_fit_windows(self) -> list[str]:
        """Give those of the question's windows about which the same question fits."""
        return list(self.details.get("would_fit_windows") or [])

    @property
    def other_windows(self) -> list[str]:
        """Give other windows about each of which the same question fits."""
        return list(self.details.get("other_windows") or [])

    @property
    def free_at_rho(self) -> float | None:
        """Give a price at which this client holds the answer, so that it is free."""
        return self.details.get("free_at_rho")


class ExecutionError(PassersbyError):
    """A question that was charged and could not be answered; the charge stays."""


class CatalogError(PassersbyError):
    """A catalog that is not accepted, or data that are not what it says."""


class LedgerError(PassersbyError):
    """A ledger that cannot be used now; without it nothing is answered."""


class AccessError(PassersbyError):
    """A key that opens nothing here; nothing was charged."""


class ServerError(PassersbyError):
    """A server that does not answer, or not now: what was charged is charged once for this request id."""

    @property
    def request_id(self) -> str | None:
        """Give the id with which the same question can be sent again, and is charged once."""
        return self.details.get("request_id")


class InstallError(PassersbyError):
    """Packages that are missing, or hidden by a file of the same name."""


KINDS: Mapping[str, type[PassersbyError]] = {
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
INSTALL = "pip install --editable '.[{}]', in the clone of passersby"  # until an index has it; runs the clone as it is
FIELDS = ("code", "message", "hint", "span", "sql")


def error_of(problem: Mapping[str, Any]) -> PassersbyError:
    """Make the exception of an error in its wire shape."""
    code, span = str(problem["code"]), problem.get("span")
    return KINDS.get(code, RefusedError)(
        code,
        str(problem["message"]),
        str(problem.get("hint") or ""),
        span=None if span is None else (int(span[0]), int(span[1])),
        sql=problem.get("sql"),
        details={key: value for key, value in problem.items() if key not in FIELDS},
    )
