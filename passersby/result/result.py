"""An answer: a table of noisy numbers, their intervals, and a card that says what they cost."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from passersby.errors import INSTALL, InstallError
from passersby.result.protocols import Interval

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    from matplotlib.axes import Axes

    from passersby.result.plotting import Zones

CARD = b"passersby"  # key of the card in an Arrow schema's metadata


class Result:
    """What a question is answered with; it never changes, and asking again gives the same.

    Intervals are never lost on the way: Arrow carries them in its schema's metadata, pandas and polars, which have no
    such place, as columns `x_low` and `x_high` behind the columns that were asked for.
    """

    def __init__(self, table: pyarrow.Table) -> None:
        """Read the card from the table's metadata."""
        self._table = table
        self.card: dict[str, Any] = json.loads((table.schema.metadata or {}).get(CARD, b"{}"))

    @property
    def columns(self) -> list[str]:
        """Give the columns' names."""
        return list(self._table.column_names)

    @cached_property
    def rows(self) -> list[tuple[Any, ...]]:
        """Give the rows as Python values."""
        columns = [column.to_pylist() for column in self._table.columns]
        return list(zip(*columns, strict=True))

    @cached_property
    def intervals(self) -> dict[str, list[Interval | None]]:
        """Give, for each noisy column, low and high end per row; None where a row has none."""
        found: Mapping[str, list[Any]] = self.card.get("intervals") or {}
        return {
            name: [None if ends is None else (ends[0], ends[1]) for ends in column] for name, column in found.items()
        }

    @property
    def reliability(self) -> dict[str, list[str | None]]:
        """Tell for each noisy number whether it is good, fair, poor or perhaps noise alone; None where unknown."""
        return dict(self.card.get("reliability") or {})

    @property
    def advice(self) -> dict[str, Any]:
        """Tell why intervals are wide, and up to three questions to ask instead, with their error and price."""
        return dict(self.card.get("advice") or {})

    @property
    def predicted_bias(self) -> dict[str, float | None]:
        """Give, for each noisy column, the share expected to be cut away, at most 0; None where that is not known."""
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
        """Give how often such an interval holds the true value, clipping apart."""
        return self.card.get("confidence")

    @property
    def price(self) -> dict[str, Any]:
        """Give what the question costs: rho, delta, and epsilon at a delta."""
        return dict(self.card.get("price") or {})

    @property
    def remaining(self) -> dict[str, Any]:
        """Give what was left afterwards, of the client's account and of the dataset's."""
        return dict(self.card.get("remaining") or {})

    @property
    def outlook(self) -> dict[str, Any]:
        """Tell how many more questions like this one fit, by which account, and when new budget comes."""
        return dict(self.card.get("outlook") or {})

    @property
    def release_id(self) -> str | None:
        """Give the name of the stored release that this came from."""
        return self.card.get("release_id")

    @property
    def replayed(self) -> bool:
        """Tell whether this came from store, and so cost nothing."""
        return bool(self.card.get("replayed"))

    @property
    def made_from(self) -> list[dict[str, Any]]:
        """List the stored releases that the numbers were made of; none where they are a release of their own."""
        return list(self.card.get("made_from") or [])

    @property
    def rehearsal(self) -> bool:
        """Tell whether the rows were synthetic: then the numbers mean nothing."""
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
        """Give the columns that were asked for, with the card and its intervals in the schema's metadata."""
        return self._table

    def df(self, *, intervals: bool = True) -> pandas.DataFrame:
        """Give a pandas frame; `intervals` adds x_low and x_high behind the columns that were asked for.

        Raise InstallError where pandas, which the extra [pandas] brings, is not installed.
        """
        load_extra("pandas", "pandas")
        frame: pandas.DataFrame = self.flat(intervals=intervals).to_pandas(date_as_object=False)
        return frame

    def pl(self, *, intervals: bool = True) -> polars.DataFrame:
        """Give a polars frame; `intervals` adds x_low and x_high behind the columns that were asked for.

        Raise InstallError where polars, which the extra [polars] brings, is not installed.
        """
        load_extra("polars", "polars")
        import polars

        frame = polars.from_arrow(self.flat(intervals=intervals))
        assert isinstance(frame, polars.DataFrame)  # noqa: S101  a table never becomes a series
        return frame

    def flat(self, *, intervals: bool = True) -> pyarrow.Table:
        """Give an Arrow table without metadata, the ends of the intervals as columns."""
        import pyarrow

        table = self._table.replace_schema_metadata(None)
        for name, column in self.intervals.items() if intervals else ():
            whole = pyarrow.types.is_integer(table.schema.field(name).type)
            for side, end in enumerate(("low", "high")):
                ends = [None if pair is None else pair[side] for pair in column]
                made = pyarrow.array(ends, pyarrow.int64() if whole and _all_whole(ends) else pyarrow.float64())
                table = table.append_column(_fresh(f"{name}_{end}", table.column_names), made)
        return table

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file, with x_low and x_high behind the columns that were asked for."""
        from passersby.result.exports import write_csv

        write_csv(self, path)

    def to_excel(self, path: str | os.PathLike[str]) -> None:
        """Write a spreadsheet: the rows with the ends of their intervals, and a sheet that says how to read them.

        Raise InstallError where xlsxwriter, which the extra [excel] brings, is not installed.
        """
        load_extra("xlsxwriter", "excel")
        from passersby.result.exports import write_excel

        write_excel(self, path)

    def plot(self, *, value: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw numbers with their intervals: a line over time or whole numbers, bars over names.

        `value` is the column to draw: the first with noise, if absent. A second key gives a line, or bars, for each of
        its values. Raise InstallError where matplotlib, which the extra [plot] brings, is not installed.
        """
        load_extra("matplotlib", "plot")
        from passersby.result.plotting import plot

        return plot(self, value=value, ax=ax)

    def plot_map(
        self, zones: Zones, *, zone: str | None = None, value: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Colour zones by a number: `answer.plot_map(connection.outlines("zone"))`.

        `zones` is GeoJSON, as a dict or a file, or a dict of zone -> WKT; `zone` is the answer's column of their ids.
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
        """Draw arrows between zones, as thick as their numbers: those of flows that are clearly above 0."""
        load_extra("matplotlib", "plot")
        from passersby.result.plotting import plot_flows

        return plot_flows(self, zones, origin=origin, destination=destination, value=value, ax=ax)

    def to_wire(self) -> dict[str, Any]:
        """Give the documented JSON shape."""
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


def _all_whole(ends: Sequence[float | None]) -> bool:
    return all(end is None or isinstance(end, int) for end in ends)


def load_extra(package: str, extra: str) -> None:
    """Load a package that an extra brings."""
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as missing:
        why = f"This needs {missing.name}, which is not installed."
        cure = f"{INSTALL.format(extra)}; then ask again: the answer is stored, and free."
        raise InstallError("E_INSTALL", why, cure) from None


def _fresh(name: str, taken: list[str]) -> str:
    """Give the name, or one more underscore for each time that it is taken."""
    return _fresh(f"{name}_", taken) if name in taken else name
