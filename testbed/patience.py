"""How long anybody waits for what usually comes within a second: where all is well, that costs nothing."""

PATIENCE = 120.0
"""Seconds. A machine with two processors and twenty busy programs needed 30 for what takes one (seen)."""
