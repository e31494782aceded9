"""Who asks: API keys, tokens of an identity provider, rates.

Headers -> an account, or a refusal.

Modules, each before those that import it:

    keys, limits, tokens.
"""
