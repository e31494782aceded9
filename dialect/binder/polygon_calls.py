"""Where polygons may be named: as what a place is held against, under three names of one test."""

from __future__ import annotations

from sqlglot import exp

from dialect.algebra.expressions import Expr
from dialect.catalog.catalog import SqlType
from dialect.errors import Code
from dialect.parser.context import only, refusal
from dialect.stability.calls import POLYGON_HINT, polygon_refused

# where the parts stand: a point is two numbers
_PARTS = {
    "within_polygon": ("lon", "lat", "polygon"),
    "st_contains": ("polygon", "point"),
    "st_within": ("point", "polygon"),
}


def is_polygon_call(node: exp.Expr) -> bool:
    """Tell whether a node asks if a place is in a polygon."""
    name = str(node.this).lower() if isinstance(node, exp.Anonymous) else ""
    return name in _PARTS and len(node.expressions) == len(_PARTS[name])


def place_and_polygon(node: exp.Expr) -> tuple[exp.Expr, exp.Expr, exp.Expr]:
    """Give longitude, latitude and polygon of such a call as they are written."""
    parts = dict(zip(_PARTS[str(node.this).lower()], node.expressions, strict=True))
    point = parts.get("point")
    if isinstance(point, exp.StPoint) and point.args.get("expression") is not None:
        only(point, "this", "expression", code=Code.FUNC)
        parts |= {"lon": point.this, "lat": point.expression}
    if "lon" not in parts:
        raise refusal(Code.FUNC, "A point is written ST_Point(lon, lat).", POLYGON_HINT, node)
    return parts["lon"], parts["lat"], parts["polygon"]


def no_polygon(value: Expr, node: exp.Expr) -> Expr:
    """Refuse a polygon where a value stands."""
    if value.type is SqlType.POLYGON:
        raise polygon_refused(node)
    return value
