"""Declared admission: under whose law people are, from which age on they are read, how far back.

A row is read only where everything that is asked is known and admits it (proofs.md#admission).
"""

from __future__ import annotations

import re

from dialect.catalog.declared_admission import AdmissionRules, AgeBy, Jurisdiction, Minors, Retention
from engine.catalog.catalog_section import Section

DENIED = ("DE",)  # where location data may not be used without consent of a kind that no catalog can show
CODE = re.compile(r"[A-Z]{2}")
MOST_MONTHS, MOST_DAYS = 1_200, 36_525
JURISDICTION = 'write jurisdiction = { column = "country" }, or { constant = "AT" } where one law is everybody\'s.'
MINORS = 'write e.g. minors = { birth_date = "born", minimum = 18 }, or { age_band = "band", admitted = ["18-64"] }.'


def read_admission(section: Section) -> AdmissionRules:
    """Read what a dataset asks of people and rows, beside the consent that is declared on the table of persons."""
    section.only(("table", "jurisdiction", "minors", "retention", "contact"))
    part = section.mistakes.part
    return AdmissionRules(
        table=part(None, section.reference, "table"),
        jurisdiction=part(None, _jurisdiction, section),
        minors=part(None, _minors, section),
        retention=part(None, _retention, section),
        contact=part(None, section.text, "contact"),
    )


def read_replay(section: Section) -> int | None:
    """Read how old a stored release may be that a repeat is given: days."""
    if "replay_max_age" not in section.entries:
        return None
    rule = section.section("replay_max_age")
    rule.only(("days",))
    rule.need("days", "write replay_max_age = { days = 30 }.")
    return rule.whole("days", 30, 1, MOST_DAYS)


def _jurisdiction(section: Section) -> Jurisdiction | None:
    """Read whose law is asked for, and which laws do not admit."""
    if "jurisdiction" not in section.entries:
        return None
    law = section.section("jurisdiction")
    law.only(("column", "constant", "denied", "admitted", "legal_basis"))
    column, constant = law.reference("column"), law.text("constant")
    if (column is None) == (constant is None):
        raise section.error("jurisdiction", "a law is that of a column, or of everybody.", JURISDICTION)
    if constant is not None:
        _code(law, "constant", constant)
    basis = _legal_basis(law)
    codes, denied = _codes(law, dict(basis))
    return Jurisdiction(column, constant, codes, denied, basis)


def _legal_basis(law: Section) -> tuple[tuple[str, str], ...]:
    """Read for which codes the owner says why their law admits the people."""
    basis = law.section("legal_basis")
    for code in basis.entries:
        _code(law, "legal_basis", code)
    return tuple((code, basis.text(code) or "") for code in basis.entries)


def _codes(law: Section, basis: dict[str, str]) -> tuple[tuple[str, ...], bool]:
    """Find which codes are denied, or which alone are admitted; what is denied for everybody needs a legal basis."""
    if "denied" in law.entries and "admitted" in law.entries:
        raise law.error("admitted", "laws are denied or admitted, not both.", "keep one of the two lists.")
    if "admitted" in law.entries:
        admitted = _listed(law, "admitted")
        for code in (code for code in admitted if code in DENIED and code not in basis):
            raise law.error("admitted", f"{code} is denied until its legal basis is stated.", _basis(code))
        return admitted, False
    denied = _listed(law, "denied") if "denied" in law.entries else ()
    for code in (code for code in denied if code in basis):
        raise law.error("denied", f"{code} is denied and has a legal basis.", "keep one of the two.")
    return tuple(code for code in dict.fromkeys((*DENIED, *denied)) if code not in basis), True


def _basis(code: str) -> str:
    return f'write legal_basis = {{ {code} = "..." }} with the words that you would show to the people.'


def _listed(law: Section, name: str) -> tuple[str, ...]:
    found = law.entries[name]
    if not isinstance(found, list) or not all(isinstance(code, str) for code in found):
        raise law.error(name, "this is no list of codes.", f'write e.g. {name} = ["DE"].')
    return tuple(_code(law, name, code) for code in found)


def _code(law: Section, name: str, code: str) -> str:
    if not CODE.fullmatch(code):
        cure = 'write two capitals, as in ISO 3166-1: "DE".'
        raise law.error(name, f"{code[:20]} is no code of a country.", cure)
    return code


def _minors(section: Section) -> Minors | None:
    """Read how old people must be, and which column says so."""
    if "minors" not in section.entries:
        return None
    rule = section.section("minors")
    rule.only((*AgeBy, "minimum", "on", "admitted"))
    given = [by for by in AgeBy if by in rule.entries]
    if len(given) != 1:
        raise section.error("minors", "one column says how old people are.", MINORS)
    column = rule.reference(given[0]) or ""
    if given[0] is AgeBy.AGE_BAND:
        return Minors(column, given[0], bands=_bands(rule))
    if "admitted" in rule.entries:
        raise rule.error("admitted", "only age bands are listed.", "write minimum instead.")
    minimum = rule.whole("minimum", 18, 1, 120)
    return Minors(column, given[0], minimum, rule.day("on", rule.entries["on"]) if "on" in rule.entries else None)


def _bands(rule: Section) -> tuple[str, ...]:
    bands = rule.entries.get("admitted")
    if not isinstance(bands, list) or not bands or not all(isinstance(band, str) for band in bands):
        raise rule.error("admitted", "this is no list of age bands.", MINORS)
    if "minimum" in rule.entries or "on" in rule.entries:
        raise rule.error("minimum", "of age bands those admitted are listed.", "remove minimum and on.")
    return tuple(bands)


def _retention(section: Section) -> Retention | None:
    """Read how far back rows are read."""
    if "retention" not in section.entries:
        return None
    rule = section.section("retention")
    rule.only(("months", "days"))
    if len(rule.entries.keys() & {"months", "days"}) != 1:
        cure = "write retention = { months = 12 }, or { days = 90 }."
        raise section.error("retention", "retention is a number of months or of days.", cure)
    if "months" in rule.entries:
        return Retention(months=rule.whole("months", 12, 1, MOST_MONTHS))
    return Retention(days=rule.whole("days", 90, 1, MOST_DAYS))
