"""Answer of a query: a table of noisy numbers, their intervals, and a card with price, budget left and notes."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from passersby.errors import INSTALL_COMMAND, InstallError
from passersby.result.protocols import Interval

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    from matplotlib.axes import Axes

    from passersby.result.plotting import Zones

CARD = b"passersby"  # key of the card in an Arrow schema's metadata


class Result:
    """Immutable answer of a query; the same query returns the same numbers.

    Intervals travel with the data: in the schema's metadata of Arrow, and as columns `x_low` and `x_high` after the
    query's own columns in pandas and polars. `print` shows a few lines, `details` everything.
    """

    def __init__(self, table: pyarrow.Table) -> None:
        """Read the card from the table's metadata."""
        self._table = table
        self.card: dict[str, Any] = json.loads((table.schema.metadata or {}).get(CARD, b"{}"))

    @property
    def columns(self) -> list[str]:
        """Column names."""
        return list(self._table.column_names)

    @cached_property
    def rows(self) -> list[tuple[Any, ...]]:
        """Rows as Python values."""
        columns = [column.to_pylist() for column in self._table.columns]
        return list(zip(*columns, strict=True))

    @cached_property
    def intervals(self) -> dict[str, list[Interval | None]]:
        """Low and high end of each noisy number, by column and row; None for a row without interval."""
        found: Mapping[str, list[Any]] = self.card.get("intervals") or {}
        return {
            name: [None if ends is None else (ends[0], ends[1]) for ends in column] for name, column in found.items()
        }

    @property
    def reliability(self) -> dict[str, list[str | None]]:
        """Reliability of each noisy number: good, fair, poor or noise; None where it is unknown."""
        return dict(self.card.get("reliability") or {})

    @property
    def advice(self) -> dict[str, Any]:
        """Why intervals are wide, and up to three questions with narrower ones, each with error and price."""
        return dict(self.card.get("advice") or {})

    @property
    def predicted_bias(self) -> dict[str, float | None]:
        """Expected clipping bias of each noisy column as a share, at most 0; None where it is unknown."""
        return dict(self.card.get("predicted_bias") or {})

    @property
    def bias_within(self) -> dict[str, dict[str, float]]:
        """How far most numbers may still be off by clipping: a `share` of the number, or an `amount` of an average."""
        return dict(self.card.get("bias_within") or {})

    @property
    def clip_bounds(self) -> dict[str, float | None]:
        """Clip bound (L2, per person) of each clipped column; None where it combines several."""
        return dict(self.card.get("clip_bounds") or {})

    @property
    def thresholds(self) -> list[dict[str, Any]]:
        """Noisy numbers of people that private keys had to reach, by release."""
        return list(self.card.get("thresholds") or [])

    @property
    def confidence(self) -> float | None:
        """Probability that an interval covers the clipped value, e.g. 0.95; clipping bias is not in it."""
        return self.card.get("confidence")

    @property
    def price(self) -> dict[str, Any]:
        """Privacy loss charged for this answer: rho, delta, and epsilon at a delta."""
        return dict(self.card.get("price") or {})

    @property
    def remaining(self) -> dict[str, Any]:
        """Budget left after the query, of the client's account and of the dataset's."""
        return dict(self.card.get("remaining") or {})

    @property
    def outlook(self) -> dict[str, Any]:
        """How many more questions like this one fit, in which account, and when new budget comes."""
        return dict(self.card.get("outlook") or {})

    @property
    def release_id(self) -> str | None:
        """Key of the stored release; None for public tables."""
        return self.card.get("release_id")

    @property
    def replayed(self) -> bool:
        """Return whether the answer came from store, for free."""
        return bool(self.card.get("replayed"))

    @property
    def made_from(self) -> list[dict[str, Any]]:
        """Stored releases that the numbers are derived from; empty for new releases."""
        return list(self.card.get("made_from") or [])

    @property
    def rehearsal(self) -> bool:
        """Are the rows synthetic? Then the numbers mean nothing."""
        return bool(self.card.get("rehearsal"))

    @property
    def notes(self) -> list[str]:
        """What a reader of these numbers should know, as sentences."""
        return list(self.card.get("notes") or [])

    @property
    def note_codes(self) -> list[str]:
        """Stable code of each note, in their order; empty where an older server sends none."""
        return list(self.card.get("note_codes") or [])

    @property
    def details(self) -> str:
        """The long form as text: the rows, reliability, what is left, all notes, and advice with its SQL."""
        from passersby.result.terminal import as_text, show_result

        return as_text(partial(show_result, details=True), self)

    def arrow(self) -> pyarrow.Table:
        """Arrow table of the query's columns, with the card in the schema's metadata."""
        return self._table

    def df(self, *, intervals: bool = True) -> pandas.DataFrame:
        """Return the answer as a pandas frame; `intervals` adds x_low and x_high after the query's columns.

        Raises InstallError if pandas, from the extra [pandas], is not installed.
        """
        load_extra("pandas", "pandas")
        frame: pandas.DataFrame = self.flat(intervals=intervals).to_pandas(date_as_object=False)
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

    def flat(self, *, intervals: bool = True) -> pyarrow.Table:
        """Arrow table without metadata, with the interval ends as columns."""
        import pyarrow

        table = self._table.replace_schema_metadata(None)
        for name, column in self.intervals.items() if intervals else ():
            whole = pyarrow.types.is_integer(table.schema.field(name).type)
            for side, end in enumerate(("low", "high")):
                ends = [None if pair is None else pair[side] for pair in column]
                column_ends = pyarrow.array(
                    ends, pyarrow.int64() if whole and _are_integers(ends) else pyarrow.float64()
                )
                table = table.append_column(_unique_name(f"{name}_{end}", table.column_names), column_ends)
        return table

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

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def __repr__(self) -> str:
        from passersby.result.terminal import as_text, show_result

        return as_text(show_result, self)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import result_html

        return result_html(self)


def _are_integers(ends: Sequence[float | None]) -> bool:
    """Return whether all interval ends are whole numbers, or missing."""
    return all(end is None or isinstance(end, int) for end in ends)


def load_extra(package: str, extra: str) -> None:
    """Import a package of an extra; raises InstallError with the command that installs it."""
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as missing:
        why = f"This needs {missing.name}, which is not installed."
        cure = f"{INSTALL_COMMAND.format(extra)}; then ask again: the answer is stored, and free."
        raise InstallError("E_INSTALL", why, cure) from None


def _unique_name(name: str, used: list[str]) -> str:
    """Name with as many underscores appended as make it unique."""
    return _unique_name(f"{name}_", used) if name in used else name
