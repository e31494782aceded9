"""Catalog files without clip bounds: what is left is what a data owner can know without measuring anything."""

from __future__ import annotations

import json
import tomllib
from datetime import date, time
from typing import Any

CLIP_BOUND_KEYS = frozenset({"norms", "sum_norm", "centred_norm", "centre"})


def without_norms(catalog: str) -> str:
    """Write a catalog file anew without norms, sums of columns and centres, in tables and in their movement."""
    lines = list[str]()
    for name, value in _without_clip_bounds(tomllib.loads(catalog)).items():
        if name not in ("datasets", "tables"):
            lines.append(f"{name} = {_text(value)}")
            continue
        # placed last: a TOML section ends where the next one begins
        for entry, section in value.items():
            lines += [f"[{name}.{json.dumps(entry)}]", *(f"{json.dumps(k)} = {_text(v)}" for k, v in section.items())]
    return "\n".join(lines) + "\n"


def _without_clip_bounds(value: Any) -> Any:
    """Copy a parsed catalog without the keys of clip bounds."""
    if isinstance(value, dict):
        return {key: _without_clip_bounds(each) for key, each in value.items() if key not in CLIP_BOUND_KEYS}
    return [_without_clip_bounds(each) for each in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    """Write a value as TOML, tables inline."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_text(each)}' for key, each in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return value.isoformat() if isinstance(value, date | time) else json.dumps(value, ensure_ascii=False)
