"""Accounts for display: privacy windows, losses of the owner, stored releases, the audit log.

Input: ledger and catalog. Output: what is spent and what is left.

Modules, each before those that import it:

    window_accounts, alerts, audit_log, ledger_binding, open_ledger, stored_releases.
"""
