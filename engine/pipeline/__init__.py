"""The pipeline: one query from SQL text to answer, and the explanation that reads no data.

Input: a request. Output: an Answer, charged durably before the first read.

Modules, each before those that import it:

    compiled_query, post_process, consistency, bias, reliability, notes, outlook, target_budget, engine, advice,
    explain.
"""
