"""What rho and epsilon are, in one sentence, wherever both stand."""

LOSSES = (
    "rho adds up over questions; epsilon is the same loss in the unit that is usually quoted, and does not add up:"
    " docs/reading.md#what-it-cost-and-what-is-left"
)
