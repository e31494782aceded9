"""Power cuts on a disk in memory, with the ledger's own settings; and the control, which loses and is found to."""

from __future__ import annotations

from collections import Counter

from tests.nightly.search import EXAMPLES
from tests.support.ledger.power import CUTS, LOST, cut_power, without_durability

CUTS_OF_A_CHUNK, CUTS_OF_THE_CONTROL = 50, 10


def chunk(number: int) -> Counter[str]:
    """Cut the power some times; raises AssertionError if anything acknowledged was lost, or the control lost nothing."""
    counted = cut_power(number, CUTS_OF_A_CHUNK)
    assert counted[LOST] == 0, f"{counted[LOST]} of what was acknowledged are gone: {counted}"
    with without_durability():
        control = cut_power(number, CUTS_OF_THE_CONTROL)
    assert control[LOST] > 0, f"the control lost nothing: {control}"
    counted[EXAMPLES] = counted.pop(CUTS)
    acknowledged = control["charges acknowledged"] + control["results acknowledged"]
    return counted + Counter({"acknowledged at NORMAL": acknowledged, "of them lost": control[LOST]})
