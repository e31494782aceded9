"""Amounts and accounts: what a release costs, which account holders pay, what is left. Exact integers only.

Privacy losses and cap policies -> balances, bills, refusals.

Modules, each before those that import it:

    privacy_loss, accounts, records, outlook.
"""
