"""Backends run bounded SQL and give exact integers."""
