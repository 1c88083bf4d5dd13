"""Tests that drive a real Postfix, and ask real relays what they received."""
