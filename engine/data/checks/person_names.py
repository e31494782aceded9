"""Which columns may name people, by their own names alone: no value is read."""

from __future__ import annotations

import re

_PEOPLE = (
    "person|client|user|customer|subscriber|member|visitor|rider|patient|employee|student|passenger|driver|guest"
    "|resident|owner|caller|traveller|kunde|kundin|mitglied|mitglieds|fahrer|fahrgast|imsi|msisdn|imei|plate|passport"
)
_THINGS = "card|device|account|vehicle|phone|karte|mac|hash|pseudonym|badge"
_ID = r"(?:_?(?:id|ids|uid|uuid|guid|key|hash|no|nr|num|number|nummer|code|token|ref|hashed|pseudonym))"
_NAMED = re.compile(rf"(?:.*_)?(?:(?:{_PEOPLE}){_ID}*|(?:{_THINGS}){_ID}+)")
_LIKE = re.compile(rf"people|{_PEOPLE}|{_THINGS}")
_ATTRIBUTE = re.compile(r".*_(?:class|type|kind|category|group|model|make|status|state|count|capacity|age|name|zone)s?")


def names_people(column: str) -> bool:
    """Return whether a column is named like the number or name of a person: driver, customer_id, device_uuid."""
    return _NAMED.fullmatch(column.lower()) is not None


def may_name_people(column: str) -> bool:
    """Return whether a column's name contains a word for a person or their thing, and no attribute of it."""
    name = column.lower()
    return names_people(name) or (_LIKE.search(name) is not None and _ATTRIBUTE.fullmatch(name) is None)


def row_name(column: str) -> str:
    """Return a column's name without its ending for an id: zone for zone_id and zone."""
    return re.sub(rf"(?<=\w){_ID}$", "", column.lower())
