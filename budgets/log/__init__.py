"""The hash chain: events, anchors, projections, verification.

Rows -> whether they are as they were written.

Modules, each before those that import it:

    chain, anchor, events, projections, repeats, verify.
"""
