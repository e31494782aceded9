"""The engines that SQL is written for."""

from __future__ import annotations

from enum import StrEnum


class EngineName(StrEnum):
    """An engine that SQL is written for."""

    DUCKDB = "duckdb"
    SPARK = "spark"
