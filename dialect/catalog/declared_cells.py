"""What a catalog says of columns of H3 cells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CellOf:
    """An H3 cell of a place in the same row, made when the data are opened."""

    lon: str  # column with degrees east
    lat: str  # column with degrees north
    resolution: int  # 0 to 15
