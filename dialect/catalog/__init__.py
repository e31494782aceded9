"""What stewards declare, as data: tables, columns, keys, contribution bounds, privacy windows, eligibility rules.

The catalog file is read by `engine.catalog`. Its result, a Catalog, is immutable and shared by all later stages.

Modules, each before those that import it:

    privacy_windows, model, digest_text.
"""

from __future__ import annotations

from dialect.catalog.digest_text import Layouts, stable_text
from dialect.catalog.model import (
    DEFAULT_CALIBRATION,
    FALLBACK_VALUE_SHARE,
    MAX_PERSON_CHARACTERS,
    NO_ELIGIBILITY_RULES,
    OPT_OUT_TABLE,
    AgeUnit,
    Bounds,
    Budget,
    CalibrationPolicy,
    Catalog,
    ClipBounds,
    ClipBoundsByKeys,
    Column,
    ColumnValues,
    Consent,
    CountryCondition,
    Dataset,
    Defaults,
    Domain,
    EligibilityCondition,
    EligibilityRules,
    EngineName,
    H3Cell,
    InRange,
    IsIn,
    Jurisdiction,
    MinimumAge,
    Movement,
    PersonPath,
    Retention,
    Source,
    SourceJoin,
    SqlType,
    Table,
    Value,
    ValueList,
    ValueRange,
)
from dialect.catalog.privacy_windows import (
    MAX_WINDOWS,
    STATIC,
    PrivacyWindow,
    WindowRange,
    example_window_name,
    first_day_of_name,
    first_day_of_window,
    next_window_start,
    window_name,
    window_of_name,
)
