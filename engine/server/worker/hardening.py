"""Process hardening: keeps memory that may contain private data in the process. No core dumps, no debuggers."""

from __future__ import annotations

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid_dumps() -> None:
    """Disable core dumps, and attaching from other processes of this user (prctl(2), PR_SET_DUMPABLE; Linux only)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def silence_tracebacks() -> None:
    """Report only the class of an uncaught exception: a traceback's text may contain a value."""
    sys.excepthook = lambda kind, error, trace: _report_kind(kind)
    import threading

    threading.excepthook = lambda failed: _report_kind(failed.exc_type)


def _report_kind(kind: type[BaseException] | None) -> None:
    sys.stderr.write(f'{{"event": "uncaught", "kind": "{kind.__name__ if kind else "unknown"}"}}\n')
