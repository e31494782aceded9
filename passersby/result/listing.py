"""Accounts, releases, ledger rows and tables: plain dicts and lists with a readable text form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

Row = dict[str, Any]


class Budget(dict[str, Any]):
    """{"accounts": [...], "query_rho": {dataset: rho}}: spent and remaining budget."""

    @property
    def accounts(self) -> list[Row]:
        """Accounts of each dataset: all clients together, the client's groups, and the client's own."""
        accounts: list[Row] = self["accounts"]
        return accounts

    def query_rho(self, account: Row) -> float | None:
        """Default price of a query in an account's dataset, in rho; None if unknown."""
        defaults: Mapping[str, float] = self.get("query_rho") or {}
        return defaults.get(account["dataset"])

    @property
    def ahead(self) -> dict[str, list[str]]:
        """How long budgets last at the present rate, and when new budget comes, as sentences by dataset."""
        return dict(self.get("ahead") or {})

    @property
    def details(self) -> str:
        """The long form as text."""
        from passersby.result.terminal import as_text
        from passersby.result.terminal_lists import show_budget

        return as_text(partial(show_budget, details=True), self)

    def __repr__(self) -> str:
        from passersby.result.terminal import as_text
        from passersby.result.terminal_lists import show_budget

        return as_text(show_budget, self)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import budget_html

        return budget_html(self)


class History(list[Row]):
    """Releases that a client has paid for."""

    NAMES = ("release_id", "dataset", "windows", "sql", "question", "rho", "delta", "settled_at")

    @property
    def details(self) -> str:
        """The long form as text."""
        from passersby.result.terminal import as_text
        from passersby.result.terminal_lists import show_history

        return as_text(partial(show_history, details=True), self)

    def __repr__(self) -> str:
        from passersby.result.terminal import as_text
        from passersby.result.terminal_lists import show_history

        return as_text(show_history, self)


class LedgerRows(list[Row]):
    """Rows of the ledger, oldest first."""

    NAMES = (
        *("sequence", "at", "kind", "dataset", "client", "asked_by", "request_id"),
        *("rho", "delta", "body", "row_hash"),
    )

    @property
    def details(self) -> str:
        """The long form as text."""
        from passersby.result.terminal import as_text
        from passersby.result.terminal_lists import show_ledger

        return as_text(partial(show_ledger, details=True), self)

    def __repr__(self) -> str:
        from passersby.result.terminal import as_text
        from passersby.result.terminal_lists import show_ledger

        return as_text(show_ledger, self)


class Tables(list[Row]):
    """Tables that may be queried, with their columns."""

    def columns(self) -> list[Row]:
        """One row per column, for formats without nested lists."""
        from passersby.text.numbers import declared_text

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

    @property
    def details(self) -> str:
        """The long form as text."""
        from passersby.result.terminal import as_text
        from passersby.result.terminal_lists import show_tables

        return as_text(partial(show_tables, details=True), self)

    def __repr__(self) -> str:
        from passersby.result.terminal import as_text
        from passersby.result.terminal_lists import show_tables

        return as_text(show_tables, self)


class Functions(list[Row]):
    """Functions that a query may use: name, arguments, result and meaning."""

    def __repr__(self) -> str:
        from passersby.result.terminal import as_text, table_of

        return as_text(lambda rows: table_of(rows, ("name", "arguments", "gives", "meaning"), "Functions"), self)
