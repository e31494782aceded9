"""The documented JSON shapes, checked strictly: these keys, no others, of these types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Maybe:
    """A shape, or null."""

    shape: Any


@dataclass(frozen=True)
class Each:
    """A dict of any keys whose values have one shape."""

    shape: Any


ANYTHING = object()
NUMBER = (int, float)
LOSS = {"rho": float, "delta": float, "epsilon_at_delta": {"epsilon": float, "delta": float}}
LEFT = {"rho": float, "delta": float, "epsilon": float, "cap_rho": float}
COLUMNS = [{"name": str, "type": str}]
FITTING = {
    "would_fit_error": Each(float),
    "would_fit_windows": [str],
    "other_windows": [str],
    "free_at_rho": Maybe(float),
}
OUTLOOK = FITTING | {
    "further": int,
    "account": Maybe(str),
    "client": Maybe(str),
    "window": Maybe(str),
    "next_window": Maybe(str),
    "lasts_days": Maybe(int),
    "rate_days": Maybe(int),
    "would_fit_rho": float,
    "stopped": Maybe(str),
    "told": [str],
}
THRESHOLDS = [{"threshold": int, "delta": float, "max_groups_per_person": int, "release": str}]
ADVICE = {
    "why": [str],
    "instead": [
        {
            "change": str,
            "told": str,
            "sql": str,
            "price": LOSS,
            "expected_error": Each(Maybe(float)),
            "groups": Maybe(int),
            "relative_width": Maybe(float),
        }
    ],
}
ANSWER = {
    "columns": COLUMNS,
    "rows": [[ANYTHING]],
    "intervals": Each([Maybe([NUMBER])]),
    "predicted_bias": Each(Maybe(float)),
    "bias_within": Each({"share": float, "amount": float}),
    "interval_parts": Each({"noise": float, "clipping": float}),
    "reliability": Each([Maybe(str)]),
    "advice": Maybe(ADVICE),
    "confidence": float,
    "simultaneous": Maybe({"confidence": float, "numbers": int}),
    "selection": Maybe({"candidates": int, "shown": int}),
    "may_be_nothing": [bool],
    "price": LOSS,
    "remaining": {"client": LEFT, "dataset": LEFT},
    "outlook": Maybe(OUTLOOK),
    "release_id": Maybe(str),
    "replayed": bool,
    "made_from": [
        {
            "release": str,
            "release_id": str,
            "settled_at": str,
            "standing": bool,
            "groups": int,
            "times": Maybe(float),
            "how": str,
        }
    ],
    "numbers_of": Maybe(str),
    "windows": [str],
    "thresholds": THRESHOLDS,
    "clip_bounds": Each(Maybe(float)),
    "notes": [str],
    "note_codes": [str],
}
OF_ANSWERS = {"rows", "reliability", "selection", "may_be_nothing"}
EXPLANATION = {key: shape for key, shape in ANSWER.items() if key not in OF_ANSWERS} | {
    "keys": [{"name": str, "kind": str, "count": Maybe(int), "why": str, "release": str}],
    "bounds": [
        {
            "vector": str,
            "norm": float,
            "rule": str,
            "why": str,
            "norm_from": str,
            "sensitivity": float,
            "sigma": float,
            "predicted_bias": Maybe(float),
            "kept": float,
            "bias_within": Maybe(float),
            "choices": [{"norm": float, "noise": float, "bias": float, "off": Maybe(float), "chosen": bool}],
            "release": str,
        }
    ],
    "expected_error": Each(Maybe(float)),
    "expected_range": Each([float]),
    "expected_from": str,
    "usual_rows": Maybe(float),
    "sql": str,
    "crossing": bool,
}
REFUSAL = {"code": str, "message": str, "hint": str, "span": Maybe([int]), "sql": Maybe(str)}
SHORT = (
    REFUSAL
    | FITTING
    | {"account": str, "window": Maybe(str)}
    | {"requested_rho": float, "remaining_rho": float, "short_by_rho": float, "would_fit_rho": float}
)
ACCOUNT = {
    "dataset": str,
    "window": str,
    "client": Maybe(str),
    "cap_rho": float,
    "spent_rho": float,
    "remaining_rho": float,
    "remaining_delta": float,
    "epsilon": Maybe(float),
    "delta": Maybe(float),
    "cap_epsilon": Maybe(float),
    "calibration_rho": float,
    "questions": int,
}
FORECAST = {"dataset": str, "window": str, "client": Maybe(str), "days": int, "of_days": int}
BUDGET = {"accounts": [ACCOUNT], "query_rho": Each(float), "ahead": Each([str]), "forecasts": [FORECAST]}
HISTORY = [
    {
        "release_id": str,
        "dataset": str,
        "windows": [str],
        "sql": Maybe(str),
        "question": str,
        "rho": float,
        "delta": float,
        "settled_at": Maybe(str),
    },
]
LEDGER = [
    {
        "sequence": int,
        "at": str,
        "kind": str,
        "dataset": str,
        "client": Maybe(str),
        "asked_by": str,
        "request_id": str,
        "rho": Maybe(float),
        "delta": Maybe(float),
        "body": str,
        "row_hash": str,
    }
]
TABLE = {
    "name": str,
    "kind": str,
    "dataset": str,
    "person": Maybe(str),
    "size_class": Maybe(str),
    "primary_key": [str],
    "time_column": Maybe(str),
    "window": Maybe(str),
    "first_window": Maybe(str),
    "last_window": Maybe(str),
    "first_day": Maybe(str),
    "last_day": Maybe(str),
    "windows_told": [str],
    "not_counted": [str],
    "norms": ANYTHING,
    "max_rows_per_person": Maybe(int),
    "max_groups_per_person": Maybe(int),
    "movement": ANYTHING,
    "columns": ANYTHING,
}


def misfits(value: Any, shape: Any, where: str = "$") -> list[str]:
    """List the places where a value is not of a shape."""
    if shape is ANYTHING or (isinstance(shape, Maybe) and value is None):
        return []
    if isinstance(shape, Maybe):
        return misfits(value, shape.shape, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _wrong(value, "list", where)
        return [found for i, item in enumerate(value) for found in misfits(item, shape[0], f"{where}[{i}]")]
    if isinstance(shape, dict | Each):
        return _dict_misfits(value, shape, where)
    kinds = shape if isinstance(shape, tuple) else (shape,)
    return [] if type(value) in kinds else _wrong(value, " or ".join(kind.__name__ for kind in kinds), where)


def _dict_misfits(value: Any, shape: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return _wrong(value, "dict", where)
    if isinstance(shape, Each):
        return [found for key, item in value.items() for found in misfits(item, shape.shape, f"{where}.{key}")]
    keys = [f"{where}: missing {key}" for key in shape.keys() - value.keys()]
    keys += [f"{where}: unknown {key}" for key in value.keys() - shape.keys()]
    both = shape.keys() & value.keys()
    return keys + [found for key in sorted(both) for found in misfits(value[key], shape[key], f"{where}.{key}")]


def _wrong(value: Any, wanted: str, where: str) -> list[str]:
    return [f"{where}: {value!r} is no {wanted}"]
