"""Contents of an answer, an explanation and a budget, read from their wire shapes; how they are shown is elsewhere.

`result` adds the outputs, and imports the renderers late, which read the classes here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

Interval = tuple[float, float]  # low end, high end
CARD = b"passersby"  # key of the card in an Arrow schema's metadata


class Card:
    """What an answer and an explanation have in common: price, budget left, level and bias of the numbers, notes."""

    def __init__(self, card: dict[str, Any]) -> None:
        """Take the fields of the wire shape."""
        self.card = card

    @property
    def price(self) -> dict[str, Any]:
        """Privacy loss charged for an answer, or of an explained question now: rho, delta, and epsilon at a delta."""
        return dict(self.card.get("price") or {})

    @property
    def replayed(self) -> bool:
        """Is the answer stored and paid for? Then it is free."""
        return bool(self.card.get("replayed"))

    @property
    def made_from(self) -> list[dict[str, Any]]:
        """Stored releases that the numbers are derived from; empty for new releases."""
        return list(self.card.get("made_from") or [])

    @property
    def remaining(self) -> dict[str, Any]:
        """Budget left after an answer, or before an explained question, of the client's account and the dataset's."""
        return dict(self.card.get("remaining") or {})

    @property
    def outlook(self) -> dict[str, Any]:
        """How many more questions like this one fit, how long that lasts, and what fits if this one does not."""
        return dict(self.card.get("outlook") or {})

    @property
    def confidence(self) -> float | None:
        """Probability that an interval covers the value, e.g. 0.95; expected bias (`predicted_bias`) is not in it."""
        return self.card.get("confidence")

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
        """How far most numbers may still be off by clipping, of bias-corrected columns and of averages.

        As a `share` of the number, or for an average as an `amount` in its unit.
        """
        return dict(self.card.get("bias_within") or {})

    @property
    def interval_parts(self) -> dict[str, dict[str, float]]:
        """Half-widths that `noise` alone and `clipping` alone would give a column; their squares add up.

        Medians over its rows, of columns whose intervals hold what correcting clipped contributions leaves.
        """
        return dict(self.card.get("interval_parts") or {})

    @property
    def clip_bounds(self) -> dict[str, float | None]:
        """Clip bound (L2, per person) of each clipped column; None where it combines several."""
        return dict(self.card.get("clip_bounds") or {})

    @property
    def thresholds(self) -> list[dict[str, Any]]:
        """Noisy numbers of people that private keys have to reach, by release."""
        return list(self.card.get("thresholds") or [])

    @property
    def notes(self) -> list[str]:
        """What a reader of the numbers should know, as sentences."""
        return list(self.card.get("notes") or [])

    @property
    def note_codes(self) -> list[str]:
        """Stable code of each note, in their order; empty where an older server sends none."""
        return list(self.card.get("note_codes") or [])


class Answer(Card):
    """An answer: rows with intervals, and the card that came with them."""

    def __init__(self, table: pyarrow.Table) -> None:
        """Read the card from the table's metadata."""
        self._table = table
        super().__init__(json.loads((table.schema.metadata or {}).get(CARD, b"{}")))

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
    def may_be_nothing(self) -> list[bool]:
        """Which rows may stand for nothing, of those that noise selected: no count of theirs is clearly above 0.

        Empty where noise did not select the rows.
        """
        return list(self.card.get("may_be_nothing") or [])

    @property
    def release_id(self) -> str | None:
        """Key of the stored release; None for public tables."""
        return self.card.get("release_id")

    @property
    def rehearsal(self) -> bool:
        """Are the rows synthetic? Then the numbers mean nothing."""
        return bool(self.card.get("rehearsal"))

    def arrow(self) -> pyarrow.Table:
        """Arrow table of the query's columns, with the card in the schema's metadata."""
        return self._table

    def flat(self, *, intervals: bool = True) -> pyarrow.Table:
        """Arrow table without metadata, with the interval ends as columns."""
        import pyarrow

        table = self._table.replace_schema_metadata(None)
        for name, column in self.intervals.items() if intervals else ():
            is_whole = pyarrow.types.is_integer(table.schema.field(name).type)
            for side, end in enumerate(("low", "high")):
                ends = [None if pair is None else pair[side] for pair in column]
                has_whole_ends = is_whole and all(each is None or isinstance(each, int) for each in ends)
                values = pyarrow.array(ends, pyarrow.int64() if has_whole_ends else pyarrow.float64())
                table = table.append_column(_unique_name(f"{name}_{end}", table.column_names), values)
        return table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)


class Explained(Card):
    """Price and expected errors of a question that was not asked."""

    def __init__(self, wire: dict[str, Any]) -> None:
        """Take the wire shape; fields that only an answer has are empty."""
        empty: dict[str, Any] = {"intervals": {}, "release_id": None, "numbers_of": None}
        super().__init__({**empty, **wire})

    @property
    def columns(self) -> list[str]:
        """Names of the columns that the answer would have."""
        return [column["name"] for column in self.card["columns"]]

    @property
    def expected_error(self) -> dict[str, float | None]:
        """Half-width of the intervals of each noisy column, in its unit; None where it depends on the answer.

        None also where only a range is known (`expected_range`).
        """
        return dict(self.card["expected_error"])

    @property
    def expected_range(self) -> dict[str, tuple[float, float]]:
        """Range of half-widths over the rows of a held answer; by public sizes where no profile was bought."""
        found: dict[str, list[float]] = self.card.get("expected_range") or {}
        return {name: (low, high) for name, (low, high) in found.items()}

    @property
    def expected_from(self) -> str:
        """Source of the expected half-widths: `noise`, a held `answer` or `profile`, `calibration`, or `magnitudes`."""
        return str(self.card.get("expected_from") or "noise")

    @property
    def usual_rows(self) -> float | None:
        """Rows of a usual group by public sizes, where `expected_range` is of such groups; None if unknown."""
        return self.card.get("usual_rows")

    @property
    def keys(self) -> list[dict[str, Any]]:
        """Group keys: public ones all appear, private ones have to reach a threshold."""
        return list(self.card["keys"])

    @property
    def bounds(self) -> list[dict[str, Any]]:
        """Contribution bound of each released query vector: rule, clip bound, reason, and the noise it needs."""
        return list(self.card["bounds"])

    @property
    def sql(self) -> str:
        """SQL that would run over the data; it returns one row per group, and no person's row."""
        return str(self.card["sql"])


class Accounts(dict[str, Any]):
    """{"accounts": [...], "query_rho": {dataset: rho}}: spent and remaining budget."""

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """Accounts of each dataset: all clients together, the client's groups, and the client's own."""
        return self["accounts"]

    def query_rho(self, account: dict[str, Any]) -> float | None:
        """Default price of a query in an account's dataset, in rho; None if unknown."""
        defaults: Mapping[str, float] = self.get("query_rho") or {}
        return defaults.get(account["dataset"])

    @property
    def own_first(self) -> list[dict[str, Any]]:
        """The accounts, a client's own and its groups' before those of all clients."""
        return sorted(self.accounts, key=lambda account: account["client"] is None)

    @property
    def ahead(self) -> dict[str, list[str]]:
        """How long budgets last at the present rate, and when new budget comes, as sentences by dataset."""
        return dict(self.get("ahead") or {})


def _unique_name(name: str, used: list[str]) -> str:
    """Name with as many underscores appended as make it unique."""
    return _unique_name(f"{name}_", used) if name in used else name
