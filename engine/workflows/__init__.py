"""Workflows over several queries: calibration, scheduled queries, rehearsal.

A plan of queries -> their answers, and the stored releases.

Modules, each before those that import it:

    calibration_questions, calibrate, rehearsal, scheduled_queries.
"""
