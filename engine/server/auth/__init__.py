"""Authentication: API keys, tokens of an identity provider, rate limits.

Headers -> a principal, or a refusal.

Modules, each before those that import it:

    keys, limits, tokens.
"""
