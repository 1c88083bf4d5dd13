"""The changes, and their order."""
