"""The caps of a dataset: its ceiling, a client's, the owner's reserve, one question's, a client's lifetime."""

from __future__ import annotations

from fractions import Fraction

from dialect.catalog.catalog import Budget
from engine.catalog.catalog_section import Section

MOST_RHO = "1000000"  # the ledger counts pico-rho in 64 bits
LEAST_RHO = "0.0001"
LEAST_DELTA, MOST_DELTA = "1e-18", "1e-3"  # the ledger counts in atto-delta
KNOWN = ("rho", "delta", "client_rho", "static_rho", "static_delta", "reserve_rho", "query_rho", "lifetime_rho")


def read_budget(section: Section) -> Budget:
    """Read the caps; a client's is what the owner's reserve leaves unless it says less."""
    section.only(KNOWN)
    part = section.mistakes.part
    rho = part(Fraction(MOST_RHO), section.fraction, "rho", "0.2", LEAST_RHO, MOST_RHO)
    static = part(None, _static, section)
    reserve = part(Fraction(0), _reserve, section, rho, static)
    return Budget(
        rho=rho,
        delta=part(Fraction(1), section.fraction, "delta", "1e-9", LEAST_DELTA, MOST_DELTA),
        client_rho=part(rho - reserve, _client_rho, section, rho, reserve),
        static=static,
        reserve_rho=reserve,
        query_rho=part(None, _optional, section, "query_rho", "0.02"),
        lifetime_rho=part(None, _optional, section, "lifetime_rho", "1"),
    )


def check_default(section: Section, default_rho: Fraction, budget: Budget) -> None:
    """Refuse a most for one question that no question at the default would keep."""
    if budget.query_rho is not None and budget.query_rho < default_rho:
        why = "a question costs more than this where it names no price."
        raise section.error("budget.query_rho", why, "write at least defaults.rho.")


def _static(section: Section) -> tuple[Fraction, Fraction] | None:
    """Read the caps of private tables without time, read alone; what is not said is a window's."""
    if not {"static_rho", "static_delta"} & section.entries.keys():
        return None
    given = {
        name: name if name in section.entries else name.removeprefix("static_")
        for name in ("static_rho", "static_delta")
    }
    return (
        section.fraction(given["static_rho"], "0.2", LEAST_RHO, MOST_RHO),
        section.fraction(given["static_delta"], "1e-9", LEAST_DELTA, MOST_DELTA),
    )


def _reserve(section: Section, rho: Fraction, static: tuple[Fraction, Fraction] | None) -> Fraction:
    """Read the owner's reserve, which leaves something of every window to the clients."""
    reserve = _optional(section, "reserve_rho", "0.02") or Fraction(0)
    least, cap = min([(rho, "rho"), *([(static[0], "static_rho")] if static else [])])
    if reserve >= least:
        why = f"the owner's reserve leaves clients nothing of budget.{cap}."
        raise section.error("reserve_rho", why, f"write less than budget.{cap}, or remove it.")
    return reserve


def _client_rho(section: Section, rho: Fraction, reserve: Fraction) -> Fraction:
    """Read a client's cap, which is no more than all clients together have."""
    client_rho = _optional(section, "client_rho", "0.1")
    if client_rho is None:
        return rho - reserve
    if client_rho > rho:
        raise section.error("client_rho", "a client's cap is above the dataset's.", "write at most budget.rho.")
    if client_rho > rho - reserve:
        why = "a client's cap is above what the owner's reserve leaves to all clients."
        raise section.error("client_rho", why, "write at most budget.rho less budget.reserve_rho.")
    return client_rho


def _optional(section: Section, name: str, example: str) -> Fraction | None:
    return section.fraction(name, example, LEAST_RHO, MOST_RHO) if name in section.entries else None
