"""Accounts, releases, ledger rows and tables: plain dicts and lists with a readable text form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from passersby.result.card import Accounts
from passersby.result.display import Displayed
from passersby.text.numbers import declared_text

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = dict[str, Any]


class Budget(Displayed, Accounts):
    """{"accounts": [...], "query_rho": {dataset: rho}}: spent and remaining budget."""

    def _show(self, details: bool) -> RenderableType:
        from passersby.result.terminal_lists import show_budget

        return show_budget(self, details=details)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import budget_html

        return budget_html(self)


class History(Displayed, list[Row]):
    """Releases that a client has paid for."""

    NAMES = ("release_id", "dataset", "windows", "sql", "question", "rho", "delta", "settled_at")

    def _show(self, details: bool) -> RenderableType:
        from passersby.result.terminal_lists import show_history

        return show_history(self, details=details)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import history_html

        return history_html(self, self.details)


class LedgerRows(Displayed, list[Row]):
    """Rows of the ledger, oldest first."""

    NAMES = (
        *("sequence", "at", "kind", "dataset", "client", "asked_by", "request_id"),
        *("rho", "delta", "body", "row_hash"),
    )

    def _show(self, details: bool) -> RenderableType:
        from passersby.result.terminal_lists import show_ledger

        return show_ledger(self, details=details)


class Tables(Displayed, list[Row]):
    """Tables that may be queried, with their columns."""

    def columns(self) -> list[Row]:
        """One row per column, for formats without nested lists."""
        return [
            {
                "table": table["name"],
                "kind": table["kind"],
                "column": column["name"],
                "type": column["type"],
                "declared": declared_text(column, most=None),
            }
            for table in self
            for column in table["columns"]
        ]

    def _show(self, details: bool) -> RenderableType:
        from passersby.result.terminal_lists import show_tables

        return show_tables(self, details=details)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import tables_html

        return tables_html(self, self.details)


class Functions(Displayed, list[Row]):
    """Functions that a query may use: name, arguments, result and meaning."""

    def _show(self, details: bool) -> RenderableType:
        del details  # there is one form
        from passersby.result.terminal import table_of

        return table_of(self, ("name", "arguments", "gives", "meaning"), "Functions")
