"""The worker process that holds the data, and how the server talks to it: frames, admission, scheduler, pacing.

Verbs and plain arguments -> plain results.

Modules, each before those that import it:

    frames, scheduler, pacing, verbs, link, admission, process.
"""
