"""Amounts and accounts: what a release costs, who pays, what is left; exact integers.

Losses and policies -> balances.

Modules, each before those that import it:

    loss, conversion, names, holders, accounts, policy, records, bill, failures, outlook.
"""
