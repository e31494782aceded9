"""The pipeline: one question from text to answer, and the explanation that reads no data.

A request -> Answer, with the charge durable before the first read.

Modules, each before those that import it:

    cache, answered, finish, binding, consistency, notes, outlook, target_budget, engine, advice, bias, explain,
    reliability.
"""
