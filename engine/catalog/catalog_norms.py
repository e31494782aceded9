"""How much one person may count: norms in general, and for the usual keys."""

from __future__ import annotations

from dialect.catalog.catalog import Norms, NormsByKeys
from engine.catalog.catalog_section import Section

PERSONS = "write e.g. persons = 5, the square root of the number of groups that one person may be in."
NO_NORMS = "how much one person may count is not declared."


def read_norms(section: Section) -> Norms:
    """Read the norms of one person's rows and presence, in general and for usual keys."""
    section.need("norms", f"add [{section.at('norms')}] with rows = ... and persons = ....")
    norms = section.section("norms")
    norms.only(("rows", "persons", "covers", "by_keys"))
    part = norms.mistakes.part
    by_keys = (part(None, _norms_by_keys, usual) for usual in part((), norms.listed, "by_keys"))
    return Norms(
        part(1.0, _norm, norms, "rows", "write e.g. rows = 100, the most rows of one person that count fully."),
        part(1.0, _norm, norms, "persons", PERSONS),
        tuple(usual for usual in by_keys if usual is not None),
        part(0.98, _covers, norms),
    )


def _norm(section: Section, name: str, cure: str) -> float:
    """Read a norm that has no default."""
    norm = section.positive(name)
    if norm is None:
        raise section.error(name, NO_NORMS, cure)
    return norm


def _covers(section: Section) -> float:
    """Read which share of people is expected to stay within the norms."""
    return float(section.fraction("covers", "0.98", "0.5", "0.999999"))


def _norms_by_keys(section: Section) -> NormsByKeys:
    """Read the norms for one usual set of group keys."""
    section.only(("keys", "rows", "persons", "sums", "covers"))
    keys = section.texts("keys")
    if not keys:
        cure = 'write e.g. keys = ["origin_zone", "hour(started_at)"].'
        raise section.error("keys", "it is not said for which keys.", cure)
    sums = section.section("sums")
    norms = NormsByKeys(
        keys,
        section.positive("rows"),
        section.positive("persons"),
        {name.lower(): norm for name in sums.entries if (norm := sums.positive(name)) is not None},
        _covers(section),
    )
    if norms.rows is None and norms.persons is None and not norms.sums:
        raise section.error("keys", NO_NORMS, "add rows, persons or sums.")
    return norms
