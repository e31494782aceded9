"""Answer of a query: a table of noisy numbers, their intervals, and a card with price, budget left and notes."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from passersby.errors import INSTALL_COMMAND, InstallError
from passersby.result.card import Answer
from passersby.result.display import Displayed

if TYPE_CHECKING:
    import pandas
    import polars
    from matplotlib.axes import Axes
    from rich.console import RenderableType

    from passersby.result.plotting import Zones


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
        from passersby.result.plotting import plot_map

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
        from passersby.result.plotting import plot_flows

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
