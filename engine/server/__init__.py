"""The engine behind HTTP: one process that speaks to the network, and one that holds the data.

    request          app.py, asking.py, sharing_asked.py, administering.py   endpoints;
                     bodies.py, shapes.py, admin_shapes.py   what they read and give
      -> who         access.py, keys.py, tokens.py   bearer -> Principal; hashes in books.py, book_tables.py
      -> may         roles.py                     endpoint x role x own or another's, one table
      -> how often   limits.py                    body, SQL, rate
      -> wait or not jobs.py, gate.py             what goes on without its asker: durable; each client's share of calls
      -> frame       link.py, frames.py           JSON and Arrow over a pipe: wire shapes and nothing else
    worker           worker.py                    a process of its own: the only one that opens data
      -> verb        clerk.py                     what may be asked of the desk, the books and the register
      -> pace        pace.py, paced.py            fresh releases leave at the end of a public time
      -> turn        turns.py                     nobody starves: shares of the queue, slots that go round
    beside           alerts.py, delivery.py, watching.py   budgets that are nearly spent
                     health.py, readiness.py       own checks; whether questions can be answered now
    before all       protocol.py                  a head or a body that is sent in part ends
    around all       surround.py, logs.py, throttle.py, metrics.py   headers, a line, a count; openapi.py the document
    shared           house.py, settings.py, hardening.py   what every request needs; what the owner set; no core dumps
    before           listening.py, starting.py    ports, files and extras, before anything is started
    response         answers.py, sizes.py, problems.py   JSON or Arrow, padded; one shape for every no

`console/` is the same for a browser: pages that call the endpoints' functions; `flight/` is it for BI tools.
`serving.py` starts it all. Why it tells no more than the engine:
engine/proofs.md#server.
"""
