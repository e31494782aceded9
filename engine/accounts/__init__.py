"""Accounts in the engine's words: windows, losses of owners, stored releases, the audit log.

Ledger and Catalog -> what is spent and left.

Modules, each before those that import it:

    losses, shapes, window_accounts, alerts, audit_log, ledger_binding, open, stored_releases, worst_case.
"""
