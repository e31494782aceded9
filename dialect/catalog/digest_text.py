"""Digest text: texts of values for digests that outlive a version of the code: release keys and catalog versions.

A stored release is found again by a digest, which must not change when a class or a field is renamed. So each class
that enters a digest declares the names and the order that its texts use (proofs.md#stable-text).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Final

from dialect.catalog import model, privacy_windows

# class -> its name in texts, then its fields or members in the order of texts: `name`, or `name in texts=name in code`
Layouts = Mapping[type, str]

CATALOG_LAYOUTS: Final[Layouts] = {
    model.IsIn: "Among column values",
    model.InRange: "Between column type lower upper",
    model.CountryCondition: "Country column codes denied=is_excluded",
    model.EligibilityRules: "AdmissionRules table jurisdiction minors retention contact",
    model.AgeUnit: "AgeBy BIRTH_DATE BIRTH_YEAR AGE AGE_BAND",
    model.Bounds: "Bounds lower upper",
    model.Budget: "Budget rho delta client_rho static=static_budget reserve_rho query_rho lifetime_rho",
    model.CalibrationPolicy: "CalibrationTerms rho every_days=interval_days expires_days",
    model.H3Cell: "CellOf lon lat resolution",
    model.Column: "Column name type stored_type nullable bounds domain time_zone stored_utc sum_norm=sum_clip_bound"
    " centred_norm=centred_sum_clip_bound centre cell visible from_windows=source_windows",
    model.ColumnValues: "ColumnOf table column",
    model.Consent: "Consent column admitted=eligible_values",
    model.Dataset: "Dataset name window data_version defaults budget stretch=window_range admission=eligibility"
    " calibration replay_days",
    model.Defaults: "Defaults rho delta confidence",
    model.Jurisdiction: "Jurisdiction column constant codes denied=is_excluded legal_basis",
    model.MinimumAge: "Minors column by=unit minimum on=computed_on bands=eligible_bands",
    model.Movement: "Movement zone lon lat through norms=clip_bounds columns",
    model.ClipBounds: "Norms rows persons by_keys covers=expected_coverage",
    model.ClipBoundsByKeys: "NormsByKeys keys rows persons sums covers=expected_coverage",
    model.PersonPath: "PersonPath column through",
    model.Retention: "Retention months days",
    model.Source: "Source format path table joins",
    model.SourceJoin: "SourceJoin column on=join_column table take=source_column",
    model.SqlType: "SqlType BOOLEAN BIGINT DOUBLE VARCHAR DATE TIMESTAMP TIMESTAMPTZ TIME INTERVAL VARCHAR_LIST"
    " BIGINT_LIST POLYGON NULL",
    model.Table: "Table name dataset private source columns primary_key person time_column date_column"
    " from_windows=source_windows sorted_by norms=clip_bounds max_rows_per_person max_groups_per_person size_class"
    " consent movement kept_from=retained_from",
    model.ValueList: "ValueList values",
    model.ValueRange: "ValueRange lower upper",
    privacy_windows.WindowRange: "Stretch window first last",
    privacy_windows.PrivacyWindow: "Window FOREVER MONTH WEEK DAY",
}


def stable_text(value: object, layouts: Layouts = CATALOG_LAYOUTS) -> str:
    """Text of a value that depends on its layout and content alone, never on names in the code.

    Claim    equal texts only for equal values: it is injective on the types that `layouts` and Python's literals cover.
    Raises   TypeError for a type without a layout, ValueError where a layout and its class differ in their fields.
    """
    if isinstance(value, Enum):
        name, members = _layout(type(value), layouts.get(type(value)))
        return f"<{name}.{members[value.name]}: {value.value!r}>"
    if is_dataclass(value) and not isinstance(value, type):
        name, stored = _layout(type(value), layouts.get(type(value)))
        texts = (f"{key}={stable_text(getattr(value, field), layouts)}" for field, key in stored.items())
        return f"{name}({', '.join(texts)})"
    if isinstance(value, tuple):
        return f"({', '.join(stable_text(each, layouts) for each in value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(stable_text(each, layouts) for each in value)}]"
    if isinstance(value, dict):
        pairs = (f"{stable_text(key, layouts)}: {stable_text(each, layouts)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, set | frozenset) or type(value).__module__ not in _LITERALS:
        raise TypeError(f"{type(value).__name__} has no layout")
    return repr(value)


_LITERALS = frozenset({"builtins", "datetime", "decimal", "fractions"})  # modules whose values have a stable repr


@cache
def _layout(kind: type, layout: str | None) -> tuple[str, dict[str, str]]:
    """Read the layout of a class: its name in texts, and those of its fields or members: name in code -> name in texts.

    A layout of other fields or members than the class has raises ValueError.
    """
    if layout is None:
        raise TypeError(f"{kind.__name__} has no layout")
    name, *stored = layout.split()
    names = {code or text: text for text, _, code in (part.partition("=") for part in stored)}
    parts = [*kind.__members__] if issubclass(kind, Enum) else [each.name for each in fields(kind) if each.repr]  # type: ignore[arg-type]
    if sorted(names) != sorted(parts):
        raise ValueError(f"{kind.__name__} has the parts {', '.join(parts)}, its layout {', '.join(names)}")
    return name, names
