"""Demonstrates what dms-relay does: `python -m demo`, as root."""
