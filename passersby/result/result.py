"""What a connection returns, each in two text forms: a few lines when it is printed, everything in its `details`.

Result: a table of noisy numbers, their intervals, and a card with price, budget left and notes. Explanation: what a
question would cost and show, computed before anything is read or charged. Accounts, releases, ledger rows and tables:
plain dicts and lists.
"""

from __future__ import annotations

import importlib
import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from passersby.errors import INSTALL_COMMAND, InstallError
from passersby.result.card import Accounts, Answer, Explained
from passersby.result.wire import plain
from passersby.text.numbers import declared_text

if TYPE_CHECKING:
    import pandas
    import polars
    from matplotlib.axes import Axes
    from rich.console import RenderableType

    from passersby.result.maps import Zones

Row = dict[str, Any]


class Displayed:
    """An object with a short and a long text form."""

    @abstractmethod
    def _show(self, details: bool) -> RenderableType:
        """Render for a terminal, in the short or the long form."""

    @property
    def details(self) -> str:
        """The long form as text: everything that is known."""
        return self._text(details=True)

    def __repr__(self) -> str:
        return self._text(details=False)

    def _text(self, *, details: bool) -> str:
        from passersby.result.terminal import as_text

        return as_text(self._show, details)


class Result(Displayed, Answer):
    """Immutable answer of a query; the same query returns the same numbers.

    Intervals travel with the data: in the schema's metadata of Arrow, and as columns `x_low` and `x_high` after the
    query's own columns in pandas and polars. `print` shows a few lines, `details` everything.
    """

    def df(self, *, intervals: bool = True) -> pandas.DataFrame:
        """Return the answer as a pandas frame; `intervals` adds x_low and x_high after the query's columns.

        `attrs["may_be_nothing"]` marks the rows that noise selected and that may stand for nothing. Raises InstallError
        if pandas, from the extra [pandas], is not installed.
        """
        load_extra("pandas", "pandas")
        frame: pandas.DataFrame = self.flat(intervals=intervals).to_pandas(date_as_object=False)
        frame.attrs["may_be_nothing"] = self.may_be_nothing
        return frame

    def pl(self, *, intervals: bool = True) -> polars.DataFrame:
        """Return the answer as a polars frame; `intervals` adds x_low and x_high after the query's columns.

        Raises InstallError if polars, from the extra [polars], is not installed.
        """
        load_extra("polars", "polars")
        import polars

        frame = polars.from_arrow(self.flat(intervals=intervals))
        assert isinstance(frame, polars.DataFrame)  # noqa: S101  a table never becomes a series
        return frame

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file, with x_low and x_high after the query's columns."""
        from passersby.result.exports import write_csv

        write_csv(self, path)

    def to_excel(self, path: str | os.PathLike[str]) -> None:
        """Write a spreadsheet: rows with interval ends, and a sheet that explains them.

        Raises InstallError if xlsxwriter, from the extra [excel], is not installed.
        """
        load_extra("xlsxwriter", "excel")
        from passersby.result.exports import write_excel

        write_excel(self, path)

    def plot(self, *, value: str | None = None, ax: Axes | None = None) -> Axes:
        """Matplotlib figure of the noisy numbers with intervals: lines over time, bars over names.

        `value` is the column to plot: by default the first noisy one. A second key gives one line, or one set of bars,
        per value. Raises InstallError if matplotlib, from the extra [plot], is not installed.
        """
        load_extra("matplotlib", "plot")
        from passersby.result.plotting import plot

        return plot(self, value=value, ax=ax)

    def plot_map(
        self, zones: Zones, *, zone: str | None = None, value: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Map zones coloured by a number: `answer.plot_map(connection.outlines("zone"))`.

        `zones` is GeoJSON, as a dict or a file, or a dict of zone -> WKT; `zone` is the answer's column of zone ids.
        """
        load_extra("matplotlib", "plot")
        from passersby.result.maps import plot_map

        return plot_map(self, zones, zone=zone, value=value, ax=ax)

    def plot_flows(
        self,
        zones: Zones,
        *,
        origin: str | None = None,
        destination: str | None = None,
        value: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Plot arrows between zones, as thick as their numbers; only flows that are clearly above 0."""
        load_extra("matplotlib", "plot")
        from passersby.result.maps import plot_flows

        return plot_flows(self, zones, origin=origin, destination=destination, value=value, ax=ax)

    def to_wire(self) -> dict[str, Any]:
        """Documented JSON shape."""
        from passersby.result.wire import wire_of

        return wire_of(self)

    def _show(self, details: bool) -> RenderableType:
        from passersby.result.terminal import show_result

        return show_result(self, details=details)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import result_html

        return result_html(self)


def load_extra(package: str, extra: str) -> None:
    """Import a package of an extra; raises InstallError with the command that installs it."""
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as missing:
        why = f"This needs {missing.name}, which is not installed."
        cure = f"{INSTALL_COMMAND.format(extra)}; then ask again: the answer is stored, and free."
        raise InstallError("E_INSTALL", why, cure) from None


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


class Explanation(Displayed, Explained):
    """Price, expected error, keys, contribution bounds and generated SQL of one question.

    `print` shows a few lines, `details` everything: columns, keys, bounds, thresholds, advice with its SQL.
    """

    def to_wire(self) -> dict[str, Any]:
        """Convert the explanation to the JSON shape that docs/answers.md documents."""
        return {key: plain(value) for key, value in self.card.items()}

    def _show(self, details: bool) -> RenderableType:
        from passersby.result.terminal import show_explanation

        return show_explanation(self, details=details)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import explanation_html

        return explanation_html(self)
