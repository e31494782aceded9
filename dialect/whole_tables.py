"""Whether a source holds every row of one stored table, so that what is publicly known of these holds of it."""

from __future__ import annotations

from dialect.relations import Filter, Project, Relation, Scan


def every_row(relation: Relation) -> bool:
    """Tell whether each row of the windows that are read counts once: nothing is joined, left out or put together.

    The one filter below is the catalog's: of whole windows (`timed_scans`), or of rows on their date (`scans`).
    """
    while isinstance(relation.operator, Project):
        relation = relation.operator.source
    operator = relation.operator
    if isinstance(operator, Filter):
        below = operator.source.operator
        return isinstance(below, Scan) and below.filtered
    return isinstance(operator, Scan)
