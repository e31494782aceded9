"""Counters for Prometheus: of requests and refusals, all of them functions of what was asked, none of the data.

No time, no memory and no processor is measured: those of a fresh release depend on the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest

UNTOLD = frozenset({"E_EXEC", "E_SERVER"})  # may depend on the data: the asker and the ledger know of them


@dataclass(frozen=True)
class Metrics:
    """The counters of one server."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    refusals: Counter = field(init=False)
    questions: Counter = field(init=False)

    def __post_init__(self) -> None:
        """Make the counters, without the moments at which each was made."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        made = {
            "requests": Counter("passersby_requests", "Requests", ["method", "route"], registry=self.registry),
            "refusals": Counter("passersby_refusals", "Refusals", ["code"], registry=self.registry),
            "questions": Counter("passersby_questions", "Questions handed in", ["how"], registry=self.registry),
        }
        for name, counter in made.items():
            object.__setattr__(self, name, counter)

    def refused(self, code: str) -> None:
        """Count a refusal that was decided without data."""
        if code not in UNTOLD:
            self.refusals.labels(code).inc()

    def text(self) -> bytes:
        """Write them as Prometheus reads them."""
        return generate_latest(self.registry)
