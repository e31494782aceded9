"""Work of several questions: calibration, standing questions, workloads, rehearsal.

A plan of questions -> their answers, and what was stored.

Modules, each before those that import it:

    calibration_questions, delivered_windows, calibrate, rehearsal, standing, workload.
"""
