"""How long to wait for what usually takes less than a second: if all is well, that costs nothing."""

PATIENCE = 120.0
"""Seconds. A machine with two processors and twenty busy programs needed 30 for what usually takes one (seen)."""
